"""The server's side of documents: says what gates are to have, and serves the content.

For small sites, for tests, and as an example: a letter is retained on a gate's `desired/<document>`
topic, and each request on `fetch` is answered with chunks. What a gate has is what it reports.
"""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from hashlib import sha256
from typing import Self

import msgspec
from msgspec import Struct

from gatepost_services.commands.jws import Kind, sign
from gatepost_services.contract.events import event_source
from gatepost_services.credentials.signing import PrivateKey, kid_of
from gatepost_services.hub.messages import Broker, Incoming, Outgoing
from gatepost_services.hub.mqtt import HubClient
from gatepost_services.sync.documents import (
    CHUNK_BYTES,
    Desired,
    DocumentKind,
    Fetch,
    chunk_topic,
    desired_topic,
)

CONTENT_TYPE = "application/jose"
_CHUNK_TYPE = "application/octet-stream"
# The link asks again by then: a broker need not keep chunks for a gate that is away.
_CHUNK_EXPIRY_S = 10
_PARTS = 4  # of gatepost/<site>/<gate>/fetch


class Report(Struct, frozen=True):
    """What a gate reports of one document: `reported.documents.<kind>`."""

    version: int = 0
    digest: str | None = None
    state: str = "none"
    why: str | None = None
    refused: int | None = None


class _Reported(Struct, frozen=True):
    documents: dict[str, Report] = {}


class DesiredError(OSError):
    """A letter could not be published. The text says why."""


class Shelf:
    """Contents by digest, and the answer to a request. Pure."""

    def __init__(self) -> None:
        self._contents: dict[str, bytes] = {}

    def put(self, content: bytes) -> str:
        """Keep a content; return its digest."""
        digest = sha256(content).hexdigest()
        self._contents[digest] = content
        return digest

    def answers(self, topic: str, payload: bytes) -> Iterator[Outgoing]:
        """Yield the chunks that a request asks for; nothing, where it asks for none of ours."""
        parts = topic.split("/")
        if len(parts) != _PARTS or parts[-1] != "fetch":
            return
        try:
            asked = msgspec.json.decode(payload, type=Fetch)
        except (msgspec.DecodeError, RecursionError):
            return
        content = self._contents.get(asked.digest, b"")
        end = min(len(content), asked.offset + asked.bytes)
        for at in range(asked.offset, end, CHUNK_BYTES):
            yield Outgoing(
                chunk_topic(parts[1], parts[2], asked.digest, at),
                content[at : min(end, at + CHUNK_BYTES)],
                content_type=_CHUNK_TYPE,
                expiry_s=_CHUNK_EXPIRY_S,
            )


def letter(desired: Desired, key: PrivateKey) -> bytes:
    """Return the signed text by which a gate is told."""
    return sign(Kind.DESIRED, msgspec.json.encode(desired), key, kid_of(key.public_key()))


class DesiredServer:
    """Publishes letters and serves contents for one site, from entering to leaving it.

    `served` counts the requests that were answered. For one thread, beside the client's own.
    """

    def __init__(self, broker: Broker, site: str, *, client_id: str = "") -> None:
        root = event_source(site, "x")[1:].rpartition("/")[0]
        self._site = site
        self._shelf = Shelf()
        self._changed = threading.Condition()  # guards the two below
        self._reports: dict[str, Mapping[str, Report]] = {}
        self.served = 0
        self._client = HubClient(
            broker,
            client_id=client_id,
            topics=[f"{root}/+/fetch", f"{root}/+/reported"],
            on_message=self._take,
        )

    def __enter__(self) -> Self:
        self._client.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._client.stop()

    def wait_trouble(self, timeout_s: float) -> str | None:
        """Wait for the subscriptions; return why there are none, if so."""
        return self._client.wait_trouble(timeout_s)

    def serve(self, content: bytes) -> str:
        """Serve a content from now on; return its digest."""
        return self._shelf.put(content)

    def push(self, gates: Iterable[str], desired: Desired, key: PrivateKey) -> None:
        """Tell gates what they are to have, retained.

        Raises:
            DesiredError: the broker did not take it.
        """
        text = letter(desired, key)
        tickets = {
            gate: self._client.publish(
                Outgoing(
                    desired_topic(self._site, gate, desired.document),
                    text,
                    is_retained=True,
                    content_type=CONTENT_TYPE,
                )
            )
            for gate in gates
        }
        for gate, ticket in tickets.items():
            if not ticket.wait(_CHUNK_EXPIRY_S):
                code = "no answer" if ticket.reason is None else f"reason 0x{ticket.reason:02x}"
                raise DesiredError(f"{gate}: the broker does not take the letter ({code})")

    def report(self, gate: str, document: DocumentKind) -> Report | None:
        """Return what a gate last reported of a document, None where it never reported."""
        with self._changed:
            found = self._reports.get(gate)
            return None if found is None else found.get(document, Report())

    def wait_reports(self, condition: Callable[[], bool], timeout_s: float) -> bool:
        """Wait until what gates report fulfils a condition; return whether it does."""
        with self._changed:
            return self._changed.wait_for(condition, timeout_s)

    def _take(self, message: Incoming) -> None:
        gate = message.topic.split("/")[2]
        if message.topic.endswith("/reported"):
            try:
                found = msgspec.json.decode(message.payload, type=_Reported)
            except (msgspec.DecodeError, RecursionError):
                return
            with self._changed:
                self._reports[gate] = found.documents
                self._changed.notify_all()
        elif not message.is_retained:
            answers = [*self._shelf.answers(message.topic, message.payload)]
            self.served += bool(answers)
            for each in answers:
                self._client.publish(each)
