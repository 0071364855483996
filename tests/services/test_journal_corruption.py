"""Whatever happens to the files: the gate has a journal, loses nothing in silence, and says so."""

import json
import shutil
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatepost_services.journal import (
    JournalError,
    JournalReader,
    JournalUnavailable,
)
from gatepost_services.journal.keeper import CORRUPT_TYPE
from gatepost_services.journal.rescue import untold
from gatepost_services.journal.verify import verify

from .journal_wrecks import (
    DAMAGES,
    DB,
    HEAD,
    MENU,
    WAL,
    Original,
    asides,
    body_of,
    files_at,
    grown,
    lay,
    opened,
    stamp,
)

CASES, CHUNKS = 1000, 20


@pytest.fixture(scope="module")
def originals(tmp_path_factory) -> list[Original]:
    return [grown(tmp_path_factory.mktemp("original"), seed) for seed in range(4)]


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


def check(path: Path, original: Original, *, is_end_known: bool) -> None:
    read_all(path)
    is_there_in_silence(path, original)
    journal, keeper, was_aside = opened(path, original)
    with journal:
        number = journal.append([stamp("controller.started", {"n": 1})])
        if is_end_known:
            assert number > original.last_seq
        found = body_of(path)
        assert json.loads(found[number])["data"] == {"n": 1}
        if is_end_known:
            check_saved(found, original)
            check_sound(path, original, was_aside=was_aside)
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
        check_sound(path, original, was_aside=was_aside)
    assert untold(path) == []


def check_sound(path: Path, original: Original, *, was_aside: bool) -> None:
    """The journal verifies; but for a date in one that was kept, for which no gate starts anew."""
    report = verify(path, delivered_seq=original.delivered_seq)
    kept = [each for each in report.findings if was_aside or each.kind != "date"]
    assert kept == [], kept[:3]


def check_saved(found: Mapping[int, bytes], original: Original) -> None:
    saved = {seq: body for seq, body in found.items() if seq <= original.last_seq}
    for seq, body in saved.items():
        assert body == original.bodies[seq], f"event {seq} is a false one"
    lost, told = lost_in(found, original)
    assert told.isdisjoint(saved)
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


@settings(deadline=None, derandomize=True, database=None, max_examples=100)
@given(
    names=st.lists(st.sampled_from(sorted(DAMAGES)), min_size=1, max_size=3),
    seed=st.integers(0, 10**6),
)
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
