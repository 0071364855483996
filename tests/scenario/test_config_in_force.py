"""`gatepost config apply` says "in force" only when what runs has the settings of the file."""

import pytest
from msgspec import json

from gatepost.cli import going_over
from gatepost.wiring.news import settings_digest
from gatepost_config.load import load
from gatepost_hal.ports import InputName

from .going_over_rig import RunningGate, gatepost

MORE = "[lane]\npass_timeout_s = 20.0\n"
LINK = 'broker_host = "127.0.0.1"\n'
LINK_STARTED = ["try-restart", "gatepost-uplink.service"]


@pytest.fixture
def new(config, tmp_path):
    """A file with another setting of the gate."""
    path = tmp_path / "new.toml"
    path.write_text(config.read_text() + MORE)
    return path


@pytest.fixture
def both(config, tmp_path):
    """A file with another setting of the gate, and of the link."""
    path = tmp_path / "both.toml"
    path.write_text(config.read_text().replace(LINK, f"{LINK}keepalive_s = 60\n") + MORE)
    return path


@pytest.fixture
def running(stage, config, monkeypatch):
    return RunningGate(stage, config, monkeypatch)


@pytest.fixture
def apply(config, capsys):
    def run(path, *words):
        return gatepost(capsys, "config", "apply", path, "--config", config, "--yes", *words)

    return run


def keep(config):
    """Write down the last good settings, as a gate does that has run for a while."""
    good = load(config)
    content = {"since": "2026-01-02 03:04 UTC", "settings": good}
    good.paths.last_good.write_bytes(json.encode(content, enc_hook=str))


def runs_with(running):
    return going_over.runs_with(running.control)


# ------------------------------------------------------------------------- said again, or edited


def hinder(running, *, active=True):
    running.stage.touch(InputName.FIRE, active=active)
    running.stage.play(1.0)


@pytest.mark.parametrize("is_own", [False, True], ids=["the same file", "its own file"])
def test_said_again_after_waiting_in_vain_the_gate_takes_it(running, config, new, apply, is_own):
    old = runs_with(running)
    hinder(running)
    for path in (new, new, config):
        status, out, err = apply(path, "--wait", "0")
        assert status == 1
        assert "gatepost config rollback takes them back" in err
        assert "gate: " not in out
    assert runs_with(running) == old
    hinder(running, active=False)
    status, out, _ = apply(config if is_own else new)
    assert status == 0
    assert out.endswith("gate: runs with them\nlink: started anew, if it ran\n")
    assert ("is the same file already\n" in out) != is_own
    assert runs_with(running) == settings_digest(load(new)) != old


def test_a_rollback_said_again_is_taken_too(running, config, new, apply, capsys):
    words = ("config", "rollback", "--config", config, "--yes")
    assert apply(new)[0] == 0
    hinder(running)
    assert gatepost(capsys, *words, "--wait", "0")[0] == 1
    hinder(running, active=False)
    apply(config)
    assert runs_with(running) == settings_digest(load(config)) != settings_digest(load(new))


def test_a_change_of_the_link_said_again_leaves_a_gate_alone_that_is_known(
    running, config, tmp_path, apply
):
    """The digest is of all settings: which the gate runs with stands in the last good ones."""
    keep(config)
    path = tmp_path / "link.toml"
    path.write_text(config.read_text().replace(LINK, f"{LINK}keepalive_s = 60\n"))
    for _ in range(2):
        status, out, _ = apply(path)
        assert status == 0
        assert "gate: needs no new start for this\nlink: started anew" in out
    assert running.starts == []
    assert running.units == [LINK_STARTED] * 2


def test_a_link_is_seen_to_where_the_gate_runs_with_the_file_already(running, config, apply):
    """Somebody edited a setting of the link, and the gate has had a start since."""
    config.write_text(config.read_text().replace(LINK, f"{LINK}keepalive_s = 60\n"))
    running._begin()
    running.has_systemd = False
    status, out, _ = apply(config)
    assert status == 1
    assert "the gate runs with these settings already\nlink: start it anew by hand" in out
    running.has_systemd = True
    assert apply(config)[0] == 0
    assert running.units[-1] == LINK_STARTED


def test_a_link_is_seen_to_where_the_gate_runs_with_others_than_the_file(
    running, config, new, apply
):
    config.write_text(config.read_text().replace(LINK, f"{LINK}keepalive_s = 60\n"))
    new.write_text(config.read_text() + MORE)
    assert apply(new)[0] == 0
    assert running.units == [LINK_STARTED]


# ----------------------------------------------------------------------------------------- stopped


def stop():
    raise KeyboardInterrupt


def test_who_stops_waiting_for_the_lane_has_the_link_take_them(running, both, apply):
    hinder(running)
    running.script = [stop]
    status, out, err = apply(both)
    assert status == 130
    assert "Stopped waiting: the gate was asked nothing." in err
    assert running.units == [LINK_STARTED]
    assert "link: started anew" in out
    assert running.starts == []


def test_who_stops_waiting_for_the_gate_hears_that_it_was_asked(running, new, apply):
    running.returns, running.script = False, [stop]
    status, _, err = apply(new)
    assert status == 130
    assert "the gate was asked to start anew, and is not back yet." in err
    assert len(running.starts) == 1


# ------------------------------------------------------------------------- a gate that is not there


@pytest.mark.parametrize("state", ["failed", "activating"])
def test_a_gate_that_should_run_and_does_not_is_a_fault(running, new, both, apply, state):
    running.is_up, running.active_state = False, state
    for path in (both, both, new):
        status, out, err = apply(path)
        assert status == 1
        assert f"the gate does not answer, and systemd says that it is {state}; see" in err
        assert "takes them when it starts" not in out
    assert running.units == [LINK_STARTED] * 3


def test_a_gate_that_is_starting_is_waited_for_and_starts_anew_with_them(running, new, apply):
    """It may have read the file before."""
    running.is_up, running.active_state = False, "activating"

    def up():
        running.is_up = True

    running.script = [lambda: None, up]
    status, out, _ = apply(new)
    assert status == 0
    assert "gate: it is starting; waiting for it\ngate: nobody is in the lane" in out
    assert runs_with(running) == settings_digest(load(new))


def test_a_gate_that_starts_by_itself_with_the_new_ones_needs_no_other_start(running, new, apply):
    running.is_up, running.active_state = False, "activating"

    def up():
        running._begin()
        running.is_up = True

    running.script = [up]
    status, out, _ = apply(new)
    assert (status, running.starts) == (0, [])
    assert "gate: runs with them\n" in out


def test_a_gate_that_runs_and_has_no_socket_is_a_fault(running, new, apply, monkeypatch):
    running.is_up = False
    monkeypatch.setattr(going_over, "active_state", lambda _unit: "active")
    status, _, err = apply(new)
    assert status == 1
    assert "the gate does not answer, and systemd says that it is active; see systemctl" in err


# ------------------------------------------------------------- a gate that does not start with them


def test_settings_that_the_gate_does_not_start_with_are_taken_back(running, config, both, apply):
    old = config.read_text()
    running.returns, running.active_state = False, "activating"
    tries = []

    def comes_back_with_the_old():
        tries.append(config.read_text())
        if tries[-1] == old:
            running._begin()
            running.is_up = True

    running.script = [comes_back_with_the_old] * 200
    status, out, err = apply(both)
    assert status == 1
    assert "the gate is not back after 60 s" in err
    assert out.splitlines()[-2:] == [
        f"{config}: written. Those before are back, those that failed are in gatepost.toml.before",
        "gate: runs with those before",
    ]
    assert config.read_text() == old
    assert config.with_name("gatepost.toml.before").read_text() == both.read_text()
    assert set(tries) == {old, both.read_text()}
    assert running.units == []  # the link runs with the old ones still
    assert runs_with(running) == settings_digest(load(config))


def test_a_gate_that_comes_back_with_neither_is_told(running, config, new, apply):
    old = config.read_text()
    running.returns, running.active_state = False, "failed"
    status, _, err = apply(new)
    assert status == 1
    assert err.count("the gate is not back after 60 s") == 2
    assert config.read_text() == old


def test_a_gate_that_was_only_slow_is_told(running, new, apply):
    running.returns, running.active_state = False, "activating"
    begun = []

    def late():
        begun.append(running._begin()) if not begun else None

    def up():
        running.is_up = True

    running.script = [late, *[lambda: None] * 125, up]
    status, _, err = apply(new)
    assert status == 1
    assert "it was slow, and runs with those in gatepost.toml.before" in err


def test_a_gate_that_nobody_starts_again_keeps_its_file(running, config, new, apply):
    running.returns = False
    assert apply(new)[0] == 1
    assert config.read_text() == new.read_text()


def test_a_file_edited_in_its_place_is_never_exchanged(running, config, new, apply):
    assert apply(new)[0] == 0
    config.write_text(config.read_text() + "[turnstile]\nheld_s = 12\n")
    running.returns, running.active_state = False, "failed"
    edited = config.read_text()
    assert apply(config)[0] == 1
    assert config.read_text() == edited
