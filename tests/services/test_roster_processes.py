"""Other processes: a gate that may not write, an import that is killed."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from gatepost_services.roster.rows import digest_of
from gatepost_services.roster.writer import RosterWriter

from .roster_files import Site

pytestmark = pytest.mark.processes
NOBODY = 65534
PEOPLE = 5000
READER = """
import os, sys
import urllib.parse  # pathlib needs it later, when this user may not read Python's own folder
import _strptime
from pathlib import Path
from gatepost_services.roster import Roster, RosterError
os.setgroups([]); os.setgid({uid}); os.setuid({uid})
assert not os.access({folder!r}, os.W_OK)
roster = Roster(Path({folder!r}) / "roster.db", Path({folder!r}) / "roster.key")
for line in sys.stdin:
    try:
        print(roster.look_up(line.strip()), flush=True)
    except RosterError as error:
        print("error:", error, flush=True)
"""
# Stops before each step that SQLite takes, until it is told to go on.
WRITER = """
import sqlite3, sys
from pathlib import Path
from gatepost_services.roster import RosterKey
from gatepost_services.roster.documents import read_document
from gatepost_services.roster.writer import RosterWriter
folder = Path({folder!r})
key = RosterKey.load(folder / "roster.key")
whole = read_document(Path({file!r}).read_bytes(), "f", key, as_of_utc_s=0)
steps = 0
def step():
    global steps
    steps += 1
    if steps == {kill_at}:
        print("there", flush=True)
        sys.stdin.read()
    return 0
class Slow(sqlite3.Connection):
    def __init__(self, *arguments, **keywords):
        super().__init__(*arguments, **keywords)
        self.set_progress_handler(step, 1000)
with RosterWriter(folder / "roster.db", key, connection_class=Slow) as writer:
    writer.replace(whole)
print(steps, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    # Not pytest's: it keeps the folders above that one closed to other users.
    with tempfile.TemporaryDirectory(prefix="gatepost-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def people(name: str, count: int = PEOPLE) -> str:
    rows = (f"{name}{number},{name}-{number},resident\n" for number in range(count))
    return "credential,subject,category\n" + "".join(rows)


class Gate:
    """A process of another user, with no write permission anywhere near the roster."""

    def __init__(self, process) -> None:
        self.process = process

    def ask(self, credential: str) -> str:
        self.process.stdin.write(f"{credential}\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_the_gate_reads_without_write_permission_whatever_the_writer_does(folder, run_python):
    os.chown(folder, -1, NOBODY)  # as /var/lib/gatepost/link is the group's to read
    site = Site(folder)
    gate = Gate(run_python(READER.format(folder=str(folder), uid=NOBODY)))
    assert gate.ask("a1").startswith("error:")
    site.bring(people("a", 3))  # closed again: neither -wal nor -shm is there
    assert [each.name for each in sorted(folder.iterdir())] == ["roster.db", "roster.key"]
    assert "'a-1'" in gate.ask("a1")
    with RosterWriter.open(site.path, site.key) as writer:
        writer.replace(site.read(people("b", 3)))
        assert gate.ask("a1") == "None"
        assert "'b-1'" in gate.ask("b1")
        late = Gate(run_python(READER.format(folder=str(folder), uid=NOBODY)))
        assert "'b-1'" in late.ask("b1")
    site.bring(people("c", 3))
    for each in (gate, late):
        assert "'c-1'" in each.ask("c1")


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_the_gate_reads_the_old_roster_beside_what_a_killed_import_left(folder, run_python):
    os.chown(folder, -1, NOBODY)
    site = Site(folder)
    site.bring(people("a"))
    early = Gate(run_python(READER.format(folder=str(folder), uid=NOBODY)))
    assert "'a-1'" in early.ask("a1")
    file = folder / "b.csv"
    file.write_text(people("b"))
    writer = run_python(WRITER.format(folder=str(folder), file=str(file), kill_at=50))
    assert writer.stdout.readline() == "there\n"
    assert "'a-1'" in early.ask("a1")
    writer.kill()
    writer.wait()
    assert (folder / "roster.db-wal").exists()
    late = Gate(run_python(READER.format(folder=str(folder), uid=NOBODY)))
    for gate in (early, late):
        assert "'a-1'" in gate.ask("a1")
        assert gate.ask("b1") == "None"
    site.bring(people("b"))
    for gate in (early, late):
        assert "'b-1'" in gate.ask("b1")


def test_an_import_that_is_killed_leaves_the_old_roster_or_the_new_one(folder, run_python):
    site = Site(folder)
    texts = [people("a"), people("b")]
    digests = [digest_of(site.read(text).rows) for text in texts]
    files = [folder / "a.csv", folder / "b.csv"]
    for file, text in zip(files, texts, strict=True):
        file.write_text(text)
    site.bring(texts[0])
    code = {"folder": str(folder)}
    whole = run_python(WRITER.format(**code, file=str(files[1]), kill_at=0))
    steps = int(whole.stdout.readline())
    assert steps > 50
    found = 1
    chance = Random(8)
    # The last of these is past the commit.
    for kill_at in [1, *(chance.randrange(2, steps) for _ in range(5)), 0]:
        process = run_python(WRITER.format(**code, file=str(files[1 - found]), kill_at=kill_at))
        assert process.stdout.readline()
        process.kill()
        process.wait()
        with site.roster() as roster:
            left = digests.index(roster.check().digest)  # neither: ValueError
        if not kill_at:  # it was done
            assert left != found
        found = left
    assert site.bring(people("c")).added == PEOPLE


def test_the_very_first_import_that_is_killed_leaves_none_or_the_new_one(folder, run_python):
    site = Site(folder)
    file = folder / "a.csv"
    file.write_text(people("a"))
    for kill_at in (1, 40):
        process = run_python(WRITER.format(folder=str(folder), file=str(file), kill_at=kill_at))
        assert process.stdout.readline()
        process.kill()
        process.wait()
        with RosterWriter.open(site.path, site.key) as writer:
            writer.check()
            assert writer.state().version == 0
    assert site.bring(people("a")).state.version == 1
