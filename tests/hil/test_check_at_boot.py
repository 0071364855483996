"""A file system that a cut tore between two sectors of a block, and the check at boot."""

import subprocess
from pathlib import Path

import pytest

from .build import found
from .lossy_disk import SECTOR_BYTES
from .powercut_bench import PowerCutError, mend

_SUPERBLOCK_AT = 1024
_WRITE_TIME_AT = 0x30  # s_wtime, under the superblock's checksum


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "image"
    with path.open("wb") as file:
        file.truncate(16 * 1024 * 1024)
    mkfs = found("mkfs.ext4") or "mkfs.ext4"
    subprocess.run([mkfs, "-q", "-F", "-O", "metadata_csum,has_journal", path], check=True)
    return path


def is_readable(image: Path) -> bool:
    look = [found("tune2fs") or "tune2fs", "-l", image]
    return subprocess.run(look, capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize("sector", [0, 1])
def test_a_torn_superblock_is_mended(image: Path, sector: int) -> None:
    content = bytearray(image.read_bytes())
    content[_SUPERBLOCK_AT + sector * SECTOR_BYTES + _WRITE_TIME_AT] ^= 1  # the other one is older
    image.write_bytes(content)
    assert not is_readable(image)
    mend(image)
    assert is_readable(image)


def test_what_is_no_file_system_is_told(tmp_path: Path) -> None:
    path = tmp_path / "image"
    path.write_bytes(bytes(1024 * 1024))
    with pytest.raises(PowerCutError, match="e2fsck -y ends with"):
        mend(path)
