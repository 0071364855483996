"""Builds the Debian package with Debian's own tools: `make deb`.

    build_deb.py [--suite trixie] [--arch arm64] [--out DIR]
    build_deb.py --pin                  writes the hashes of the wheels anew

The top level of the repository is fixed, so debian/ lies in systemd/. This lays a tree out in
.cache/deb as dpkg-buildpackage wants it: wheels/ has the wheel of this checkout and those that
Debian lacks, by name, version and hash; made/ has what is made from the code (the manual pages,
the licences, the formats of the files). Then it runs dpkg-buildpackage and lintian. Nothing is
compiled, so a package for arm64 needs no compiler and no emulator. Run by a Python that has
gatepost and pip (.venv).
"""

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import zipfile
from email import message_from_string
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
HERE = ROOT / "systemd"
WORK = ROOT / ".cache" / "deb"
_MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
_GLIBCS = ("2014", "_2_17", "_2_28", "_2_34")  # manylinux; Debian 12 has 2.36


class Suite(NamedTuple):
    """A release of Debian: its number, its Python, which lists of wheels, what it has itself."""

    number: int
    python: str
    wheels: tuple[str, ...]
    depends: tuple[str, ...]
    recommends: tuple[str, ...]


SUITES = {
    "bookworm": Suite(
        12, "3.11", ("wheels.txt", "wheels-bookworm.txt"), ("python3-colorzero",), ()
    ),
    "trixie": Suite(
        13,
        "3.13",
        ("wheels.txt",),
        (
            "python3-colorzero",
            "python3-cryptography (>= 43)",
            "python3-typing-extensions",
        ),
        # Raspberry Pi OS has it, Debian has not. Without it `gatepost run` finds no lines.
        ("python3-lgpio",),
    ),
}
# File under /var/lib/gatepost -> the module that knows its format. The preinst asks before an older
# version is put over a newer one.
FORMATS = {
    "gate/journal.db": "gatepost_services.journal.schema",
    "gate/roster.db": "gatepost_services.roster.schema",
    "gate/whereabouts.db": "gatepost_services.whereabouts",
    "gate/credentials.db": "gatepost_services.credentials.replay",
    "gate/commands.db": "gatepost_services.commands.memory",
    "link/inbox.db": "gatepost_services.inbox",
    "link/uplink.db": "gatepost_services.uplink.store",
}
# What a wheel's shared object may ask of the system: library -> Debian's package.
_LIBRARIES = {
    **dict.fromkeys(("libc.so.6", "libm.so.6", "libpthread.so.0", "libdl.so.2"), "libc6"),
    **dict.fromkeys(("librt.so.1", "ld-linux-aarch64.so.1", "ld-linux-x86-64.so.2"), "libc6"),
    "libgcc_s.so.1": "libgcc-s1",
}
_LIBRARY = re.compile(rb"(?<![\w./-])((?:lib[a-z_]+|ld-linux[a-z0-9-]*)\.so\.\d+)\0")
_GLIBC = re.compile(rb"GLIBC_2\.(\d+)\0")


def run(*command: str, cwd: Path = ROOT, **environment: str) -> str:
    """Run it and return what it says. Raises SystemExit with all of it when it fails."""
    result = subprocess.run(  # noqa: S603 - ours, and no shell
        command,
        cwd=cwd,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if result.returncode != 0:
        sys.exit(f"{' '.join(command)}: status {result.returncode}\n{result.stdout}")
    return result.stdout


# ----------------------------------------------------------------------------------------- wheels


def _download(suite: Suite, arch: str, folder: Path, *options: str) -> None:
    platforms = [f"--platform=manylinux{each}_{_MACHINES[arch]}" for each in _GLIBCS]
    run(
        *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"),
        *platforms,
        f"--python-version={suite.python}",
        f"--dest={folder}",
        *options,
    )


def fetch_wheels(suite: Suite, arch: str, folder: Path) -> None:
    """Fetch the wheels of the lists into the folder; pip checks their hashes."""
    lists = [f"--requirement={HERE / 'debian' / name}" for name in suite.wheels]
    _download(suite, arch, folder, "--require-hashes", *lists)


def own_wheel(folder: Path) -> Path:
    """Build the wheel of this checkout; return it."""
    shutil.rmtree(folder, ignore_errors=True)
    run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", f"--wheel-dir={folder}", ".")
    (wheel,) = folder.glob("*.whl")
    return wheel


def pin() -> None:
    """Write the hashes of every wheel of the lists, for all suites and architectures."""
    hashes: dict[str, set[str]] = {}
    for name, suite in SUITES.items():
        pinned = [line for each in suite.wheels for line in _pins(HERE / "debian" / each)]
        for arch in _MACHINES:
            folder = WORK / "pin" / f"{name}-{arch}"
            shutil.rmtree(folder, ignore_errors=True)
            _download(suite, arch, folder, *pinned)
            for wheel in folder.glob("*.whl"):
                digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
                hashes.setdefault(_project(wheel), set()).add(digest)
    for path in sorted(
        {HERE / "debian" / each for suite in SUITES.values() for each in suite.wheels}
    ):
        lines = []
        for line in path.read_text().splitlines():
            if line.startswith("#") or not line:
                lines.append(line)
            elif "==" in line:
                pinned_as = line.split()[0]
                found = sorted(hashes[_normal(pinned_as.split("==")[0])])
                lines.append(" \\\n".join([pinned_as, *(f"    --hash=sha256:{h}" for h in found)]))
        path.write_text("\n".join(lines) + "\n")


def _pins(path: Path) -> list[str]:
    return [
        line.split()[0] for line in path.read_text().splitlines() if re.match(r"[\w.-]+==", line)
    ]


def _normal(project: str) -> str:
    return re.sub(r"[-_.]+", "-", project).lower()


def _project(wheel: Path) -> str:
    return _normal(wheel.name.partition("-")[0])


# ------------------------------------------------------------------------------- made from the code


def needs_of(wheels: list[Path]) -> list[str]:
    """Return the packages that the wheels' shared objects need, the C library with its version.

    Raises SystemExit for a library that neither Debian's base nor the wheel has.
    """
    needs: set[str] = set()
    glibc = 17
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            shared = [name for name in archive.namelist() if re.search(r"\.so(\.\d+)*$", name)]
            for name in shared:
                content = archive.read(name)
                found = {each.decode() for each in _LIBRARY.findall(content)}
                if unknown := found - set(_LIBRARIES):
                    sys.exit(f"{wheel.name}: {name} needs {', '.join(sorted(unknown))}")
                needs |= {_LIBRARIES[each] for each in found}
                glibc = max([glibc, *map(int, _GLIBC.findall(content))])
    return [f"libc6 (>= 2.{glibc})" if each == "libc6" else each for each in sorted(needs)]


def suite_make(suite: Suite, wheels: list[Path]) -> str:
    """Return made/suite.mk: what debian/rules must know of the release."""
    major, minor = suite.python.split(".")
    depends = [
        f"python3 (>= {suite.python}~)",
        f"python3 (<< {major}.{int(minor) + 1}~)",
        *suite.depends,
        *needs_of(wheels),
    ]
    return (
        f"PYTHON := {suite.python}\n"
        f"DEPENDS := {', '.join(depends)}\n"
        f"RECOMMENDS := {', '.join(suite.recommends)}\n"
    )


def formats() -> str:
    """Return a line a database: where it lies, and the newest format that the code knows."""
    lines = [f"{path} {import_module(module).SCHEMA_VERSION}" for path, module in FORMATS.items()]
    return "\n".join(lines)


def copyright_text(wheels: list[Path]) -> str:
    """Return the copyright file: ours, then each wheel with its licence."""
    parts = [
        "Gatepost is under the Apache License, version 2.0; its full text is in\n"
        "/usr/share/common-licenses/Apache-2.0. The table of people's readings\n"
        "(gatepost_hal/simulated/people/readings.csv) is under CC0 1.0, in\n"
        "/usr/share/common-licenses/CC0-1.0; PROVENANCE.md beside it says whose it is.\n"
        "\nCopyright: the Gatepost maintainers\n"
        "\nThe package brings these along, from PyPI (https://pypi.org):\n"
    ]
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            names = archive.namelist()
            (about,) = [name for name in names if name.endswith(".dist-info/METADATA")]
            headers = message_from_string(archive.read(about).decode())
            told = headers["License-Expression"] or headers["License"] or "see below"
            licences = [
                name
                for name in names
                if ".dist-info/" in name
                and re.match(r"LICEN[CS]E|COPYING|NOTICE|edl-|epl-", name.rsplit("/", 1)[-1])
            ]
            texts = [archive.read(name).decode() for name in licences]
        parts.append(f"{headers['Name']} {headers['Version']}: {told.strip().splitlines()[0]}\n")
        parts += [_text_or_place(text) for text in texts]
    return ("\n" + "-" * 78 + "\n\n").join(parts)


def _text_or_place(text: str) -> str:
    if "Apache License" in text and "TERMS AND CONDITIONS" in text:
        return "The Apache License, version 2.0: /usr/share/common-licenses/Apache-2.0\n"
    return text.strip() + "\n"


# ----------------------------------------------------------------------------------------- the tree


def lay_out(name: str, arch: str, wheel: Path, tree: Path) -> str:
    """Lay out what dpkg-buildpackage wants; return the package's version."""
    suite = SUITES[name]
    shutil.rmtree(tree.parent, ignore_errors=True)
    shutil.copytree(HERE / "debian", tree / "debian")
    (tree / "wheels").mkdir()
    fetch_wheels(suite, arch, tree / "wheels")
    others = sorted((tree / "wheels").glob("*.whl"))
    shutil.copy(wheel, tree / "wheels")
    (tree / "units").mkdir()
    for unit in [*HERE.glob("*.service"), *HERE.glob("*.timer")]:
        shutil.copy(unit, tree / "units")
    for kind in ("sysusers", "tmpfiles"):
        shutil.copy(HERE / f"gatepost.{kind}.conf", tree / "debian" / f"gatepost.{kind}")
    shutil.copy(HERE / "gatepost.udev.rules", tree / "debian")
    shutil.copy(HERE / "PACKAGE.md", tree / "README.md")
    shutil.copy(ROOT / "CHANGELOG.md", tree)
    shutil.copy(ROOT / "config" / "gatepost.example.toml", tree)

    version = f"{wheel.name.split('-')[1]}+deb{suite.number}"
    _date_changelog(tree / "debian" / "changelog", version, name)
    preinst = (HERE / "debian" / "gatepost.preinst.in").read_text()
    filled = preinst.replace("@FORMATS@", formats()).replace("@VERSION@", version)
    (tree / "debian" / "gatepost.preinst").write_text(filled)
    made = tree / "made"
    made.mkdir()
    (made / "suite.mk").write_text(suite_make(suite, others))
    (made / "pyvenv.cfg").write_text(
        f"home = /usr/bin\ninclude-system-site-packages = true\nversion = {suite.python}\n"
    )
    # Whatever the builder's locale: some pages are in Chinese.
    run(sys.executable, str(HERE / "man_pages.py"), str(made / "man"), PYTHONUTF8="1")
    (made / "copyright").write_text(copyright_text(others))
    return version


def _date_changelog(path: Path, version: str, suite: str) -> None:
    text = path.read_text()
    ours = version.partition("+")[0]
    first = f"gatepost ({ours}) unstable;"
    if not text.startswith(first):
        sys.exit(f"{path.name} begins with {text.splitlines()[0]!r}, the code with version {ours}")
    path.write_text(text.replace(first, f"gatepost ({version}) {suite};", 1))


def build(name: str, arch: str, wheel: Path, out: Path, work: Path = WORK) -> Path:
    """Build one package; return it. Raises SystemExit with the tool's words when that fails."""
    tree = work / f"{name}-{arch}" / "gatepost"
    version = lay_out(name, arch, wheel, tree)
    # -d: nothing is compiled, so that what a cross build asks for (a compiler) is not needed.
    run("dpkg-buildpackage", "-b", "-us", "-uc", "-d", f"--host-arch={arch}", cwd=tree)
    out.mkdir(parents=True, exist_ok=True)
    built = tree.parent / f"gatepost_{version}_{arch}.deb"
    return Path(shutil.copy(built, out))


def check(package: Path) -> None:
    """Let lintian look at it. Raises SystemExit for an error or a warning."""
    told = run("lintian", "--fail-on=error,warning", "--allow-root", str(package))
    print(f"lintian: {told.strip() or 'nothing to say'}")


def main() -> None:
    """Build what the arguments name."""
    parser = argparse.ArgumentParser(description="Build the Debian package.")
    parser.add_argument("--suite", action="append", choices=list(SUITES), help="default: trixie")
    parser.add_argument("--arch", action="append", choices=list(_MACHINES), help="default: arm64")
    parser.add_argument("--out", type=Path, default=ROOT / "dist", help="default: dist")
    parser.add_argument("--pin", action="store_true", help="write the hashes of the wheels anew")
    args = parser.parse_args()
    if args.pin:
        pin()
        return
    missing = [tool for tool in ("dpkg-buildpackage", "dh", "lintian") if not shutil.which(tool)]
    if missing:
        sys.exit(f"missing: {', '.join(missing)}. Run: apt-get install debhelper lintian")
    wheel = own_wheel(WORK / "own")
    for suite in args.suite or ["trixie"]:
        for arch in args.arch or ["arm64"]:
            package = build(suite, arch, wheel, args.out)
            print(f"{package}: {package.stat().st_size / 1e6:.1f} MB")
            check(package)


if __name__ == "__main__":
    main()
