"""Unpacks wheels into one folder: `unpack_wheels.py WHEELS FOLDER`.

Refuses what would not work that way: two wheels with one file, files outside site-packages. The
lists of files and the licences stay out: dpkg has the one, /usr/share/doc/gatepost/copyright the
other. So do programs that Blinka has for boards of other makes, built for other machines.
"""

import sys
import zipfile
from pathlib import Path

_LICENCES = ("LICENSE", "LICENCE", "COPYING", "NOTICE", "AUTHORS")


def is_wanted(name: str) -> bool:
    """Return whether the package keeps this file of a wheel."""
    inside = Path(name)
    if name.endswith("/"):
        return False
    if inside.parts[0].endswith(".dist-info"):
        return inside.name in {"METADATA", "WHEEL", "entry_points.txt"}
    return not inside.name.startswith((*_LICENCES, "libgpiod_pulsein"))


def unpack(wheels: list[Path], folder: Path) -> int:
    """Unpack; return how many files. Raises SystemExit for wheels that cannot be put together."""
    owners: dict[str, str] = {}
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            for name in filter(is_wanted, archive.namelist()):
                if ".data/" in name:
                    sys.exit(f"{wheel.name}: {name} belongs outside site-packages")
                if name in owners:
                    sys.exit(f"{name} is in {owners[name]} and in {wheel.name}")
                owners[name] = wheel.name
                target = folder / name
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(archive.read(name))
                target.chmod(0o644)
    return len(owners)


if __name__ == "__main__":
    wheels = sorted(Path(sys.argv[1]).glob("*.whl"))
    print(f"{unpack(wheels, Path(sys.argv[2]))} files of {len(wheels)} wheels")
