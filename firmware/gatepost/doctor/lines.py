"""The lane's GPIO lines, looked at as inputs: resting levels, polarity, what seems swapped.

While the gate runs the lines are its own; then the levels of the inputs are asked of it.
"""

from collections.abc import Callable
from contextlib import closing
from functools import wraps
from typing import Literal

from gatepost.core.words import Text
from gatepost.doctor.model import Finding, Fine, Skipped, Wrong
from gatepost.doctor.site import Lines, Site
from gatepost.wiring.hardware import lane_pins
from gatepost_hal.gpio import NORMALLY_CLOSED
from gatepost_hal.ports import InputName

_HELD = Text("the gate has the lines; sudo systemctl stop gatepost-gate, then again")
_MAY_CLICK = Text("look for the resistors at the relays (one may click for a moment)")
_ALARMS = {name.value for name in NORMALLY_CLOSED}

# Whoever runs the doctor may stand there, with the key turned.
_PEOPLE = {InputName.PRESENCE.value, InputName.MAINTENANCE_KEY.value}

Look = Callable[[Site, Lines], Finding]


def _with_lines(look: Look) -> Callable[[Site], Finding]:
    """Return a check that has the lines for as long as it looks, unless the gate has them."""

    @wraps(look)
    def checked(site: Site) -> Finding:
        if site.gate.is_running:
            return Skipped(_HELD)
        try:
            lines = site.open_lines()
            with closing(lines):
                return look(site, lines)
        except OSError as error:
            return Skipped(str(error))

    return checked


def free(site: Site) -> Finding:
    """See whether the lines can be had at all."""
    if site.gate.is_running:
        return Fine("the gate has them")
    pins = lane_pins(site.settings)
    try:
        with closing(site.open_lines()) as lines:
            for line in (*pins.inputs.values(), *pins.lamps.values(), pins.buzzer):
                lines.level(line, "down")
            _away_from_rest(site, lines, "rest")
    except OSError as error:
        return Wrong("refused", {"why": error})
    return Fine("nobody else has them")


def _away_from_rest(site: Site, lines: Lines, pull: Literal["rest", "away"]) -> list[str]:
    """Return which relays are not at rest while their lines are pulled to rest, or away from it."""
    pins = lane_pins(site.settings)
    resting = not pins.relay_active_high
    to_high = resting if pull == "rest" else not resting
    direction: Literal["up", "down"] = "up" if to_high else "down"
    return [
        f"{way.value}_relay = {line}"
        for way, line in pins.relays.items()
        if lines.level(line, direction) != resting
    ]


@_with_lines
def polarity(site: Site, lines: Lines) -> Finding:
    """See whether the relays' lines rest where the settings say that they do."""
    wrong = _away_from_rest(site, lines, "rest")
    is_high = lane_pins(site.settings).relay_active_high
    if wrong:
        return Wrong("active_low" if is_high else "active_high", {"pins": ", ".join(wrong)})
    return Fine(
        'at rest; relay_active = "{level}" is possible',
        {"level": site.settings.turnstile.relay_active},
    )


@_with_lines
def pulldown(site: Site, lines: Lines) -> Finding:
    """See whether a resistor holds each relay's line at rest against the Pi's own weak pull.

    Where there is none, this may energise the relay of a sensitive board for a moment.
    """
    if not site.operator.may(_MAY_CLICK):
        return Skipped("nobody allowed it")
    wrong = _away_from_rest(site, lines, "away")
    if wrong:
        side = Text("ground") if lane_pins(site.settings).relay_active_high else "3.3 V"
        return Wrong("missing", {"pins": ", ".join(wrong), "side": side})
    return Fine("each relay has its resistor")


@_with_lines
def outputs(site: Site, lines: Lines) -> Finding:
    """See whether the lines of lamps and sounder are low when nobody drives them."""
    pins = lane_pins(site.settings)
    named = {f"{lamp.value}_lamp": line for lamp, line in pins.lamps.items()}
    high = [
        f"{name} = {line}"
        for name, line in {**named, "buzzer": pins.buzzer}.items()
        if lines.level(line, "down")
    ]
    if high:
        return Wrong("high", {"pins": ", ".join(high)})
    return Fine("all low")


def inputs(site: Site) -> Finding:
    """See whether the contacts are at rest, and what is swapped where they are not."""
    pins = lane_pins(site.settings).inputs
    if site.gate.is_running:
        told = site.gate.status.get("inputs")
        if not isinstance(told, dict):
            return Skipped("the gate does not say how its inputs stand")
        active = [name.value for name in pins if told.get(name.value)]
    else:
        try:
            with closing(site.open_lines()) as lines:
                active = [name.value for name in pins if _is_active(name, lines, pins[name])]
        except OSError as error:
            return Skipped(str(error))
    return _judged({name.value: line for name, line in pins.items()}, active)


def _is_active(name: InputName, lines: Lines, line: int) -> bool:
    # A contact to ground with the pull-up on: closed is low.
    return lines.level(line, "up") == (name in NORMALLY_CLOSED)


def _judged(pins: dict[str, int], active: list[str]) -> Finding:
    alarms = [name for name in active if name in _ALARMS]
    held = [name for name in active if name not in _ALARMS and name not in _PEOPLE]
    # An alarm contact rests closed, all others open: each at the other's line looks like this.
    if len(alarms) == len(held) == 1:
        one, other = alarms[0], held[0]
        values = {"one": one, "other": other, "line": pins[one], "line2": pins[other]}
        return Wrong("swapped", values)
    told = {"names": ", ".join(f"{name} = {pins[name]}" for name in alarms or held)}
    if alarms:
        is_housing = alarms == [InputName.TAMPER.value]
        return Wrong("housing" if is_housing else "alarm", told)
    if held:
        return Wrong("held", told)
    return Fine("all contacts rest")
