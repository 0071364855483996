"""The machine's own watchdog, seen from outside: a gate that ends badly, and the machine after it.

The machine is QEMU's i6300ESB, which resets it; without a reboot QEMU ends then, and its monitor
tells why. In real time, for the watchdog's time is what is measured.
"""

import re
import time
from typing import NamedTuple

import pytest

TIMEOUT_S = 5
HOLD_S = 2.0
# The gate pets once a second, so this much may be gone when it stops; and a busy host adds some.
EARLIEST_S, LATEST_S = TIMEOUT_S - 2.0, TIMEOUT_S + 2.0
TOLD = re.compile(r"^([0-9.]+) (relay [01]|kills|killed|stops|hangs|the .*|ended .*)$")


class Told(NamedTuple):
    at_s: float
    words: str


class Account(NamedTuple):
    """What the guest told until its end, and how long after the blow the machine was reset.

    That time is the host's: from the guest's word on the console to the monitor's event.
    """

    told: list[Told]
    lasted_s: float

    def at_s(self, words: str) -> float:
        return next(each.at_s for each in self.told if each.words == words)

    def relay_after(self, words: str) -> list[Told]:
        at_s = self.at_s(words)
        return [each for each in self.told if each.at_s >= at_s and each.words.startswith("relay")]


@pytest.fixture
def account(boot):
    """Run stories of inside/watched_gate.py until the machine is off."""

    def account(*stories):
        machine = boot(
            f"$PYTHON -m tests.hil.inside.watched_gate {' '.join(stories)}",
            devices=("-device", "i6300esb", "-action", "watchdog=reset"),
        )
        machine.wait_for(" (kills|stops|hangs)$", 240.0)
        struck_s = time.time()
        machine.wait_off()
        assert "WATCHDOG" in machine.last_events(), "\n".join(machine.lines)
        bite = next(event for event in machine.events if event["event"] == "WATCHDOG")
        assert bite["data"] == {"action": "reset"}
        at = bite["timestamp"]
        told = [
            Told(float(match[1]), match[2]) for match in map(TOLD.match, machine.lines) if match
        ]
        return Account(told, at["seconds"] + at["microseconds"] / 1e6 - struck_s)

    return account


def report(capsys, words):
    with capsys.disabled():
        print(f"\nwatchdog of {TIMEOUT_S} s: {words}")


def test_killed_the_relay_falls_at_once_and_nobody_pets(account, capsys):
    it = account("stopped_in_good_order", "killed")
    assert "ended with 0" in [each.words for each in it.told]
    assert it.at_s("the machine lives"), "a clean stop disarms it"
    # gpio-sim puts a line that is given back to its pull; a Pi's own driver may leave it.
    (down,) = it.relay_after("kills")
    assert down.words == "relay 0"
    assert down.at_s - it.at_s("kills") < 1.0
    report(capsys, f"the machine was reset {it.lasted_s:.2f} s after SIGKILL")
    assert EARLIEST_S < it.lasted_s < LATEST_S


def test_stopped_with_the_relay_on_only_the_watchdog_ends_it(account, capsys):
    it = account("stopped")
    assert it.relay_after("stops") == [], "nobody can let go"
    report(capsys, f"the machine was reset {it.lasted_s:.2f} s after SIGSTOP")
    assert HOLD_S < EARLIEST_S < it.lasted_s < LATEST_S


def test_a_loop_that_hangs_lets_go_in_time_and_then_the_watchdog_bites(account, capsys):
    it = account("hung")
    (down,) = it.relay_after("hangs")
    assert down.words == "relay 0"
    held_s = down.at_s - max(each.at_s for each in it.told if each.words == "relay 1")
    assert "the process is S" in [each.words for each in it.told]
    report(
        capsys,
        f"the loop hung, its timer let go after {held_s:.3f} s of {HOLD_S} s, and the machine was "
        f"reset after {it.lasted_s:.2f} s",
    )
    assert abs(held_s - HOLD_S) < 0.5
    assert EARLIEST_S < it.lasted_s < LATEST_S
