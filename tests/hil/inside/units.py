"""The units in the guest: installed as systemd/README.md tells, started, asked, and probed."""

import json
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Event

from .lane import wait_until
from .processes import PASS, bench_settings

GATE, LINK = "gatepost-gate.service", "gatepost-uplink.service"
FIRST_BOOT, FIRST_ENROL = "gatepost-first-boot.service", "gatepost-first-enrol.service"
GROUPS = ("gpio", "i2c", "dialout", "input")  # the gate's
_ROOT = Path(__file__).resolve().parents[3]
VENV = "/opt/gatepost/venv/bin"
_PYTHON = f"{VENV}/python"
_PROBE = "/opt/gatepost/checkout/tests/hil/inside/unit_probe.py"
_DROP_INS = Path("/run/systemd/system")
# A step of systemd under an emulator on a busy host; and how often it is asked, for that costs.
_PATIENCE_S = 180.0
_POLL_S = 0.5


def run(*command: str) -> str:
    """Run it, and return what it says. Raises AssertionError with all of it where it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert not done.returncode, (
        f"{' '.join(command)}: {done.returncode}\n{done.stdout}{done.stderr}"
    )
    return done.stdout


def told_commands() -> list[str]:
    """Return the commands that systemd/README.md has a technician type, without the remarks."""
    lines = (_ROOT / "systemd" / "README.md").read_text().splitlines()
    commands = [line.strip() for line in lines if line.startswith("    ")]
    return [command for command in commands if not command.startswith("#")]


def told_for_cards() -> str:
    """Return what it says in a remark for an image of cards."""
    text = (_ROOT / "systemd" / "README.md").read_text()
    found = re.search(r"^    # for an image of cards: (.+)$", text, re.MULTILINE)
    assert found, "systemd/README.md has no remark for an image of cards"
    return found[1]


def type_in(commands: Sequence[str]) -> None:
    """Run these as root in systemd/, each as it is told."""
    for command in commands:
        run("bash", "-euc", f"cd {_ROOT}/systemd; {command}")


def configure(broker_port: int) -> None:
    """Do what the remarks between the README's commands say: settings, and a roster of one."""
    settings, people = Path("/etc/gatepost/gatepost.toml"), Path("/run/bench/people.csv")
    settings.write_text(bench_settings(broker_port))
    settings.chmod(0o640)
    run("chown", "root:gatepost", str(settings))
    people.write_text(f"credential,subject,category\n{PASS},resident-1,resident\n")
    run(f"{VENV}/gatepost", "roster", "import", str(people))


def show(unit: str) -> Mapping[str, str]:
    """Return the unit's properties, as systemd has them."""
    lines = run("systemctl", "show", unit).splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)


def unit_text(unit: str) -> str:
    """Return the shipped unit."""
    return (_ROOT / "systemd" / unit).read_text()


def log_of(unit: str) -> str:
    """Return what the journal has of a unit."""
    return run("journalctl", "--no-pager", "-q", "-o", "cat", "-u", unit)


def wait_for(unit: str, condition: Callable[[Mapping[str, str]], bool], what: str) -> None:
    """Wait until a unit's properties are so. Raises AssertionError, with its log, where never."""

    def holds() -> bool:
        Event().wait(_POLL_S)
        return condition(show(unit))

    try:
        wait_until(holds, f"{unit}: {what}", _PATIENCE_S)
    except AssertionError as error:
        raise AssertionError(f"{error}\n{log_of(unit)[-3000:]}") from None


def wait_active(unit: str, since_pid: int = 0) -> int:
    """Wait until a unit has said READY=1, in another process than `since_pid`; return its own."""

    def is_up(now: Mapping[str, str]) -> bool:
        return now["ActiveState"] == "active" and int(now["MainPID"]) not in (0, since_pid)

    wait_for(unit, is_up, "active")
    return int(show(unit)["MainPID"])


@contextmanager
def in_place_of_program(unit: str, lines: str) -> Iterator[None]:
    """Lay a drop-in over a unit that is stopped; take it away again, and leave it stopped."""
    run("systemctl", "stop", unit)
    drop_in = _DROP_INS / f"{unit}.d" / "50-bench.conf"
    drop_in.parent.mkdir(parents=True, exist_ok=True)
    drop_in.write_text(f"[Service]\n{lines}\n")
    run("systemctl", "daemon-reload")
    try:
        yield
    finally:
        run("systemctl", "stop", unit)
        drop_in.unlink()
        run("systemctl", "daemon-reload")
        run("systemctl", "reset-failed")


def probed(unit: str, attempts: Sequence[str], more: str = "") -> dict[str, str]:
    """Return what became of attempts of the probe, as the program of this very unit.

    The drop-in changes what is run, not what it may do; but for `more`, which is told.
    """
    told = Path("/run/bench") / f"{unit}.json"
    lines = (
        f"Type=oneshot\nRestart=no\nStandardOutput=truncate:{told}\n"
        f"ExecStart=\nExecStopPost=\nExecStart={_PYTHON} {_PROBE} {' '.join(attempts)}\n{more}"
    )
    with in_place_of_program(unit, lines):
        run("systemctl", "start", unit)
    return json.loads(told.read_text())


def unconfined(attempts: Sequence[str], *prefix: str) -> dict[str, str]:
    """Return what became of the same attempts without any sandbox; `prefix`: a command before."""
    return json.loads(run(*prefix, _PYTHON, _PROBE, *attempts))


def exposures() -> dict[str, float]:
    """Return what `systemd-analyze security` says of each of Gatepost's loaded units."""
    told = {}
    for unit in (GATE, LINK):
        text = run("systemd-analyze", "security", "--no-pager", unit)
        found = re.search(r"Overall exposure level for (\S+): ([0-9.]+)", text)
        assert found, text
        told[found[1]] = float(found[2])
    return told
