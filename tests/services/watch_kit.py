"""A gate that only speaks: its events, its signed head, and what it says of itself."""

import json
from hashlib import sha256

from gatepost_services.commands.jws import Kind, sign
from gatepost_services.contract.events import Envelope
from gatepost_services.credentials.signing import hex_of, kid_of, new_key
from gatepost_services.hub.messages import Incoming
from gatepost_services.record import NO_HASH, Entry

NOW_UTC_S = 1_800_000_000.0


class SpeakingGate:
    """Seals events in order; each method returns a message as the broker would hand it on."""

    def __init__(self, gate: str = "gate-1", site: str = "north") -> None:
        self.name, self.base = f"{site}/{gate}", f"gatepost/{site}/{gate}"
        self.key = new_key()
        self.bodies: list[bytes] = []
        self._envelope = Envelope(site, gate, "boot-1")

    @property
    def head_hash(self) -> bytes:
        return sha256(self.bodies[-1]).digest() if self.bodies else NO_HASH

    def event(
        self,
        type_: str = "passage.entered",
        stream: str = "live",
        *,
        utc_s: float = NOW_UTC_S,
        quality: str = "ntp",
        **data: object,
    ) -> Incoming:
        seq = len(self.bodies) + 1
        entry = Entry(type_, 1.0 * seq, utc_s, data, quality)  # type: ignore[arg-type]
        self.bodies.append(self._envelope.seal(entry, seq, self.head_hash))
        return self.again(seq, stream)

    def again(self, seq: int, stream: str = "live", body: bytes | None = None) -> Incoming:
        return self.says(f"event/{stream}", self.bodies[seq - 1] if body is None else body)

    def says(self, kind: str, payload: bytes) -> Incoming:
        return Incoming(f"{self.base}/{kind}", payload, is_retained=not kind.startswith("event/"))

    def presence(self, state: str) -> Incoming:
        return self.says("presence", json.dumps({"state": state, "boot_id": "b"}).encode())

    def status(self, depth: int = 0, **more: object) -> Incoming:
        return self.says(
            "status", json.dumps({"depth": depth, "oldest_utc": None, **more}).encode()
        )

    def reported(self, **lane: object) -> Incoming:
        said = {
            "source": f"/{self.base}",
            "version": "1.2.3",
            "device_key": hex_of(self.key.public_key()),
            "time_quality": "ntp",
            "documents": {},
            "lane": {"state": "idle", "standing": [], "inputs": {}, "faults": [], **lane},
        }
        return self.says("reported", json.dumps(said).encode())

    def head(
        self, seq: int | None = None, digest: bytes | None = None, **claims: object
    ) -> Incoming:
        said = {
            "source": f"/{self.base}",
            "seq": len(self.bodies) if seq is None else seq,
            "hash": (self.head_hash if digest is None else digest).hex(),
            "utc_s": 1,
            "time_quality": "ntp",
            **claims,
        }
        return self.says("head", self.signed(json.dumps(said).encode()))

    def signed(self, payload: bytes, kind: Kind = Kind.HEAD) -> bytes:
        return sign(kind, payload, self.key, kid_of(self.key.public_key()))
