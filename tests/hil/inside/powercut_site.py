"""What is on a gate's disk before the gate starts for the first time, and the disk itself."""

import datetime as dt
import os
import subprocess
from contextlib import suppress
from pathlib import Path

from gatepost_config.calibration import CalibrationRecord, PointRecord, as_toml
from gatepost_config.paths import Paths
from gatepost_services.roster import RosterKey, Row
from gatepost_services.roster.writer import RosterWriter, Whole
from gatepost_services.state_file import write_state

DISK = Path("/run/disk")
LOAD_DIR = DISK / "load"
SUBJECTS = [f"resident-{n}" for n in range(1, 9)]
_SENSOR_ID = "0123456789abcdef"


def prepare(paths: Paths) -> None:
    """Make what a technician makes on a new gate, where it is missing."""
    for folder in (paths.gate_dir, paths.link_dir, LOAD_DIR, paths.calibration_dir):
        folder.mkdir(exist_ok=True)
    for name in ("gate", "link"):
        (paths.run_dir / name).mkdir(parents=True, exist_ok=True)
    if not any(paths.calibration_dir.glob("*.toml")):  # that comes last, and whole
        key = RosterKey.load_or_make(paths.roster_key)
        rows = [Row(key.digest(f"pass-{subject}"), subject, "resident") for subject in SUBJECTS]
        with RosterWriter.open(paths.roster, key) as writer:
            writer.replace(Whole(rows, as_of_utc_s=0))
        calibrate(paths, 1)


def calibrate(paths: Paths, number: int) -> None:
    """Write a calibration as `gatepost calibrate` does: one that tells its number."""
    path = paths.calibration_dir / f"{_SENSOR_ID}.toml"
    write_state(path, as_toml(_calibration(number)).encode())


def _calibration(number: int) -> CalibrationRecord:
    """Return a calibration that tells its number."""
    points = PointRecord(30.0, 30.1), PointRecord(40.0, 40.2)
    days = dt.date(2026, 1, 1), dt.date(2099, 1, 1)
    return CalibrationRecord(_SENSOR_ID, 0.98, 0, str(number), "none", *days, *points)


def mount(options: str) -> str:
    """Mount the disk; return why that failed, nothing if it did not."""
    DISK.mkdir()
    done = subprocess.run(
        ["mount", "-t", "ext4", "-o", options, "/dev/vda", DISK],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stderr.strip() or "mount failed" if done.returncode else ""


def kernel_on_ext4() -> list[str]:
    """Return what the kernel has said about the file system since the boot."""
    messages = []
    fd = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK)
    with suppress(BlockingIOError):
        while True:
            messages.append(os.read(fd, 8192).decode(errors="replace").partition(";")[2])
    os.close(fd)
    return [text.splitlines()[0] for text in messages if "EXT4" in text or "JBD2" in text]
