"""A file system with what a guest needs of the host's: its Python, the checkout, a few programs.

A guest usually has the host's own file system, over 9p. QEMU saves none that has a 9p mounted.
"""

import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable
from pathlib import Path

from .build import PYTHON, ROOT, found

SCRIPT = "/script"
_PROGRAMS = ("bash", "busybox", "cat", "insmod", "mkdir", "mount")
_FOLDERS = ("dev", "mnt", "proc", "root", "run", "sys", "tmp")
_BYTES = 2 << 30  # sparse
# Of the interpreter's own folder: what no gate imports, and what other interpreters installed.
_LEFT_OUT = (
    "test",
    "idlelib",
    "ensurepip",
    "tkinter",
    "config-*",
    "site-packages",
    "dist-packages",
)


def make_root_image(folder: Path, script: str) -> Path:
    """Make it in a folder and return it; `script` is in it, as `SCRIPT`."""
    tree = folder / "root"
    for name in _FOLDERS:
        (tree / name).mkdir(parents=True)
    (tree / SCRIPT.lstrip("/")).write_text(script)
    programs = [Path(shutil.which(name) or found(name) or name) for name in _PROGRAMS]
    for program in (*programs, Path(sys.executable)):
        take(program, tree)
    take(Path(sys.prefix, "pyvenv.cfg"), tree)
    stdlib, packages = (Path(sysconfig.get_path(name)) for name in ("stdlib", "purelib"))
    _take_folder(stdlib, tree, _LEFT_OUT)
    _take_folder(packages, tree)
    for name in PYTHON:
        _take_folder(ROOT / name, tree)
    for library in libraries([*programs, Path(sys.executable), *tree.rglob("*.so")]):
        take(library, tree)
    image = folder / "root.ext4"
    with image.open("wb") as file:
        file.truncate(_BYTES)
    mkfs = [found("mkfs.ext4") or "mkfs.ext4", "-q", "-F", "-O", "^has_journal", "-d", tree, image]
    subprocess.run(mkfs, check=True)
    shutil.rmtree(tree)
    return image


def take(path: Path, tree: Path) -> None:
    """Copy a file to the same place in the tree, with each link on the way to it."""
    at = Path("/")
    for part in path.parts[1:]:
        at /= part
        copy = tree / at.relative_to("/")
        if at.is_symlink():
            if not copy.is_symlink():
                copy.symlink_to(at.readlink())
            return take(at.parent / at.readlink() / path.relative_to(at), tree)
        if at.is_dir():
            copy.mkdir(exist_ok=True)
        elif not copy.exists():
            shutil.copy(at, copy)
    return None


def _take_folder(folder: Path, tree: Path, left_out: Iterable[str] = ()) -> None:
    copy = tree / folder.resolve().relative_to("/")
    ignored = shutil.ignore_patterns(*left_out)
    shutil.copytree(folder, copy, symlinks=True, ignore=ignored, dirs_exist_ok=True)


def libraries(programs: Iterable[Path]) -> set[Path]:
    """Return the shared libraries that these need."""
    done = subprocess.run(["ldd", *programs], capture_output=True, text=True, check=False)
    words = [word for line in done.stdout.splitlines() for word in line.split()[:3]]
    return {Path(word) for word in words if word.startswith("/") and not word.endswith(":")}
