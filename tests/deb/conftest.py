"""The package, built once, and a plain Debian that has what it depends on, made once."""

import importlib.util
import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

from .roots import Root, keep_mounts_to_ourselves, plain_root

ROOT = Path(__file__).parents[2]
SUITE = os.environ.get("GATEPOST_DEB_SUITE", "trixie")
TOOLS = ("mmdebstrap", "dpkg-buildpackage", "dh", "lintian", "unshare", "setpriv")
OLDER = "0.0.9+deb"


def pytest_collection_modifyitems(items):
    """Say in plain words where these cannot run."""
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    why = ""
    if os.geteuid() != 0:
        why = "a Debian in a folder is made and entered by root alone"
    elif missing:
        why = f"missing: {', '.join(missing)}; apt-get install mmdebstrap debhelper lintian"
    for item in items:
        if why and Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.skip(reason=why))


@pytest.fixture(scope="session")
def build(tmp_path_factory):
    """Return a function: architecture -> the package of this checkout, which lintian has seen.

    A second argument has all of it made anew, in a folder of that name.
    """
    spec = importlib.util.spec_from_file_location("build_deb", ROOT / "systemd" / "build_deb.py")
    build_deb = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(build_deb)

    @cache
    def folder_and_wheel(name):
        folder = tmp_path_factory.mktemp(name)
        return folder, build_deb.own_wheel(folder / "wheel")

    @cache
    def built(arch, name="package"):
        folder, wheel = folder_and_wheel(name)
        package = build_deb.build(SUITE, arch, wheel, folder, folder / "work")
        build_deb.check(package)
        return package

    return built


@pytest.fixture(scope="session")
def package(build):
    """Return the package for this machine."""
    arch = subprocess.run(
        ["dpkg", "--print-architecture"], capture_output=True, text=True, check=True
    ).stdout.strip()
    return build(arch)


@pytest.fixture(scope="session")
def older(package, tmp_path_factory):
    """Return a package of the version before: this one, with another number."""
    tree = tmp_path_factory.mktemp("older") / "tree"
    subprocess.run(["dpkg-deb", "-R", str(package), str(tree)], check=True)
    control = tree / "DEBIAN" / "control"
    lines = control.read_text().splitlines()
    control.write_text(
        "\n".join(f"Version: {OLDER}" if x.startswith("Version:") else x for x in lines) + "\n"
    )
    (code,) = tree.glob("usr/lib/gatepost/lib/python3.*/site-packages/gatepost/__init__.py")
    code.write_text('"""An older one."""\n\n__version__ = "0.0.9"\n')
    built = tree.parent / f"gatepost_{OLDER}.deb"
    subprocess.run(["dpkg-deb", "-Znone", "-b", str(tree), str(built)], check=True)
    return built


@pytest.fixture(scope="session")
def ready(package, tmp_path_factory):
    """Return a plain Debian with what the package depends on, and without the package."""
    keep_mounts_to_ourselves()
    root = plain_root(SUITE, tmp_path_factory.mktemp("roots") / "ready")
    depends = subprocess.run(
        ["dpkg-deb", "-f", str(package), "Depends"], capture_output=True, text=True, check=True
    ).stdout.strip()
    root.do("apt-get", "-qq", "satisfy", "-y", depends)
    yield root
    shutil.rmtree(root.path)


@pytest.fixture
def root(ready, tmp_path):
    """Return a copy of that Debian, for one test."""
    with ready.copied(tmp_path) as copied:
        yield copied


@pytest.fixture
def installed(root, package):
    """Return a Debian in which the package was installed with apt."""
    root.do("apt-get", "-qq", "install", "-y", root.bring(package))
    return Root(root.path)
