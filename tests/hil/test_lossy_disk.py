"""The lossy disk, by its protocol alone: no guest."""

import errno
import socket
import struct
import threading
from random import Random

import pytest

from .lossy_disk import SECTOR_BYTES, LossyDisk

SECTORS = 64
OLD, NEW = b"o" * SECTOR_BYTES, b"n" * SECTOR_BYTES


class Client:
    """Speaks NBD as QEMU does."""

    def __init__(self, disk, *, option=7):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(10)
        try:
            self._agree(disk, option)
        except OSError:
            self.socket.close()
            raise

    def _agree(self, disk, option):
        self.socket.connect(str(disk.address))
        greeting, flags = struct.unpack(">16sH", self.got(18))
        assert greeting == b"NBDMAGICIHAVEOPT"
        self.socket.sendall(struct.pack(">I", flags))
        self.socket.sendall(struct.pack(">8sII", b"IHAVEOPT", option, 0))
        self.size, self.flags = self._export(option)

    def got(self, length):
        data = b""
        while len(data) < length:
            part = self.socket.recv(length - len(data))
            if not part:
                raise ConnectionError
            data += part
        return data

    def ask(self, kind, at=0, length=0, data=b"", flags=0):
        self.socket.sendall(struct.pack(">IHHQQI", 0x25609513, flags, kind, 7, at, length) + data)
        magic, failed, handle = struct.unpack(">IIQ", self.got(16))
        assert (magic, handle) == (0x67446698, 7)
        return failed, self.got(length) if kind == 0 and not failed else b""

    def read(self, sector, count=1):
        failed, data = self.ask(0, sector * SECTOR_BYTES, count * SECTOR_BYTES)
        assert not failed
        return data

    def write(self, sector, data, flags=0):
        assert self.ask(1, sector * SECTOR_BYTES, len(data), data, flags) == (0, b"")

    def flush(self):
        assert self.ask(3) == (0, b"")

    def _export(self, option):
        if option == 1:
            return struct.unpack(">QH", self.got(10))
        found = None
        while True:
            _, _, kind, length = struct.unpack(">QIII", self.got(20))
            data = self.got(length)
            if kind == 1:
                return found
            assert kind == 3
            found = struct.unpack(">QH", data[2:])


@pytest.fixture
def image(tmp_path):
    path = tmp_path / "image"
    path.write_bytes(OLD * SECTORS)
    return path


@pytest.fixture
def disk(image):
    with LossyDisk(image, image.with_name("disk.sock")) as disk:
        yield disk


@pytest.fixture
def client(disk):
    client = Client(disk)
    with client.socket:
        yield client


def sectors(image):
    content = image.read_bytes()
    return [content[at : at + SECTOR_BYTES] for at in range(0, len(content), SECTOR_BYTES)]


@pytest.mark.parametrize("option", [1, 7])
def test_it_has_the_size_of_the_file_and_a_cache_to_flush(disk, option):
    client = Client(disk, option=option)
    with client.socket:
        assert client.size == SECTORS * SECTOR_BYTES
        assert client.flags & 4
        assert client.read(0, SECTORS) == OLD * SECTORS


def test_what_is_written_is_read_back_and_reaches_the_file_with_the_flush_only(client, image):
    client.write(3, NEW * 2)
    assert client.read(2, 4) == OLD + NEW * 2 + OLD
    assert image.read_bytes() == OLD * SECTORS
    client.flush()
    assert sectors(image)[2:6] == [OLD, NEW, NEW, OLD]
    assert client.read(2, 4) == OLD + NEW * 2 + OLD


def test_a_forced_write_is_in_the_file_and_takes_nothing_else_along(client, image):
    client.write(1, NEW)
    client.write(2, NEW, flags=1)
    assert sectors(image)[1:3] == [OLD, NEW]


def test_a_cut_keeps_what_was_flushed_and_some_of_the_rest_whole(disk, client, image):
    client.write(0, NEW * 8)
    client.flush()
    client.write(8, NEW * 40)
    disk.cut(Random(1))
    counts = disk.counts
    found = sectors(image)
    assert found[:8] == [NEW] * 8
    assert set(found[8:48]) == {OLD, NEW}
    assert found[48:] == [OLD] * 16
    assert (counts.writes, counts.flushes) == (2, 1)
    assert counts.kept == found[8:48].count(NEW)
    assert counts.dropped == found[8:48].count(OLD)


def test_a_cut_drops_early_and_late_writes_alike(tmp_path):
    found = set()
    for seed in range(20):
        image = tmp_path / f"image{seed}"
        image.write_bytes(OLD * SECTORS)
        with LossyDisk(image, tmp_path / f"disk{seed}.sock") as disk:
            client = Client(disk)
            with client.socket:
                client.write(0, NEW)
                client.write(1, NEW)
                disk.cut(Random(seed))
        found.add(tuple(sectors(image)[:2]))
    assert found == {(OLD, OLD), (OLD, NEW), (NEW, OLD), (NEW, NEW)}


def test_a_cut_can_wait_until_there_is_something_to_lose(disk, client):
    cutting = threading.Thread(
        target=disk.cut, args=[Random(3)], kwargs={"unflushed": 8, "wait_s": 30.0}
    )
    cutting.start()

    def write_on():
        for _ in range(100_000):
            client.write(0, NEW * 8)

    with pytest.raises(OSError):  # noqa: PT011 - hung up, in whichever way
        write_on()
    cutting.join()
    assert disk.counts.kept + disk.counts.dropped == 8


def test_a_cut_that_waits_in_vain_comes_all_the_same(disk, client, image):
    client.write(0, NEW)
    disk.cut(Random(1), unflushed=8, wait_s=0.01)
    assert disk.counts.kept + disk.counts.dropped == 1
    assert image.read_bytes()[SECTOR_BYTES:] == OLD * (SECTORS - 1)


def test_the_same_seed_makes_the_same_cut(tmp_path):
    images = []
    for name in ("one", "two"):
        image = tmp_path / name
        image.write_bytes(OLD * SECTORS)
        with LossyDisk(image, tmp_path / f"{name}.sock") as disk:
            client = Client(disk)
            with client.socket:
                client.write(0, NEW * SECTORS)
                disk.cut(Random(7))
        images.append(image.read_bytes())
    assert images[0] == images[1] not in (OLD * SECTORS, NEW * SECTORS)


def test_after_a_cut_nothing_is_answered_and_nothing_changes(disk, client, image):
    client.write(0, NEW)
    disk.cut(Random(1))
    before = image.read_bytes()
    for request in (client.flush, lambda: client.write(5, NEW), lambda: client.read(0)):
        with pytest.raises(OSError):  # noqa: PT011 - hung up, in whichever way
            request()
    with pytest.raises(OSError):  # noqa: PT011
        Client(disk)
    assert image.read_bytes() == before


def test_the_disk_serves_one_client_after_another_with_the_same_cache(disk, image):
    first = Client(disk)
    with first.socket:
        first.write(9, NEW)
    second = Client(disk)
    with second.socket:
        assert second.read(9) == NEW
    assert sectors(image)[9] == OLD


def test_what_is_no_request_of_whole_sectors_within_the_disk_is_refused(client, image):
    end = SECTORS * SECTOR_BYTES
    for at, length in ((1, SECTOR_BYTES), (0, 100), (end, SECTOR_BYTES)):
        assert client.ask(0, at, length) == (errno.EINVAL, b"")
        assert client.ask(1, at, length, bytes(length)) == (errno.EINVAL, b"")
    assert client.ask(4) == (errno.EINVAL, b"")
    client.flush()
    assert image.read_bytes() == OLD * SECTORS
