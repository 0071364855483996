"""The pass readers of a gate: built from its settings, missed and found again."""

import os
import pty
import termios
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from gatepost.core.faults import FAULTS, Fault
from gatepost.core.states import State
from gatepost.wiring.readers import connections, open_readers
from gatepost_config.settings import Reader
from gatepost_hal.ports import Direction, PassRead, ReaderBack, ReaderFault, ReaderFaultKind
from gatepost_hal.system import SystemClock, ThreadMailbox

from .stage import WELL_C

PATIENCE_S = 20.0
NONE = Path("/dev/null")
WAYS = [(Direction.ENTRY, Fault.READER), (Direction.EXIT, Fault.EXIT_READER)]


@pytest.fixture
def told():
    """Return the events of a gate's readers, so many."""
    with ExitStack() as closing:

        def read(settings: Reader, count: int, then=lambda: None):
            clock = SystemClock()
            mailbox = ThreadMailbox(clock)
            open_readers(settings, clock=clock, mailbox=mailbox, closing=closing)
            then()
            events = []
            until_s = clock.now_s() + PATIENCE_S
            while len(events) < count and clock.now_s() < until_s:
                events += mailbox.wait(until_s)
            assert len(events) == count
            return events

        yield read


def test_a_gate_without_readers_has_none():
    assert connections(Reader(device=NONE)) == []


def test_a_gate_has_an_entry_reader_and_an_exit_reader_where_it_is_named():
    assert [way.direction for way in connections(Reader())] == [Direction.ENTRY]
    both = connections(Reader(exit_device=Path("/dev/ttyACM1"), exit_kind="keyboard"))
    assert [(way.direction, way.kind) for way in both] == [
        (Direction.ENTRY, "line"),
        (Direction.EXIT, "keyboard"),
    ]


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("keyboard", "/dev/zero: no input device; name one of /dev/input/by-id"),
        ("wiegand26", "/dev/zero lines 20 (D0) and 21 (D1): no GPIO chip; name one as "),
        ("wiegand34", "/dev/zero lines 20 (D0) and 21 (D1): no GPIO chip; name one as "),
    ],
)
@pytest.mark.parametrize("way", Direction)
def test_each_kind_is_built_for_either_way(kind, reason, way, told):
    device = Path("/dev/zero")
    if way is Direction.ENTRY:
        settings = Reader(kind=kind, device=device, d0=20, d1=21)
    else:
        settings = Reader(device=NONE, exit_kind=kind, exit_device=device, exit_d0=20, exit_d1=21)
    (gone,) = told(settings, 1)
    assert (gone.kind, gone.direction) == (ReaderFaultKind.GONE, way)
    assert gone.detail.startswith(reason)


def test_a_serial_scanner_is_read_at_its_own_speed(told):
    near, far = pty.openpty()
    with ExitStack() as closing:
        for fd in (near, far):
            closing.callback(os.close, fd)
        settings = Reader(device=Path(os.ttyname(far)), baud=9600)
        (read,) = told(settings, 1, then=lambda: os.write(near, b"PASS-1\r"))
        speeds = termios.tcgetattr(far)[4:6]
    assert speeds == [termios.B9600] * 2
    assert isinstance(read, PassRead)


# ----------------------------------------------------------------------- what the gate makes of it


@pytest.mark.parametrize(("way", "fault"), WAYS)
def test_a_reader_that_is_gone_is_told_once_and_cleared_when_it_is_back(stage, way, fault):
    stage.lane.mailbox.post(ReaderFault(1.0, ReaderFaultKind.GONE, "unplugged", way))
    stage.play(5.0)
    stage.lane.mailbox.post(ReaderFault(6.0, ReaderFaultKind.GONE, "unplugged", way))
    stage.play(5.0)
    stage.lane.mailbox.post(ReaderBack(11.0, way))
    stage.play(5.0)
    entries = [entry for entry in stage.log.entries if entry.type.startswith("fault.")]
    assert [(entry.type, entry.data["fault"]) for entry in entries] == [
        ("fault.raised", fault.value),
        ("fault.cleared", fault.value),
    ]
    assert entries[0].data["detail"] == "unplugged"
    assert entries[0].data["remedy"] == FAULTS[fault].remedy


def test_one_reader_that_is_back_clears_nothing_of_the_other(stage):
    for way in Direction:
        stage.lane.mailbox.post(ReaderFault(1.0, ReaderFaultKind.GONE, "unplugged", way))
    stage.play(1.0)
    stage.lane.mailbox.post(ReaderBack(2.0, Direction.EXIT))
    stage.play(1.0)
    assert stage.gate._recorder.standing == (Fault.READER,)


def test_a_reader_inside_that_is_back_is_asked_for_again(stage):
    """While it is gone the button lets out: nobody could show a pass."""
    stage.policy = replace(stage.policy, exits_by_pass=True)
    stage.gate = stage.restart()
    seen = []
    for event in (
        ReaderFault(1.0, ReaderFaultKind.GONE, "unplugged", Direction.EXIT),
        ReaderBack(2.0, Direction.ENTRY),
        ReaderBack(3.0, Direction.EXIT),
    ):
        stage.gate._take(event)
        seen.append(stage.gate._policy.exits_by_pass)
    assert seen == [False, False, True]


@pytest.mark.parametrize("kind", [ReaderFaultKind.INCOMPLETE, ReaderFaultKind.BAD_FRAME])
def test_half_a_pass_and_a_bad_frame_are_an_unknown_pass(stage, kind):
    stage.step_up(WELL_C)
    stage.lane.mailbox.post(ReaderFault(stage.world.now_s(), kind, "half"))
    stage.play(0.2)
    assert stage.state is State.REFUSED
