"""Faults planted in a copy of the core, one at a time: each must be caught.

Run with `make mutants`. `gatepost verify` goes first; what it does not see, the core's other tests
must. A copy without a fault must be green, or nothing here means anything. With words, only the
faults whose name contains them.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
AT_A_TIME = 2
TIMEOUT_S = 900
# The first two would only walk once more; and a picture of the table is no test of it.
LEFT_OUT = ("tests/core/test_safety.py", "tests/core/test_verify.py")


class Fault(NamedTuple):
    """A change of one place in a file of the core."""

    name: str
    file: str
    old: str
    new: str


# A file, and its faults: a name, what is taken away, and what takes its place.
FAULTS = Path(__file__).with_name("faults.txt")


def faults() -> list[Fault]:
    """Return the faults of the text."""
    found: list[Fault] = []
    file = ""
    for line in FAULTS.read_text(encoding="utf-8").splitlines():
        match line[:2]:
            case "# ":
                file = line[2:]
            case "- ":
                found[-1] = found[-1]._replace(old=f"{found[-1].old}\n{line[2:]}".lstrip("\n"))
            case "+ ":
                found[-1] = found[-1]._replace(new=f"{found[-1].new}\n{line[2:]}".lstrip("\n"))
            case _:
                found.append(Fault(line, file, old="", new=""))
    return found


class Result(NamedTuple):
    """What caught a fault, if anything did, and how long that took."""

    caught_by: str | None
    seconds: float


def main() -> int:
    began_s = time.perf_counter()
    control = tried(None)
    if control.caught_by is not None:
        print(f"a copy without a fault is not green: {control.caught_by}")
        return 1
    print(f"a copy without a fault is green ({control.seconds:.0f} s)\n")
    all_faults = [fault for fault in faults() if " ".join(sys.argv[1:]) in fault.name]
    print(f"{'fault':<62} {'file':<12} {'caught by':<44} seconds")
    survivors = 0
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        for fault, result in zip(all_faults, pool.map(tried, all_faults), strict=True):
            survivors += result.caught_by is None
            caught_by = result.caught_by or "NOTHING"
            print(
                f"{fault.name:<62} {fault.file:<12} {caught_by:<44} {result.seconds:7.1f}",
                flush=True,
            )
    seconds = time.perf_counter() - began_s
    print(f"\n{len(all_faults)} faults, {survivors} survived, {seconds:.0f} s")
    return 1 if survivors else 0


def tried(fault: Fault | None) -> Result:
    """Plant a fault in a copy of the firmware, and return what catches it there."""
    began_s = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        firmware = Path(folder) / "firmware"
        shutil.copytree(
            ROOT / "firmware/gatepost",
            firmware / "gatepost",
            ignore=shutil.ignore_patterns("__pycache__"),
        )
        if fault is not None:
            planted(fault, firmware / "gatepost/core" / fault.file)
        caught_by = by_verify(firmware) or by_tests(firmware)
    return Result(caught_by, time.perf_counter() - began_s)


def planted(fault: Fault, path: Path) -> None:
    text = path.read_text()
    if text.count(fault.old) != 1:
        raise SystemExit(
            f"{fault.name}: what it replaces is {text.count(fault.old)} times in {path.name}"
        )
    path.write_text(text.replace(fault.old, fault.new))


def by_verify(firmware: Path) -> str | None:
    """Return the properties that the walk finds broken, None when it finds nothing."""
    where = python(firmware, "-c", "import gatepost.core.lane as m; print(m.__file__)").stdout
    if not where.startswith(str(firmware)):
        raise SystemExit(f"not the copy is checked, but {where}")
    try:
        done = python(firmware, "-m", "gatepost", "verify", "--json", "--first")
    except subprocess.TimeoutExpired:
        return "verify, which does not end"
    if done.returncode == 0 and json.loads(done.stdout)["violations"] == 0:
        return None
    broken = sorted(set(re.findall(r"^(S\d) is broken", done.stderr, re.MULTILINE)))
    return " ".join(broken) or f"verify: {done.stderr.strip().splitlines()[-1]}"


def by_tests(firmware: Path) -> str | None:
    """Return the first test of the core that fails, None when none does."""
    left_out = [f"--ignore={path}" for path in LEFT_OUT]
    options = ("-q", "-x", "-p", "no:cacheprovider", "--tb=no", "--no-header")
    try:
        done = python(firmware, "-m", "pytest", *options, *left_out, "tests/core")
    except subprocess.TimeoutExpired:
        return "tests, which do not end"
    if done.returncode == 0:
        return None
    failed = re.search(r"^(?:FAILED|ERROR) tests/core/(\S+)", done.stdout, re.MULTILINE)
    return failed[1] if failed else f"pytest: {done.stdout.strip().splitlines()[-1:]}"


def python(firmware: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python with the copy before what is installed."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(firmware),
        "HYPOTHESIS_STORAGE_DIRECTORY": str(firmware / "hypothesis"),
    }
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


if __name__ == "__main__":
    sys.exit(main())
