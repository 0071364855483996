"""The watchdog timer of the machine, through Linux' /dev/watchdog.

Opening it arms it; from then on it restarts the machine unless it is petted in time, whatever
became of this process. The magic "V" before the close disarms it, and nothing but a clean stop
writes that. What comes before the first pet (imports, a journal to rescue) may take longer than any
such timer counts on a Pi, so the device is tried at the start, and armed by the first pet.

The numbers are those of the kernel's watchdog-api documentation and linux/watchdog.h, as they are
on x86 and ARM. Most tests put a terminal and a stand-in for ioctl in the kernel's place; tests/hil
has it restart a machine.
"""

import errno
import fcntl
import logging
import math
import os
import stat
import struct
from collections.abc import Callable
from pathlib import Path

_log = logging.getLogger(__name__)

# linux/watchdog.h: _IOWR('W', 6, int) and _IOR('W', 7, int)
WDIOC_SETTIMEOUT = 0xC0045706
WDIOC_GETTIMEOUT = 0x80045707

_INT = struct.Struct("=i")
_PET = b"\0"  # any byte but the magic one
_DISARM = b"V"

_REMEDIES = {
    errno.ENOENT: "the machine has none, or its driver is not loaded; look for watchdog in dmesg",
    errno.EACCES: "give this user the device: a group in a udev rule, DeviceAllow in the unit",
    errno.EPERM: "give this user the device: a group in a udev rule, DeviceAllow in the unit",
    errno.EBUSY: "somebody has it, most often systemd: RuntimeWatchdogSec=off in system.conf",
    errno.EINVAL: "ask for a time that the timer can count; a Raspberry Pi's counts to 15 s",
    errno.ENOTTY: "this is no watchdog; name /dev/watchdog or /dev/watchdog0",
}
_NO_REMEDY = "leave the watchdog out of the configuration, or repair the device"


class WatchdogError(OSError):
    """The watchdog cannot be used; the message names the file, the cause and the remedy."""


class HardwareWatchdog:
    """A `Watchdog` on a watchdog device, armed by the first pet. To be petted from one thread.

    `timeout_s` is the time that the driver counts, which need not be the one asked for. A driver
    built or loaded with "nowayout" cannot be disarmed: it counts from the start, and the machine
    restarts after `close`.

    Args:
        path: /dev/watchdog or one of its numbered names.
        timeout_s: the time to ask for; the driver counts whole seconds, so it is rounded up.
        ioctl: the kernel's, but for a test.

    Raises:
        WatchdogError: the device cannot be opened or set. It is not armed, then.
    """

    def __init__(
        self,
        path: Path,
        timeout_s: float,
        *,
        ioctl: Callable[[int, int, bytes], bytes] = fcntl.ioctl,
    ) -> None:
        if not 1 <= timeout_s < math.inf:
            raise ValueError(f"timeout_s = {timeout_s}: a watchdog counts 1 s or more")
        self._path = path
        self._asked_s = math.ceil(timeout_s)
        self._ioctl = ioctl
        self._failed = self._is_closed = False
        self._fd: int | None = None
        try:
            self._arm()
        except OSError as error:
            remedy = _REMEDIES.get(error.errno or 0, _NO_REMEDY)
            raise WatchdogError(f"{path}: {error.strerror}; {remedy}") from error
        self._disarm()

    def pet(self) -> None:
        """Put the restart off by the whole time. Never raises; a failure is logged once."""
        if self._is_closed:
            return
        try:
            if self._fd is None:
                self._arm()
            else:
                os.write(self._fd, _PET)
        except OSError as error:
            if not self._failed and self._fd is None:
                _log.error(
                    "%s cannot be armed, nothing restarts the machine: %s", self._path, error
                )
            elif not self._failed:
                _log.error("%s cannot be petted, the machine will restart: %s", self._path, error)
            self._failed = True
            return
        if self._failed:
            _log.warning("%s is petted again", self._path)
            self._failed = False

    def close(self) -> None:
        """Disarm the timer and give the device back."""
        self._is_closed = True
        self._disarm()

    def _arm(self) -> None:
        self._fd = _open(self._path)
        try:
            self.timeout_s = _set_timeout(self._ioctl, self._fd, self._asked_s)
        except OSError:
            self._disarm()  # the opening has armed it
            raise

    def _disarm(self) -> None:
        if self._fd is None:
            return
        fd, self._fd = self._fd, None
        try:
            os.write(fd, _DISARM)
        except OSError as error:
            _log.error("%s is not disarmed, the machine will restart: %s", self._path, error)
        finally:
            os.close(fd)


def _open(path: Path) -> int:
    # Not blocking: a FIFO would wait for its other end in here.
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    if not stat.S_ISCHR(os.fstat(fd).st_mode):
        os.close(fd)  # and nothing is written: a file would get the magic byte
        raise OSError(errno.ENOTTY, os.strerror(errno.ENOTTY))
    return fd


def _set_timeout(ioctl: Callable[[int, int, bytes], bytes], fd: int, asked_s: int) -> int:
    """Ask for a time; return the one that the driver counts."""
    try:
        return _number(ioctl(fd, WDIOC_SETTIMEOUT, _INT.pack(asked_s)))
    except OSError as error:
        if error.errno != errno.EOPNOTSUPP:
            raise
        return _number(ioctl(fd, WDIOC_GETTIMEOUT, _INT.pack(0)))  # one time, built in


def _number(answer: bytes) -> int:
    (number,) = _INT.unpack(answer)
    return int(number)
