"""A lane with its inbox and its memory of commands: real files, a simulated clock."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import msgspec

from gatepost.gate import Surroundings
from gatepost.wiring.remote import Errands, Remote
from gatepost_hal.ports import Direction
from gatepost_services.commands.jws import Kind, sign
from gatepost_services.commands.memory import AnswerReader, CommandMemory
from gatepost_services.credentials.keys import KeysById, TrustedKey, Use, by_id
from gatepost_services.credentials.signing import PrivateKey, key_of_seed, kid_of
from gatepost_services.inbox import Inbox, InboxReader

from .stage import Stage

SOURCE = "/gatepost/s/g"
OPERATOR, ADMINISTRATOR, AUDITOR, PASSES, STRANGER = (
    key_of_seed(bytes([n]) * 32) for n in range(21, 26)
)
_USES = {
    OPERATOR: Use.OPERATOR,
    ADMINISTRATOR: Use.ADMINISTRATOR,
    AUDITOR: Use.AUDITOR,
    PASSES: Use.PASS,
}
_YEARS = timedelta(days=10_000)


def trust_list() -> KeysById:
    """Return the keys that count, at any time that a test may set."""
    begin = datetime(2000, 1, 1, tzinfo=UTC)
    return by_id(
        TrustedKey(
            kid_of(key.public_key()), key.public_key(), frozenset({use}), begin, begin + 4 * _YEARS
        )
        for key, use in _USES.items()
    )


class Drawer:
    """What errands were run, and what documents were offered. `why_not`: why they fail, if so."""

    def __init__(self) -> None:
        self.run: list[str] = []
        self.offered: list[bytes] = []
        self.why_not: str | None = None

    def errands(self) -> Errands:
        return Errands(
            identify=lambda: self._did("identify"),
            restart=lambda: self._did("restart"),
            erase=lambda subject: self._did(f"erase {subject}"),
        )

    def offer(self, payload: bytes) -> str | None:
        self.offered.append(payload)
        return self.why_not

    def _did(self, what: str) -> str | None:
        self.run.append(what)
        return self.why_not


class Commanded(Stage):
    """A stage whose loop reads an inbox in `folder`.

    `pulses` counts how often each way became free. `remembering` makes the memory: a test that
    breaks it has its own.
    """

    def __init__(
        self,
        folder: Path,
        *,
        remembering: Callable[[Path], CommandMemory | None] = CommandMemory.open,
        **keywords: Any,
    ) -> None:
        self.folder = folder
        self.drawer = Drawer()
        self.keys: KeysById = trust_list()
        self.remembering = remembering
        self.remote: Remote | None = None
        self.pulses = dict.fromkeys(Direction, 0)
        self._free: set[Direction] = set()
        self._numbers = count(1)
        self.inbox = Inbox.open(folder / "inbox.db")
        self.answers = AnswerReader(folder / "commands.db")
        super().__init__(**keywords)
        self.play(1.5)  # what was signed before the memory began does not count

    def _surroundings(self) -> Surroundings:
        if self.remote is not None:
            self.remote.close()
        self.remote = Remote(
            SOURCE,
            self.world,
            keys=lambda: self.keys,
            memory=self.remembering(self.folder / "commands.db"),
            inbox=InboxReader(self.folder / "inbox.db"),
            errands=self.drawer.errands(),
            documents=self.drawer,
        )
        holds, remote = self.life.holds, self.remote
        return (
            super()
            ._surroundings()
            ._replace(
                asked=holds(remote.asked), news=holds(remote.news), faults=holds(remote.faults)
            )
        )

    def play_until(self, condition: Callable[[], bool], limit_s: float = 60.0) -> bool:
        def look() -> bool:
            self.watch()
            return condition()

        return super().play_until(look, limit_s)

    def watch(self) -> None:
        """Count what became free since the last look."""
        now = self.released()
        for way in now - self._free:
            self.pulses[way] += 1
        self._free = now

    def now_s(self) -> int:
        return int(self.world.utc_s())

    def claims(self, verb: str, **changed: Any) -> dict[str, Any]:
        number = next(self._numbers)
        now_s = self.now_s()
        return {
            "jti": f"c-{number}",
            "aud": SOURCE,
            "iat": now_s,
            "nbf": now_s,
            "exp": now_s + 30,
            "counter": number,
            "verb": verb,
            "by": "anna",
            **changed,
        }

    def text(self, verb: str, key: PrivateKey = OPERATOR, **changed: Any) -> bytes:
        return signed(self.claims(verb, **changed), key)

    def put(self, text: bytes, kind: Any = "command") -> int:
        return self.inbox.put(kind, text)

    def command(self, verb: str, key: PrivateKey = OPERATOR, **changed: Any) -> Mapping[str, Any]:
        """Send a command and return its answer."""
        return self.answer(self.put(self.text(verb, key, **changed)))

    def answer(self, letter: int, limit_s: float = 5.0) -> Mapping[str, Any]:
        """Return the answer to a letter, once it is there."""
        assert self.play_until(lambda: letter in self.answered(), limit_s)
        return json.loads(self.answered()[letter])

    def answered(self) -> dict[int, bytes]:
        answers = self.answers.after(0, 10_000)
        found = {each.letter: each.body for each in answers if each.epoch == self.inbox.epoch}
        assert len(found) == len(answers), "a letter is answered once"
        return found

    def told(self, type_: str) -> list[Mapping[str, Any]]:
        return [entry.data for entry in self.log.entries if entry.type == type_]

    def close(self) -> None:
        if self.remote is not None:
            self.remote.close()
        self.inbox.close()
        self.answers.close()
        super().close()


def signed(claims: Mapping[str, Any], key: PrivateKey, kind: Kind = Kind.COMMAND) -> bytes:
    return sign(kind, msgspec.json.encode(claims), key, kid_of(key.public_key()))
