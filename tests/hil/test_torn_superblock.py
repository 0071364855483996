"""A superblock that was cut between its two sectors, and what a boot makes of it."""

import subprocess
from pathlib import Path

import pytest

from .build import found
from .lossy_disk import SECTOR_BYTES
from .powercut_bench import PowerCutError, repaired

_SUPERBLOCK_AT = 1024


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "image"
    with path.open("wb") as file:
        file.truncate(16 * 1024 * 1024)
    mkfs = found("mkfs.ext4") or "mkfs.ext4"
    subprocess.run([mkfs, "-q", "-F", "-O", "metadata_csum,has_journal", path], check=True)
    return path


def test_a_whole_superblock_is_left_alone(image: Path) -> None:
    before = image.read_bytes()
    assert not repaired(image)
    assert image.read_bytes() == before


@pytest.mark.parametrize("sector", [0, 1])
def test_a_torn_superblock_is_mended_once(image: Path, sector: int) -> None:
    content = bytearray(image.read_bytes())
    content[_SUPERBLOCK_AT + sector * SECTOR_BYTES + 0x2C] ^= 1  # the other sector is older
    image.write_bytes(content)
    assert repaired(image)
    assert not repaired(image)


def test_what_is_no_file_system_is_told(tmp_path: Path) -> None:
    path = tmp_path / "image"
    path.write_bytes(bytes(1024 * 1024))
    with pytest.raises(PowerCutError, match="e2fsck -y ends with"):
        repaired(path)
