"""The bytes and requests that a watchdog device would get; see the module on what that proves."""

import errno
import logging
import os
import pty
import select
import struct
import termios
import threading
import tty

import pytest

from gatepost_hal.simulated.watchdog import SimulatedWatchdog
from gatepost_hal.simulated.world import World
from gatepost_hal.watchdog import HardwareWatchdog, WatchdogError

LONG_ENOUGH_S = 10.0
SET_TIMEOUT, GET_TIMEOUT = 0xC0045706, 0x80045707  # linux/watchdog.h


class Device:
    """A raw terminal that looks like a watchdog: it keeps the bytes, and `ioctl` the requests."""

    def __init__(self, counts_s=None):
        self._near, self._far = pty.openpty()
        tty.setraw(self._far)
        self.path = os.ttyname(self._far)
        self.requests = []
        self.refuses = {}
        self._counts_s = counts_s

    def ioctl(self, fd, request, argument):
        assert os.path.samestat(os.fstat(fd), os.fstat(self._far))
        (asked_s,) = struct.unpack("=i", argument)
        self.requests.append((request, asked_s))
        if request in self.refuses:
            raise OSError(self.refuses[request], os.strerror(self.refuses[request]))
        return struct.pack("=i", asked_s if self._counts_s is None else self._counts_s)

    def written(self):
        """Return what was written since the last call. A terminal hands it over some time later."""
        os.write(self._far, b".")
        written = b""
        while not written.endswith(b"."):
            assert select.select([self._near], [], [], LONG_ENOUGH_S)[0]
            written += os.read(self._near, 4096)
        return written[:-1]

    def close(self):
        os.close(self._near)
        os.close(self._far)


@pytest.fixture
def device():
    device = Device()
    yield device
    device.close()


def test_the_time_is_asked_for_and_each_pet_is_a_byte_that_is_not_the_magic_one(device):
    watchdog = HardwareWatchdog(device.path, 15.0, ioctl=device.ioctl)
    assert (device.requests, watchdog.timeout_s) == ([(SET_TIMEOUT, 15)], 15)
    watchdog.pet()
    assert device.requests == [(SET_TIMEOUT, 15)] * 2
    device.written()
    for _ in range(3):
        watchdog.pet()
        written = device.written()
        assert len(written) == 1
        assert written != b"V"
    watchdog.close()


def test_what_comes_before_the_first_pet_may_take_as_long_as_it_likes(device):
    watchdog = HardwareWatchdog(device.path, 15.0, ioctl=device.ioctl)
    # Tried, disarmed and given back: an open one would count while a journal is rescued.
    assert device.written() == b"V"
    assert watchdog._fd is None
    watchdog.pet()
    assert watchdog._fd is not None
    assert device.written() == b""
    watchdog.close()


def test_one_that_cannot_be_armed_is_told_once_and_tried_again(device, caplog):
    watchdog = HardwareWatchdog(device.path, 15.0, ioctl=device.ioctl)
    device.refuses[SET_TIMEOUT] = errno.EIO
    for _ in range(3):
        watchdog.pet()
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert f"{device.path} cannot be armed" in caplog.text
    assert watchdog._fd is None
    assert device.written() == b"VVVV"  # each attempt had opened it
    del device.refuses[SET_TIMEOUT]
    watchdog.pet()
    assert watchdog._fd is not None
    watchdog.close()


def test_a_clean_stop_disarms_as_the_last_thing(device):
    watchdog = HardwareWatchdog(device.path, 15.0, ioctl=device.ioctl)
    watchdog.pet()
    watchdog.close()
    assert device.written()[-1:] == b"V"
    watchdog.close()
    watchdog.pet()
    assert device.written() == b""


def test_whoever_dies_without_a_close_disarms_nothing(device):
    watchdog = HardwareWatchdog(device.path, 15.0, ioctl=device.ioctl)
    watchdog.pet()
    fd = watchdog._fd
    device.written()
    del watchdog
    os.close(fd)  # as the kernel does
    assert b"V" not in device.written()


def test_the_time_is_rounded_up_and_the_driver_has_the_last_word():
    device = Device(counts_s=16)
    watchdog = HardwareWatchdog(device.path, 14.2, ioctl=device.ioctl)
    assert (device.requests, watchdog.timeout_s) == ([(SET_TIMEOUT, 15)], 16)
    watchdog.close()
    device.close()


def test_a_driver_with_one_time_built_in_is_asked_for_it():
    device = Device(counts_s=60)
    device.refuses[SET_TIMEOUT] = errno.EOPNOTSUPP
    watchdog = HardwareWatchdog(device.path, 15.0, ioctl=device.ioctl)
    assert [request for request, _ in device.requests] == [SET_TIMEOUT, GET_TIMEOUT]
    assert watchdog.timeout_s == 60
    watchdog.close()
    device.close()


def test_a_time_that_the_driver_refuses_leaves_nothing_armed(device):
    device.refuses[SET_TIMEOUT] = errno.EINVAL
    with pytest.raises(WatchdogError, match=rf"{device.path}: Invalid argument; .*15 s"):
        HardwareWatchdog(device.path, 900.0, ioctl=device.ioctl)
    assert device.written() == b"V"


@pytest.mark.parametrize("timeout_s", [0, 0.5, -1.0, float("inf"), float("nan")])
def test_a_time_that_no_watchdog_counts_is_refused_before_the_device_is_armed(device, timeout_s):
    with pytest.raises(ValueError, match="timeout_s"):
        HardwareWatchdog(device.path, timeout_s, ioctl=device.ioctl)
    assert (device.requests, device.written()) == ([], b"")


def test_a_device_that_is_not_there_is_named_with_the_remedy(tmp_path):
    path = tmp_path / "watchdog"
    with pytest.raises(WatchdogError, match=f"{path}: No such file.*driver is not loaded"):
        HardwareWatchdog(path, 15.0)


def test_a_device_that_systemd_has_is_named_with_the_remedy(device, monkeypatch):
    def busy(_path, _flags):
        raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))

    monkeypatch.setattr(os, "open", busy)
    with pytest.raises(WatchdogError, match=f"{device.path}: .*RuntimeWatchdogSec"):
        HardwareWatchdog(device.path, 15.0)


def test_a_terminal_is_no_watchdog_says_the_kernel(device):
    with pytest.raises(WatchdogError, match="this is no watchdog"):
        HardwareWatchdog(device.path, 15.0)


def test_a_file_is_no_watchdog_and_gets_no_byte(tmp_path):
    path = tmp_path / "watchdog"
    path.write_bytes(b"text")
    with pytest.raises(WatchdogError, match="this is no watchdog"):
        HardwareWatchdog(path, 15.0)
    assert path.read_bytes() == b"text"


def test_a_pipe_that_nobody_reads_is_an_error_and_no_wait(tmp_path):
    path = tmp_path / "watchdog"
    os.mkfifo(path)
    errors = []

    def start():
        with pytest.raises(WatchdogError) as caught:
            HardwareWatchdog(path, 15.0)
        errors.append(str(caught.value))

    thread = threading.Thread(target=start, daemon=True)
    thread.start()
    thread.join(LONG_ENOUGH_S)
    assert [f"{path}: No such device or address" in error for error in errors] == [True]


def test_a_pet_that_fails_is_logged_once_and_so_is_the_next_that_works(device, caplog):
    watchdog = HardwareWatchdog(device.path, 15.0, ioctl=device.ioctl)
    termios.tcflow(device._far, termios.TCOOFF)  # writes would block now: EAGAIN
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            watchdog.pet()
        assert len(caplog.records) == 1
        assert str(device.path) in caplog.text
        termios.tcflow(device._far, termios.TCOON)
        for _ in range(3):
            watchdog.pet()
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"]
    watchdog.close()


def test_a_close_that_cannot_disarm_is_told_and_gives_the_device_back(device, caplog):
    watchdog = HardwareWatchdog(device.path, 15.0, ioctl=device.ioctl)
    watchdog.pet()
    fd = watchdog._fd
    termios.tcflow(device._far, termios.TCOOFF)
    with caplog.at_level(logging.ERROR):
        watchdog.close()
    assert "is not disarmed" in caplog.text
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)
    termios.tcflow(device._far, termios.TCOON)


def test_the_simulated_one_bites_when_it_is_not_petted_in_time():
    world = World()
    watchdog = SimulatedWatchdog(world, timeout_s=10.0)
    for _ in range(5):
        world.advance(9.0)
        watchdog.pet()
    assert watchdog.bites_at_s == []
    world.advance(25.0)
    assert watchdog.bites_at_s == pytest.approx([55.0, 65.0])
    watchdog.close()
    world.advance(100.0)
    assert len(watchdog.bites_at_s) == 2
