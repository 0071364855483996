"""The reader as the link is: another user, with no write permission anywhere near the journal."""

import os
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .journal_files import entry, opened

pytestmark = [
    pytest.mark.processes,
    pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user"),
]
NOBODY = 65534
READER = """
import os, sys
import urllib.parse  # pathlib needs it later, when this user may not read Python's own folder
from pathlib import Path
from gatepost_services.journal import JournalReader, JournalUnavailable
os.setgroups([]); os.setgid({uid}); os.setuid({uid})
assert not os.access({folder!r}, os.W_OK)
reader = JournalReader(Path({folder!r}) / "journal.db")
for _ in sys.stdin:
    try:
        print(len(reader.read(0, 100).records), reader.stats().last_seq, flush=True)
    except JournalUnavailable as error:
        print("unavailable:", error, flush=True)
"""
WRITER = """
import sys
from pathlib import Path
from gatepost_services.contract.events import Envelope
from gatepost_services.journal import Entry, Journal
journal = Journal(Path({folder!r}) / "journal.db", Envelope("north", "gate-1", "boot-1"))
for _ in sys.stdin:
    print(journal.append([Entry("a.b", 0.0, 0.0, {{}})]), flush=True)
"""


class Peer:
    """A process that answers one line for each line."""

    def __init__(self, process) -> None:
        self.process = process

    def ask(self) -> str:
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()


@pytest.fixture
def folder() -> Iterator[Path]:
    # Not pytest's: it keeps the folders above that one closed to other users.
    with tempfile.TemporaryDirectory(prefix="gatepost-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture
def new_reader(run_python: Callable[[str], object], folder: Path) -> Callable[[], Peer]:
    return lambda: Peer(run_python(READER.format(folder=str(folder), uid=NOBODY)))


def test_it_reads_while_the_writer_runs(folder, new_reader):
    reader = new_reader()
    assert reader.ask().startswith("unavailable")
    with opened(folder / "journal.db") as journal:
        journal.append([entry()])
        assert reader.ask() == "1 1"
        journal.append([entry()])
        assert reader.ask() == "2 2"
        assert new_reader().ask() == "2 2"


def test_it_reads_after_the_writer_was_killed(folder, new_reader, run_python):
    writer = Peer(run_python(WRITER.format(folder=str(folder))))
    early = new_reader()
    assert writer.ask() == "1"
    assert early.ask() == "1 1"
    assert writer.ask() == "2"
    writer.process.send_signal(signal.SIGKILL)
    writer.process.wait()
    assert (folder / "journal.db-wal").exists()
    assert early.ask() == "2 2"
    assert new_reader().ask() == "2 2"
    early.process.kill()
    early.process.wait()
    assert new_reader().ask() == "2 2"


def test_it_reads_after_a_clean_close_and_when_the_writer_comes_back(folder, new_reader):
    with opened(folder / "journal.db") as journal:
        journal.append([entry()])
    assert sorted(file.name for file in folder.iterdir()) == ["journal.db", "journal.db-head"]
    reader = new_reader()
    assert reader.ask() == "1 1"
    with opened(folder / "journal.db") as journal:
        journal.append([entry()])
        assert reader.ask() == "2 2"
        journal.append([entry()])
    # The reader had it open, so the writer was not the last and left -wal and -shm.
    assert (folder / "journal.db-wal").exists()
    assert reader.ask() == "3 3"
