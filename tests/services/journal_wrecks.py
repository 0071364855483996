"""Journals in the middle of their work, and what can happen to their files."""

from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random
from typing import NamedTuple

import pytest

from gatepost_services.contract.classes import CLASS_OF
from gatepost_services.contract.events import Envelope
from gatepost_services.journal import (
    Entry,
    Journal,
    JournalDamaged,
    JournalReader,
)
from gatepost_services.journal.bounds import Limits
from gatepost_services.journal.keeper import Keeper
from gatepost_services.journal.opening import open_journal
from gatepost_services.record import EventClass

NAME = "journal.db"
DB, WAL, SHM, HEAD = SUFFIXES = ("", "-wal", "-shm", "-head")
ENVELOPE = Envelope("north", "gate-1", "boot-1")
TYPES = [next(name for name, its in CLASS_OF.items() if its is each) for each in EventClass]
Files = dict[str, bytes]


def stamp(type_: str, data: Mapping[str, object]) -> Entry:
    return Entry(type_, 5.0, 1.8e9, data, "ntp")  # type: ignore[arg-type]


class Original(NamedTuple):
    """A journal as its gate left it, in the middle of its work.

    `bodies`: every event it ever took, by number. `alive`: the numbers of those that it holds.
    `files` are what is on the disk now, `older` what was there before.
    """

    bodies: dict[int, bytes]
    alive: frozenset[int]
    delivered_seq: int
    files: Files
    older: list[Files]

    @property
    def last_seq(self) -> int:
        return max(self.bodies)


class Ledger(Envelope):
    """An envelope that knows all that it ever sealed."""

    def __init__(self, *names: str) -> None:
        super().__init__(*names)
        self.bodies: dict[int, bytes] = {}

    def seal(self, entry, seq, previous):
        self.bodies[seq] = super().seal(entry, seq, previous)
        return self.bodies[seq]


def grown(folder: Path, seed: int) -> Original:
    chance, older = Random(seed), []
    path = folder / NAME
    ledger = Ledger("north", "gate-1", "boot-1")
    with Journal(path, ledger) as journal:
        while journal.state.last_seq < 150:
            add(journal, chance)
        journal._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        while journal.state.last_seq < 180:
            add(journal, chance)
        older.append(files_at(path))
        journal.forget(60)
        journal._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        while journal.state.last_seq < 240:
            add(journal, chance)
        journal.evict(EventClass.TELEMETRY, 90, stamp("journal.gap", {"cause": "events"}))
        older.append(files_at(path))
        if seed % 2:
            journal._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        while journal.state.last_seq < 320:
            add(journal, chance)
        files = files_at(path)
        alive = frozenset(body_of(path))
    return Original(ledger.bodies, alive, 90, files, older)


def add(journal: Journal, chance: Random) -> None:
    pads = [chance.choice([0, 50, 300, 300, 900]) for _ in range(chance.randint(1, 7))]
    if chance.random() < 0.05:
        pads[0] = chance.choice([4_000, 9_000, 40_000])  # longer than a page
    journal.append(
        [
            Entry(chance.choice(TYPES), chance.random() * 1e5, 1.7e9 + chance.random(), data(pad))
            for pad in pads
        ]
    )


def data(pad: int) -> dict[str, str]:
    return {"visit": "a2f1", "pad": "Aé" * (pad // 3)}


def files_at(path: Path) -> Files:
    return {
        suffix: path.with_name(path.name + suffix).read_bytes()
        for suffix in SUFFIXES
        if path.with_name(path.name + suffix).exists()
    }


def lay(folder: Path, files: Files) -> Path:
    path = folder / NAME
    for suffix, content in files.items():
        path.with_name(path.name + suffix).write_bytes(content)
    return path


def body_of(path: Path) -> dict[int, bytes]:
    with JournalReader(path) as reader:
        return {each.seq: each.body for each in reader.read(0, 100_000).records}


def opened(path: Path, original: Original) -> tuple[Journal, Keeper, bool]:
    """Open the journal, and look through it, as `DurableLog` does."""
    damage, was_aside = None, False
    for _ in range(2):
        made = open_journal(
            path, ENVELOPE, delivered_seq=original.delivered_seq, stamp=stamp, damage=damage
        )
        was_aside |= made.aside is not None
        keeper = Keeper(made.journal, Limits(min_free_bytes=0), stamp, lambda: None, {})
        try:
            keeper.check()
            while keeper._checked_seq:
                keeper.check()
        except JournalDamaged as error:
            made.journal.close()
            damage = error
        else:
            return made.journal, keeper, was_aside
    pytest.fail(f"damaged again: {damage}")


def asides(path: Path) -> dict[str, bytes]:
    return {
        each.name: each.read_bytes()
        for each in path.parent.glob(f"{NAME}.broken-*")
        if not each.name.endswith(("-shm", "-head"))
    }


# ------------------------------------------------------------------------------- what can happen


def flipped(chance: Random, content: bytes) -> bytes:
    made = bytearray(content)
    for _ in range(chance.choice([1, 1, 1, 3, 50])):
        if made:
            # A third of them in the first page, which says what the others mean.
            most = chance.choice([len(made), len(made), min(len(made), 4096)])
            made[chance.randrange(most)] ^= 1 << chance.randrange(8)
    return bytes(made)


def truncated(chance: Random, content: bytes) -> bytes:
    length = chance.randrange(len(content) + 1)
    return content[: length - length % 4096 if chance.random() < 0.3 else length]


def extended(chance: Random, content: bytes) -> bytes:
    return content + chance.randbytes(chance.choice([1, 100, 4096, 9000]))


def zeroed(chance: Random, content: bytes) -> bytes:
    begin = chance.randrange(len(content) // 4096 + 1) * 4096
    end = begin + 4096 * chance.randint(1, 4)
    return content[:begin] + bytes(len(content[begin:end])) + content[end:]


def shuffled(chance: Random, content: bytes) -> bytes:
    pages = [content[at : at + 4096] for at in range(0, len(content), 4096)]
    one, other = chance.randrange(len(pages)), chance.randrange(len(pages))
    pages[one], pages[other] = pages[other], pages[one]
    return b"".join(pages)


def emptied(_chance: Random, _content: bytes) -> bytes:
    return b""


Damage = Callable[[Random, Original, Files], None]


def to(suffix: str, change: Callable[[Random, bytes], bytes]) -> Damage:
    def damage(chance: Random, _original: Original, files: Files) -> None:
        if files.get(suffix):
            files[suffix] = change(chance, files[suffix])

    return damage


def without(*suffixes: str) -> Damage:
    def damage(_chance: Random, _original: Original, files: Files) -> None:
        for suffix in suffixes:
            files.pop(suffix, None)

    return damage


def from_before(*suffixes: str) -> Damage:
    def damage(chance: Random, original: Original, files: Files) -> None:
        older = chance.choice(original.older)
        for suffix in suffixes:
            files[suffix] = older.get(suffix, b"")

    return damage


def swapped(chance: Random, _original: Original, files: Files) -> None:
    one, other = chance.sample(SUFFIXES, 2)
    files[one], files[other] = files.get(other, b""), files.get(one, b"")


CHANGES = (flipped, truncated, extended, zeroed, shuffled, emptied)
# Each with how often it is chosen.
DAMAGES: dict[str, tuple[Damage, int]] = {
    **{f"{change.__name__} db": (to(DB, change), 4) for change in CHANGES},
    **{f"{change.__name__} wal": (to(WAL, change), 3) for change in CHANGES},
    **{f"{change.__name__} shm": (to(SHM, change), 1) for change in CHANGES},
    **{f"{change.__name__} head": (to(HEAD, change), 1) for change in CHANGES},
    "no wal": (without(WAL), 1),
    "no wal and shm": (without(WAL, SHM), 1),
    "no shm": (without(SHM), 1),
    "no head": (without(HEAD), 1),
    "no db": (without(DB), 1),
    "only the head": (without(DB, WAL, SHM), 1),
    "older wal": (from_before(WAL), 2),
    "older wal and shm": (from_before(WAL, SHM), 2),
    "older db": (from_before(DB), 2),
    "older db, no wal": (lambda *all_: (from_before(DB)(*all_), without(WAL)(*all_)), 2),  # type: ignore[dict-item]
    "older db, wal and shm": (from_before(DB, WAL, SHM), 2),
    "swapped": (swapped, 3),
}
MENU = [name for name, (_, weight) in DAMAGES.items() for _ in range(weight)]
