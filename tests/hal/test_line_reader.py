import errno
import math
import os
import pty
import select
import termios
import tty
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatepost_hal.ports import Direction, PassRead, ReaderBack, ReaderFault, ReaderFaultKind
from gatepost_hal.readers.line import MAX_PASS_BYTES, LineFramer, LineReader, LineSource
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
        # A test that is kept from the processor between two pieces has sent no half pass.
        options = {"half_read_s": LONG_ENOUGH_S, **options}
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
    events = []
    while len(events) < 2:
        events += mailbox.wait(clock.now_s() + LONG_ENOUGH_S)
    back, read = events
    assert isinstance(back, ReaderBack)
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
    began_s = clock.now_s()  # before it, for the reader does not wait for this thread
    written = os.write(flood, b"x\n" * 16384)
    events = []
    while len(events) < 3 * 8 and clock.now_s() < began_s + LONG_ENOUGH_S:
        events += mailbox.wait(began_s + LONG_ENOUGH_S)
    assert written >= 3 * 4096
    assert clock.now_s() - began_s >= 0.2  # two pauses between three chunks
    assert len(events) == 3 * 8
    reader.close()
    os.close(flood)


def test_a_plug_that_is_pulled_while_the_line_is_set_up_is_gone_like_any_other(monkeypatch):
    near, far = pty.openpty()

    def hung_up(*_arguments):
        raise termios.error(errno.EIO, "Input/output error")

    monkeypatch.setattr(termios, "tcsetattr", hung_up)
    source = LineSource(
        Path(os.ttyname(far)), direction=Direction.ENTRY, baud=9600, half_read_s=1.0
    )
    with pytest.raises(OSError, match="Input/output error"):
        source.open()
    for fd in (near, far):
        os.close(fd)


def test_half_a_line_is_told_and_dropped_when_nothing_follows():
    line = PtyLine(half_read_s=0.01)
    line.send(b"HALF")
    (fault,) = line.events(1)
    assert fault.kind is ReaderFaultKind.INCOMPLETE
    assert "no line end within 0.01 s" in fault.detail
    line.send(b"PASS-1\n")
    assert told(line.events(1)) == ["PASS-1"]
    line.close()


@pytest.mark.parametrize(("options", "speed"), [({}, "B115200"), ({"baud": 9600}, "B9600")])
def test_a_serial_line_has_the_speed_that_is_set_and_needs_no_carrier(options, speed):
    line = PtyLine(**options)
    line.send(b"PASS-1\n")
    line.events(1)
    _, _, cflag, _, in_speed, out_speed, _ = termios.tcgetattr(line._far)
    assert (in_speed, out_speed) == (getattr(termios, speed),) * 2
    assert cflag & termios.CLOCAL
    line.close()


def test_a_person_at_this_terminal_may_take_all_the_time(monkeypatch):
    """Nothing is set there either: a technician types, and sees what."""
    near, far = pty.openpty()
    monkeypatch.setattr(os, "tcgetpgrp", lambda _fd: 1)
    before = termios.tcgetattr(far)
    source = LineSource(
        Path(os.ttyname(far)), direction=Direction.ENTRY, baud=9600, half_read_s=1.0
    )
    fd, framer = source.open()
    assert termios.tcgetattr(far) == before
    framer.feed(b"PASS", 1.0)
    assert framer.due_at_s == math.inf
    for each in (fd, near, far):
        os.close(each)


@settings(deadline=None)
@given(st.lists(st.binary(min_size=1, max_size=20), min_size=1, max_size=10))
def test_half_a_line_is_never_part_of_a_pass_after_it_lapsed(pieces):
    framer = LineFramer(half_read_s=1.0)
    at_s = 0.0
    for piece in pieces:
        framer.feed(piece, at_s)
        at_s += 5.0
        if framer.due_at_s <= at_s:
            framer.lapse(at_s)
        assert framer.due_at_s == math.inf
        (read,) = framer.feed(b"PASS-1\n", at_s)
        assert (read.credential, read.at_s) == ("PASS-1", at_s)


def test_a_credential_stays_out_of_logs():
    assert "secret" not in repr(PassRead(1.0, "secret-pass"))


@settings(deadline=None)
@given(st.lists(st.binary(max_size=200), max_size=20))
def test_however_the_bytes_are_cut_the_passes_are_the_same(pieces):
    whole = LineFramer().feed(b"".join(pieces), 1.0)
    framer = LineFramer()
    cut = [event for piece in pieces for event in framer.feed(piece, 1.0)]
    assert cut == whole
    for event in whole:
        assert isinstance(event, ReaderFault) or event.credential.isprintable()
