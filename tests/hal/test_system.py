"""The threads behind the ports. Nothing here sleeps: each test waits for an event."""

import logging
import signal
import threading

import pytest

from gatepost_hal.ports import PassRead, Reading, SensorFault, SensorFaultKind
from gatepost_hal.system import SystemClock, ThreadMailbox, ThreadSampler, ThreadTimer

LONG_ENOUGH_S = 10.0


@pytest.fixture
def clock():
    return SystemClock()


@pytest.fixture
def timer(clock):
    timer = ThreadTimer(clock, name="test-timer")
    yield timer
    timer.close()


def test_actions_run_in_the_order_of_their_instants(clock, timer):
    order, done = [], threading.Event()
    now_s = clock.now_s()
    timer.call_at(now_s + 0.03, lambda: (order.append("third"), done.set()))
    timer.call_at(now_s + 0.02, lambda: order.append("second"))
    timer.call_at(now_s - 1.0, lambda: order.append("first"))
    assert done.wait(LONG_ENOUGH_S)
    assert order == ["first", "second", "third"]


def test_an_action_never_runs_early(clock, timer):
    ran_at_s, done = [], threading.Event()
    due_s = clock.now_s() + 0.02
    timer.call_at(due_s, lambda: (ran_at_s.append(clock.now_s()), done.set()))
    assert done.wait(LONG_ENOUGH_S)
    assert ran_at_s[0] >= due_s


def test_a_cancelled_action_does_not_run(clock, timer):
    ran, done = [], threading.Event()
    cancel = timer.call_at(clock.now_s() + 0.01, lambda: ran.append("cancelled"))
    timer.call_at(clock.now_s() + 0.02, done.set)
    cancel()
    assert done.wait(LONG_ENOUGH_S)
    assert ran == []


def test_a_failing_action_is_tried_until_it_succeeds(clock, timer, caplog):
    attempts, done = [], threading.Event()

    def drop_relay():
        attempts.append(clock.now_s())
        if len(attempts) < 3:
            raise OSError(16, "Device or resource busy")
        done.set()

    with caplog.at_level(logging.ERROR):
        timer.call_at(clock.now_s(), drop_relay)
        assert done.wait(LONG_ENOUGH_S)
    assert len(attempts) == 3
    assert len(caplog.records) == 1  # told once, not at every attempt


def test_a_closed_timer_runs_nothing_more(clock):
    timer = ThreadTimer(clock, name="test-timer")
    ran = []
    timer.call_at(clock.now_s() + 3600, lambda: ran.append("late"))
    timer.close()
    assert ran == []


def test_the_mailbox_gives_everything_there_is(clock):
    mailbox = ThreadMailbox(clock)
    events = [PassRead(float(n), str(n)) for n in range(3)]
    for event in events:
        mailbox.post(event)
    assert mailbox.wait(clock.now_s() + LONG_ENOUGH_S) == events


def test_the_mailbox_waits_for_another_thread(clock):
    mailbox = ThreadMailbox(clock)
    event = PassRead(1.0, "x")
    threading.Thread(target=mailbox.post, args=(event,)).start()
    assert mailbox.wait(clock.now_s() + LONG_ENOUGH_S) == [event]


def test_an_empty_mailbox_returns_at_its_deadline(clock):
    mailbox = ThreadMailbox(clock)
    until_s = clock.now_s() + 0.01
    assert mailbox.wait(until_s) == []
    assert clock.now_s() >= until_s
    assert mailbox.wait(until_s) == []  # a deadline that is past does not block


def test_a_signal_just_before_the_deadline_does_not_stop_the_mailbox(clock):
    mailbox = ThreadMailbox(clock)
    until_s = clock.now_s() + 0.05

    def outlast_the_deadline(_number, _frame):
        while clock.now_s() <= until_s:
            pass

    was = signal.signal(signal.SIGALRM, outlast_the_deadline)
    late = threading.Timer(LONG_ENOUGH_S, mailbox.post, [PassRead(1.0, "too late")])
    late.start()
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.01)
        assert mailbox.wait(until_s) == []
    finally:
        late.cancel()
        signal.signal(signal.SIGALRM, was)


class HangingThermometer:
    """Hangs in its first measurement until it is let go, as a stuck bus does."""

    def __init__(self):
        self.let_go = threading.Event()
        self.asked = threading.Semaphore(0)
        self.measurements = 0

    def measure(self):
        self.measurements += 1
        self.asked.release()
        if self.measurements == 1:
            assert self.let_go.wait(LONG_ENOUGH_S)
            return SensorFault(1.0, SensorFaultKind.TIMEOUT, "stuck")
        return Reading(2.0, 34.5, 24.0)


def test_a_hanging_thermometer_holds_up_nobody_and_loses_no_later_request(clock):
    thermometer = HangingThermometer()
    mailbox = ThreadMailbox(clock)
    sampler = ThreadSampler(thermometer, mailbox)
    sampler.request()
    assert thermometer.asked.acquire(timeout=LONG_ENOUGH_S)
    sampler.request()  # outstanding: ignored, and it returns at once
    assert mailbox.wait(clock.now_s()) == []
    thermometer.let_go.set()
    first = mailbox.wait(clock.now_s() + LONG_ENOUGH_S)
    sampler.request()  # the moment the sample is seen
    second = mailbox.wait(clock.now_s() + LONG_ENOUGH_S)
    sampler.close()
    assert [type(sample) for sample in first + second] == [SensorFault, Reading]
    assert thermometer.measurements == 2
