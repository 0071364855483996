"""`gatepost lane restart`, and what the technician is asked before something moves."""

import io

import pytest

from gatepost.core.states import State
from gatepost_hal.ports import Direction, InputName

from .going_over_rig import RunningGate, gatepost
from .stage import WELL_C


@pytest.fixture
def running(stage, config, monkeypatch):
    gate = RunningGate(stage, config, monkeypatch)
    # `gatepost lane` asks through its own name.
    monkeypatch.setattr("gatepost.cli.lane.ask", gate.ask)
    monkeypatch.setattr("gatepost.cli.lane._LOOK_S", 0.0)
    return gate


@pytest.fixture
def lane(config, capsys):
    def run(*words):
        return gatepost(capsys, "lane", "--config", config, *words)

    return run


@pytest.fixture
def terminal(monkeypatch):
    """Somebody who answers so, and what they were asked."""

    def sit_down(*answers):
        made, asked, left = io.StringIO(), [], list(answers)
        made.isatty = lambda: True
        monkeypatch.setattr("sys.stdin", made)

        def answer(question):
            asked.append(question)
            return left.pop(0)

        monkeypatch.setattr("builtins.input", answer)
        return asked

    return sit_down


# ---------------------------------------------------------------------------------------- restart


def test_the_gate_starts_anew_when_nobody_is_in_the_lane(running, lane):
    status, out, _ = lane("restart", "--yes")
    assert status == 0
    assert out == "gate: nobody is in the lane; it starts anew\nrestart: done\n"
    assert running.starts == [(State.IDLE, set())]
    obeyed = running.stage.last("command.obeyed").data
    assert (obeyed["verb"], obeyed["by"]) == ("restart", "uid 0")


def test_whoever_leaves_goes_through_first(running, lane):
    stage = running.stage
    stage.press(InputName.EXIT_BUTTON)
    assert stage.released() == {Direction.EXIT}
    running.script = [lambda: stage.lane.push(Direction.EXIT), lambda: None]
    assert lane("restart", "--yes")[0] == 0
    assert stage.types.index("passage.left") < stage.types.index("command.obeyed")
    assert running.starts == [(State.IDLE, set())]


def test_it_is_given_up_with_the_reason(running, lane):
    running.stage.step_up(WELL_C)
    status, _, err = lane("restart", "--yes", "--wait", "2")
    assert status == 1
    assert "somebody is in the lane (awaiting_pass), for 2 s by now; it was not asked to" in err
    assert running.starts == []


@pytest.mark.parametrize("wait", ["-1", "nan", "inf", "1e9", "x"])
def test_a_wait_beyond_reason_is_refused(lane, wait):
    assert lane("restart", "--wait", wait)[0] == 2


def test_without_a_gate_there_is_nothing_to_restart(running, lane):
    running.is_up = False
    status, _, err = lane("restart", "--yes")
    assert (status, err) == (1, "gatepost: no gate runs here: nothing had to start anew\n")


def test_a_gate_whose_disk_takes_no_record_is_left_alone(running, lane):
    running.stage.log.broken = True
    status, _, err = lane("restart", "--yes")
    assert status == 1
    assert "the gate refused (no_record)" in err
    assert running.starts == []


def test_a_gate_that_goes_on_with_its_last_good_settings_says_so(running, lane, monkeypatch):
    begin = running._begin

    def broken():
        begin()
        running.orders._settings["problem"] = "gatepost.toml: not TOML."

    monkeypatch.setattr(running, "_begin", broken)
    status, _, err = lane("restart", "--yes")
    assert (status, err) == (1, "gatepost: gatepost.toml: not TOML.\n")
    assert len(running.starts) == 1


# ------------------------------------------------------------------------------------------ asked


@pytest.mark.parametrize("verb", ["release-entry", "release-exit", "restart"])
def test_whoever_sits_there_is_asked_before_something_moves(running, lane, terminal, verb):
    asked = terminal("no", "yes")
    status, _, err = lane(verb)
    assert (status, err) == (1, "gatepost: nothing was done\n")
    assert running.stage.released() == set()
    assert running.verbs == []
    assert lane(verb)[0] == 0
    assert len(asked) == 2
    assert all("Is it meant? (yes or no)" in question for question in asked)


@pytest.mark.parametrize(("verb", "way"), [("entry", Direction.ENTRY), ("exit", Direction.EXIT)])
def test_who_said_yes_is_not_asked(running, lane, terminal, verb, way):
    asked = terminal()
    assert lane(f"release-{verb}", "--yes")[0] == 0
    assert asked == []
    assert running.stage.released() == {way}


def test_a_test_of_a_relay_is_asked_for_and_one_of_a_lamp_is_not(running, lane, terminal):
    asked = terminal("no")
    assert lane("test", "entry-relay")[0] == 1
    assert "nobody may stand in it" in asked[0]
    assert running.verbs == []
    asked = terminal("y")
    running.script = []
    assert lane("test", "green-lamp")[0] == 0
    assert [question.partition(":")[0] for question in asked] == ["green-lamp"]


@pytest.mark.parametrize(
    "words",
    [
        *(["lane", verb] for verb in ("release-entry", "close", "lock", "restart", "test")),
        *(["config", verb] for verb in ("apply", "rollback")),
        ["factory-reset"],
    ],
    ids=" ".join,
)
def test_each_says_what_it_does_to_the_people_there(capsys, words):
    status, out, _ = gatepost(capsys, *words, "--help")
    assert status == 0
    told = " ".join(out.split())
    description = told.partition("] ")[2]
    assert len(description.split()) > 12
