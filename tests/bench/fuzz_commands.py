"""Whatever comes as a command: nothing moves, nothing fails, and no memory is eaten.

    .venv/bin/python tests/bench/fuzz_commands.py --count 1000000
    .venv/bin/python tests/bench/fuzz_commands.py --seconds 300 --seed 7

Each payload goes through the link's check of the form, and, whatever that says (a link may be
somebody else's), to the gate's `Remote`, with its real judge, in-memory files and a lane that only
records. Ends with status 1 if anything is obeyed, taken, or raised, and prints counts by refusal.
Between the payloads a good command must still be obeyed, once: else refusing would prove nothing.
"""

import argparse
import json
import logging
import resource
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any, Literal

sys.path.append(str(Path(__file__).parent))

from command_payloads import NOW, NOW_S, SOURCE, USES, claims, payloads, text_of

from gatepost.gate import Asked
from gatepost.wiring.remote import Errands, Remote
from gatepost_services.commands.command import ServerVerb
from gatepost_services.commands.memory import MOST_KEPT, Case, Noted
from gatepost_services.credentials.keys import TrustedKey, Use, by_id
from gatepost_services.credentials.signing import kid_of
from gatepost_services.inbox import Letter
from gatepost_services.uplink.command_desk import CommandDesk
from gatepost_services.uplink.desk import Message

_EVERY = 10_000  # a good command
_MOST_GROWTH_KIB = 100 * 1024


class FuzzError(AssertionError):
    """Something happened that must not."""


class Clock:
    """Stands still, but for the monotonic part."""

    def __init__(self) -> None:
        self.at_s = 0.0

    def now_s(self) -> float:
        """Return an instant, a heartbeat after the last one."""
        self.at_s += 0.05
        return self.at_s

    def utc_s(self) -> float:
        """Return noon."""
        return float(NOW_S)

    def utc_quality(self) -> Literal["ntp"]:
        """Return that a time server keeps it."""
        return "ntp"


class Memory:
    """As `CommandMemory`, without a disk."""

    def __init__(self) -> None:
        self.place = (b"epoch", 0)
        self.since_s: int | None = 0
        self.answer = b""
        self._noted: dict[str, Noted] = {}
        self._highest: dict[bytes, int] = {}

    def noted(self, id_: str) -> Noted | None:
        """See there; so the others."""
        return self._noted.get(id_)

    def highest(self, kid: bytes) -> int:
        return self._highest.get(kid, 0)

    def begin(self, case: Case) -> None:
        if case.id in self._noted:
            raise FuzzError(f"{case.id}: begun twice")
        self._note(case, None)

    def refuse(self, letter: Letter, case: Case, body: bytes) -> None:
        self._note(case, body)
        self.end(letter, None, body)

    def end(self, letter: Letter, id_: str | None, body: bytes) -> None:
        if id_ is not None:
            self._noted[id_] = self._noted[id_]._replace(result=body)
        self.answer = body
        self.place = letter.epoch, letter.number

    def end_all(self, ended: Sequence[tuple[Letter, bytes]]) -> None:
        for letter, body in ended:
            self.end(letter, None, body)

    def close(self) -> None:
        pass

    def _note(self, case: Case, result: bytes | None) -> None:
        self._noted[case.id] = Noted(case.digest, result)
        self._highest[case.kid] = max(self._highest.get(case.kid, 0), case.counter)
        if len(self._noted) > MOST_KEPT:
            del self._noted[next(iter(self._noted))]


class Inbox:
    """As `InboxReader`: the one letter that is to be read."""

    def __init__(self) -> None:
        self.letter: Letter | None = None

    def after(self, _epoch: bytes, number: int, _most: int) -> list[Letter]:
        """Return it, if it is new."""
        return [self.letter] if self.letter and self.letter.number > number else []

    def close(self) -> None:
        pass


class Recorder:
    """What was taken beside the lane; after the good ones it must stay empty."""

    def __init__(self) -> None:
        self.did: list[str] = []

    def errands(self) -> Errands:
        """Return errands that are only noted."""
        return Errands(
            identify=lambda: self.did.append("identify"),
            restart=lambda: self.did.append("restart"),
            erase=lambda subject: self.did.append(f"erase {subject}"),
        )

    def offer(self, payload: bytes) -> str | None:
        """Note a document."""
        self.did.append(f"document {len(payload)}")
        return None


class Bench:
    """A gate's `Remote` that is fed one letter at a time."""

    def __init__(self) -> None:
        self.memory, self.inbox, self.recorder = Memory(), Inbox(), Recorder()
        keys = by_id(
            TrustedKey(
                kid_of(key.public_key()),
                key.public_key(),
                frozenset({Use(use)}),
                NOW - timedelta(days=1),
                NOW + timedelta(days=1),
            )
            for key, use in USES.items()
        )
        parts: dict[str, Any] = {"memory": self.memory, "inbox": self.inbox}
        self.remote = Remote(
            SOURCE,
            Clock(),
            keys=lambda: keys,
            errands=self.recorder.errands(),
            documents=self.recorder,
            **parts,
        )
        self._number = 0

    def deliver(self, content: bytes, kind: str = "command") -> tuple[list[Asked], str]:
        """Hand over a letter; return what the loop is asked, and why it is not, by the answer."""
        self._number += 1
        self.inbox.letter = Letter(b"epoch", self._number, kind, content)
        self.memory.answer = b""
        asked = list(self.remote.asked())
        if not asked and self.memory.place[1] != self._number:
            raise FuzzError("a letter that is not dealt with")
        said: Mapping[str, Any] = json.loads(self.memory.answer) if self.memory.answer else {}
        return asked, str(said.get("why", said.get("status", "asked")))


class Letters:
    """As the writing `Inbox`: keeps nothing, counts."""

    epoch = b"epoch"

    def __init__(self) -> None:
        self.count = 0

    def put(self, *_letter: object) -> int:
        """Count a letter."""
        self.count += 1
        return self.count


class Arrival:
    """The link's desk of commands, as messages come to it."""

    def __init__(self) -> None:
        self._inbox = Letters()
        parts: dict[str, Any] = {"inbox": self._inbox, "answers": None}
        self._desk = CommandDesk("north", "gate-1", **parts)

    def bring(self, payload: bytes, rng: Random) -> str:
        """Hand over a message; return what became of it."""
        before = self._inbox.count
        topic = rng.choice((None, "x" * 70_000, "#", "gatepost/north/gate-1/reply/a"))
        correlation = rng.choice((None, b"", rng.randbytes(20), bytes(70_000)))
        is_retained = rng.random() < 0.1
        self._desk.take(
            Message(f"{SOURCE[1:]}/command", payload, is_retained, topic, correlation), 0
        )
        if self._inbox.count > before:
            if is_retained:
                raise FuzzError("a retained command in the inbox")
            return "into the inbox"
        if rng.random() < 0.5:  # else they pile up, to a bound
            self._drain()
        return "refused by the link"

    def _drain(self) -> None:
        self._desk._look_at_s = 1.0  # there are no answers of a gate to look for
        while (post := self._desk.next_post(0.0)) is not None:
            json.loads(post.payload)
            self._desk.posted(post, 0, 0.0)


# ------------------------------------------------------------------------------------------- run


def run(seed: int, is_over: Callable[[int], bool]) -> tuple[Counter[str], Counter[str], int]:
    """Feed payloads until told; return counts by refusal, by the link's verdict, and how many.

    Raises:
        FuzzError: one of them did something, or a good one did not.
    """
    rng, bench, used = Random(seed), Bench(), list[bytes]()
    arrival = Arrival()
    refusals, link = Counter[str](), Counter[str]()
    made = payloads(rng, used)
    count = good = 0
    while not is_over(count):
        if count % _EVERY == 0:
            good += 1
            used.append(_obey_a_good_one(bench, good))
            bench.remote.news()
            del used[:-50]
        name, payload = next(made)
        count += 1
        link[arrival.bring(payload, rng)] += 1
        asked, why = bench.deliver(payload, rng.choice(("command", "command", "desired", "odd")))
        if asked or bench.recorder.did or why == "asked":
            raise FuzzError(f"{name}: {asked or bench.recorder.did}: {payload!r}")
        # Who is answered again as before is not obeyed again: nothing was asked.
        refusals[f"{name}: {why}"] += 1
        if count % 100 == 0:
            bench.remote.news()
    return refusals, link, count


def _obey_a_good_one(bench: Bench, number: int) -> bytes:
    verb = list(ServerVerb)[number % 6].value
    text = text_of(json.dumps(claims(number, verb=verb)).encode())
    (asked,), _ = bench.deliver(text)
    asked.answer({"done": True, "state": "idle"})
    if asked.id != f"good-{number}":
        raise FuzzError(f"another command than number {number}")
    return text


def main() -> int:
    """Run, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    logging.disable()  # the link tells of each change between good and bad
    began_s = time.monotonic()
    before_kib: list[int] = []

    def is_over(count: int) -> bool:
        if count == 20_000:
            before_kib.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
        if args.seconds is not None:
            return bool(time.monotonic() - began_s >= args.seconds)
        return bool(count >= args.count)

    refusals, link, count = run(args.seed, is_over)
    took_s = time.monotonic() - began_s
    for name, number in sorted(refusals.items()):
        print(f"{number:9}  {name}")
    print(f"link: {dict(link)}")
    now_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    grown_kib = now_kib - (before_kib or [now_kib])[0]
    print(
        f"{count} payloads in {took_s:.0f} s, seed {args.seed}: nothing obeyed, nothing raised; "
        f"memory grew by {grown_kib} KiB after the first 20000"
    )
    return 1 if grown_kib > _MOST_GROWTH_KIB else 0


if __name__ == "__main__":
    sys.exit(main())
