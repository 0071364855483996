"""`gatepost config apply` and `rollback`: other settings, and nobody is dropped for them."""

import io
import os
import stat

import pytest

from gatepost.cli import config_apply
from gatepost.core.states import State
from gatepost.wiring.last_good import settings_in_force
from gatepost_config.load import load
from gatepost_hal.ports import Direction, InputName

from .going_over_rig import RunningGate, gatepost
from .stage import WELL_C

MORE = "[lane]\npass_timeout_s = 20.0\n"
LINK = 'broker_host = "127.0.0.1"\n'


@pytest.fixture
def new(config, tmp_path):
    """A file with another setting of the gate."""
    path = tmp_path / "new.toml"
    path.write_text(config.read_text() + MORE)
    return path


@pytest.fixture
def running(stage, config, monkeypatch):
    return RunningGate(stage, config, monkeypatch)


@pytest.fixture
def apply(config, capsys):
    def run(path, *words):
        return gatepost(capsys, "config", "apply", path, "--config", config, "--yes", *words)

    return run


@pytest.fixture
def rollback(config, capsys):
    def run(*words):
        return gatepost(capsys, "config", "rollback", "--config", config, "--yes", *words)

    return run


def before(config):
    return config.with_name("gatepost.toml.before")


# --------------------------------------------------------------------------------- in an empty lane


def test_the_gate_takes_other_settings_when_nobody_is_there(running, config, new, apply):
    old = config.read_text()
    status, out, err = apply(new)
    assert (status, err) == (0, "")
    assert out.splitlines() == [
        f"{new}: good, for gate g of site s",
        "[lane] pass_timeout_s: 15.0 -> 20.0 s  (restart: gatepost-gate)",
        "1 setting differs",
        f"{config}: written. Those before are in gatepost.toml.before: gatepost config rollback",
        "gate: nobody is in the lane; it starts anew",
        "gate: runs with them",
    ]
    assert config.read_text() == new.read_text()
    assert before(config).read_text() == old
    assert running.starts == [(State.IDLE, set())]
    assert running.units == []
    obeyed = running.stage.last("command.obeyed").data
    assert (obeyed["verb"], obeyed["by"]) == ("restart", "uid 0")


def test_a_change_of_the_link_alone_leaves_the_gate_alone(running, config, tmp_path, apply):
    path = tmp_path / "new.toml"
    path.write_text(config.read_text().replace(LINK, f"{LINK}keepalive_s = 60\n"))
    status, out, _ = apply(path)
    assert status == 0
    assert "gate: needs no new start for this\nlink: started anew" in out
    assert running.starts == []
    assert running.units == [["try-restart", "gatepost-uplink.service"]]


def test_a_link_that_nobody_can_restart_is_told_with_the_command(running, config, tmp_path, apply):
    running.has_systemd = False
    path = tmp_path / "new.toml"
    path.write_text(config.read_text().replace(LINK, f"{LINK}keepalive_s = 60\n"))
    status, out, _ = apply(path)
    assert status == 1
    assert "link: start it anew by hand, as root: systemctl restart gatepost-uplink" in out


def test_a_gate_that_does_not_run_takes_them_when_it_starts(running, config, new, apply):
    running.is_up = False
    status, out, _ = apply(new)
    assert (status, out.splitlines()[-2:]) == (
        0,
        [
            "gate: does not run; it takes them when it starts",
            "link: started anew, if it ran",  # with what it runs nobody knows
        ],
    )
    assert load(config).lane.pass_timeout_s == 20.0


def test_the_gates_own_file_is_taken_after_somebody_changed_it(running, config, apply):
    assert "the gate runs with these settings already\nlink: started anew" in apply(config)[1]
    config.write_text(config.read_text() + MORE)
    status, out, _ = apply(config)
    assert status == 0
    assert "gate: runs with them\n" in out
    assert len(running.starts) == 1
    assert not before(config).exists()


def test_rollback_goes_back_and_forth(running, config, new, apply, rollback):
    old = config.read_text()
    apply(new)
    assert rollback()[0] == 0
    assert config.read_text() == old
    assert before(config).read_text() == new.read_text()
    status, out, _ = rollback()
    assert (status, out.splitlines()[-1]) == (0, "gate: runs with them")
    assert config.read_text() == new.read_text()
    assert len(running.starts) == 3


def test_a_rollback_after_one_that_was_cut_off_has_both_still(
    running, config, new, apply, rollback
):
    old = config.read_text()
    apply(new)
    # A power cut when the settings in force were kept, and those before were not in force yet.
    config.with_name("gatepost.toml.exchanging").write_text(old)
    before(config).write_text(new.read_text())
    assert rollback()[0] == 0
    assert (config.read_text(), before(config).read_text()) == (old, new.read_text())
    assert len(running.starts) == 2


def test_rollback_without_anything_to_go_back_to(rollback):
    status, _, err = rollback()
    assert status == 1
    assert "there are no settings before; gatepost config apply keeps them" in err


# ------------------------------------------------------------------------ with somebody in the lane


def test_whoever_is_in_the_lane_goes_through_first(running, new, apply):
    stage = running.stage
    stage.step_up(WELL_C)
    stage.scan()
    assert stage.state is State.MEASURING
    running.script = [
        lambda: stage.play_until(lambda: stage.state is State.RELEASED, 10.0),
        lambda: stage.lane.push(Direction.ENTRY),
        lambda: None,
        stage.walk_off,
    ]
    status, out, _ = apply(new)
    assert status == 0
    assert "gate: somebody is in the lane; waiting, at most 300 s\n" in out
    assert running.starts == [(State.IDLE, set())]
    types = stage.types
    assert types.index("passage.entered") < types.index("command.obeyed")
    assert "command.refused" not in types  # it is not asked again and again
    assert running.script == []


@pytest.mark.parametrize(
    "state",
    [
        *(State.AWAITING_PASS, State.MEASURING, State.PAUSING, State.RELEASED, State.ENTRY_ENDING),
        *(State.ENTERING, State.LEAVING, State.EXITING, State.REFUSED, State.REFERRED, State.HELD),
        *(State.FORCED, State.FIRE, State.EMERGENCY, State.MAINTENANCE, State.TESTING),
        State.TAMPER,
    ],
    ids=lambda state: state.name.lower(),
)
def test_nobody_is_dropped_in_any_state(running, new, apply, state):
    running.stage.reach(state)
    released = running.stage.released()
    status, _, err = apply(new, "--wait", "0")
    assert status == 1
    assert running.starts == []
    assert running.stage.released() == released
    assert f"({state.name.lower()}), for 0 s by now; it was not asked to" in err
    assert "gatepost config rollback takes them back" in err
    assert "restart" not in running.verbs


@pytest.mark.parametrize("state", [State.LOCKED, State.CLOSED], ids=lambda state: state.name)
def test_a_shut_lane_with_nobody_in_it_takes_them(running, new, apply, state):
    running.stage.reach(state)
    assert apply(new)[0] == 0
    assert running.starts == [(state, set())]


def test_what_hinders_is_said_in_words(running, new, apply):
    stage = running.stage
    stage.touch(InputName.FIRE, active=True)
    stage.play(1.0)
    running.script = [lambda: stage.touch(InputName.FIRE, active=False), lambda: None]
    status, out, _ = apply(new)
    assert status == 0
    assert "gate: the fire contact is open: both ways are free; waiting" in out


def test_somebody_who_steps_up_at_the_last_moment_is_waited_for(running, new, apply, monkeypatch):
    """Between the look and the word the lane may fill: the gate itself refuses."""
    stage, ask = running.stage, running.ask

    def late(path, request, timeout_s):
        if request["verb"] == "restart" and "restart" not in running.verbs:
            stage.touch(InputName.PRESENCE, active=True)
            stage.play(1.0)
        return ask(path, request, timeout_s)

    monkeypatch.setattr(config_apply.going_over, "ask", late)
    running.script = [lambda: None, stage.walk_off]
    status, out, _ = apply(new)
    assert status == 0
    assert running.verbs.count("restart") == 2
    assert "somebody is in the lane; waiting" in out
    assert running.starts == [(State.IDLE, set())]


def test_who_stops_waiting_has_asked_nothing_of_the_gate(running, config, new, apply):
    running.stage.reach(State.MAINTENANCE)

    def stop():
        raise KeyboardInterrupt

    running.script = [stop]
    status, _, err = apply(new)
    assert status == 130
    assert "Stopped waiting: the gate was asked nothing." in err
    assert "count from the gate's next start on" in err
    assert running.starts == []
    assert config.read_text() == new.read_text()


def test_the_last_words_of_the_old_gate_are_not_the_new_ones(running, new, apply):
    running.lingers = 3
    status, out, _ = apply(new)
    assert (status, out.splitlines()[-1]) == (0, "gate: runs with them")
    assert running.starts == [(State.IDLE, set())]


def test_a_gate_that_does_not_come_back_is_told(running, new, apply):
    running.returns = False
    status, _, err = apply(new)
    assert status == 1
    assert "the gate is not back after 60 s; see systemctl status gatepost-gate" in err


# ---------------------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ("[lane]\npass_timeout = 3\n", "no such setting. Did you mean pass_timeout_s"),
        ('[regime]\nname = "nowhere"\n', "nowhere"),
        ("[lane\n", "not TOML"),
    ],
    ids=["unknown", "order", "broken"],
)
def test_a_file_that_cannot_be_used_changes_nothing(running, config, apply, more, says):
    path, old = config.with_name("bad.toml"), config.read_text()
    path.write_text(old + more)
    status, _, err = apply(path)
    assert status == 2
    assert says in err
    assert config.read_text() == old
    assert not before(config).exists()
    assert running.verbs == []


def test_a_file_for_another_gate_is_refused(running, config, tmp_path, apply):
    path, old = tmp_path / "other.toml", config.read_text()
    path.write_text(old.replace('name = "g"', 'name = "h"'))
    status, _, err = apply(path)
    assert status == 2
    assert "this is gate g of site s, and the file is for gate h of site s" in err
    assert config.read_text() == old
    assert apply(path, "--again")[0] == 0
    assert load(config).gate.name == "h"
    assert len(running.starts) == 1


def test_it_asks_first(running, config, new, capsys, monkeypatch):
    old = config.read_text()
    words = ("config", "apply", new, "--config", config)
    assert gatepost(capsys, *words)[0] == 2  # nobody there to answer
    terminal = io.StringIO()
    terminal.isatty = lambda: True
    monkeypatch.setattr("sys.stdin", terminal)
    monkeypatch.setattr("builtins.input", lambda _question: "no")
    status, out, err = gatepost(capsys, *words)
    assert (status, err) == (1, "gatepost: nothing was changed\n")
    assert "It is shut for the seconds that this takes" in out
    assert config.read_text() == old
    assert running.verbs == []
    monkeypatch.setattr("builtins.input", lambda _question: "yes")
    assert gatepost(capsys, *words)[0] == 0


# ------------------------------------------------------------------------------------ broken so far


def test_a_gate_that_runs_with_its_last_good_settings_takes_mended_ones(
    running, config, new, apply
):
    """Even where they are the same: it is the fault that ends."""
    good = load(config)
    good.paths.last_good.write_bytes(_kept(good))
    text = config.read_text()
    config.write_text(text + "[lane\n")
    running.stage.restart()
    running._begin()
    assert settings_in_force(config).problem is not None
    new.write_text(text)
    status, out, _ = apply(new)
    assert status == 0
    assert "compared with the last good settings of the gate:\nthe same settings" in out
    assert running.starts == [(State.IDLE, set())]


def _kept(settings):
    from msgspec import json  # noqa: PLC0415

    return json.encode({"since": "2026-01-02 03:04 UTC", "settings": settings}, enc_hook=str)


# ----------------------------------------------------------------------------------------- the file


def test_owner_and_mode_stay_and_a_link_stays_a_link(running, config, new, apply):
    target = config.with_name("real.toml")
    config.rename(target)
    config.symlink_to(target)
    target.chmod(0o604)
    if os.geteuid() == 0:
        os.chown(target, 12, 34)
    assert apply(new)[0] == 0
    assert config.is_symlink()
    found = target.stat()
    assert stat.S_IMODE(found.st_mode) == 0o604
    if os.geteuid() == 0:
        assert (found.st_uid, found.st_gid) == (12, 34)
    assert target.read_text() == new.read_text()
    assert stat.S_IMODE(target.with_name("real.toml.before").stat().st_mode) == 0o604
    assert len(running.starts) == 1
