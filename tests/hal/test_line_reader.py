import os
import pty
import select
import termios
import tty
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost_hal.ports import Direction, PassRead, ReaderFault, ReaderFaultKind
from gatepost_hal.readers.line import MAX_PASS_BYTES, LineFramer, LineReader
from gatepost_hal.simulated.lane import SimulatedReader
from gatepost_hal.simulated.world import SimulatedMailbox, World
from gatepost_hal.system import SystemClock, ThreadMailbox

LONG_ENOUGH_S = 10.0  # until a test gives up; none waits for it when all is well


class SimulatedLine:
    def __init__(self, **options):
        self._mailbox = SimulatedMailbox(World())
        self._reader = SimulatedReader(world=World(), mailbox=self._mailbox, **options)

    def send(self, data):
        self._reader.send(data)

    def events(self, count):
        events = self._mailbox.wait(0.0)
        assert len(events) == count
        return events

    def close(self):
        pass


class PtyLine:
    """The real reader on a real kernel terminal."""

    def __init__(self, **options):
        self._near, far = pty.openpty()
        self._far = far  # cooked, as the kernel makes every terminal; the reader is to change that
        clock = SystemClock()
        self._mailbox = ThreadMailbox(clock)
        device = Path(os.ttyname(far))
        self._reader = LineReader(device, clock=clock, mailbox=self._mailbox, **options)
        self._clock = clock
        until_s = clock.now_s() + LONG_ENOUGH_S
        while termios.tcgetattr(far)[3] & termios.ICANON and clock.now_s() < until_s:
            os.sched_yield()

    def send(self, data):
        while data:
            data = data[os.write(self._near, data) :]

    def events(self, count):
        until_s = self._clock.now_s() + LONG_ENOUGH_S
        events = []
        while len(events) < count and self._clock.now_s() < until_s:
            events += self._mailbox.wait(until_s)
        assert len(events) == count
        return events

    def unplug(self):
        os.close(self._near)
        self._near = None

    def close(self):
        self._reader.close()
        for fd in (self._near, self._far):
            if fd is not None:
                os.close(fd)


LINES = pytest.mark.parametrize("make_line", [SimulatedLine, PtyLine], ids=["simulated", "pty"])


@LINES
@pytest.mark.parametrize("way", Direction)
def test_all_that_a_reader_says_carries_the_way_that_it_stands_for(make_line, way):
    line = make_line(direction=way)
    line.send(b"PASS-1\n\xff\n\x01\n" + b"x" * (MAX_PASS_BYTES + 1) + b"\n")
    events = line.events(4)
    assert told(events) == [
        "PASS-1",
        ReaderFaultKind.NOT_TEXT,
        ReaderFaultKind.NOT_TEXT,
        ReaderFaultKind.TOO_LONG,
    ]
    assert {event.direction for event in events} == {way}
    line.close()


@LINES
def test_a_reader_stands_for_the_entry_unless_it_is_told(make_line):
    line = make_line()
    line.send(b"PASS-1\n")
    assert [event.direction for event in line.events(1)] == [Direction.ENTRY]
    line.close()


def test_a_reader_that_vanishes_says_which_way_is_blind():
    line = PtyLine(direction=Direction.EXIT)
    line.unplug()
    (gone,) = line.events(1)
    assert (gone.kind, gone.direction) == (ReaderFaultKind.GONE, Direction.EXIT)
    line.close()


@pytest.fixture(params=[SimulatedLine, PtyLine], ids=["simulated", "pty"])
def line(request):
    made = request.param()
    yield made
    made.close()


def told(events):
    return [event.credential if isinstance(event, PassRead) else event.kind for event in events]


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"], ids=["LF", "CR", "CRLF"])
def test_a_line_is_a_pass_whatever_its_end(line, end):
    line.send(b"PASS-1" + end + b"PASS-2" + end)
    assert told(line.events(2)) == ["PASS-1", "PASS-2"]


def test_a_pass_may_come_in_pieces(line):
    for piece in (b"PA", b"SS", b"-1", b"\r"):
        line.send(piece)
    assert told(line.events(1)) == ["PASS-1"]


def test_empty_lines_and_blanks_are_no_passes(line):
    line.send(b"\n\n  PASS-1  \n\n")
    assert told(line.events(1)) == ["PASS-1"]


def test_bytes_that_are_no_text_are_a_fault_and_the_next_pass_is_read(line):
    line.send(b"\xff\xfe\n\x01\x02\nPASS-1\n")
    assert told(line.events(3)) == [
        ReaderFaultKind.NOT_TEXT,
        ReaderFaultKind.NOT_TEXT,
        "PASS-1",
    ]


def test_the_tail_of_an_endless_line_never_becomes_a_pass(line):
    line.send(b"x" * (MAX_PASS_BYTES + 1))
    line.send(b"PASS-1\nPASS-2\n")
    assert told(line.events(2)) == [ReaderFaultKind.TOO_LONG, "PASS-2"]


def test_the_longest_qr_code_is_read(line):
    line.send(b"x" * MAX_PASS_BYTES + b"\n")
    assert told(line.events(1)) == ["x" * MAX_PASS_BYTES]


def test_a_reader_that_vanishes_is_told_once():
    line = PtyLine()
    line.send(b"PASS-1\n")
    assert told(line.events(1)) == ["PASS-1"]
    line.unplug()
    assert told(line.events(1)) == [ReaderFaultKind.GONE]
    line.close()
    assert told(line.events(0)) == []


def test_a_missing_device_is_told_once_and_read_as_soon_as_it_is_there(tmp_path):
    device = tmp_path / "scanner"
    clock = SystemClock()
    mailbox = ThreadMailbox(clock)
    reader = LineReader(device, clock=clock, mailbox=mailbox)
    (gone,) = mailbox.wait(clock.now_s() + LONG_ENOUGH_S)
    assert (gone.kind, gone.detail) == (
        ReaderFaultKind.GONE,
        f"{device}: No such file or directory",
    )
    near, far = pty.openpty()
    tty.setraw(far)
    device.symlink_to(os.ttyname(far))
    os.write(near, b"PASS-1\n")
    (read,) = mailbox.wait(clock.now_s() + LONG_ENOUGH_S)
    assert read.credential == "PASS-1"
    reader.close()
    os.close(near)
    os.close(far)


def test_nothing_is_echoed_to_the_scanner(line):
    line.send(b"PASS-1\n")
    line.events(1)
    if isinstance(line, PtyLine):
        assert select.select([line._near], [], [], 0)[0] == []


def test_control_characters_neither_edit_nor_end_the_line(line):
    line.send(b"\x04\nPASS\x7f-1\nPASS-2\n")
    assert told(line.events(3)) == [ReaderFaultKind.NOT_TEXT, ReaderFaultKind.NOT_TEXT, "PASS-2"]


def test_a_file_is_no_reader(tmp_path):
    device = tmp_path / "pass"
    device.write_text("PASS-1\n")
    clock = SystemClock()
    mailbox = ThreadMailbox(clock)
    reader = LineReader(device, clock=clock, mailbox=mailbox)
    (gone,) = mailbox.wait(clock.now_s() + LONG_ENOUGH_S)
    assert (gone.kind, "not a device" in gone.detail) == (ReaderFaultKind.GONE, True)
    reader.close()


def test_a_device_that_floods_is_slowed_down(tmp_path):
    device = tmp_path / "scanner"
    os.mkfifo(device)
    clock = SystemClock()
    mailbox = ThreadMailbox(clock)
    reader = LineReader(device, clock=clock, mailbox=mailbox)
    flood = os.open(device, os.O_RDWR | os.O_NONBLOCK)
    written = os.write(flood, b"x\n" * 16384)
    began_s = clock.now_s()
    events = []
    while len(events) < 3 * 8:
        events += mailbox.wait(clock.now_s() + LONG_ENOUGH_S)
    assert written >= 3 * 4096
    assert clock.now_s() - began_s >= 0.2  # two pauses between three chunks
    assert len(events) == 3 * 8
    reader.close()
    os.close(flood)


def test_a_credential_stays_out_of_logs():
    assert "secret" not in repr(PassRead(1.0, "secret-pass"))


@given(st.lists(st.binary(max_size=200), max_size=20))
def test_however_the_bytes_are_cut_the_passes_are_the_same(pieces):
    whole = LineFramer().feed(b"".join(pieces), 1.0)
    framer = LineFramer()
    cut = [event for piece in pieces for event in framer.feed(piece, 1.0)]
    assert cut == whole
    for event in whole:
        assert isinstance(event, ReaderFault) or event.credential.isprintable()
