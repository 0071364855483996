"""The lines of one gate's lane on the header, from its settings, and what to mind at each."""

from collections.abc import Iterator
from typing import Literal, NamedTuple

from gatepost.cli import wiring_words as words
from gatepost.cli.wiring_words import Function
from gatepost.cli.words import mark
from gatepost.core.words import Text
from gatepost.wiring.readers import connections
from gatepost_config.lines import OVERLAY_LINES, UART_LINES, UARTS, is_overlay, sensor_lines
from gatepost_config.settings import Pins, Sensor, Settings, Turnstile
from gatepost_hal import header

# Of the header's UART: its name, its direction, and the scanner's that it goes to.
_UART: tuple[tuple[str, Literal["output", "input"], str], ...] = (
    ("TXD", "output", "RX"),
    ("RXD", "input", "TX"),
)
_SUPPLY = {"supply": header.SUPPLY_3V3[0], "ground": header.GROUND[0]}
# Below this a sensor is not fed from the Pi's 3.3 V, whose tolerance is 5 percent.
_LEAST_3V3 = 3.13


class Line(NamedTuple):
    """One line of the lane.

    `name` is that of its setting, or a `Text` for a line of the sensor or a reader. `pull` is what
    keeps the level while nobody drives the line, `power_on` what the Pi itself does until the gate
    runs.
    """

    name: str
    bcm: int
    direction: Literal["output", "input", "bus"]
    active: str
    pull: str
    function: Function
    warnings: tuple[str, ...]

    @property
    def pin(self) -> int:
        """The pin of the 40-pin header."""
        return header.PINS[self.bcm]

    @property
    def power_on(self) -> str:
        """What the Pi pulls it to from power-on until a program claims it."""
        if self.bcm in header.FIXED_PULL_UPS:
            return mark("up, fixed")
        return mark("up") if header.is_pulled_up(self.bcm) else mark("down")


class Wiring(NamedTuple):
    """All that is connected to the header: `not_wired` are optional functions that are not."""

    lines: tuple[Line, ...]
    not_wired: dict[str, Function]
    notes: tuple[str, ...]
    boot_settings: tuple[str, ...]


def wiring_of(settings: Settings) -> Wiring:
    """Return what is connected where at this gate."""
    lines = (
        *_sensor_lines(settings.sensor),
        *_output_lines(settings),
        *_input_lines(settings),
        *_reader_lines(settings),
    )
    wired = {line.name for line in lines}
    return Wiring(
        lines=lines,
        not_wired={name: function for name, function in words.INPUTS.items() if name not in wired},
        notes=tuple(_notes(settings)),
        boot_settings=tuple(_boot_settings(settings.sensor)),
    )


def _output_lines(settings: Settings) -> Iterator[Line]:
    is_low = settings.turnstile.relay_active == "low"
    for name, function in words.OUTPUTS.items():
        line = getattr(settings.pins, name)
        is_low_relay = is_low and name in words.RELAYS
        yield Line(
            name=name,
            bcm=line,
            direction="output",
            active="low" if is_low_relay else "high",
            pull=words.UP if is_low_relay else words.DOWN,
            function=function,
            warnings=tuple(_output_warnings(name, line, is_low_relay=is_low_relay)),
        )


def _output_warnings(name: str, line: int, *, is_low_relay: bool) -> Iterator[str]:
    if is_low_relay:
        yield words.ACTIVE_LOW
    elif line in header.FIXED_PULL_UPS:
        yield words.FIXED
    elif header.is_pulled_up(line):
        yield words.PULLED_UP_RELAY if name in words.RELAYS else words.PULLED_UP_OUTPUT
    yield from _shared(line)


def _input_lines(settings: Settings) -> Iterator[Line]:
    for name, function in words.INPUTS.items():
        line = _input_line(name, settings.pins, settings.turnstile)
        if not line:
            continue
        is_closed = name in words.NORMALLY_CLOSED
        yield Line(
            name=name,
            bcm=line,
            direction="input",
            active="open" if is_closed else "closed",
            pull=words.PI_UP,
            function=function,
            warnings=(*((words.SHORT,) if is_closed else ()), *_shared(line)),
        )


def _input_line(name: str, pins: Pins, turnstile: Turnstile) -> int:
    """Return the line of an input, 0 where it is not wired."""
    line: int = getattr(pins, name)
    return 0 if name == "passage" and turnstile.passage == "none" else line


def _sensor_lines(sensor: Sensor) -> Iterator[Line]:
    for name, line in zip(("SDA", "SCL"), sensor_lines(sensor), strict=True):
        yield Line(
            name=Text("sensor {line}", {"line": name}),
            bcm=line,
            direction="bus",
            active="-",
            pull=words.PULL_OF_THE_SENSOR,
            function=Function(
                Text(words.SENSOR_LINE, {"line": name, "bus": sensor.i2c_bus}),
                Text(words.TO_THE_SENSOR, {"line": name, **_SUPPLY}),
                words.SENSOR,
            ),
            warnings=tuple(_sensor_warnings(sensor)) if name == "SDA" else (),
        )


def _sensor_warnings(sensor: Sensor) -> Iterator[str]:
    if is_overlay(sensor):
        yield words.OVERLAY
    else:
        yield Text(words.NOT_ALONE, {"bus": sensor.i2c_bus})
    is_low = sensor.supply_v < _LEAST_3V3
    words_of_supply = words.LOW_SUPPLY if is_low else words.MEASURE_SUPPLY
    yield Text(words_of_supply, {"volts": sensor.supply_v})


def _reader_lines(settings: Settings) -> Iterator[Line]:
    for connection in connections(settings.reader):
        way = connection.direction.name.lower()
        if connection.kind == "line" and connection.device.name in UARTS:
            yield from _uart_lines(way)
        for name, line in (("D0", connection.d0), ("D1", connection.d1)):
            if not line:
                continue
            yield Line(
                name=_of_reader(way, name),
                bcm=line,
                direction="input",
                active="low",
                pull=words.PULL_OF_THE_READER,
                function=Function(
                    Text("{kind}, {line}", {"kind": connection.kind, "line": name}),
                    Text(words.TO_THE_CARD_READER, {"line": name}),
                    words.WIEGAND,
                ),
                warnings=(words.FIVE_VOLTS, *_shared(line)),
            )


def _uart_lines(way: str) -> Iterator[Line]:
    """Yield the lines of a scanner on the header's UART."""
    for (name, direction, other), line in zip(_UART, UART_LINES, strict=True):
        yield Line(
            name=_of_reader(way, name),
            bcm=line,
            direction=direction,
            active="-",
            pull=words.PULL_OF_THE_UART,
            function=Function(
                Text("{kind}, {line}", {"kind": "UART", "line": name}),
                Text(words.TO_THE_SCANNER, {"line": other}),
                words.SCANNER,
            ),
            warnings=(words.CONSOLE,),
        )


def _of_reader(way: str, line: str) -> Text:
    is_entry = way == "entry"
    template = mark("entry reader {line}") if is_entry else mark("exit reader {line}")
    return Text(template, {"line": line})


def _shared(line: int) -> tuple[str, ...]:
    bus = header.shared_with(line)
    return () if bus is None else (Text(words.SHARED, {"bus": Text(bus)}),)


def _notes(settings: Settings) -> Iterator[str]:
    turnstile = settings.turnstile
    hold_s = turnstile.release_hold_s
    yield Text(words.FIRE, {"line": settings.pins.fire})
    if turnstile.release == "hold":
        yield Text(words.HOLD, {"least": hold_s + 1, "most": hold_s + 2})
        if turnstile.passage == "none":
            yield Text(words.UNENDED, {"hold_s": hold_s})
    else:
        yield Text(words.PULSE, {"hold_s": hold_s})
    yield words.STRICT
    yield Text(
        words.LEVELS,
        {
            "ground": ", ".join(map(str, header.GROUND)),
            "supply": ", ".join(map(str, header.SUPPLY_3V3)),
        },
    )


def _boot_settings(sensor: Sensor) -> Iterator[str]:
    """Yield the lines that /boot/firmware/config.txt must have."""
    yield "dtparam=strict_gpiod"
    if sensor.i2c_bus == 1:
        yield "dtparam=i2c_arm=on"
    elif sensor.i2c_bus:
        sda, scl = OVERLAY_LINES
        yield f"dtoverlay=i2c-gpio,bus={sensor.i2c_bus},i2c_gpio_sda={sda},i2c_gpio_scl={scl}"
