"""The gate's unit lets it ask whether a time server keeps the clock, and set no clock."""

from pathlib import Path

import pytest

UNIT = Path(__file__).parents[2] / "systemd" / "gatepost-gate.service"
ASKS = {"adjtimex", "clock_adjtime", "clock_adjtime64"}
# systemd's @clock, which ProtectClock= and @privileged deny: the three above are in it.
SETS = {"clock_settime", "clock_settime64", "settimeofday"}


@pytest.fixture(scope="module")
def lines():
    text = UNIT.read_text(encoding="utf-8")
    pairs = (line.split("=", 1) for line in text.splitlines() if "=" in line and line[0] != "#")
    return [(key, value.split()) for key, value in pairs]


def test_no_filter_of_the_unit_keeps_it_from_asking(lines):
    assert ("ProtectClock", ["yes"]) not in lines
    allowed = set()
    for value in (value for key, value in lines if key == "SystemCallFilter"):
        if value[0].startswith("~"):
            allowed.clear()  # @privileged is among them
        else:
            allowed.update(value)
    assert allowed >= ASKS
    assert not allowed & SETS


def test_nothing_that_could_set_a_clock_is_left_to_it(lines):
    assert ("CapabilityBoundingSet", []) in lines
    assert ("NoNewPrivileges", ["yes"]) in lines
    assert ("DevicePolicy", ["closed"]) in lines
    assert not [value for key, value in lines if key == "DeviceAllow" and "rtc" in " ".join(value)]
