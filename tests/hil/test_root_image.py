"""What goes into the image of a saved guest's root: no guest."""

import os
import sys
from pathlib import Path

import pytest

from .root_image import libraries, take


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    path = tmp_path / "tree"
    path.mkdir()
    return path


def copied(path: Path, tree: Path) -> Path:
    """Return where a path leads in the tree, by its own links, which stay below it."""
    real = Path("/")
    for part in path.parts[1:]:
        real /= part
        while (tree / real.relative_to("/")).is_symlink():
            link = (tree / real.relative_to("/")).readlink()
            real = Path(os.path.normpath(real.parent / link))
    return tree / real.relative_to("/")


def test_a_file_is_found_by_the_links_that_led_to_it(tmp_path: Path, tree: Path) -> None:
    real = tmp_path / "versions" / "3.1"
    real.mkdir(parents=True)
    (real / "python3.1").write_text("a program")
    (real / "python").symlink_to("python3.1")
    (tmp_path / "versions" / "3").symlink_to("3.1")
    (tmp_path / "venv").mkdir()
    (tmp_path / "venv" / "python").symlink_to(tmp_path / "versions" / "3" / "python")
    (tmp_path / "venv" / "again").symlink_to("../venv/python")
    for _ in range(2):
        take(tmp_path / "venv" / "again", tree)
    assert copied(tmp_path / "venv" / "again", tree).read_text() == "a program"
    assert copied(tmp_path / "versions" / "3" / "python", tree).read_text() == "a program"


def test_a_file_that_runs_still_runs(tmp_path: Path, tree: Path) -> None:
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    take(program, tree)
    assert os.access(copied(program, tree), os.X_OK)


def test_the_libraries_of_a_program_are_files_here() -> None:
    found = libraries([Path(sys.executable), Path("/bin/sh")])
    assert any(path.name.startswith("libc.so") for path in found)
    assert any(path.name.startswith("ld-linux") for path in found)
    assert all(path.is_file() for path in found)
