"""A gate's settings and folders in the guest, and its processes."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

SCANNER = Path("/dev/ttyUSB0")
PASS = "A-0001"
GATEPOST = ("-m", "gatepost")
Process = subprocess.Popen[bytes]


def prepare(folder: Path, settings: str = "", broker_port: int = 1) -> Path:
    """Make a gate's folders and its roster; return its settings file, with `settings` behind."""
    for name in ("gate", "link", "run/gate", "run/link", "calibration"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "roster.csv").write_text(f"credential,subject,category\n{PASS},resident-1,resident\n")
    config = folder / "gatepost.toml"
    config.write_text(_config(folder, broker_port) + settings)
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


def _config(folder: Path, port: int) -> str:
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
broker_port = {port}
[paths]
gate_dir = "{folder}/gate"
link_dir = "{folder}/link"
run_dir = "{folder}/run"
roster = "{folder}/roster.csv"
calibration_dir = "{folder}/calibration"
"""
