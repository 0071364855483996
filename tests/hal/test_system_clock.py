"""What the wall clock of a real machine is worth: what the kernel says, and what its RTC does."""

import ctypes
import errno
import logging
import threading

import pytest

from gatepost_hal import system
from gatepost_hal.system import SystemClock

SET_S = 1.8e9
NEVER_SET_S = 1_735_689_600.0
DEAD_BATTERY_S = 946_684_800  # 2000-01-01
UNSYNC, PLL, ERROR = 0x40, 0x1, 5
DAY_S = 86_400.0


class Timex(ctypes.Structure):
    """The beginning of struct timex as <sys/timex.h> has it; it is 208 bytes long."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
    )


class Kernel:
    """What a kernel says of its clocks. `asked`: how often it was asked for its word."""

    def __init__(self, folder):
        self.folder = folder
        self.state, self.status = 0, 0
        self.now_s, self.utc_s = 100.0, SET_S
        self.asked = 0

    def adjtimex(self, buffer):
        assert len(buffer) >= 208
        timex = Timex.from_buffer(buffer)
        assert timex.modes == 0  # it only asks
        timex.status = self.status
        self.asked += 1
        if self.state < 0:
            ctypes.set_errno(errno.EPERM)
        return self.state

    def pass_(self, seconds):
        self.now_s += seconds
        self.utc_s += seconds

    def rtc(self, number, hctosys, since_epoch):
        """Have a clock with a battery, whose files say this; None is no such file."""
        folder = self.folder / f"rtc{number}"
        folder.mkdir(exist_ok=True)
        for name, text in (("hctosys", hctosys), ("since_epoch", since_epoch)):
            path = folder / name
            path.unlink(missing_ok=True)
            if text is not None:
                path.write_text(f"{text}\n")


@pytest.fixture
def kernel(monkeypatch, tmp_path):
    made = Kernel(tmp_path)
    library = type("Library", (), {"adjtimex": staticmethod(made.adjtimex)})
    monkeypatch.setattr(ctypes, "CDLL", lambda _name, **_flags: library)
    monkeypatch.setattr(system, "_RTCS", tmp_path)
    monkeypatch.setattr(SystemClock, "utc_s", lambda _self: made.utc_s)
    monkeypatch.setattr(SystemClock, "now_s", lambda _self: made.now_s)
    return made


@pytest.fixture
def clock():
    return SystemClock()


@pytest.mark.parametrize(
    ("state", "status", "is_synchronised"),
    [
        (0, 0, True),
        (0, PLL, True),
        (4, 0, True),  # a leap second has just been
        (0, UNSYNC, False),
        (0, UNSYNC | PLL, False),
        (ERROR, 0, False),
        (ERROR, UNSYNC, False),
        (-1, 0, False),
    ],
)
def test_a_time_server_keeps_it_when_the_kernel_says_so(
    clock, kernel, state, status, is_synchronised
):
    kernel.state, kernel.status = state, status
    assert clock.utc_quality() == ("ntp" if is_synchronised else "restored")


@pytest.mark.parametrize("status", [0, UNSYNC])
def test_a_clock_before_this_program_was_never_set_whatever_the_kernel_says(clock, kernel, status):
    kernel.status, kernel.utc_s = status, NEVER_SET_S
    kernel.rtc(0, 1, int(NEVER_SET_S))
    assert clock.utc_quality() == "none"


@pytest.mark.parametrize(
    ("rtcs", "quality"),
    [
        ([], "restored"),
        ([(1, int(SET_S))], "rtc"),
        ([(1, int(SET_S) - 2)], "rtc"),  # it counts whole seconds
        ([(1, int(SET_S) + 60)], "restored"),
        ([(1, DEAD_BATTERY_S + 40)], "restored"),  # and systemd put the wall clock right
        ([(1, "")], "restored"),  # no answer from its bus
        ([(1, "nonsense")], "restored"),
        ([(1, None)], "restored"),
        ([(0, int(SET_S))], "restored"),  # there, and the kernel did not take its time
        ([(None, int(SET_S))], "restored"),
        ([(0, None), (None, None), (1, int(SET_S))], "rtc"),
    ],
)
def test_a_clock_with_a_battery_counts_if_it_still_tells_the_same(clock, kernel, rtcs, quality):
    kernel.status = UNSYNC
    for number, (hctosys, since_epoch) in enumerate(rtcs):
        kernel.rtc(number, hctosys, since_epoch)
    assert clock.utc_quality() == quality


@pytest.mark.parametrize(
    ("apart_s", "quality"), [(340.0, "rtc"), (-340.0, "rtc"), (360.0, "restored")]
)
def test_two_crystals_part_by_a_little_in_weeks(clock, kernel, apart_s, quality):
    kernel.status, kernel.now_s = UNSYNC, 20 * DAY_S
    kernel.rtc(0, 1, int(SET_S + apart_s))
    assert clock.utc_quality() == quality


def test_what_the_kernel_says_is_asked_once_a_second(clock, kernel):
    for _ in range(1000):
        assert clock.utc_quality() == "ntp"
    assert kernel.asked == 1
    kernel.status = UNSYNC
    kernel.pass_(0.9)
    assert clock.utc_quality() == "ntp"
    kernel.pass_(0.2)
    assert clock.utc_quality() == "restored"
    assert kernel.asked == 2


@pytest.mark.parametrize("by_s", [-3600.0, -0.6, 0.6, 3600.0])
def test_it_is_asked_at_once_when_somebody_has_set_the_clock(clock, kernel, by_s):
    assert clock.utc_quality() == "ntp"
    kernel.status = UNSYNC
    kernel.utc_s += by_s
    assert clock.utc_quality() == "restored"


def test_ntp_falls_back_to_the_battery_and_comes_again(clock, kernel):
    kernel.rtc(0, 1, int(SET_S))
    assert clock.utc_quality() == "ntp"
    kernel.status = UNSYNC
    kernel.pass_(2.0)
    assert clock.utc_quality() == "rtc"
    kernel.status = 0
    kernel.pass_(2.0)
    assert clock.utc_quality() == "ntp"


def test_a_battery_that_agreed_is_not_read_again_before_the_clock_is_set(clock, kernel):
    kernel.status = UNSYNC
    kernel.rtc(0, 1, int(SET_S))
    assert clock.utc_quality() == "rtc"
    kernel.rtc(0, 1, None)  # its bus hangs
    kernel.pass_(3600.0)
    assert clock.utc_quality() == "rtc"
    kernel.utc_s += 5.0
    assert clock.utc_quality() == "restored"


def test_a_battery_that_was_busy_is_read_again_after_a_minute(clock, kernel):
    kernel.status = UNSYNC
    kernel.rtc(0, 1, None)
    assert clock.utc_quality() == "restored"
    kernel.rtc(0, 1, int(SET_S) + 61)
    kernel.pass_(59.0)
    assert clock.utc_quality() == "restored"
    kernel.pass_(2.0)
    assert clock.utc_quality() == "rtc"


def test_a_kernel_that_must_not_say_is_told_of_once(clock, kernel, caplog):
    kernel.state = -1
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert clock.utc_quality() == "restored"
            kernel.pass_(2.0)
    (said,) = caplog.records
    assert "adjtimex: Operation not permitted" in said.getMessage()


def test_many_threads_may_ask(clock, kernel):
    said = []

    def ask():
        said.extend(clock.utc_quality() for _ in range(500))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(said) == {"ntp"}
    assert 1 <= kernel.asked <= 4


def test_this_machines_own_clock_is_worth_something_or_nothing(clock):
    assert clock.utc_quality() in ("none", "restored", "rtc", "ntp")
