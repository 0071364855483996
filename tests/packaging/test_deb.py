"""The package's parts, without building it: lists, scripts, what is made from the code.

tests/deb builds it and installs it on a Debian (`make deb-test`).
"""

import importlib.util
import os
import re
import subprocess
import tomllib
import zipfile
from importlib import import_module
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from gatepost import __version__

pytestmark = pytest.mark.packaging
ROOT = Path(__file__).parents[2]
DEBIAN = ROOT / "systemd" / "debian"
SCRIPTS = ("preinst.in", "postinst", "prerm", "postrm")


def loaded(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def build_deb():
    return loaded(ROOT / "systemd" / "build_deb.py")


@pytest.fixture(scope="module")
def unpack_wheels():
    return loaded(DEBIAN / "unpack_wheels.py")


def pins(names):
    found = {}
    for name in names:
        for line in (DEBIAN / name).read_text().splitlines():
            if match := re.match(r"([\w.-]+)==(\S+)", line):
                found[canonicalize_name(match[1])] = match[2]
    return found


def a_wheel(path, **files):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name.replace("__", "/"), content)
    return path


def test_the_package_has_the_version_of_the_code():
    assert (DEBIAN / "changelog").read_text().startswith(f"gatepost ({__version__}) ")


@pytest.mark.parametrize("name", ["bookworm", "trixie"])
def test_whatever_the_code_requires_is_brought_or_depended_on(build_deb, name):
    suite = build_deb.SUITES[name]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pinned = pins(suite.wheels)
    debian = " ".join((*suite.depends, *suite.recommends))
    required = [*project["dependencies"], *project["optional-dependencies"]["pi"]]
    for text in required:
        requirement = Requirement(text)
        if requirement.name in pinned:
            assert requirement.specifier.contains(pinned[requirement.name]), text
        else:
            assert f"python3-{requirement.name}" in debian, text


def test_every_wheel_is_named_with_its_hashes():
    for name in ("wheels.txt", "wheels-bookworm.txt"):
        text = (DEBIAN / name).read_text().replace("\\\n", "")
        lines = [line for line in text.splitlines() if line and not line.startswith("#")]
        assert len(lines) == len(pins([name]))
        for line in lines:
            assert re.fullmatch(r"[\w.-]+==\S+(\s+--hash=sha256:[0-9a-f]{64})+", line), line


def test_the_installation_asks_for_every_format_that_there_is(build_deb):
    written = {
        path.relative_to(ROOT / "services").with_suffix("").as_posix().replace("/", ".")
        for path in (ROOT / "services").rglob("*.py")
        if re.search(r"^SCHEMA_VERSION = \d+$", path.read_text(), re.MULTILINE)
    }
    assert set(build_deb.FORMATS.values()) == written
    versions = [int(line.split()[1]) for line in build_deb.formats().splitlines()]
    assert versions == [import_module(each).SCHEMA_VERSION for each in build_deb.FORMATS.values()]


@pytest.mark.parametrize(
    ("header", "is_refused"),
    [
        (None, False),  # no file
        (b"", False),  # one that was never written
        (bytes(60) + (0).to_bytes(4, "big"), False),
        (bytes(60) + (2).to_bytes(4, "big"), False),
        (bytes(60) + (3).to_bytes(4, "big"), True),
        (bytes(60) + (256).to_bytes(4, "big"), True),
        (bytes(30), False),  # cut short: the gate sets such a file aside
    ],
    ids=["none", "empty", "older", "the same", "newer", "much newer", "short"],
)
def test_a_newer_format_is_refused_before_anything_changes(tmp_path, header, is_refused):
    journal = tmp_path / "gate" / "journal.db"
    journal.parent.mkdir()
    if header is not None:
        journal.write_bytes(header)
    script = (DEBIAN / "gatepost.preinst.in").read_text()
    filled = script.replace("@FORMATS@", "gate/journal.db 2\nlink/inbox.db 1")
    filled = filled.replace("/var/lib/gatepost", str(tmp_path)).replace("@VERSION@", "0.1.0")
    result = subprocess.run(
        ["sh", "-s", "upgrade", "0.2.0", "0.1.0"],
        input=filled,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode != 0) is is_refused, result
    assert (f"{journal} is of format" in result.stderr) is is_refused
    assert ("the version that is installed stays" in result.stderr) is is_refused


@pytest.mark.parametrize("name", SCRIPTS)
def test_the_scripts_end_at_the_first_error_and_leave_room_for_debhelper(name):
    script = (DEBIAN / f"gatepost.{name}").read_text()
    assert subprocess.run(["sh", "-n"], input=script, text=True, check=False).returncode == 0
    assert "\nset -e\n" in script
    assert "\n#DEBHELPER#\n" in script


def test_every_unit_is_stopped_for_an_upgrade_and_the_right_ones_are_started():
    units = {path.name for path in (ROOT / "systemd").glob("gatepost-*.*")}
    assert {"gatepost-gate.service", "gatepost-uplink.service"} <= units

    def named(script, what):
        text = (DEBIAN / script).read_text()
        (line,) = re.findall(rf'^{what}="([^"]*)"$', text, re.MULTILINE)
        return set(line.split())

    started = named("gatepost.postinst", "STARTED")
    assert named("gatepost.prerm", "STOPPED") == units
    # The timer starts its service, and the first boot is over.
    assert started == {"gatepost-gate.service", "gatepost-uplink.service", "gatepost-renew.timer"}
    enabled = (named("gatepost.postinst", "ENABLED") - {"$STARTED"}) | started
    with_install = {
        path.name
        for path in (ROOT / "systemd").glob("gatepost-*.*")
        if "[Install]" in path.read_text()
    }
    assert enabled == with_install
    purged = re.findall(
        r"gatepost-[a-z-]+\.(?:service|timer)\b(?!\.d)",
        (DEBIAN / "gatepost.postrm")
        .read_text()
        .split("deb-systemd-helper purge")[1]
        .split("||")[0],
    )
    assert set(purged) == enabled


def test_the_units_run_what_the_package_puts_in_its_place():
    for unit in (ROOT / "systemd").glob("*.service"):
        commands = re.findall(r"^Exec\w+=(.*)$", unit.read_text(), re.MULTILINE)
        assert commands
        # "+": as root, for the last lines of a unit whose user has no rights there.
        plain = [each.removeprefix("+") for each in commands]
        assert all(each.startswith("/opt/gatepost/venv/bin/gatepost ") for each in plain)


def test_wheels_are_unpacked_without_licences_and_lists(unpack_wheels, tmp_path):
    wheel = a_wheel(
        tmp_path / "a.whl",
        a__code_py="x = 1\n",
        **{"a-1.dist-info/METADATA": "", "a-1.dist-info/RECORD": "", "a/LICENSE.txt": ""},
    )
    assert unpack_wheels.unpack([wheel], tmp_path / "to") == 2
    found = {path.name for path in (tmp_path / "to").rglob("*") if path.is_file()}
    assert found == {"code_py", "METADATA"}


def test_wheels_that_do_not_go_together_are_refused(unpack_wheels, tmp_path):
    one = a_wheel(tmp_path / "one.whl", a__b="1")
    other = a_wheel(tmp_path / "other.whl", a__b="2")
    outside = a_wheel(tmp_path / "outside.whl", **{"a-1.data/scripts/run": "1"})
    with pytest.raises(SystemExit, match=r"a/b is in one\.whl and in other\.whl"):
        unpack_wheels.unpack([one, other], tmp_path / "to")
    with pytest.raises(SystemExit, match="belongs outside"):
        unpack_wheels.unpack([outside], tmp_path / "to")


def test_what_shared_objects_need_is_depended_on(build_deb, tmp_path):
    pure = a_wheel(tmp_path / "pure.whl", a__b="1")
    assert build_deb.needs_of([pure]) == []
    content = b"\0libc.so.6\0libgcc_s.so.1\0GLIBC_2.17\0GLIBC_2.34\0"
    shared = a_wheel(tmp_path / "shared.whl", **{"a/b.cpython-313-aarch64-linux-gnu.so": content})
    assert build_deb.needs_of([pure, shared]) == ["libc6 (>= 2.34)", "libgcc-s1"]
    strange = a_wheel(tmp_path / "strange.whl", **{"a/b.so": b"\0libssl.so.3\0"})
    with pytest.raises(SystemExit, match=r"a/b\.so needs libssl\.so\.3"):
        build_deb.needs_of([strange])


def test_the_next_python_is_kept_out(build_deb):
    told = build_deb.suite_make(build_deb.SUITES["trixie"], [])
    assert "python3 (>= 3.13~), python3 (<< 3.14~)" in told
    assert "RECOMMENDS := python3-lgpio" in told


def test_licences_are_told_or_pointed_at(build_deb, tmp_path):
    about = "Metadata-Version: 2.4\nName: thing\nVersion: 1.0\nLicense-Expression: MIT\n\n"
    info = "thing-1.0.dist-info"
    mit = a_wheel(tmp_path / "m.whl", **{f"{info}/METADATA": about, f"{info}/LICENSE": "Do as"})
    apache = "Apache License\nTERMS AND CONDITIONS"
    other = a_wheel(tmp_path / "o.whl", **{f"{info}/METADATA": about, f"{info}/LICENSE": apache})
    told = build_deb.copyright_text([mit, other])
    assert "thing 1.0: MIT" in told
    assert "Do as" in told
    assert "TERMS AND CONDITIONS" not in told


def test_the_debian_folder_can_be_run_as_it_is():
    assert os.access(DEBIAN / "rules", os.X_OK)
    assert (DEBIAN / "source" / "format").read_text() == "3.0 (native)\n"
