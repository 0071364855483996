"""Run in the guest by tests/hil/test_latency.py: from what contact or lens shows to the relay.

Writes /mnt/figures.json: the seconds of each repetition, by the name of the way. Where a way begins
is the writer's clock before it works the contact, or the kernel's instant at which the last
transfer from the sensor ended; where it ends is the kernel's instant at which the line was set.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from threading import Event

from . import lane
from .lane import PINS, Change, Trace
from .processes import PASS, SCANNER
from .site import Site, show_pass

# A fire contact has to rest for a second before it can tell of another fire, and a visit takes two:
# there are as many of each as the time allows.
PRESSES, FIRES, VISITS = 100, 60, 30
_BARE_CONTACT, _BARE_RELAY = 2, 3
_TRANSFER = re.compile(r" ([0-9]+\.[0-9]+): i2c_reply: i2c-3 ")
# As short as the settings allow: the next repetition waits for it.
_SETTINGS = """
[turnstile]
release_hold_s = 0.1
turn_s = 0.2
"""
# What has a rhythm (the loop's heartbeat of 50 ms, lgpio's polling) is met at all its phases.
_STEP_S = 0.0037
_HELD_S = 0.06


def first_up(changes: list[Change], line: int, from_s: float) -> float:
    """Return when a line was set high after an instant."""
    ups = (each.at_s for each in changes if (each.line, each.level) == (line, 1))
    return next(at_s for at_s in ups if at_s > from_s)


def repeat(
    kernel: Trace, contact: int, begin: str, relays: tuple[int, ...], *, times: int, rest_s: float
) -> list[float]:
    """Work a contact again and again; return how long the last of the relays took, each time."""
    end = {"ground": "open", "open": "ground"}[begin]
    kernel.clear()
    began_s = []
    for number in range(times):
        began_s.append(lane.pull(contact, begin))
        Event().wait(_HELD_S)
        lane.pull(contact, end)
        Event().wait(rest_s + number % 17 * _STEP_S)
    changes = kernel.changes(*relays)
    return [max(first_up(changes, line, at_s) for line in relays) - at_s for at_s in began_s]


def bare(kernel: Trace) -> list[float]:
    """Return the times of the bare program."""
    lines = (str(_BARE_CONTACT), str(_BARE_RELAY))
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("bare_lgpio.py")), *lines],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "LG_WD": folder},
        ) as process,
    ):
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        try:
            return repeat(
                kernel, _BARE_CONTACT, "ground", (_BARE_RELAY,), times=PRESSES, rest_s=0.05
            )
        finally:
            process.kill()


def visits(kernel: Trace) -> list[float]:
    """Return how long after the last transfer from the sensor the entry relay was set."""
    lane.close(PINS.presence)
    lane.wait_until(lambda: lane.level(PINS.amber_lamp), "the amber lamp asks for a pass")
    lane.show(lane.HEALTHY_C)
    took_s = []
    for number in range(VISITS):
        kernel.clear()
        show_pass(PASS)
        lane.wait_until(lambda: lane.level(PINS.entry_relay), "the entry relay")
        lane.wait_until(lambda: not lane.level(PINS.entry_relay), "the end of the release")
        text = kernel.text()
        up_s = first_up(kernel.changes(PINS.entry_relay, text=text), PINS.entry_relay, 0.0)
        took_s.append(
            up_s - max(at_s for at_s in map(float, _TRANSFER.findall(text)) if at_s < up_s)
        )
        # Then the arm counts as turned, or not, and the next one stands close behind.
        Event().wait(0.35 + number % 17 * _STEP_S)
    return took_s


def main() -> None:
    lane.rest()
    lane.show(lane.ROOM_C)
    lane.wait_until(SCANNER.exists, str(SCANNER))
    kernel = Trace(["i2c/i2c_reply"])
    figures = {"bare": bare(kernel)}
    with closing(Site(Path(tempfile.mkdtemp()), _SETTINGS)) as site:
        site.start()
        ways = {
            "fire": lambda: repeat(
                kernel,
                PINS.fire,
                "open",
                (PINS.entry_relay, PINS.exit_relay),
                times=FIRES,
                rest_s=1.1,
            ),
            "exit": lambda: repeat(
                kernel, PINS.exit_button, "ground", (PINS.exit_relay,), times=PRESSES, rest_s=0.4
            ),
            "sample": lambda: visits(kernel),
        }
        for name, way in ways.items():
            figures[name] = way()
    Path("/mnt/figures.json").write_text(json.dumps(figures))


main()
