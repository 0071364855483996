import itertools

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gatepost.core.states import State
from gatepost_hal.ports import Direction, InputName, ReaderFault, ReaderFaultKind
from gatepost_hal.simulated.mlx90614 import ChipFault

WELL_C, FEVERISH_C = 34.0, 36.2


def released_ever(stage, duration_s):
    """Play on, and return whether the entry was ever free."""
    stage.play_until(lambda: Direction.ENTRY in stage.released(), duration_s)
    return Direction.ENTRY in stage.released()


# ------------------------------------------------------------------------------------ thermometer


def test_the_sensors_fault_is_told_once_and_its_recovery_once(stage):
    stage.lane.chip.fault = ChipFault.NACK
    stage.play(600.0)
    stage.lane.chip.fault = None
    stage.play(100.0)
    assert stage.types == ["fault.raised", "fault.cleared"]
    assert stage.log.entries[0].data["fault"] == "sensor"
    assert stage.log.entries[1].data["lasted_s"] > 400


def test_a_disturbance_that_passes_within_a_visit_costs_a_retry_at_most(stage):
    stage.lane.chip.fault = ChipFault.STUCK_BUS
    stage.step_up(WELL_C)
    stage.scan()
    stage.play(1.5)
    stage.lane.chip.fault = None
    assert stage.play_until(lambda: stage.state is State.RELEASED, 15.0)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    bit=st.integers(0, 23),
    transfers=st.sets(st.integers(1, 10), min_size=1),
    forehead_c=st.sampled_from([WELL_C, FEVERISH_C]),
)
def test_a_flipped_bit_never_changes_a_decision(make_stage, bit, transfers, forehead_c):
    # Each transfer of the visit that is hit is hit in the same bit; its repeat is clean.
    stage = make_stage()
    first = stage.lane.bus.transfers
    hit = set()

    def flip(transfer):
        if transfer - first in transfers and transfer - 1 not in hit:
            hit.add(transfer)
            return bit
        return None

    stage.lane.bus.flip = flip
    stage.step_up(forehead_c)
    stage.scan()
    expected = State.RELEASED if forehead_c == WELL_C else State.REFERRED
    assert stage.play_until(lambda: stage.state in (State.RELEASED, State.REFERRED), 20.0)
    assert stage.state is expected
    assert hit


@pytest.mark.parametrize("bit", range(24))
def test_a_bit_that_always_flips_is_no_information(stage, bit):
    stage.lane.bus.flip = lambda _transfer: bit
    stage.step_up(WELL_C)
    stage.scan()
    assert not released_ever(stage, 40.0)
    assert stage.last("visit.referred").data["zone"] == "no_information"


# ------------------------------------------------------------------------------------------- disk


def test_without_a_disk_entry_refuses_and_exit_releases(stage):
    stage.log.broken = True
    stage.step_up(WELL_C)
    stage.scan()
    assert not released_ever(stage, 10.0)
    stage.walk_off()
    stage.touch(InputName.EXIT_BUTTON, active=True)
    stage.play(0.2)
    assert stage.released() == {Direction.EXIT}


def test_what_a_broken_disk_lost_is_counted_and_told_when_it_works_again(stage):
    stage.log.broken = True
    stage.step_up(WELL_C)
    stage.scan()
    stage.play(10.0)
    stage.walk_off()
    assert stage.log.entries == []
    stage.log.broken = False
    stage.play(10.0)
    assert stage.types == ["fault.raised", "journal.lost", "fault.cleared"]
    assert stage.log.entries[0].data["fault"] == "journal"
    assert stage.log.entries[1].data == {"count": 1}
    stage.reach(State.RELEASED)


def test_what_the_server_has_is_deleted(stage):
    stage.acknowledged = 17
    stage.play(6.0)
    assert stage.log.delivered_seq == 17


# ---------------------------------------------------------------------------------- loop, process


def test_a_release_ends_although_the_loop_hangs(stage):
    stage.reach(State.RELEASED)
    stage.world.advance(5.1)  # the world goes on, the loop does not turn
    assert stage.released() == set()


def test_an_exception_drops_the_relay_leaves_a_record_and_ends_the_process(stage):
    stage.reach(State.RELEASED)
    turns = itertools.count()

    def stop():
        if next(turns) == 3:
            raise RuntimeError("a bug")
        return False

    with pytest.raises(RuntimeError, match="a bug"):
        stage.gate.run(stop, about={})
    assert stage.released() == set()
    assert stage.types[-2:] == ["controller.started", "controller.failed"]
    assert stage.last("controller.failed").data == {"error": "RuntimeError"}


def test_an_orderly_end_drops_the_relay_and_leaves_a_record(stage):
    stage.reach(State.RELEASED)
    stage.gate.run(lambda: True, about={"version": "1"})
    assert stage.released() == set()
    assert stage.lit() == frozenset()
    assert stage.types[-2:] == ["controller.started", "controller.stopped"]
    assert stage.notified[-2:] == ["READY=1", "STOPPING=1"]


def test_the_watchdog_is_told_about_once_a_second(stage):
    stage.notified.clear()
    stage.play(10.0)
    assert set(stage.notified) == {"WATCHDOG=1"}
    assert 9 <= len(stage.notified) <= 11


def test_a_reader_that_vanishes_is_a_fault_until_it_reads_again(stage):
    stage.lane.mailbox.post(ReaderFault(1.0, ReaderFaultKind.GONE, "unplugged"))
    stage.play(1.0)
    stage.scan()
    assert stage.types == ["fault.raised", "fault.cleared"]
    assert stage.log.entries[0].data["fault"] == "reader"


def test_garbage_from_the_reader_is_an_unknown_pass(stage):
    stage.step_up(WELL_C)
    stage.lane.reader.send(b"\xff\xff\xff\n")
    stage.play(0.2)
    assert stage.state is State.REFUSED


def test_a_relay_that_cannot_be_dropped_does_not_hide_the_end(stage):
    stage.reach(State.RELEASED)
    stage.lane.close()  # every line is gone: whatever touches one fails
    stage.log.entries.clear()
    with pytest.raises(Exception, match="closed"):
        stage.gate.run(lambda: True, about={})
    assert stage.types[-1].startswith("controller.")
    assert "STOPPING=1" in stage.notified
