"""Who watches the loop: its stopwatch, systemd, the machine's watchdog; and how it ends (S8)."""

import itertools
from types import SimpleNamespace

import pytest

from gatepost.core.states import State
from gatepost.gate.phases import LIMIT_S
from gatepost_hal.ports import Direction, InputName
from gatepost_hal.simulated.mlx90614 import ChipFault

from .stage import WELL_C

TOO_LONG_S = 0.2


def block(stage, for_s=TOO_LONG_S, type_=""):
    """Let each write of such a record take this long."""

    def spy(entries):
        if any(entry.type.startswith(type_) for entry in entries):
            stage.world.advance(for_s)

    stage.log.spy = spy


def overruns(stage):
    return [entry.data for entry in stage.log.entries if entry.type == "controller.overrun"]


# -------------------------------------------------------------------------------------- overruns


def test_a_loop_that_keeps_its_time_tells_nothing(stage):
    stage.reach(State.RELEASED)
    stage.play(600.0)
    assert overruns(stage) == []


def take_a_pass(stage, _patch):
    block(stage, type_="visit.denied")
    stage.step_up(WELL_C)
    stage.scan("UNKNOWN")


def take_a_contact(stage, _patch):
    block(stage, type_="tamper")
    stage.touch(InputName.TAMPER, active=True)


def take_a_reading(stage, _patch):
    block(stage, type_="visit.admitted")
    stage.step_up(WELL_C)
    stage.scan()


def take_a_fault(stage, _patch):
    block(stage, type_="fault.raised")
    stage.lane.chip.fault = ChipFault.NACK


def come_to_a_deadline(stage, _patch):
    block(stage, type_="visit.abandoned")
    stage.step_up(WELL_C)


def keep_house(stage, patch):
    patch.setattr(stage.log, "keep_house", lambda _seq: stage.world.advance(TOO_LONG_S))


def wake_too_late(stage, patch):
    wait, world = stage.lane.mailbox.wait, stage.world

    def late(until_s):
        world.advance(until_s - world.now_s() + TOO_LONG_S)  # a busy machine
        return wait(until_s)

    patch.setattr(stage.lane.mailbox, "wait", late)


@pytest.mark.parametrize(
    ("phase", "begin"),
    [
        ("PassRead", take_a_pass),
        ("InputChanged", take_a_contact),
        ("Reading", take_a_reading),
        ("SensorFault", take_a_fault),
        ("tick", come_to_a_deadline),
        ("housekeeping", keep_house),
        ("wake", wake_too_late),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_overrun_is_told_with_the_phase_to_blame(stage, monkeypatch, phase, begin):
    stage.play(60.0)
    begin(stage, monkeypatch)
    assert stage.play_until(lambda: bool(overruns(stage)), 60.0)
    (told,) = overruns(stage)
    assert told["worst_s"].keys() == {phase}
    assert LIMIT_S < TOO_LONG_S <= told["worst_s"][phase] < TOO_LONG_S + 0.1
    assert told["count"] == 1


def test_overruns_are_told_once_a_minute_with_the_worst(stage, monkeypatch):
    times_s = itertools.cycle((0.1, 0.2, 0.4))
    monkeypatch.setattr(stage.log, "keep_house", lambda _seq: stage.world.advance(next(times_s)))
    stage.play(300.0)
    told = overruns(stage)
    assert 5 <= len(told) <= 6
    assert {data["worst_s"]["housekeeping"] for data in told[1:]} == {0.4}
    assert sum(data["count"] for data in told) >= 48
    moments_s = [entry.at_s for entry in stage.log.entries if entry.type == "controller.overrun"]
    assert min(b - a for a, b in itertools.pairwise(moments_s)) >= 60.0


# ------------------------------------------------------------------------------------- watchdogs


def test_a_loop_that_turns_keeps_both_watchdogs_quiet(stage):
    stage.notified.clear()
    stage.play(600.0)
    assert stage.watchdog.bites_at_s == []
    assert stage.notified.count("WATCHDOG=1") == pytest.approx(600, abs=40)


def test_a_loop_that_hangs_lets_both_bite(stage):
    stage.notified.clear()
    stage.world.advance(stage.watchdog.timeout_s + 1.0)
    assert len(stage.watchdog.bites_at_s) == 1
    assert stage.notified == []


def test_a_turn_that_does_not_end_pets_nobody(stage):
    notified = []
    block(stage, stage.watchdog.timeout_s + 1.0, type_="visit.denied")
    stage.log.wrote = lambda _entries: notified.extend(stage.notified)
    stage.step_up(WELL_C)
    stage.notified.clear()
    stage.scan("UNKNOWN")
    assert len(stage.watchdog.bites_at_s) == 1
    assert notified == []


def test_a_turn_that_raises_pets_nobody(stage, monkeypatch):
    monkeypatch.setattr(stage.lane.gpio.inputs, "refresh", lambda: 1 / 0)
    stage.notified.clear()
    until_s = stage.world.now_s() + stage.watchdog.timeout_s + 1.0
    while stage.world.now_s() < until_s:  # however often it would be tried
        with pytest.raises(ZeroDivisionError):
            stage.gate.turn()
        stage.world.advance(0.1)
    assert len(stage.watchdog.bites_at_s) == 1
    assert stage.notified == []


# ------------------------------------------------------------------------------------ its own end


def note_all(stage, monkeypatch):
    """Note, in their order, what the end does: let go, notify, write, darken."""
    done = []
    drop = stage.lane.gpio.turnstile.drop
    monkeypatch.setattr(stage.lane.gpio.turnstile, "drop", lambda: (done.append("drop"), drop()))
    stage.log.spy = lambda entries: done.append(entries[0].type)
    for relay in stage.lane.relays.values():
        relay.on_change = lambda: done.append("edge")
    around = stage.gate._around
    told = around._replace(notify=lambda said: (done.append(said), around.notify(said)))
    monkeypatch.setattr(stage.gate, "_around", told)
    return done


def test_sigterm_lets_go_before_a_word_is_written(stage, monkeypatch):
    stage.reach(State.RELEASED)
    done = note_all(stage, monkeypatch)
    turns = itertools.count()
    stage.gate._stage.show = lambda _lane, _policy: None  # the release goes on
    stage.gate.run(lambda: next(turns) > 3, about={})
    end = done.index("drop")
    assert done[end:] == ["drop", "edge", "STOPPING=1", "controller.stopped"]
    assert "edge" not in done[:end]
    assert stage.released() == set()


ALARMS = (State.FIRE, State.EMERGENCY)
LASTING = [state for state in State if state is not State.DECIDING]


@pytest.mark.parametrize("state", LASTING, ids=lambda state: state.name.lower())
def test_an_orderly_end_leaves_nothing_on_from_any_state(stage, state):
    stage.reach(state)
    turns = itertools.count()
    stage.gate.run(lambda: next(turns) > 2, about={})
    # What a fire or an emergency frees is let go with the lines (the next test).
    assert stage.released() == (set(Direction) if state in ALARMS else set())
    assert (stage.lit(), stage.lane.is_sounding()) == (frozenset(), False)
    assert stage.types[-1] == "controller.stopped"


@pytest.mark.parametrize("state", ALARMS, ids=lambda state: state.name.lower())
def test_the_lines_are_given_back_at_rest_also_in_an_alarm(stage, state):
    stage.reach(state)
    stage.gate.run(lambda: True, about={})
    stage.lane.gpio.close()
    assert stage.released() == set()


def test_a_blocked_disk_does_not_keep_the_relay_at_the_end(stage):
    stage.reach(State.RELEASED)
    seen = []

    def spy(entries):
        if entries[0].type == "controller.stopped":
            stage.world.advance(30.0)
            seen.append(stage.released())

    stage.log.spy = spy
    stage.gate.run(lambda: True, about={})
    assert seen == [set()]


# ----------------------------------------------------------------------------- whatever goes wrong

BROKEN = {
    "lamps": lambda stage: (stage.lane.gpio.lamps, "show"),
    "buzzer": lambda stage: (stage.lane.gpio.buzzer, "play"),
    "inputs": lambda stage: (stage.lane.gpio.inputs, "refresh"),
    "sampler": lambda stage: (stage.lane.sampler, "request"),
    "mailbox": lambda stage: (stage.lane.mailbox, "wait"),
    "display": lambda stage: (stage.lane.announcer, "tell"),
    "speaker": lambda stage: (stage.speaker, "tell"),
    "watchdog": lambda stage: (stage.watchdog, "pet"),
    "release": lambda stage: (stage.lane.gpio.turnstile, "release"),
}


def work(stage):
    """Let the lane have something to do with each of its parts."""
    stage.lane.contacts[InputName.PRESENCE].set(active=True)
    stage.lane.chip.scene = lambda _at_s: WELL_C
    stage.world.call_at(stage.world.now_s() + 0.5, lambda: stage.lane.reader.scan("KNOWN"))


@pytest.mark.parametrize("part", BROKEN)
def test_an_exception_in_any_part_ends_it_let_go_and_with_a_record(stage, monkeypatch, part):
    def fail(*_arguments, **_named):
        raise RuntimeError("broken")

    work(stage)
    monkeypatch.setattr(*BROKEN[part](stage), fail)
    with pytest.raises(RuntimeError, match="broken"):
        stage.live(30.0)
    assert stage.released() == set()
    assert stage.last("controller.failed").data == {"error": "RuntimeError"}
    assert "STOPPING=1" in stage.notified


@pytest.mark.parametrize(
    "name", ["codes", "ledger", "asked", "acknowledged_seq", "ring", "is_quiet", "notify"]
)
def test_an_exception_in_any_other_part_of_the_program_does_too(stage, monkeypatch, name):
    def fail(*_arguments):
        raise RuntimeError("broken")

    work(stage)
    broken = {
        "codes": SimpleNamespace(shown=fail, faults=dict),
        "ledger": SimpleNamespace(follow=fail, due=tuple, why_not=None),
    }.get(name, fail)
    monkeypatch.setattr(stage.gate, "_around", stage.gate._around._replace(**{name: broken}))
    if name == "ring":
        monkeypatch.setattr(stage.gate._recorder, "_ring", fail)
    if name == "is_quiet":
        monkeypatch.setattr(stage.gate._stage, "_is_quiet", fail)
    with pytest.raises(RuntimeError, match="broken"):
        stage.live(30.0)
    assert stage.released() == set()
    assert stage.types[-1] == "controller.failed"


def test_a_bug_in_the_journal_ends_it_let_go(stage):
    def spy(entries):
        if entries[0].type == "passage.entered":
            raise RuntimeError("a bug")

    stage.log.spy = spy
    stage.reach(State.RELEASED)
    stage.world.call_at(stage.world.now_s() + 0.5, lambda: stage.lane.push(Direction.ENTRY))
    stage.gate._stage.show = lambda _lane, _policy: None  # at its start: the release goes on
    with pytest.raises(RuntimeError, match="a bug"):
        stage.live(30.0)
    assert stage.released() == set()
    assert stage.types[-1] == "controller.failed"


def test_the_next_process_begins_where_nobody_has_touched_anything(stage):
    stage.reach(State.RELEASED)
    stage.restart()
    stage.play(2.0)
    assert stage.released() == set()
    assert stage.state is State.AWAITING_PASS  # they still stand there, and are asked anew


def start_with_a_stuck_button(stage, write_s):
    """Restart with staff's button held down, while the first write takes this long."""
    stage.touch(InputName.STAFF_RELEASE, active=True)
    stage.play(10.0)
    stage.log.entries.clear()
    block(stage, write_s, type_="controller.started")
    stage.restart()
    stage.live(3.0)
    return "entry.commanded" in stage.types


def test_a_stuck_staff_button_lets_nobody_in_at_a_start(stage):
    assert not start_with_a_stuck_button(stage, 0.0)


def test_a_stuck_staff_button_lets_nobody_in_at_a_start_with_a_slow_disk(stage):
    assert not start_with_a_stuck_button(stage, 1.0)
