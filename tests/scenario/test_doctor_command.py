"""`gatepost doctor` as a command: what it prints and asks, its status, what it leaves alone."""

import json
import re
import sys
from hashlib import sha256
from pathlib import Path

import pytest
from tests.services.tls_rig import Rig

from gatepost.cli import doctor as command
from gatepost.cli.main import main
from gatepost.doctor import model, report
from gatepost.doctor.machine import FactoryLines, MachineDisk, Nobody, machine, run_command
from gatepost.doctor.model import Check, Fine, Level, examine, texts
from gatepost.doctor.table import CHECKS
from gatepost_hal.gpio import GpioError
from gatepost_hal.ports import Direction

from .doctor_bench import Bench, NoBroker, push_later, wrong
from .doctor_plants import PLANTS

# Without a broker these would be red; how they are named is in test_doctor_plants.
QUIET = ("supply", "clock", "gpio", "relay", "input", "output", "i2c", "sensor", "disk", "secret")
# What no test plants, and why: each needs what a test cannot make, or a gate that runs.
UNPLANTED = {
    "config.file/missing",  # below, by the command
    "broker.port/silent",  # a network that swallows packets
    "broker.tls/failed",  # a listener that speaks something else
    "gate.faults/mild",
    "gate.faults/silent",
    "gate.faults/standing",
    *("relay.entry/left", "relay.exit/left", "passage.signal/left"),  # test_doctor_running
}


@pytest.fixture
def bench(tmp_path):
    rig = Rig(tmp_path / "site")
    made = Bench(tmp_path / "gate", rig, NoBroker(), rig.gate())
    made.prepare_lane = push_later(0.3, Direction.ENTRY)
    return made


@pytest.fixture
def doctor(bench, monkeypatch, capsys):
    """Run the command on the bench; return its status and what it printed."""
    monkeypatch.setenv("COLUMNS", "120")  # not as narrow as the terminal of whoever tests

    def run(*words):
        def site(_config, operator):
            if not isinstance(operator, Nobody):
                bench.operator = operator
            return bench.site()

        monkeypatch.setattr(command, "machine", site)
        status = main(["doctor", "--config", str(bench.config), *words])
        return status, capsys.readouterr()

    return run


def test_all_is_well(doctor):
    status, printed = doctor("--only", *QUIET)
    assert status == 0
    assert "faults: 0, warnings: 0, ok: " in printed.out
    assert "\x1b" not in printed.out


def test_a_warning_is_status_1_and_a_fault_is_2(doctor, bench):
    bench.put("proc/cmdline", "x")
    assert doctor("--only", *QUIET)[0] == 1
    bench.disk.took_s = 1.9
    status, printed = doctor("--only", *QUIET)
    assert status == 2
    # Faults first, each with what it means and what to do.
    fault = printed.out.index("FAULT Writing to the disk (disk.write/slow)")
    assert fault < printed.out.index("WARN Lines of a dead process (gpio.strict/missing)")
    assert "  means  People wait at the lane" in printed.out
    assert "  do     Use a card of class A2" in printed.out


def test_one_line_a_check_and_no_wider_than_the_terminal(doctor, monkeypatch):
    monkeypatch.setenv("COLUMNS", "70")
    lines = doctor("--only", *QUIET)[1].out.splitlines()
    told = [line for line in lines if re.match(r"(ok|WARN|FAULT|-) ", line)]
    assert len(told) == len({line.split()[1] for line in told}) > 20
    assert max(map(len, lines)) <= 70


def test_colours_are_for_a_terminal_that_wants_them(doctor, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[32mok" in doctor("--only", "clock")[1].out
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in doctor("--only", "clock")[1].out


def test_json_is_one_document(doctor, bench):
    bench.put("proc/cmdline", "x")
    status, printed = doctor("--json", "--only", "gpio.strict")
    said = json.loads(printed.out)
    assert (status, said["status"]) == (1, 1)
    (found,) = [each for each in said["checks"] if each["problem"]]
    assert (found["id"], found["problem"], found["level"]) == ("gpio.strict", "missing", "warning")
    assert found["remedy"].startswith("dtparam=strict_gpiod")


def test_only_runs_what_is_named_and_what_that_needs(doctor):
    said = json.loads(doctor("--json", "--only", "sensor.pec")[1].out)
    ids = [each["id"] for each in said["checks"]]
    assert ids == ["config.file", "i2c.device", "i2c.bus", "sensor.answers", "sensor.pec"]


@pytest.mark.parametrize("words", [("--only", "sensors"), ("--yes",), ("--markdown",)])
def test_nonsense_is_refused(doctor, words):
    with pytest.raises(SystemExit) as ended:
        doctor(*words)
    assert ended.value.code == 2


def test_a_file_that_is_not_there(bench, monkeypatch, capsys):
    monkeypatch.setattr(
        "gatepost.doctor.machine.open_linux_bus", lambda _number: pytest.fail("a bus was opened")
    )
    nowhere = bench.folder / "nowhere.toml"
    assert main(["doctor", "--config", str(nowhere), "--only", "config", "journal", "sensor"]) == 2
    printed = capsys.readouterr().out
    assert "config.file/missing" in printed
    assert "journal.whole       config.file comes first" in printed


# ------------------------------------------------------------------------------------- asking


def relays_of(bench):
    """Count how often any relay of any lane that is opened is energised."""
    pulses = []
    prepare = bench.prepare_lane

    def watched(lane):
        prepare(lane)
        for relay in lane.relays.values():
            relay.on_change = lambda relay=relay: pulses.append(relay.is_energised)

    bench.prepare_lane = watched
    return pulses


def test_nothing_moves_unless_it_is_asked_for(doctor, bench):
    pulses = relays_of(bench)
    status, printed = doctor("--only", *QUIET)
    assert status == 0
    assert "it may move the turnstile: --move" in printed.out
    assert not any(pulses)


def test_a_no_is_a_no(doctor, bench, monkeypatch):
    pulses = relays_of(bench)
    monkeypatch.setattr(sys, "stdin", iter_in("n\n" * 4))
    status, printed = doctor("--move", "--only", "relay", "passage")
    assert status == 0
    assert printed.out.count("nobody allowed it") == 3
    assert "May I free the entry for 0.5 s" in printed.err
    assert not any(pulses)


def test_a_yes_moves_and_what_was_seen_counts(doctor, bench, monkeypatch):
    pulses = relays_of(bench)
    monkeypatch.setattr(sys, "stdin", iter_in("y\ny\nperhaps\nentry\ny\nboth\ny\n"))
    status, printed = doctor("--move", "--only", "relay", "passage")
    assert status == 2
    assert "relay.exit/both" in printed.out
    assert any(pulses)


def test_yes_asks_nobody(doctor, bench, monkeypatch):
    pulses = relays_of(bench)
    monkeypatch.setattr(sys, "stdin", None)
    bench.operator = Nobody(allows=True)
    status, printed = doctor("--move", "--yes", "--only", "relay", "passage")
    sys.stdin.close()  # what `main` put there
    assert status == 0
    assert "nobody was asked what moved" in printed.out
    assert printed.err == ""
    assert any(pulses)


def test_what_would_stay_on_is_not_moved_without_a_gate(doctor, bench, monkeypatch):
    pulses = relays_of(bench)
    monkeypatch.setattr(sys, "stdin", iter_in("y\nentry\n" * 3))
    bench.put("proc/cmdline", "console=tty1\n")
    status, printed = doctor("--move", "--only", "relay.entry", "relay.exit", "passage")
    assert status == 0
    assert printed.out.count("would leave the turnstile free (gpio.strict)") == 2
    assert "relay.entry comes first" in printed.out
    assert printed.err == ""
    assert not any(pulses)


def test_the_end_of_input_is_no_yes(doctor, bench, monkeypatch):
    pulses = relays_of(bench)
    monkeypatch.setattr(sys, "stdin", iter_in(""))
    assert doctor("--move", "--only", "relay.entry")[0] == 0
    assert not any(pulses)
    monkeypatch.setattr(sys, "stdin", iter_in("y\n"))
    status, printed = doctor("--move", "--only", "relay.entry")
    assert status == 0
    assert "nobody was asked what moved" in printed.out


class iter_in:  # noqa: N801 - reads like a function
    """Standard input with these lines."""

    def __init__(self, text):
        self._lines = text.splitlines(keepends=True)

    def readline(self):
        return self._lines.pop(0) if self._lines else ""


# ------------------------------------------------------------------------- what it leaves alone


def hashes(folder):
    return {
        path: (path.stat().st_mode, sha256(path.read_bytes()).hexdigest())
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_every_file_is_as_it_was(bench):
    site = bench.site()
    before = hashes(bench.folder)
    list(examine(site, CHECKS, may_move=True))
    assert hashes(bench.folder) == before


def test_a_device_is_missed_also_where_the_gate_has_no_user(bench):
    bench.put("etc/passwd", "root:x:0:0::/:/x\n")
    for name in ("i2c-3", "scanner", "gpiochip0"):
        (bench.root / "dev" / name).unlink()
    found = wrong(bench.examine("system.users", "i2c.device", "reader.entry", "gpio.chip"))
    assert found == {
        *("system.users/missing", "i2c.device/missing"),
        *("reader.entry/missing", "gpio.chip/missing"),
    }


def test_a_check_that_falls_over_hides_no_other(bench):
    def fall(_site):
        raise KeyError("x")

    checks = (Check("disk.wear", fall, without_settings=True), *CHECKS[:1])
    first, second = examine(bench.site(), checks)
    assert first.level is Level.WARNING
    assert "the check itself failed: KeyError" in first.says
    assert second.level is Level.OK


def test_what_somebody_else_wrote_changes_no_terminal(doctor, bench):
    bench.settings["gate"]["naem"] = "\\u001b[2J\\n"
    printed = doctor("--only", "config")[1].out
    assert "naem" in printed
    assert "\x1b" not in printed
    assert model.printable("a\x1b\nb") == "a  b"


# ------------------------------------------------------------------------------ this machine


def test_this_machine_has_the_ports_that_the_checks_want(bench):
    site = machine(bench.config, Nobody(allows=False))
    ids = ("config", "clock.year", "disk", "journal", "secret", "supply", "system")
    chosen = [each.id for each in CHECKS if each.id.startswith(ids)]
    results = list(examine(site, CHECKS, chosen))
    assert not [each for each in results if "the check itself failed" in each.says]
    assert {"config.file", "disk.space", "journal.whole"} <= {
        each.id for each in results if each.level is Level.OK
    }


def test_programs_are_those_of_the_system():
    assert run_command(["true"]) == (0, "")
    assert run_command(["no-such-program-of-gatepost"]) is None
    assert run_command(["sh", "-c", "exit 3"]).status == 3


def test_a_probe_leaves_nothing_on_the_disk(tmp_path):
    assert MachineDisk().write_s(tmp_path) >= 0
    assert list(tmp_path.iterdir()) == []
    assert MachineDisk().free_bytes(tmp_path) > 0


def test_a_line_that_cannot_be_had_is_said():
    class Factory:
        def pin(self, _line):
            raise RuntimeError("busy")

        def close(self):
            pass

    lines = FactoryLines(Factory())
    with pytest.raises(GpioError, match="GPIO 17 cannot be read"):
        lines.level(17, "up")
    lines.close()


# ------------------------------------------------------------------------------- its own tables


def test_every_check_has_texts_and_stands_behind_what_it_needs():
    ids = [check.id for check in CHECKS]
    assert sorted(ids) == sorted(texts())
    assert len(set(ids)) == len(ids)
    for number, check in enumerate(CHECKS):
        assert set(check.first) <= set(ids[:number]), check.id


def test_every_problem_is_planted_or_said_to_be_not():
    known = {f"{id_}/{name}" for id_, text in texts().items() for name in text.problems}
    planted = {plant.name for plant in PLANTS}
    assert planted <= known
    assert known - planted == UNPLANTED
    assert len(planted) >= 25


def test_list_names_them(doctor):
    status, printed = doctor("--list")
    assert status == 0
    assert len(printed.out.splitlines()) == len(CHECKS)


def test_a_page_without_markers_is_refused(doctor, tmp_path):
    page = tmp_path / "page.md"
    page.write_text("nothing")
    with pytest.raises(SystemExit):
        doctor("--list", "--markdown", str(page))
    page.write_text("a\n" + "\n".join(report.MARKERS) + "\nb\n")
    assert doctor("--list", "--markdown", str(page))[0] == 0
    assert page.read_text().endswith("\nb\n")
    assert "`sensor.answers/absent`" in page.read_text()


@pytest.mark.packaging
def test_the_page_is_fresh():
    page = Path(__file__).parents[2] / "firmware" / "TROUBLESHOOTING.md"
    text = page.read_text(encoding="utf-8")
    assert command.renewed(text) == text


@pytest.mark.packaging
def test_the_page_speaks_of_options_that_there_are(capsys):
    page = Path(__file__).parents[2] / "firmware" / "TROUBLESHOOTING.md"
    text = page.read_text(encoding="utf-8")
    with pytest.raises(SystemExit):
        main(["doctor", "--help"])
    known = set(re.findall(r"--[a-z]+", capsys.readouterr().out))
    spoken = " ".join(re.findall(r"gatepost doctor[^`\n]*", text.partition("## By symptom")[0]))
    assert set(re.findall(r"--[a-z]+", spoken)) <= known
    assert {"--only", "--move", "--yes", "--json", "--bundle"} <= known


def test_fine_is_fine():
    assert wrong([model.result_of("clock.year", Fine("x"))]) == set()
