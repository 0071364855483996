"""Which lines of the header a gate's settings take, and for what: none may be taken twice."""

from collections.abc import Iterator

from gatepost_config.settings import Pins, Reader, Sensor

# What the kinds of reader on two data lines begin with.
WIEGAND = "wiegand"
# Names of the header's UART, and its lines: TXD, RXD.
UARTS = ("serial0", "ttyAMA0", "ttyS0")
UART_LINES = (14, 15)
_HARDWARE_BUSES = {0: (0, 1), 1: (2, 3)}
# The others are overlays, on lines of one's choice: these, as the wiring guide says.
OVERLAY_LINES = (2, 3)


def is_overlay(sensor: Sensor) -> bool:
    """Return whether the sensor's bus is one that config.txt makes."""
    return sensor.i2c_bus not in _HARDWARE_BUSES


def sensor_lines(sensor: Sensor) -> tuple[int, int]:
    """Return SDA and SCL of the sensor's bus."""
    return _HARDWARE_BUSES.get(sensor.i2c_bus, OVERLAY_LINES)


def line_problems(pins: Pins, reader: Reader | None, sensor: Sensor | None) -> list[str]:
    """Return a sentence for each line that is taken twice, or that nobody may take.

    None: a section that is wrong by itself, and is told of elsewhere.
    """
    problems = []
    used: dict[int, str] = {}
    if sensor is not None:
        bus = f"the sensor's bus (i2c_bus = {sensor.i2c_bus})"
        used = dict.fromkeys(sensor_lines(sensor), bus)
    for where, line, key in _taken(pins, reader):
        if line == 1:
            problems.append(f"{where}: belongs to the HAT's EEPROM; use 2 to 27, or 0.")
        elif line in used:
            problems.append(f"{where}: already used by {used[line]}; give each its own line.")
        used.setdefault(line, key)
    return problems


def _taken(pins: Pins, reader: Reader | None) -> Iterator[tuple[str, int, str]]:
    """Yield where each line is given to what, the line, and the setting that has it."""
    if reader is not None:
        for key, kind, device in (
            ("device", reader.kind, reader.device),
            ("exit_device", reader.exit_kind, reader.exit_device),
        ):
            if kind == "line" and device.name in UARTS:
                for line in UART_LINES:
                    yield f'[reader] {key} = "{device}", line {line}', line, f"the UART ({key})"
    for key in pins.__struct_fields__:
        line = getattr(pins, key)
        if isinstance(line, int) and line:
            yield f"[pins] {key} = {line}", line, key
    for key, line in _data_lines(reader) if reader else ():
        yield f"[reader] {key} = {line}", line, key


def _data_lines(reader: Reader) -> Iterator[tuple[str, int]]:
    """Yield the lines of the Wiegand readers that have both: others are told of elsewhere."""
    for kind, lines in (
        (reader.kind, {"d0": reader.d0, "d1": reader.d1}),
        (reader.exit_kind, {"exit_d0": reader.exit_d0, "exit_d1": reader.exit_d1}),
    ):
        if kind.startswith(WIEGAND) and all(lines.values()):
            yield from lines.items()
