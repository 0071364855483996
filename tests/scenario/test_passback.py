"""Anti-passback in the whole loop, with the real roster and the real file beneath it."""

from contextlib import ExitStack

import pytest

from gatepost.core.passback import ALREADY_INSIDE, Objection
from gatepost.core.states import State
from gatepost.wiring.passes import Passes
from gatepost_config.load import load
from gatepost_hal.gpio import ALARM_REST_S
from gatepost_hal.ports import Direction, InputName

from .rosters import import_roster
from .stage import WELL_C

ROSTER = "credential,subject,category,mark\nKNOWN,anna,resident,\nTHREAT,anna,resident,duress\n"


@pytest.fixture
def site(stage, config, tmp_path):
    """A stage whose gate is started with real passes; `start` is a restart of all of it."""
    import_roster(tmp_path, ROSTER)
    config.write_text(config.read_text() + '[passback]\nmode = "timed"\nwindow_s = 600\n')
    with ExitStack() as closing:

        def start():
            closing.pop_all().close()
            stage.passes = Passes(load(config), stage.world, "boot", closing)
            stage.restart()
            stage.play(0.5)
            stage.log.entries.clear()

        stage.start = start
        start()
        yield stage


def come_in(stage, credential="KNOWN"):
    """Let somebody come and show a pass; return whether they are let in and walk."""
    stage.step_up(WELL_C)
    stage.scan(credential)
    stage.play_until(lambda: stage.state in (State.RELEASED, State.REFUSED), 10.0)
    is_let_in = stage.state is State.RELEASED
    if is_let_in:
        stage.walk()
        stage.play(1.0)
    stage.walk_off()
    stage.play(5.0)
    return is_let_in


def go_out(stage):
    stage.lane.exit_reader.scan("KNOWN")
    stage.play(0.2)
    stage.walk()
    stage.play(2.0)


def test_an_objection_that_blocks_refuses_without_a_measurement(stage):
    stage.passes.objections["subject-1"] = Objection(ALREADY_INSIDE, blocks=True)
    stage.step_up(WELL_C)
    stage.scan()
    assert stage.state is State.REFUSED
    assert stage.last("visit.denied").data["objection"] == ALREADY_INSIDE
    assert stage.lane.announcer.told[-1][1].key == "pass_used"


def test_an_objection_that_does_not_block_is_told_and_lets_in(stage):
    stage.passes.objections["subject-1"] = Objection(ALREADY_INSIDE, blocks=False)
    assert come_in(stage)
    assert stage.last("visit.admitted").data["objection"] == ALREADY_INSIDE


def test_nobody_is_asked_on_the_way_out(stage):
    stage.passes.objections["subject-1"] = Objection(ALREADY_INSIDE, blocks=True)
    stage.lane.exit_reader.scan("KNOWN")
    stage.play(0.2)
    assert stage.released() == {Direction.EXIT}


def test_what_cannot_be_kept_over_a_restart_is_a_fault_while_it_lasts(stage):
    stage.passes.forgetful = "No space left on device"
    assert come_in(stage)
    assert stage.faults == ["raised whereabouts"]
    stage.passes.forgetful = None
    assert come_in(stage)
    assert stage.faults == ["raised whereabouts", "cleared whereabouts"]


# ------------------------------------------------------------------------------ with a real file


def test_a_pass_is_handed_back_to_nobody(site):
    assert come_in(site)
    assert not come_in(site)
    go_out(site)
    assert come_in(site)


def test_it_holds_over_a_restart(site):
    assert come_in(site)
    site.start()
    assert not come_in(site)


def test_who_was_admitted_and_did_not_walk_may_come_again(site):
    site.step_up(WELL_C)
    site.scan()
    assert site.play_until(lambda: site.state is State.RELEASED, 10.0)
    site.play(10.0)
    site.walk_off()
    assert come_in(site)


def test_a_threatened_holder_comes_in_all_the_same_and_it_is_told(site):
    assert come_in(site)
    assert come_in(site, "THREAT")
    assert site.last("duress.shown").data == {"subject": "anna", "direction": "entry"}


@pytest.mark.parametrize("name", [InputName.FIRE, InputName.EMERGENCY], ids=lambda n: n.value)
def test_after_an_evacuation_everybody_may_come_home(site, name):
    assert come_in(site)
    site.touch(name, active=True)
    site.play(5.0)
    site.touch(name, active=False)
    site.play(ALARM_REST_S + 0.5)
    site.start()  # and so it stays
    assert come_in(site)


@pytest.mark.parametrize("content", [b"", b"no database" * 999], ids=["empty", "rubbish"])
def test_a_damaged_file_locks_nobody_out_and_is_set_aside(site, tmp_path, content):
    assert come_in(site)
    path = tmp_path / "gate" / "whereabouts.db"
    site.passes._whereabouts.close()
    for left in path.parent.glob("whereabouts.db*"):
        left.unlink()
    path.write_bytes(content)
    site.start()
    assert come_in(site)
    assert not come_in(site)
    if content:
        assert len(list(path.parent.glob("whereabouts.db.*"))) >= 1
        assert "set aside" in next(iter(site.passes.faults.values()))
