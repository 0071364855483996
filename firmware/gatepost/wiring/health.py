"""How the machine is: figures for a curve, from what the kernel shows to everybody.

Nothing is run and nothing is written for them; a file that this machine does not have is no figure.
"""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from gatepost.core.events import Json, Record
from gatepost_hal.ports import Clock

# The first one comes soon: why it was started again may show in it.
_FIRST_AFTER_S = 60.0
_KILO, _MEGA = 1e3, 1e6
_KIB = 1024
# What the kernel calls the sensor in the processor: on a Pi, on other boards, on a PC.
_PROCESSOR = ("cpu-thermal", "cpu_thermal", "soc-thermal", "soc_thermal", "x86_pkg_temp")
_PI_SUPPLY = "rpi_volt"


class Health:
    """Tells every so often how the machine is.

    Args:
        clock: the gate's.
        every_s: how often; 0 is never.
        folder: on the disk whose free space counts.
        root: of the file system that `proc` and `sys` are in.
    """

    def __init__(
        self, clock: Clock, *, every_s: float, folder: Path, root: Path = Path("/")
    ) -> None:
        self._clock = clock
        self._every_s = every_s
        self._folder = folder
        self._root = root
        self._due_at_s = clock.now_s() + min(_FIRST_AFTER_S, every_s)

    def due(self) -> Sequence[Record]:
        """Return the record, when it is time for one."""
        now_s = self._clock.now_s()
        if not self._every_s or now_s < self._due_at_s:
            return ()
        self._due_at_s = now_s + self._every_s
        return (Record("health.reported", now_s, figures(self._root, self._folder)),)


def figures(root: Path, folder: Path) -> dict[str, Json]:
    """Return the figures of this machine and of this process, None for what it does not tell.

    Times in seconds, sizes in megabytes (10**6), temperatures in degrees Celsius. `undervoltage`
    is what the Pi's firmware says of its supply at this moment.
    """
    status = _lines(root / "proc/self/status")
    return {
        "uptime_s": _first(root / "proc/uptime"),
        "memory_available_mb": _megabytes(_lines(root / "proc/meminfo"), "MemAvailable"),
        "cpu_c": _processor_c(root),
        "disk_free_mb": _disk_free_mb(folder),
        "load_1m": _first(root / "proc/loadavg"),
        "undervoltage": _undervoltage(root),
        "rss_mb": _megabytes(status, "VmRSS"),
        "threads": _threads(status),
    }


def _text(path: Path) -> str:
    """Return what stands in a small file, nothing where there is none."""
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""


def _lines(path: Path) -> dict[str, list[str]]:
    """Return the words behind each name in a file of lines such as "VmRSS:  123 kB"."""
    named = (line.partition(":") for line in _text(path).splitlines())
    return {name: rest.split() for name, _, rest in named}


def _number(words: Iterable[str]) -> float | None:
    """Return the first word as a number, None where it is none."""
    word = next(iter(words), "")
    # Not float(): "inf", "nan" and "1_000" are numbers to it, and none of the kernel's.
    return float(word) if word.removeprefix("-").replace(".", "", 1).isdecimal() else None


def _first(path: Path) -> float | None:
    return _number(_text(path).split())


def _megabytes(lines: dict[str, list[str]], name: str) -> float | None:
    kib = _number(lines.get(name, ()))
    return None if kib is None else round(kib * _KIB / _MEGA, 1)


def _threads(status: dict[str, list[str]]) -> int | None:
    number = _number(status.get("Threads", ()))
    return None if number is None else int(number)


def _processor_c(root: Path) -> float | None:
    """Return the hottest that any sensor in the processor says."""
    zones = sorted(root.glob("sys/class/thermal/thermal_zone*"))
    found = [_first(zone / "temp") for zone in zones if _text(zone / "type") in _PROCESSOR]
    hottest = max((milli_c for milli_c in found if milli_c is not None), default=None)
    return None if hottest is None else round(hottest / _KILO, 1)


def _undervoltage(root: Path) -> bool | None:
    for chip in sorted(root.glob("sys/class/hwmon/hwmon*")):
        if _text(chip / "name") == _PI_SUPPLY:
            alarm = _first(chip / "in0_lcrit_alarm")
            return None if alarm is None else alarm != 0
    return None


def _disk_free_mb(folder: Path) -> float | None:
    try:
        disk = os.statvfs(folder)
    except OSError:
        return None
    return round(disk.f_bavail * disk.f_frsize / _MEGA, 1)
