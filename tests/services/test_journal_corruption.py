"""Whatever happens to the files: the gate has a journal, loses nothing in silence, and says so."""

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatepost_services.contract.events import Envelope
from gatepost_services.journal import (
    Entry,
    Journal,
    JournalDamaged,
    JournalError,
    JournalReader,
    JournalUnavailable,
)
from gatepost_services.journal.bounds import Limits
from gatepost_services.journal.keeper import CORRUPT_TYPE, Keeper
from gatepost_services.journal.opening import open_journal
from gatepost_services.journal.verify import verify
from gatepost_services.record import EventClass

CASES, CHUNKS = 1000, 20
NAME = "journal.db"
DB, WAL, SHM, HEAD = SUFFIXES = ("", "-wal", "-shm", "-head")
ENVELOPE = Envelope("north", "gate-1", "boot-1")
TYPES = ("visit.admitted", "fault.raised", "gate.started", "controller.overrun")
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


class Ledger(Journal):
    """A journal of which we know all that it ever took."""

    bodies: dict[int, bytes]

    def _write(self, connection, rows, state) -> None:
        super()._write(connection, rows, state)
        self.bodies |= {row[0]: row[3] for made in rows for row in made}


def grown(folder: Path, seed: int) -> Original:
    chance, older = Random(seed), []
    path = folder / NAME
    with Ledger(path, ENVELOPE) as journal:
        journal.bodies = {}
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
    return Original(journal.bodies, alive, 90, files, older)


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


@pytest.fixture(scope="module")
def originals(tmp_path_factory) -> list[Original]:
    return [grown(tmp_path_factory.mktemp("original"), seed) for seed in range(4)]


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


# ------------------------------------------------------------------------------ what must be true


def is_there_in_silence(path: Path, original: Original) -> bool:
    """Whether all is there; where it is not, see that a verification says so."""
    try:
        report = verify(path, delivered_seq=original.delivered_seq)
    except JournalError:
        return False
    if report.is_whole:
        found = body_of(path)
        assert {seq: found.get(seq) for seq in original.alive} == {
            seq: original.bodies[seq] for seq in original.alive
        }
    else:
        assert report.findings
    return report.is_whole


def read_all(path: Path) -> None:
    with JournalReader(path) as reader:
        for question in (reader.last_seq, reader.stats, lambda: reader.read(0, 1000)):
            try:
                question()
            except JournalUnavailable:
                continue


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


def lost_in(found: Mapping[int, bytes], original: Original) -> tuple[set[int], set[int]]:
    """Return the numbers that are told as lost, and those that old gap events tell of."""
    lost, told = set(), set()
    for seq, body in found.items():
        event = json.loads(body)
        if event["type"] != "gatepost.journal.gap":
            continue
        numbers = {n for a, b in event["data"]["ranges"] for n in range(a, b + 1)}
        if seq <= original.last_seq:
            told |= numbers
        elif event["data"]["cause"] == "lost":
            lost |= numbers
        else:
            assert event["data"]["cause"] == "unused"
            assert numbers.isdisjoint(original.bodies)
    return lost, told


def asides(path: Path) -> dict[str, bytes]:
    return {
        each.name: each.read_bytes()
        for each in path.parent.glob(f"{NAME}.broken-*")
        if not each.name.endswith(("-shm", "-head"))
    }


def check(path: Path, original: Original, *, is_end_known: bool) -> None:
    read_all(path)
    is_there_in_silence(path, original)
    journal, keeper, was_aside = opened(path, original)
    with journal:
        number = journal.append([stamp("gate.started", {"n": 1})])
        if is_end_known:
            assert number > original.last_seq
        found = body_of(path)
        assert json.loads(found[number])["data"] == {"n": 1}
        if is_end_known:
            check_saved(found, original)
            report = verify(path, delivered_seq=original.delivered_seq)
            assert report.is_whole, report.findings[:3]
        before = asides(path)
        for _ in range(1000):
            if not keeper.step(original.delivered_seq - 90):
                break
        events = [json.loads(body) for body in body_of(path).values()]
        told = [each for each in events if each["type"] == f"gatepost.{CORRUPT_TYPE}"]
        assert len(told) == was_aside
        for each in told:
            for name, digest in each["data"]["sha256"].items():
                if name in before:
                    assert digest == sha256(before[name]).hexdigest()
    if is_end_known:
        report = verify(path, delivered_seq=original.delivered_seq)
        assert report.is_whole, report.findings[:3]


def check_saved(found: Mapping[int, bytes], original: Original) -> None:
    saved = {seq: body for seq, body in found.items() if seq <= original.last_seq}
    for seq, body in saved.items():
        assert body == original.bodies[seq], f"event {seq} is a false one"
    lost, told = lost_in(found, original)
    owed = set(range(original.delivered_seq + 1, original.last_seq + 1))
    assert lost == owed - set(saved) - told


def run_case(originals: list[Original], folder: Path, chance: Random, names: list[str]) -> None:
    original = chance.choice(originals)
    files = dict(original.files)
    for name in names:
        DAMAGES[name][0](chance, original, files)
    folder.mkdir()
    # With the witness gone as well nobody can know how far it went.
    is_end_known = files.get(HEAD) == original.files[HEAD] or all(
        files.get(suffix) == original.files[suffix] for suffix in (DB, WAL)
    )
    check(lay(folder, files), original, is_end_known=is_end_known)
    shutil.rmtree(folder)


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_a_thousand_corruptions(originals, tmp_path, chunk):
    for n in range(chunk, CASES, CHUNKS):
        chance = Random(n)
        names = chance.choices(MENU, k=chance.choice([1, 1, 1, 2]))
        try:
            run_case(originals, tmp_path / str(n), chance, names)
        except BaseException as error:
            error.add_note(f"case {n}: {', '.join(names)}")
            raise


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> Iterator[Path]:
    root = tmp_path_factory.mktemp("cases")
    return (root / str(n) for n in iter(int, 1) for n in [id(object())])


@settings(deadline=None, derandomize=True, database=None, max_examples=100)
@given(names=st.lists(st.sampled_from(sorted(DAMAGES)), min_size=1, max_size=3), seed=st.integers(0, 10**6))
def test_any_of_them_together(originals, tmp_path_factory, names, seed):
    run_case(originals, tmp_path_factory.mktemp("any") / "case", Random(seed), names)


@pytest.mark.parametrize("number", range(4))
def test_nothing_is_found_where_nothing_is_wrong(originals, tmp_path, number):
    original = originals[number]
    path = lay(tmp_path, original.files)
    assert is_there_in_silence(path, original)
    assert files_at(path)[DB] == original.files[DB]
    assert files_at(path)[WAL] == original.files[WAL]
    check(path, original, is_end_known=True)
    assert asides(path) == {}
