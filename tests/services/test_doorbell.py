import select
import socket
from pathlib import Path

import pytest

from gatepost_services.doorbell import Doorbell, DoorbellError, DoorbellListener
from gatepost_services.unix_socket import MAX_PATH_BYTES


def is_readable(listener: DoorbellListener) -> bool:
    return bool(select.select([listener.fileno()], [], [], 0)[0])


def test_a_ring_makes_the_listener_readable_until_it_is_drained(tmp_path: Path):
    bell = Doorbell(tmp_path / "bell")
    with DoorbellListener(tmp_path / "bell") as listener:
        assert not listener.drain()
        bell.ring()
        bell.ring()
        assert is_readable(listener)
        assert listener.drain()
        assert not is_readable(listener)
    bell.close()


def test_ringing_never_blocks_and_never_raises(tmp_path: Path):
    bell = Doorbell(tmp_path / "bell")
    bell.ring()  # nobody there
    with DoorbellListener(tmp_path / "bell") as listener:
        for _ in range(5000):  # far more than the kernel queues for one socket
            bell.ring()
        assert listener.drain()
    bell.ring()  # gone again
    bell.close()


def test_a_listener_takes_over_from_a_killed_one_and_leaves_a_successor_alone(tmp_path: Path):
    path = tmp_path / "bell"
    first = DoorbellListener(path)
    second = DoorbellListener(path)
    first.close()
    bell = Doorbell(path)
    bell.ring()
    assert second.drain()
    second.close()
    bell.close()
    assert not path.exists()


def test_a_file_that_is_no_socket_is_not_deleted(tmp_path: Path):
    path = tmp_path / "bell"
    path.write_text("precious")
    with pytest.raises(DoorbellError, match="else than a socket"):
        DoorbellListener(path)
    assert path.read_text() == "precious"


def test_a_path_that_no_unix_socket_can_have_is_refused(tmp_path: Path):
    path = tmp_path / ("x" * MAX_PATH_BYTES)
    for kind in (Doorbell, DoorbellListener):
        with pytest.raises(ValueError, match="too long for a Unix socket"):
            kind(path)


def test_the_longest_path_allowed_is_one_that_the_kernel_takes(tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = Path("x" * MAX_PATH_BYTES)
    with DoorbellListener(path), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ringer:
        ringer.sendto(b"\x01", str(path))
