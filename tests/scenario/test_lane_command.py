"""`gatepost lane` against a gate that turns beside it, over the real socket."""

import json
import threading
from contextlib import contextmanager

import pytest

from gatepost.cli import lane as command
from gatepost.cli.main import main
from gatepost.core.faults import Fault
from gatepost.core.states import Standing
from gatepost.wiring.orders import Orders, StandingStore
from gatepost_config.load import load
from gatepost_hal.ports import InputName
from gatepost_hal.system import SystemClock
from gatepost_services.control import ControlError, ask

PATIENCE_S = 30.0
ASKED = 2000


@pytest.fixture
def settings(config):
    return load(config)


@pytest.fixture
def running(stage, settings, monkeypatch):
    """Turn the stage's gate in a thread, with the orders of its socket."""
    orders = Orders(settings.paths.control, SystemClock())
    assert orders.faults == {}
    monkeypatch.setattr(stage.gate, "_around", stage.gate._around._replace(asked=orders.asked))
    monkeypatch.setattr(command, "_LOOK_S", 0.0)
    stop = threading.Event()

    def turn() -> None:
        while not stop.is_set():
            stage.gate.turn()

    thread = threading.Thread(target=turn, daemon=True)
    thread.start()
    yield stage
    stop.set()
    thread.join(PATIENCE_S)
    orders.close()


@pytest.fixture
def lane(config, capsys):
    def run(*words: str) -> tuple[int, str]:
        status = main(["lane", "--config", str(config), *words])
        return status, capsys.readouterr().out

    return run


def until(lane, key, value) -> None:
    """Ask until the status says so: the gate turns in a thread of its own."""
    told = None
    for _ in range(ASKED):
        told = json.loads(lane("status", "--json")[1])[key]
        if told == value:
            return
    pytest.fail(f"{key} is {told}, not {value}")


@contextmanager
def answers(monkeypatch, said: dict[str, str]):
    """Answer each question with "y", but for the outputs that are named."""
    asked: list[str] = []

    def answer(question: str) -> str:
        name = question.partition(":")[0]
        asked.append(name)
        return said.get(name, "y")

    monkeypatch.setattr("builtins.input", answer)
    yield asked


@pytest.mark.usefixtures("running")
def test_status_says_how_things_stand_and_nothing_of_people(lane):
    status, said = lane("status", "--json")
    told = json.loads(said)
    assert status == 0
    assert told["state"] == "idle"
    assert set(told) == {"state", "standing", "inputs", "passes_read", "faults"}


@pytest.mark.usefixtures("running")
def test_a_command_is_obeyed_and_the_answer_says_how_things_stand_then(lane):
    assert lane("lock") == (
        0,
        "lock: done. state: locked; ordered or raised: lockdown; active inputs: none; "
        "faults: none\n",
    )
    assert lane("unlock")[0] == 0
    assert "state: idle" in lane("status")[1]


def test_a_command_that_does_not_fit_is_refused_with_the_reason(running, lane):
    running.touch(InputName.FIRE, active=True)
    until(lane, "state", "fire")
    status, said = lane("release-entry")
    assert status == 1
    assert said.startswith("release-entry: refused, not in this state")


@pytest.mark.usefixtures("running")
def test_who_knows_of_the_escalations_says_so(lane):
    status, out = lane("acknowledged")
    assert (status, out.split(".")[0]) == (0, "acknowledged: done")


def test_that_it_was_disinfected_is_recorded_with_who_said_so(running, lane):
    status, out = lane("disinfected")
    assert (status, out.split(".")[0]) == (0, "disinfected: done")
    assert running.last("disinfection.done").data["by"].startswith("uid ")


def test_who_commanded_is_in_the_record(running, lane):
    lane("close")
    obeyed = running.last("command.obeyed")
    assert obeyed.data["verb"] == "close"
    assert obeyed.data["by"].startswith("uid ")
    assert running.last("lane.closed").data == {"by": obeyed.data["by"]}


def test_every_output_is_tested_and_the_lane_is_left_as_it_was(running, lane, monkeypatch):
    lane("lock")
    with answers(monkeypatch, {}) as asked:
        status, said = lane("test", "entry-relay", "exit-relay", "red-lamp", "buzzer")
    assert (status, asked) == (0, ["entry-relay", "exit-relay", "red-lamp", "buzzer"])
    assert said.endswith("all of it works\n")
    tested = [e.data["tested"] for e in running.log.entries if e.type == "maintenance.tested"]
    assert tested == ["entry_relay", "exit_relay", "red_lamp", "buzzer"]
    assert running.types[-1] == "maintenance.ended"
    assert "state: locked" in lane("status")[1]


@pytest.mark.usefixtures("running")
def test_what_was_not_seen_is_told_and_fails(lane, monkeypatch):
    with answers(monkeypatch, {"red-lamp": "n"}):
        status, said = lane("test", "green-lamp", "red-lamp")
    assert status == 1
    assert said.endswith("failed: red-lamp\n")


def test_inputs_are_watched_until_they_change(running, lane, monkeypatch):
    monkeypatch.setattr(command, "_INPUT_S", 0.3)
    monkeypatch.setattr(command, "_DO", {"exit_button": "press", "presence": "stand there"})
    running.touch(InputName.EXIT_BUTTON, active=True)
    with answers(monkeypatch, {}):
        status, said = lane("test")
    assert status == 1
    assert "exit_button: seen" in said
    assert "presence: not seen; check its wire and its line in [pins]" in said


def test_the_tests_begin_when_the_lane_is_in_maintenance(running, lane, monkeypatch):
    running.touch(InputName.FIRE, active=True)
    until(lane, "state", "fire")
    waiting = command.who

    def put_out(state):
        running.touch(InputName.FIRE, active=False)
        return waiting(state)

    monkeypatch.setattr(command, "who", put_out)
    with answers(monkeypatch, {}) as asked:
        status, said = lane("test", "buzzer")
    assert (status, asked) == (0, ["buzzer"])
    assert "waiting at most 60 s: the fire contact is open" in said
    assert said.endswith("all of it works\n")


def test_nothing_is_tried_while_somebody_stays(running, lane, monkeypatch):
    monkeypatch.setattr(command, "_GONE_S", 0.3)
    running.touch(InputName.FIRE, active=True)
    until(lane, "state", "fire")
    with answers(monkeypatch, {}) as asked:
        status, said = lane("test", "buzzer")
    assert (status, asked) == (1, [])
    assert "nothing was tried: the fire contact is open" in said
    assert "failed" not in said


def test_what_the_gate_refuses_in_between_was_not_tried(running, lane, settings, monkeypatch):
    def answer(_):
        running.touch(InputName.FIRE, active=True)
        while ask(settings.paths.control, {"verb": "status"}, PATIENCE_S)["state"] != "fire":
            pass
        return "n"

    monkeypatch.setattr("builtins.input", answer)
    status, said = lane("test", "red-lamp", "buzzer")
    assert status == 1
    assert "buzzer: refused, not in this state; gatepost lane status shows it. " in said
    assert said.endswith("failed: red-lamp\nnot tried: buzzer\n")


def test_maintenance_that_the_key_began_is_not_ended_by_a_test(running, lane, monkeypatch):
    running.touch(InputName.MAINTENANCE_KEY, active=True)
    until(lane, "state", "maintenance")
    with answers(monkeypatch, {}):
        assert lane("test", "buzzer")[0] == 0
    assert "state: maintenance" in lane("status")[1]


def test_without_a_running_gate_the_remedy_is_said(lane, capsys):
    with pytest.raises(SystemExit, match="1"):
        lane("status")
    assert "is the gate running" in capsys.readouterr().err


def test_what_was_given_up_does_not_happen_after_all(stage, settings):
    orders = Orders(settings.paths.control, SystemClock())
    stage.gate._around = stage.gate._around._replace(asked=orders.asked)
    with pytest.raises(ControlError, match="no answer"):  # for a disk blocks the loop
        ask(settings.paths.control, {"verb": "release_entry"}, 0.05)
    stage.play(1.0)
    assert "command.obeyed" not in stage.types
    assert stage.released() == set()
    orders.close()


@pytest.mark.parametrize("request_", [{"verb": "explode"}, {}, {"verb": "test", "output": "x"}])
def test_what_makes_no_sense_is_refused(running, settings, request_):
    told = ask(settings.paths.control, request_, PATIENCE_S)
    assert told["done"] is False
    assert "not a valid" in told["why"]
    assert "command.refused" not in running.types


@pytest.mark.parametrize("verb", ["release-entry", "release-exit", "restart", "test"])
def test_the_help_says_that_without_a_terminal_nobody_is_asked(verb, capsys):
    with pytest.raises(SystemExit):
        main(["lane", verb, "--help"])
    said = " ".join(capsys.readouterr().out.split())
    assert "without a terminal it is meant, and nobody is asked" in said


def test_an_output_that_does_not_exist_is_told_with_all(lane, capsys):
    with pytest.raises(SystemExit, match="2"):
        lane("test", "siren")
    assert "there are: entry-relay, exit-relay" in capsys.readouterr().err


# --------------------------------------------------------------------------- what must be kept


def test_what_stands_is_there_again_after_a_restart(tmp_path):
    path = tmp_path / "standing.json"
    assert StandingStore(path).load() == frozenset()
    assert StandingStore(path).keep(frozenset({Standing.LOCKDOWN, Standing.CLOSURE})) is None
    assert StandingStore(path).load() == {Standing.LOCKDOWN, Standing.CLOSURE}


@pytest.mark.parametrize("content", [b"{}", b"[1]", b'["fires"]', b"\xff", b'["lockdown"'])
def test_a_damaged_file_is_a_fault_and_locks_nobody_out(tmp_path, content):
    (tmp_path / "standing.json").write_bytes(content)
    store = StandingStore(tmp_path / "standing.json")
    assert store.load() == frozenset()
    assert "nothing is taken as ordered" in store.faults[Fault.STANDING]


def test_what_cannot_be_kept_is_said(tmp_path):
    detail = StandingStore(tmp_path / "gone" / "standing.json").keep(frozenset())
    assert "No such file" in detail


def test_a_socket_that_cannot_be_had_is_a_fault_and_no_more(tmp_path, stage):
    orders = Orders(tmp_path / "gone" / "control.sock", stage.world)
    assert Fault.CONTROL in orders.faults
    assert orders.asked() == ()
    orders.close()
