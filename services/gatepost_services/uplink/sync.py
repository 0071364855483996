"""The desk of the documents: fetches what the central server wants the gate to have.

A letter on `desired/<document>` names a content by its digest. It is asked for a few chunks at a
time, on `fetch`, and comes on `chunk/<digest>/<offset>`. When it is whole the letter goes into the
inbox, and the gate judges it; nothing is judged here. How much is asked for at once follows the
line: a command that comes meanwhile must not wait behind seconds of chunks.

What never comes right is handed on all the same, without its content: the gate then says so, in
its records and in what it reports, where the server sees it.
"""

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from gatepost_services.edge_log import EdgeLog
from gatepost_services.sync.documents import (
    CHUNK_BYTES,
    KINDS,
    MOST_ASKED_BYTES,
    MOST_BYTES,
    Desired,
    DocumentError,
    DocumentKind,
    Fetch,
    chunk_of,
    chunks_topic,
    desired_topic,
    fetch_topic,
    read_unverified,
)
from gatepost_services.sync.transfer import Transfer
from gatepost_services.uplink.backoff import Backoff
from gatepost_services.uplink.desk import Message, Post

_LOG = logging.getLogger(__name__)
_MOST_CHUNKS = MOST_ASKED_BYTES // CHUNK_BYTES
# An answer that takes less lets the next request ask for more; one that takes longer, for less.
_FAST_S = 0.2
_SLOW_S = 0.6
# So long nothing of what was asked for may come.
_TIMEOUT_S = 10.0
_INBOX_AGAIN_S = 5.0
_MOST_BAD = 3
# After a connection all letters that the broker holds come at once; by then they have.
_TIDY_AFTER_S = 60.0
_REFUSED = 0x80
_NO_SUBSCRIBER = 0x10  # MQTT 5.0, 3.4.2.1: nobody is there who could answer


class _Want:
    """One document that the server wants the gate to have."""

    def __init__(self, letter: bytes, desired: Desired, backoff: Backoff, now_s: float) -> None:
        self.letter = letter
        self.desired = desired
        self.backoff = backoff
        self.due_at_s = now_s
        self.bad = 0
        self.is_handed_on = False


def free_bytes(folder: Path) -> int:
    """Return what is free for us on the disk of a folder. Raises OSError."""
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


class SyncDesk:
    """The desk. Belongs to the link's thread.

    Args:
        site: this gate's site.
        gate: its name.
        folder: where contents come, made when missing; this desk alone writes there.
        put: puts a letter into the inbox; raises OSError when that is not possible now.
        min_free_bytes: what must be left of the disk.
        backoff: the pauses between requests that nobody answers.
        free: how much of the disk is free; for tests.
    """

    def __init__(
        self,
        *,
        site: str,
        gate: str,
        folder: Path,
        put: Callable[[bytes], object],
        min_free_bytes: int,
        backoff: Backoff,
        free: Callable[[Path], int] = free_bytes,
    ) -> None:
        self._desired = desired_topic(site, gate, "+").removesuffix("+")
        self._fetch = fetch_topic(site, gate)
        self._chunks = chunks_topic(site, gate)
        self._folder = folder
        self._put = put
        self._min_free_bytes = min_free_bytes
        self._backoff = backoff
        self._free = free
        self._wants: dict[DocumentKind, _Want] = {}
        self._handed_on: dict[DocumentKind, str] = {}  # the digests that the gate may still read
        self._transfer: Transfer | None = None
        self._fetching: _Want | None = None
        self._asked_at_s: float | None = None
        self._heard_at_s = 0.0
        self._most_chunks = 1
        self._tidy_at_s: float | None = None
        self._form_log, self._disk_log = EdgeLog(_LOG), EdgeLog(_LOG, logging.ERROR)
        self._inbox_log, self._line_log = EdgeLog(_LOG), EdgeLog(_LOG)
        self.malformed = 0
        self.foreign = 0

    @property
    def topics(self) -> Sequence[str]:
        """Letters and chunks of this gate."""
        return (f"{self._desired}+", self._chunks)

    @property
    def progress(self) -> Mapping[str, Mapping[str, str | int]]:
        """How far each document has come, for the status."""
        return {kind: self._progress_of(want) for kind, want in self._wants.items()}

    def connected(self, now_s: float) -> None:
        """Ask again: what was asked for on an earlier connection does not come any more."""
        self._asked_at_s = None
        self._most_chunks = 1
        self._tidy_at_s = now_s + _TIDY_AFTER_S
        for want in self._wants.values():
            want.due_at_s = min(want.due_at_s, now_s + self._backoff.another().next_s())

    def take(self, message: Message, now_s: float) -> None:
        """Take a letter or a chunk. Never raises: the broker keeps letters, servers chunks."""
        if message.topic.startswith(self._desired):
            self._take_letter(message.topic.removeprefix(self._desired), message.payload, now_s)
        elif not message.is_retained:  # nobody asked for a chunk before we came
            self._take_chunk(message, now_s)

    def next_post(self, now_s: float) -> Post | None:
        """Return the next request, None while there is none to be made."""
        for kind, want in self._wants.items():
            if not want.is_handed_on and want.due_at_s <= now_s and self._is_ready(want):
                self._hand_on(kind, want, now_s)
        self._tidy(now_s)
        self._look_at_the_clock(now_s)
        if self._asked_at_s is not None or not self._is_open(now_s):
            return None
        return self._request(now_s)

    def posted(self, post: Post, reason: int, now_s: float) -> None:
        """Note whether the broker took a request, and whether anybody is there to answer."""
        if reason >= _REFUSED:
            self._line_log.failed(
                "the broker refuses %s (0x%02x), no document comes: let this gate publish there",
                post.topic,
                reason,
            )
        elif reason == _NO_SUBSCRIBER:
            self._line_log.failed("nobody serves documents (%s has no subscriber)", post.topic)
        else:
            return
        self._give_way(now_s)

    def close(self) -> None:
        """Close the file; what has come stays, and is gone on with."""
        if self._transfer is not None:
            self._transfer.close()
        self._transfer = self._fetching = self._asked_at_s = None

    # ---------------------------------------------------------------------------------- letters

    def _take_letter(self, document: str, letter: bytes, now_s: float) -> None:
        kind = next((each for each in KINDS if each == document), None)
        if kind is None:
            self._refuse_form(document, "no document of ours")
        elif not letter:  # the broker's way to say that there is none any more
            self._forget(kind)
            self._handed_on.pop(kind, None)
            self._remove_old()
        elif (want := self._wants.get(kind)) is None or want.letter != letter:
            try:
                desired = read_unverified(letter)
            except DocumentError as error:
                self._refuse_form(document, str(error))
                return
            if desired.document != kind:
                self._refuse_form(document, f"a letter about the {desired.document}")
                return
            self._forget(kind, desired.digest)
            self._wants[kind] = _Want(letter, desired, self._backoff.another(), now_s)

    def _refuse_form(self, document: str, why: str) -> None:
        self.malformed += 1
        self._form_log.failed("desired/%s: %s; more are only counted", document, why)

    def _forget(self, kind: DocumentKind, wanted_digest: str | None = None) -> None:
        """Give up what was wanted, but for a content that is wanted all the same."""
        want = self._wants.pop(kind, None)
        if want is None or want is not self._fetching:
            return
        transfer = self._transfer
        self.close()
        if transfer is not None and transfer.digest != wanted_digest:
            transfer.drop()

    def _is_ready(self, want: _Want) -> bool:
        """Return whether the gate is to have the letter now: there is nothing (more) to fetch."""
        desired = want.desired
        return (
            want.bad >= _MOST_BAD
            or desired.bytes > MOST_BYTES[desired.document]
            or _size(self._folder / desired.digest) == desired.bytes
        )

    def _hand_on(self, kind: DocumentKind, want: _Want, now_s: float) -> None:
        try:
            self._put(want.letter)
        except OSError as error:
            want.due_at_s = now_s + _INBOX_AGAIN_S
            self._inbox_log.failed("%s; the %s waits", error, want.desired.name)
            return
        self._inbox_log.recovered("the inbox takes letters again")
        want.is_handed_on = True
        self._handed_on[kind] = want.desired.digest
        _LOG.info("%s: handed on to the gate", want.desired.name)
        self._remove_old()

    # ------------------------------------------------------------------------------------ chunks

    def _take_chunk(self, message: Message, now_s: float) -> None:
        transfer, found = self._transfer, chunk_of(message.topic)
        if transfer is None or found is None or found[0] != transfer.digest:
            self.foreign += 1
            return
        try:
            if not transfer.take(found[1], message.payload):
                self.foreign += 1
                return
            self._heard_at_s = now_s
            if transfer.has_all_asked:
                self._answered(now_s)
            if transfer.is_whole:
                self._finish(transfer, now_s)
        except OSError as error:
            self._disk_failed(error, now_s)

    def _answered(self, now_s: float) -> None:
        """Go on at once, and for as much as the line brings in a moment."""
        took_s = _SLOW_S if self._asked_at_s is None else now_s - self._asked_at_s
        self._asked_at_s = None
        if took_s < _FAST_S:
            self._most_chunks = min(_MOST_CHUNKS, 2 * self._most_chunks)
        elif took_s > _SLOW_S:
            self._most_chunks = max(1, self._most_chunks // 2)
        self._line_log.recovered("documents come again")
        if self._fetching is not None:
            self._fetching.due_at_s = now_s
            self._fetching.backoff.reset()

    def _finish(self, transfer: Transfer, now_s: float) -> None:
        is_right = transfer.finish()
        want = self._fetching
        self.close()
        if is_right or want is None:
            self._disk_log.recovered("documents can be written again")
            return
        want.bad += 1
        want.due_at_s = now_s + want.backoff.next_s()
        _LOG.error(
            "%s: what came has another digest; %s",
            want.desired.name,
            "asked for again" if want.bad < _MOST_BAD else "given up, and told to the gate",
        )

    def _look_at_the_clock(self, now_s: float) -> None:
        if self._asked_at_s is not None and now_s - self._heard_at_s >= _TIMEOUT_S:
            self._line_log.failed("nobody answers requests for documents; asking on, less often")
            self._give_way(now_s)

    def _give_way(self, now_s: float) -> None:
        """Ask again later, and for less. A chunk that is only late still counts."""
        self._asked_at_s = None
        self._most_chunks = 1
        if self._fetching is not None:
            self._fetching.due_at_s = now_s + self._fetching.backoff.next_s()

    def _is_open(self, now_s: float) -> bool:
        """Return whether there is a transfer to ask for; begin the one that is due."""
        waiting = (self._wants[kind] for kind in KINDS if kind in self._wants)
        want = next((w for w in waiting if not w.is_handed_on and w.due_at_s <= now_s), None)
        if want is None or self._is_ready(want):
            return False
        try:
            if self._transfer is None or want is not self._fetching:
                self._begin(want)
            return self._transfer is not None and self._transfer.catch_up()
        except OSError as error:
            self._disk_failed(error, now_s)
            return False

    def _begin(self, want: _Want) -> None:
        self.close()
        desired = want.desired
        self._fetching = want
        self._folder.mkdir(mode=0o750, exist_ok=True)
        transfer = Transfer(self._folder, desired.digest, desired.bytes)
        self._transfer = transfer
        missing = desired.bytes - transfer.length
        free = self._free(self._folder)
        if free - missing < self._min_free_bytes:
            raise OSError(
                f"{self._folder}: {free} bytes are free; the {desired.name} needs {missing}, and "
                f"{self._min_free_bytes} must stay free ([journal] min_free_megabytes)"
            )

    def _request(self, now_s: float) -> Post | None:
        transfer = self._transfer
        if transfer is None:
            return None
        if transfer.is_whole:  # of an earlier process, which died before it looked
            try:
                self._finish(transfer, now_s)
            except OSError as error:
                self._disk_failed(error, now_s)
            return None
        offset, length = transfer.ask(self._most_chunks)
        self._asked_at_s = self._heard_at_s = now_s
        body = msgspec.json.encode(Fetch(transfer.digest, offset, length))
        return Post(self._fetch, body, expiry_s=int(_TIMEOUT_S))

    def _disk_failed(self, error: OSError, now_s: float) -> None:
        self._disk_log.failed("%s; a document waits, tried again", error)
        self._give_way(now_s)
        self.close()

    # ------------------------------------------------------------------------------------- tidying

    def _tidy(self, now_s: float) -> None:
        if self._tidy_at_s is not None and now_s >= self._tidy_at_s:
            self._tidy_at_s = None
            self._remove_old()

    def _remove_old(self) -> None:
        """Remove what nobody wants any more, once it is known what the broker holds."""
        if self._tidy_at_s is not None:
            return
        kept = {want.desired.digest for want in self._wants.values()} | {*self._handed_on.values()}
        try:
            for path in self._folder.iterdir() if self._folder.exists() else ():
                if path.stem not in kept:
                    path.unlink(missing_ok=True)
        except OSError as error:
            self._disk_log.failed("%s: cannot be tidied: %s", self._folder, error.strerror)

    def _progress_of(self, want: _Want) -> Mapping[str, str | int]:
        desired = want.desired
        has = desired.bytes if want.is_handed_on else _size(self._folder / f"{desired.digest}.part")
        state = "handed_on" if want.is_handed_on else "fetching"
        return {"version": desired.version, "state": state, "has": has, "bytes": desired.bytes}


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
