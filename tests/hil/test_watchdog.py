"""The machine's own watchdog, seen from outside: a gate that ends badly, and the machine after it.

The machine is QEMU, with an i6300ESB; its monitor tells each bite, with the host's time. Only the
last bite resets the machine, so that all stories of inside/watched_gate.py have one boot. In real
time: the watchdog's own is what is measured.
"""

import re
import time
from typing import NamedTuple

import pytest

from .machine import running

TIMEOUT_S = 5
HOLD_S = 2.0
# Seen on a host with more guests than cores: the end of a release 1.8 s late, by the guest's clock.
# It pets once a second, later on a busy host, so some of the time is gone when it is struck.
LATE_S = 4.0
EARLIEST_S, LATEST_S = 1.0, TIMEOUT_S + LATE_S
STORIES = ("ends_in_good_order", "hangs", "is_stopped", "is_killed")
TOLD = re.compile(r"^([0-9]+\.[0-9]{3}) ([a-z].*)$")


class Account(NamedTuple):
    """What the guest told of one story, and what the watchdog did, on the host's clock.

    `told`: instants of the guest, and words. `bites`: how long after the blow, and what was done.
    """

    told: list[tuple[float, str]]
    bites: list[tuple[float, str]]

    def words(self):
        return [words for _, words in self.told]

    def at_s(self, wanted):
        return next(at_s for at_s, words in self.told if words == wanted)

    def relay(self, since):
        """Return what the relay did since this was told, until the story was over."""
        told = self.told[self.words().index(since) :]
        words = [words for _, words in told]
        until = words.index("over") if "over" in words else len(words)
        return [each for each in told[:until] if each[1].startswith("relay")]


@pytest.fixture(scope="module")
def accounts(built, tmp_path_factory):
    share = tmp_path_factory.mktemp("share")
    devices = ("-device", "i6300esb", "-action", "watchdog=none")
    script = "$PYTHON -m tests.hil.inside.watched_gate"
    struck_s, began = [], []
    with running(built, share, script, devices=devices) as machine:
        for story in STORIES:
            machine.wait_for(f" begins {story}$", 240.0)
            if story == STORIES[-1]:
                machine.tell("watchdog-set-action", action="reset")
            machine.wait_for(" strikes$", 240.0)
            struck_s.append(time.clock_gettime(time.CLOCK_REALTIME))  # as in the events
        machine.wait_off()
        machine.last_events()
    told = [(float(each[1]), each[2]) for each in map(TOLD.match, machine.lines) if each]
    began = [number for number, each in enumerate(told) if each[1].startswith("begins")]
    bites = [
        (at["seconds"] + at["microseconds"] / 1e6, event["data"]["action"])
        for event in machine.events
        if event["event"] == "WATCHDOG"
        for at in [event["timestamp"]]
    ]
    return {
        story: Account(
            told[first:end],
            [(at_s - from_s, action) for at_s, action in bites if from_s < at_s < to_s],
        )
        for story, first, end, from_s, to_s in zip(
            STORIES, began, [*began[1:], None], struck_s, [*struck_s[1:], float("inf")], strict=True
        )
    }


@pytest.fixture
def report(show):
    return lambda words: show(f"watchdog of {TIMEOUT_S} s: {words}")


def test_a_clean_end_disarms_it(accounts):
    it = accounts["ends_in_good_order"]
    assert "ended with 0" in it.words()
    assert "over" in it.words()
    assert [words for _, words in it.relay("strikes")] == ["relay 0"]
    assert it.bites == []


def test_a_loop_that_hangs_lets_go_in_time_and_then_it_bites(accounts, report):
    it = accounts["hangs"]
    ((fell_at_s, words),) = it.relay("strikes")
    assert words == "relay 0"
    held_s = fell_at_s - max(at_s for at_s, each in it.told if each == "relay 1")
    assert "the process is S" in it.words()
    ((bitten_s, _),) = it.bites
    report(f"the loop hung; the relay fell after {held_s:.2f} s, the bite came at {bitten_s:.2f} s")
    assert HOLD_S - 0.1 < held_s < HOLD_S + LATE_S, it.told
    assert fell_at_s - it.at_s("strikes") < bitten_s
    assert EARLIEST_S < bitten_s < LATEST_S


def test_a_stopped_gate_with_the_relay_on_is_ended_by_it_alone(accounts, report):
    it = accounts["is_stopped"]
    assert it.relay("strikes") == [], "no thread of it can let go"
    ((bitten_s, _),) = it.bites
    report(f"bitten {bitten_s:.2f} s after SIGSTOP")
    assert EARLIEST_S < bitten_s < LATEST_S


def test_of_a_killed_gate_the_relay_falls_at_once_and_the_machine_is_reset(accounts, report):
    it = accounts["is_killed"]
    # gpio-sim puts a line that is given back to its pull; a Pi's own driver may leave it as it is.
    ((fell_at_s, words),) = it.relay("strikes")
    assert words == "relay 0"
    assert fell_at_s - it.at_s("strikes") < 1.0
    assert "the machine was not reset" not in it.words()
    ((bitten_s, action),) = it.bites
    assert action == "reset"
    report(f"the machine was reset {bitten_s:.2f} s after SIGKILL")
    assert EARLIEST_S < bitten_s < LATEST_S
