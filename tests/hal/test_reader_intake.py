"""What a reader says of its device: gone once, back once, never too much."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatepost_hal.ports import Direction, PassRead, ReaderBack, ReaderFault, ReaderFaultKind
from gatepost_hal.readers.device import (
    MOST_BYTES,
    MOST_EVENTS,
    REOPEN_S,
    SETTLED_S,
    WINDOW_S,
    Intake,
)
from gatepost_hal.readers.line import LineFramer
from gatepost_hal.simulated.scanner import SimulatedScanner
from gatepost_hal.simulated.world import SimulatedMailbox, World


@pytest.fixture
def intake():
    return Intake("scanner", Direction.EXIT)


def opened(intake, at_s):
    intake.opened(LineFramer(Direction.EXIT, half_read_s=1.0), at_s)


def test_a_device_that_fails_is_gone_once_with_name_and_reason(intake):
    (gone,) = intake.failed("unplugged", 1.0)
    assert gone == ReaderFault(1.0, ReaderFaultKind.GONE, "scanner: unplugged", Direction.EXIT)
    for at_s in (2.0, 3.0):
        assert intake.failed("no such file", at_s) == []


def test_a_device_that_was_never_gone_is_not_back(intake):
    opened(intake, 0.0)
    assert intake.due_at_s == math.inf
    assert intake.due(SETTLED_S) == []
    assert [type(event) for event in intake.took(b"PASS-1\n", 1.0)] == [PassRead]


def test_a_device_is_back_when_it_stays(intake):
    intake.failed("unplugged", 1.0)
    opened(intake, 2.0)
    assert intake.due_at_s == 2.0 + SETTLED_S
    assert intake.due(2.0 + SETTLED_S - 0.01) == []
    assert intake.due(2.0 + SETTLED_S) == [ReaderBack(2.0 + SETTLED_S, Direction.EXIT)]
    assert intake.due_at_s == math.inf
    assert intake.due(9.0) == []


def test_a_device_is_back_at_once_when_it_is_read(intake):
    intake.failed("unplugged", 1.0)
    opened(intake, 2.0)
    back, read = intake.took(b"PASS-1\n", 2.1)
    assert isinstance(back, ReaderBack)
    assert read.credential == "PASS-1"
    assert intake.due(9.0) == []


def test_a_device_that_opens_and_fails_again_and_again_is_not_told_again(intake):
    """Standard input at its end, or a plug that is broken."""
    intake.failed("end of file", 0.0)
    for number in range(1, 100):
        opened(intake, float(number))
        assert intake.due(number + REOPEN_S) == []
        assert intake.failed("end of file", number + REOPEN_S) == []
    assert intake.due_at_s == math.inf


def test_what_was_half_read_before_is_forgotten(intake):
    opened(intake, 0.0)
    intake.took(b"HALF", 0.5)
    assert intake.due_at_s == 1.5
    intake.failed("unplugged", 0.6)
    assert intake.due_at_s == math.inf
    opened(intake, 1.0)
    assert [event.credential for event in intake.took(b"PASS\n", 1.1)[1:]] == ["PASS"]


def test_more_events_than_anybody_shows_are_dropped_until_the_window_ends(intake):
    opened(intake, 0.0)
    assert len(intake.took(b"x\n" * 5, 1.0)) == 5
    assert intake.ready_at_s <= 1.0
    assert len(intake.took(b"x\n" * 5, 1.05)) == MOST_EVENTS - 5
    assert intake.ready_at_s == 1.0 + WINDOW_S
    assert len(intake.took(b"x\n", 1.0 + WINDOW_S)) == 1


def test_as_many_as_there_may_be_hold_nothing_up(intake):
    opened(intake, 0.0)
    assert len(intake.took(b"x\n" * MOST_EVENTS, 1.0)) == MOST_EVENTS
    assert intake.ready_at_s <= 1.0


def test_bytes_that_are_never_a_pass_hold_up_the_device_as_well(intake):
    opened(intake, 0.0)
    intake.took(b"x" * MOST_BYTES, 1.0)
    assert intake.ready_at_s <= 1.0
    intake.took(b"x", 1.01)
    assert intake.ready_at_s == 1.0 + WINDOW_S


def test_what_lapses_counts_as_well(intake):
    opened(intake, 0.0)
    intake.took(b"x\n" * MOST_EVENTS + b"half", 1.0)
    assert [event.kind for event in intake.due(2.0)] == [ReaderFaultKind.INCOMPLETE]


def test_nothing_is_made_of_bytes_of_a_device_that_is_not_open(intake):
    assert intake.took(b"PASS-1\n", 1.0) == []


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["open", "fail", "read", "wait"]),
            st.floats(0.0, 2.0),
            st.binary(max_size=40) | st.just(b"x\n" * 20),
        ),
        max_size=60,
    )
)
def test_whatever_happens_gone_and_back_take_turns_and_no_window_has_too_much(steps):
    intake = Intake("scanner", Direction.ENTRY)
    at_s, events = 0.0, []
    for what, after_s, data in steps:
        at_s += after_s
        match what:
            case "open":
                opened(intake, at_s)
            case "fail":
                events += intake.failed("unplugged", at_s)
            case "read" if at_s >= intake.ready_at_s:
                events += intake.took(data, at_s)
            case _:
                events += intake.due(at_s)
    turns = [
        isinstance(event, ReaderBack)
        for event in events
        if isinstance(event, ReaderBack) or getattr(event, "kind", None) is ReaderFaultKind.GONE
    ]
    assert turns == [bool(place % 2) for place in range(len(turns))]
    shown = [event.at_s for event in events if isinstance(event, PassRead)]
    for began_s in shown:
        # Two windows may touch.
        assert sum(began_s <= each < began_s + WINDOW_S for each in shown) <= 2 * MOST_EVENTS


def test_a_pass_that_is_shown_soon_after_the_plug_is_read():
    world = World()
    mailbox = SimulatedMailbox(world)
    scanner = SimulatedScanner(world=world, mailbox=mailbox)
    scanner.unplug()
    world.advance(60.0)
    scanner.plug()
    world.advance(0.25)
    scanner.scan("PASS-1")
    world.advance(1.0)
    gone, back, read = mailbox.wait(0.0)
    assert (gone.kind, type(back), read.credential) == (ReaderFaultKind.GONE, ReaderBack, "PASS-1")
