"""What a command put out of service, or freed, is as it was when its session is dropped."""

import signal
import subprocess
import sys
import threading

import pytest
from tests.services.tls_rig import Rig

from gatepost.cli import doctor as doctor_command
from gatepost.cli import lane as lane_command
from gatepost.cli.ending import ended_in_order
from gatepost.cli.main import main
from gatepost.doctor import moving
from gatepost.wiring.orders import Orders
from gatepost_config.load import load
from gatepost_hal.system import SystemClock
from gatepost_services.control import ask

from .doctor_bench import Bench, NoBroker

PATIENCE_S = 60.0
SIGNALS = [signal.SIGHUP, signal.SIGTERM, signal.SIGINT]
STATUS = {signal.SIGHUP: 129, signal.SIGTERM: 143, signal.SIGINT: 130}


@pytest.fixture(autouse=True)
def as_at_a_terminal():
    """What a process in the background ignores is not ignored here, nor in what is started here."""
    held = {each: signal.getsignal(each) for each in SIGNALS}
    for each, handler in held.items():
        if handler is signal.SIG_IGN:
            ours = signal.default_int_handler if each is signal.SIGINT else signal.SIG_DFL
            signal.signal(each, ours)
    yield
    for each, handler in held.items():
        signal.signal(each, handler)


def status_of(command):
    """Return how a command ended, however it says it."""
    try:
        return command()
    except SystemExit as ended:
        return ended.code


@pytest.mark.parametrize("signum", SIGNALS)
def test_the_first_signal_ends_the_block_and_no_other_cuts_its_ending_short(signum):
    before = [signal.getsignal(each) for each in SIGNALS]
    ended = []

    def block():
        with ended_in_order():
            try:
                signal.raise_signal(signum)
            finally:
                for each in SIGNALS:
                    signal.raise_signal(each)
                ended.append(signum)

    with pytest.raises(KeyboardInterrupt if signum is signal.SIGINT else SystemExit) as raised:
        block()
    if signum is not signal.SIGINT:
        assert raised.value.code == STATUS[signum]
    assert ended == [signum]
    assert [signal.getsignal(each) for each in SIGNALS] == before


def test_what_is_ignored_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with ended_in_order():
            signal.raise_signal(signal.SIGHUP)  # as below nohup
    finally:
        assert signal.signal(signal.SIGHUP, before) is signal.SIG_IGN


# ---------------------------------------------------------------------------------------- the lane


@pytest.fixture
def settings(config, stage, monkeypatch):
    """Turn the stage's gate in a thread, with the orders of its socket; return its settings."""
    found = load(config)
    orders = Orders(found.paths.control, SystemClock())
    monkeypatch.setattr(stage.gate, "_around", stage.gate._around._replace(asked=orders.asked))
    stop = threading.Event()

    def turn():
        while not stop.is_set():
            stage.gate.turn()

    thread = threading.Thread(target=turn, daemon=True)
    thread.start()
    yield found
    stop.set()
    thread.join(PATIENCE_S)
    orders.close()


def standing(settings):
    return ask(settings.paths.control, {"verb": "status"}, PATIENCE_S)["standing"]


@pytest.mark.processes
@pytest.mark.parametrize("signum", SIGNALS)
def test_the_lane_is_in_service_again_when_the_session_is_dropped(signum, settings, config):
    command = [sys.executable, "-m", "gatepost", "lane", "--config", str(config), "test"]
    with subprocess.Popen(
        [*command, "red-lamp", "--yes"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        # Its question ends with no line; what it says before that does.
        asked = process.stdout.readline() + process.stdout.read(len("red-lamp: is"))
        assert asked.endswith(b"red-lamp: is")
        assert "maintenance" in standing(settings)
        process.send_signal(signum)  # that of a second one is looked at above, without a race
        process.stdin.close()
        assert process.wait(PATIENCE_S) == STATUS[signum]
        assert b"Traceback" not in process.stderr.read()
    assert standing(settings) == []


def test_a_signal_while_the_maintenance_begins_ends_it(settings, config, monkeypatch):
    def dropped(path, request, _timeout_s):
        answer = ask(path, request, PATIENCE_S)
        if request["verb"] == "begin_maintenance":
            signal.raise_signal(signal.SIGHUP)
        return answer

    monkeypatch.setattr("gatepost.cli.lane.ask", dropped)
    status = status_of(lambda: main(["lane", "--config", str(config), "test", "buzzer", "--yes"]))
    assert (status, standing(settings)) == (129, [])


@pytest.fixture
def dropped_at_the_end(monkeypatch):
    """Return what has the session dropped while a module asks the gate to end the maintenance."""

    def drop(module):
        left = [signal.SIGHUP, signal.SIGINT]

        def dropped(path, request, _timeout_s):
            while request["verb"] == "end_maintenance" and left:
                signal.raise_signal(left.pop(0))
            return ask(path, request, PATIENCE_S)

        monkeypatch.setattr(module, "ask", dropped)

    return drop


def test_a_signal_while_the_maintenance_ends_does_not_keep_it(
    settings, config, dropped_at_the_end, monkeypatch
):
    dropped_at_the_end(lane_command)
    monkeypatch.setattr("builtins.input", lambda _question: "y")
    status = status_of(lambda: main(["lane", "--config", str(config), "test", "buzzer", "--yes"]))
    assert (status, standing(settings)) == (129, [])


def test_the_end_of_input_ends_the_maintenance(settings, config, monkeypatch, capsys):
    def ended(_question):
        raise EOFError

    monkeypatch.setattr("builtins.input", ended)
    status = status_of(lambda: main(["lane", "--config", str(config), "test", "buzzer", "--yes"]))
    assert (status, standing(settings)) == (1, [])
    assert "nobody answers the question" in capsys.readouterr().err


# -------------------------------------------------------------------------------------- the doctor


@pytest.fixture
def bench(tmp_path):
    rig = Rig(tmp_path / "site")
    return Bench(tmp_path / "doctor", rig, NoBroker(), rig.gate())


@pytest.mark.parametrize("signum", SIGNALS)
def test_what_the_doctor_freed_is_shut(signum, bench, monkeypatch):
    levels = []

    def watched(lane):
        for relay in lane.relays.values():
            relay.on_change = lambda relay=relay: levels.append(relay.is_energised)

    def dropped(_question, _answers):
        assert levels == [True]
        signal.raise_signal(signum)

    bench.prepare_lane, bench.operator.which = watched, dropped
    monkeypatch.setattr(doctor_command, "machine", lambda _config, _operator: bench.site())
    words = ["doctor", "--config", str(bench.config), "--move", "--only", "relay.entry"]
    assert status_of(lambda: main(words)) == STATUS[signum]
    assert levels == [True, False]


@pytest.fixture
def tested(bench, settings, monkeypatch):
    """Return what has the doctor try a relay of the running gate; it returns the status."""
    bench.settings["paths"]["run_dir"] = settings.paths.run_dir
    monkeypatch.setattr(doctor_command, "machine", lambda _config, _operator: bench.site())
    words = ["doctor", "--config", str(bench.config), "--move", "--only", "relay.entry"]
    return lambda: status_of(lambda: main(words))


def test_the_doctor_ends_the_maintenance_of_a_running_gate(bench, settings, tested):
    def dropped(_question, _answers):
        assert "maintenance" in standing(settings)
        signal.raise_signal(signal.SIGHUP)

    bench.operator.which = dropped
    assert tested() == STATUS[signal.SIGHUP]
    assert standing(settings) == []


def test_a_signal_while_the_doctor_ends_it_does_not_keep_it(settings, tested, dropped_at_the_end):
    dropped_at_the_end(moving)
    assert tested() == STATUS[signal.SIGHUP]
    assert standing(settings) == []
