"""A desk of documents with a server that answers as a test says: chunks lost, late, wrong."""

from base64 import urlsafe_b64encode
from hashlib import sha256
from random import Random

import msgspec

from gatepost_services.inbox import InboxFullError
from gatepost_services.sync.documents import (
    CHUNK_BYTES,
    TYP,
    Desired,
    Fetch,
    chunk_topic,
    desired_topic,
)
from gatepost_services.uplink.backoff import Backoff
from gatepost_services.uplink.desk import Message
from gatepost_services.uplink.sync import SyncDesk

SITE, GATE = "north", "gate-1"
FREE = 10**9
_KEPT_FREE = 10**8


def encoded(data):
    return urlsafe_b64encode(data).rstrip(b"=")


def letter(desired, *, typ=TYP, alg="EdDSA", signature=b"s" * 64):
    """Return a letter that nobody signed: the link cannot tell."""
    header = msgspec.json.encode({"alg": alg, "kid": "ab", "typ": typ})
    payload = desired if isinstance(desired, bytes) else msgspec.json.encode(desired)
    return b".".join((encoded(header), encoded(payload), encoded(signature)))


def content_of(size, seed=0):
    return Random(seed).randbytes(size)


def desired(kind, version, content, **more):
    found = {
        "digest": sha256(content).hexdigest(),
        "bytes": len(content),
        "aud": f"/gatepost/{SITE}/{GATE}",
        "iat": 1_700_000_000,
    }
    return Desired(kind, version, **{**found, **more})


class Bench:
    """One desk, its folder, an inbox, and time that only the test moves."""

    def __init__(self, folder):
        self.folder = folder / "incoming"
        self.now_s = 1000.0
        self.free = FREE
        self.inbox = []
        self.is_full = False
        self.contents = {}
        self.restart()

    def restart(self):
        """A kill and a new start: nothing is closed in order but the descriptor."""
        if hasattr(self, "desk"):
            self.desk.close()
        self.desk = SyncDesk(
            site=SITE,
            gate=GATE,
            folder=self.folder,
            put=self._put,
            min_free_bytes=_KEPT_FREE,
            backoff=Backoff(1.0, 300.0, Random(3)),
            free=lambda _: self.free,
        )
        self.desk.connected(self.now_s)

    def _put(self, text):
        if self.is_full:
            raise InboxFullError("200 letters wait")
        self.inbox.append(text)

    def want(self, kind, version, content, **more):
        """Retain a letter at the broker, with a content that the server has."""
        self.contents[sha256(content).hexdigest()] = content
        text = letter(desired(kind, version, content, **more))
        self.say(kind, text)
        return text

    def say(self, kind, text):
        message = Message(desired_topic(SITE, GATE, kind), text, is_retained=True)
        self.desk.take(message, self.now_s)

    def asked(self):
        """Return what is asked for next, None for nothing; the broker takes the request."""
        post = self.desk.next_post(self.now_s)
        if post is None:
            return None
        self.desk.posted(post, 0, self.now_s)
        assert post.topic == f"gatepost/{SITE}/{GATE}/fetch"
        return msgspec.json.decode(post.payload, type=Fetch)

    def chunks(self, fetch):
        """Return what a good server answers: offsets and bytes."""
        content = self.contents[fetch.digest]
        end = min(fetch.offset + fetch.bytes, len(content))
        return [
            (at, content[at : min(at + CHUNK_BYTES, end)])
            for at in range(fetch.offset, end, CHUNK_BYTES)
        ]

    def bring(self, digest, offset, chunk, *, is_retained=False):
        topic = chunk_topic(SITE, GATE, digest, offset)
        self.desk.take(Message(topic, chunk, is_retained=is_retained), self.now_s)

    def answer(self, fetch):
        for offset, chunk in self.chunks(fetch):
            self.bring(fetch.digest, offset, chunk)

    def serve(self, turns=5000):
        """Turn until nothing more is asked for; time passes."""
        for _ in range(turns):
            fetch = self.asked()
            if fetch is not None:
                self.answer(fetch)
            elif self.is_idle:
                return
            self.now_s += 0.05
        raise AssertionError("it never ends")

    @property
    def is_idle(self):
        return all(want.is_handed_on for want in self.desk._wants.values())

    def files(self):
        return sorted(path.name for path in self.folder.glob("*"))
