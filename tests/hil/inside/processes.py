"""A gate's settings and folders in the guest, and its processes."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from gatepost_services.roster import RosterKey, Row
from gatepost_services.roster.writer import RosterWriter, Whole

SCANNER = Path("/dev/ttyUSB0")
PASS = "A-0001"
GATEPOST = ("-m", "gatepost")
Process = subprocess.Popen[bytes]


def prepare(folder: Path, settings: str = "", broker_port: int = 1) -> Path:
    """Make a gate's folders and its roster; return its settings file, with `settings` behind."""
    for name in ("gate", "link", "run/gate", "run/link", "calibration"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    key = RosterKey.load_or_make(folder / "roster.key")
    with RosterWriter.open(folder / "roster.db", key) as writer:
        writer.replace(Whole([Row(key.digest(PASS), "resident-1", "resident")], as_of_utc_s=0))
    config = folder / "gatepost.toml"
    config.write_text(bench_settings(broker_port) + _paths(folder) + settings)
    return config


def run(config: Path, command: str, program: Sequence[str] = GATEPOST) -> Process:
    """Start one of a gate's two processes; it logs into the settings' folder."""
    with (config.parent / f"{command}.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, *program, command, "--config", str(config)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )


def bench_settings(broker_port: int) -> str:
    """Return the settings of the bench's gate, but for where its files lie."""
    return f"""
[gate]
site = "bench"
name = "lane-1"
[screening]
learns = false
[sensor]
calibration = "factory"
warm_up_s = 0
[reader]
device = "{SCANNER}"
[link]
broker_host = "127.0.0.1"
broker_port = {broker_port}
transport = "plain"
"""


def _paths(folder: Path) -> str:
    return f"""
[paths]
gate_dir = "{folder}/gate"
link_dir = "{folder}/link"
run_dir = "{folder}/run"
roster = "{folder}/roster.db"
roster_key = "{folder}/roster.key"
calibration_dir = "{folder}/calibration"
"""
