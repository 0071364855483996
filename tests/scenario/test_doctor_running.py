"""The doctor beside a gate that runs: it asks the gate, and touches neither lines nor bus."""

import threading

import pytest
from tests.services.tls_rig import Rig

from gatepost.doctor import moving, site
from gatepost.doctor.model import Level
from gatepost.doctor.table import CHECKS
from gatepost.wiring.orders import Orders
from gatepost_hal.system import SystemClock
from gatepost_services.control import ControlSocket

from .doctor_bench import Bench, NoBroker, wrong

PATIENCE_S = 30.0
HARDWARE = ("gate", "gpio.lines", "relay", "output", "input", "i2c.bus", "sensor")
AT_REST = {"state": "idle", "standing": [], "inputs": {"fire": False}, "faults": []}


class RunningGate:
    """What answers on the gate's socket; `status` is what it says, `asked` what it heard."""

    def __init__(self, path):
        self.status = dict(AT_REST)
        self.asked = []
        self.refuses = False
        self.turns_in = None
        self.keeps = ""  # why it does not end the maintenance
        self._socket = ControlSocket(path)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        clock = SystemClock()
        while not self._stop.wait(0.002):
            for call in self._socket.take(clock.now_s()):
                call.reply(self._answer(call.request))

    def _answer(self, request):
        if request["verb"] == "status":
            return self.status
        self.asked.append((request["verb"], request.get("output")))
        if self.refuses:
            return {"done": False, "why": "not_now", **self.status}
        if self.keeps and request["verb"] == "end_maintenance":
            return {"done": False, "why": self.keeps, **self.status}
        if self.turns_in == len(self.asked):
            self.status["inputs"] = {"passage": True}
        return {"done": True, **self.status}

    def close(self):
        self._stop.set()
        self._thread.join(PATIENCE_S)
        self._socket.close()


@pytest.fixture
def bench(tmp_path, monkeypatch):
    monkeypatch.setattr(site, "_ANSWER_S", PATIENCE_S)
    monkeypatch.setattr(moving, "_ANSWER_S", PATIENCE_S)
    # A socket's path has at most 107 bytes, and a test's folder may be long already.
    rig = Rig(tmp_path / "s")
    made = Bench(tmp_path / "g", rig, NoBroker(), rig.gate())

    def never(*_):
        pytest.fail("lines or bus were touched while the gate runs")

    made.lines_error = AssertionError("lines were touched while the gate runs")
    made.wrap_bus = made.prepare_lane = never
    return made


@pytest.fixture
def gate(bench):
    made = RunningGate(bench.folder / "run/gate/control.sock")
    yield made
    made.close()


@pytest.fixture
def real(bench, stage, monkeypatch):
    """Let a real gate with a simulated lane turn beside the doctor, and answer on the socket."""
    orders = Orders(bench.site().settings.paths.control, SystemClock())
    assert orders.faults == {}
    monkeypatch.setattr(stage.gate, "_around", stage.gate._around._replace(asked=orders.asked))
    stop = threading.Event()

    def turn():
        while not stop.is_set():
            stage.gate.turn()

    thread = threading.Thread(target=turn, daemon=True)
    thread.start()
    yield stage
    stop.set()
    thread.join(PATIENCE_S)
    orders.close()


def ids(*groups):
    return [each.id for each in CHECKS if each.id.startswith(groups)]


def test_lines_and_bus_are_the_gates(bench, gate):
    results = {each.id: each for each in bench.examine(*ids(*HARDWARE))}
    assert wrong(results.values()) == set()
    for id_ in ("relay.polarity", "output.rest", "i2c.bus"):
        assert results[id_].level is Level.NOT_CHECKED
        assert "systemctl stop gatepost-gate" in results[id_].says
    assert results["input.rest"].level is Level.OK
    assert results["gate.faults"].says == "none; state idle"
    assert gate.asked == []


def test_its_faults_are_told_with_their_remedies(bench, gate):
    gate.status["faults"] = ["sensor_frozen", "disinfection", "journal"]
    (found,) = [each for each in bench.examine("gate.faults") if each.problem]
    assert found.name == "gate.faults/standing"
    assert "sensor_frozen, disinfection, journal" in found.says
    assert found.level is Level.FAULT
    assert "switch the sensor's supply off and on" in found.remedy
    assert "replace the SD card" in found.remedy


def test_what_does_nothing_to_the_lane_is_a_warning(bench, gate):
    gate.status["faults"] = ["disinfection", "calibration_due"]
    (found,) = [each for each in bench.examine("gate.faults") if each.problem]
    assert (found.name, found.level) == ("gate.faults/mild", Level.WARNING)


def test_its_inputs_tell_what_is_swapped(bench, gate):
    gate.status["inputs"] = {"fire": True, "exit_button": True}
    assert wrong(bench.examine("input.rest")) == {"input.rest/swapped"}
    gate.status["inputs"] = {"fire": True}
    assert wrong(bench.examine("input.rest")) == {"input.rest/alarm"}
    gate.status["inputs"] = {"presence": True}
    assert wrong(bench.examine("input.rest")) == set()


def test_a_gate_that_systemd_knows_and_that_does_not_answer_has_the_lines(bench):
    bench.under_systemd("gatepost-gate.service")
    results = bench.examine(*ids(*HARDWARE))
    assert wrong(results) == {"gate.faults/silent"}


def test_what_moves_is_moved_by_the_gate(bench, gate):
    gate.turns_in = 8
    results = bench.examine("relay.entry", "relay.exit", "passage.signal", move=True)
    assert wrong(results) == set()
    assert [each.says for each in results][-3:] == [
        "the entry became free",
        "the exit became free",
        "seen",
    ]
    begin, end = ("begin_maintenance", None), ("end_maintenance", None)
    entry, leave = ("test", "entry_relay"), ("test", "exit_relay")
    assert gate.asked == [begin, entry, end, begin, leave, end, begin, entry, end]


def test_a_lane_in_maintenance_stays_in_it(bench, gate):
    gate.status["standing"] = ["maintenance"]
    bench.examine("relay.entry", move=True)
    assert gate.asked == [("test", "entry_relay")]


def test_a_maintenance_that_somebody_began_meanwhile_stays(bench, gate):
    def begun(_question):
        gate.status["standing"] = ["maintenance"]
        return True

    bench.operator.may = begun
    bench.examine("gate.faults", "relay.entry", move=True)
    assert gate.asked == [("test", "entry_relay")]


@pytest.mark.parametrize(
    ("sees", "problem"), [("entry", "left"), ("exit", "swapped"), ("none", "dead")]
)
def test_a_maintenance_that_cannot_be_ended_is_told_and_hides_no_finding(
    sees, problem, bench, gate
):
    gate.keeps = "no_record"

    def stands(_question, _answers):
        gate.status["standing"] = ["maintenance"]
        return sees

    bench.operator.which = stands
    found = bench.examine("relay.entry", move=True)[-1]
    assert found.name == f"relay.entry/{problem}"
    assert "may still be in maintenance: no_record" in found.says
    assert "gatepost lane end-maintenance" in found.says + found.remedy
    if sees == "entry":
        assert found.says.startswith("the entry became free")


def test_a_maintenance_that_somebody_else_ended_is_not_left(bench, gate):
    gate.keeps = "not_now"
    found = bench.examine("relay.entry", move=True)[-1]
    assert (found.level, found.says) == (Level.OK, "the entry became free")


def test_a_gate_that_went_away_leaves_the_finding_and_is_told(bench, gate):
    def goes(_question, _answers):
        gate.close()
        return "exit"

    bench.operator.which = goes
    found = bench.examine("relay.entry", move=True)[-1]
    assert found.name == "relay.entry/swapped"
    assert "may still be in maintenance" in found.says
    assert "is the gate running" in found.says


def test_who_waits_for_the_arm_has_it_freed_again(bench, gate):
    gate.turns_in = 6
    results = bench.examine("passage.signal", move=True)
    assert wrong(results) == set()
    assert gate.asked[3:].count(("test", "entry_relay")) == 2


def test_a_refusal_of_the_gate_is_no_fault_of_the_relay(bench, gate):
    gate.refuses = True
    results = bench.examine("relay.entry", move=True)
    assert results[-1].level is Level.NOT_CHECKED
    assert "the gate refuses it: not_now" in results[-1].says
    assert gate.asked == [("begin_maintenance", None)]


def test_a_real_gate_moves_records_and_is_left_as_it_was(bench, real):
    results = {each.id: each for each in bench.examine(*ids(*HARDWARE), move=True)}
    assert wrong(results.values()) == set()
    assert results["relay.entry"].says == "the entry became free"
    assert results["relay.exit"].says == "the exit became free"
    tested = [each.data["tested"] for each in real.log.entries if each.type == "maintenance.tested"]
    assert tested == ["entry_relay", "exit_relay"]
    assert real.types[-1] == "maintenance.ended"
    assert results["input.rest"].level is Level.OK
