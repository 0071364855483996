"""`gatepost config wiring`: this gate's lines, where they are on the header, what to mind."""

import json
import re
from pathlib import Path

import pytest
from gpiozero.pins.pi import PiBoardInfo

from gatepost.cli import wiring_words as words
from gatepost.cli.main import main
from gatepost.cli.wiring_table import wiring_of
from gatepost.cli.wiring_text import as_json, as_markdown, as_text
from gatepost.wiring.hardware import lane_pins
from gatepost_config.reference import entries
from gatepost_hal import header
from gatepost_hal.gpio import NORMALLY_CLOSED

GUIDE = Path(__file__).parents[2] / "hal" / "WIRING.md"
PI_4 = 0xC03111  # a revision code; the 40 pins are the same on every Pi that has 40
LOW = (
    ("turnstile", "relay_active", "low"),
    ("pins", "entry_relay", 4),
    ("pins", "exit_relay", 7),
)
WIEGAND = (
    ("reader", "kind", "wiegand26"),
    ("reader", "device", "/dev/gpiochip0"),
    ("reader", "d0", 9),
    ("reader", "d1", 26),
)
INSIDE = (
    ("reader", "exit_kind", "wiegand34"),
    ("reader", "exit_device", "/dev/gpiochip0"),
    ("reader", "exit_d0", 10),
    ("reader", "exit_d1", 22),
)


@pytest.fixture
def lines(settings_with):
    """Return the lines of a gate with some values more, by name."""

    def make(*changes):
        return {line.name: line for line in wiring_of(settings_with(*changes)).lines}

    return make


# -------------------------------------------------------------------------------------- the header


def test_the_header_is_that_of_a_pi():
    pins = PiBoardInfo.from_revision(PI_4).headers["J8"].pins
    named = {number: pin.name for number, pin in pins.items()}
    ours = {pin: f"GPIO{line}" for line, pin in header.PINS.items()}
    ours |= dict.fromkeys(header.GROUND, "GND")
    ours |= dict.fromkeys(header.SUPPLY_3V3, "3V3") | dict.fromkeys(header.SUPPLY_5V, "5V")
    assert ours == named


def test_the_pull_ups_on_the_board_are_those_of_a_pi():
    pins = PiBoardInfo.from_revision(PI_4).headers["J8"].pins.values()
    assert {int(pin.name[4:]) for pin in pins if pin.pull == "up"} == header.FIXED_PULL_UPS


def test_shared_lines_can_do_what_is_said_of_them():
    pins = {pin.name: pin for pin in PiBoardInfo.from_revision(PI_4).headers["J8"].pins.values()}
    kinds = {"I2C": "i2c", "SPI": "spi", "UART": "uart", "I2S": "pcm"}
    said = {line: header.shared_with(line) for line in header.PINS}
    assert {line for line, bus in said.items() if bus} == {
        *range(2, 5), *range(7, 12), 14, 15, *range(18, 22)
    }  # fmt: skip
    for line, bus in said.items():
        for name, interface in kinds.items():
            if bus and name in bus.partition("(")[0]:
                assert interface in pins[f"GPIO{line}"].interfaces


def test_lines_up_to_8_are_pulled_up_at_power_on():
    assert [line for line in header.PINS if header.is_pulled_up(line)] == list(range(9))


@pytest.mark.packaging
def test_the_guide_has_the_same_header():
    rows = re.findall(
        r"^\| `\w+` \| (\d+) \| (\d+) \|(?:.*)\| ([^|]*) \|$", GUIDE.read_text(), re.MULTILINE
    )
    assert len(rows) == 17
    for bcm, pin, pull in rows:
        assert header.PINS[int(bcm)] == int(pin)
        assert ("up" in pull) == header.is_pulled_up(int(bcm))


@pytest.mark.packaging
def test_the_guide_says_of_the_grounds_the_same():
    text = GUIDE.read_text()
    grounds, supply, five = re.search(
        r"Ground: pins ([\d, ]+)\. 3\.3 V: ([\d, ]+)\. 5 V: ([\d, ]+)\.", text
    ).groups()
    found = [tuple(map(int, each.split(", "))) for each in (grounds, supply, five)]
    assert found == [header.GROUND, header.SUPPLY_3V3, header.SUPPLY_5V]


# --------------------------------------------------------------------------------------- the lines


def test_every_line_of_the_settings_has_words():
    names = {entry.key for entry in entries().values() if entry.section == "pins" and entry.is_line}
    assert names == {*words.OUTPUTS, *words.INPUTS}
    for name, function in (words.OUTPUTS | words.INPUTS).items():
        assert function.what, name
        assert function.connect, name
        assert function.unpowered.endswith("."), name


def test_what_may_be_missing_says_what_is_lost():
    optional = {name for name in words.INPUTS if entries()[f"pins.{name}"].default == 0}
    assert {name for name, each in words.INPUTS.items() if each.missing} == optional | {"passage"}


def test_the_normally_closed_are_those_of_the_drivers():
    assert {name.name.lower() for name in NORMALLY_CLOSED} == set(words.NORMALLY_CLOSED)


ALL_WIRED = (
    *(("turnstile", "passage", "per_direction"), ("pins", "passage_exit", 22)),
    *(("pins", "staff_release", 26), ("pins", "maintenance_key", 20)),
    *(("pins", "emergency", 21), ("pins", "tamper", 19)),
)


@pytest.mark.parametrize(
    "changes", [(), ALL_WIRED, LOW, (("turnstile", "passage", "none"),)], ids=str
)
def test_the_lines_are_those_that_the_drivers_get(changes, settings_with, lines):
    pins = lane_pins(settings_with(*changes))
    told = {name: line.bcm for name, line in lines(*changes).items() if "sensor" not in name}
    assert told == {
        **{f"{way.name.lower()}_relay": line for way, line in pins.relays.items()},
        **{f"{lamp.name.lower()}_lamp": line for lamp, line in pins.lamps.items()},
        **{name.name.lower(): line for name, line in pins.inputs.items()},
        "buzzer": pins.buzzer,
    }


def test_a_line_says_where_it_is_and_when_it_is_active(lines):
    found = lines()
    relay = found["entry_relay"]
    assert (relay.bcm, relay.pin, relay.direction, relay.active) == (17, 11, "output", "high")
    assert relay.pull.startswith("10 kΩ to ground")
    assert relay.power_on == "down"
    fire, button = found["fire"], found["exit_button"]
    assert (fire.direction, fire.active, fire.pin) == ("input", "open", 36)
    assert (button.active, button.pull) == ("closed", words.PI_UP)
    assert "frees both ways in hardware" in fire.function.unpowered
    assert found["green_lamp"].power_on == "up"


def test_what_is_not_wired_is_told_with_what_is_lost(settings_with):
    assert list(wiring_of(settings_with()).not_wired) == [
        *("passage_exit", "staff_release", "maintenance_key", "emergency", "tamper"),
    ]
    assert wiring_of(settings_with(*ALL_WIRED)).not_wired == {}
    assert "passage" in wiring_of(settings_with(("turnstile", "passage", "none"))).not_wired


def test_an_active_low_relay_needs_its_resistor_to_3v3(lines):
    found = lines(*LOW)
    for name in words.RELAYS:
        assert found[name].active == "low"
        assert found[name].pull.startswith("10 kΩ to 3.3 V")
        assert words.ACTIVE_LOW in found[name].warnings
        assert not any("pulled up at power-on" in each for each in found[name].warnings)
    assert found["buzzer"].active == "high"
    assert found["buzzer"].pull.startswith("10 kΩ to ground")


@pytest.mark.parametrize(("line", "is_warned"), [(7, True), (8, True), (9, False), (26, False)])
def test_a_relay_on_a_line_that_is_pulled_up_is_warned_of(line, is_warned, lines):
    found = lines(("pins", "exit_relay", line))["exit_relay"]
    assert (words.PULLED_UP_RELAY in found.warnings) == is_warned
    assert found.power_on == ("up" if is_warned else "down")


def test_a_lamp_on_such_a_line_is_warned_of_too(lines):
    found = lines()
    assert found["green_lamp"].warnings == (words.PULLED_UP_OUTPUT,)
    assert found["red_lamp"].warnings == ()


@pytest.mark.parametrize(
    ("line", "bus"),
    [(4, "1-wire"), (11, "SPI 0"), (14, "the UART"), (15, "the UART"), (18, "I2S"), (2, "I2C 1")],
)
def test_a_line_of_another_bus_is_warned_of(line, bus, lines):
    sensor = ("sensor", "i2c_bus", 0)  # not on 2 and 3
    found = lines(sensor, ("pins", "buzzer", line))["buzzer"]
    assert any(each.startswith(f"also belongs to {bus}") for each in found.warnings)
    assert (words.FIXED in found.warnings) == (line == 2)
    entry = lines(sensor, ("pins", "exit_button", line))["exit_button"]
    assert any(each.startswith(f"also belongs to {bus}") for each in entry.warnings)


@pytest.mark.parametrize("line", [22, 26, 10])
def test_other_lines_are_warned_of_only_where_they_are_shared(line, lines):
    found = lines(("pins", "buzzer", line))["buzzer"]
    assert bool(found.warnings) == (line == 10)


# -------------------------------------------------------------------------------------- the sensor


def test_the_sensor_has_a_bus_of_its_own(settings_with):
    wiring = wiring_of(settings_with())
    sda, scl = wiring.lines[:2]
    assert [(each.name, each.bcm, each.pin) for each in (sda, scl)] == [
        ("sensor SDA", 2, 3),
        ("sensor SCL", 3, 5),
    ]
    assert sda.power_on == "up, fixed"
    assert sda.warnings == (words.OVERLAY, words.MEASURE_SUPPLY.format(volts=3.3))
    assert wiring.boot_settings == (
        "dtparam=strict_gpiod",
        "dtoverlay=i2c-gpio,bus=3,i2c_gpio_sda=2,i2c_gpio_scl=3",
    )


def test_a_sensor_on_the_pis_own_bus_is_warned_of(settings_with):
    wiring = wiring_of(settings_with(("sensor", "i2c_bus", 1)))
    assert words.NOT_ALONE.format(bus=1) in wiring.lines[0].warnings
    assert wiring.boot_settings == ("dtparam=strict_gpiod", "dtparam=i2c_arm=on")


def test_the_bus_of_the_eeprom_is_on_its_own_pins(settings_with):
    wiring = wiring_of(settings_with(("sensor", "i2c_bus", 0)))
    assert [(each.bcm, each.pin) for each in wiring.lines[:2]] == [(0, 27), (1, 28)]
    assert wiring.boot_settings == ("dtparam=strict_gpiod",)


@pytest.mark.parametrize(
    ("volts", "is_low"), [(3.0, True), (3.12, True), (3.13, False), (3.3, False)]
)
def test_a_sensor_with_a_supply_of_its_own_is_not_for_lines_2_and_3(volts, is_low, lines):
    found = lines(("sensor", "supply_v", volts))["sensor SDA"].warnings
    (warning,) = [each for each in found if "supply_v" in each]
    assert ("Another pair of lines" in warning) == is_low


@pytest.mark.parametrize(
    "changes",
    [
        (),
        (("sensor", "i2c_bus", 1),),
        (("reader", "device", "/dev/serial0"),),
        (("reader", "exit_device", "/dev/ttyAMA0"),),
        (*WIEGAND, *INSIDE),
    ],
    ids=["least", "bus 1", "uart", "uart inside", "wiegand"],
)
def test_what_the_table_shows_is_used_once_or_the_settings_are_refused(
    changes, lines, problems_with
):
    found = [each.bcm for each in lines(*changes).values()]
    assert len(found) == len(set(found))
    for line in set(found) - {16}:
        told = problems_with(*changes, ("pins", "fire", line))
        assert any(f"= {line}: already used by" in each or "by fire" in each for each in told)


# ----------------------------------------------------------------------------- readers, and release


def test_the_lines_of_card_readers_are_there(lines):
    found = lines(*WIEGAND, *INSIDE)
    readers = {name: line.bcm for name, line in found.items() if "reader" in name}
    assert readers == {
        "entry reader D0": 9,
        "entry reader D1": 26,
        "exit reader D0": 10,
        "exit reader D1": 22,
    }
    assert words.FIVE_VOLTS in found["exit reader D1"].warnings
    assert any("SPI 0" in each for each in found["entry reader D0"].warnings)
    assert found["exit reader D0"].function.what == "wiegand34, D0"


@pytest.mark.parametrize("device", ["serial0", "ttyAMA0", "ttyS0"])
def test_a_scanner_on_the_uart_has_its_two_lines(device, lines):
    found = lines(("reader", "exit_device", f"/dev/{device}"))
    sending, listening = found["exit reader TXD"], found["exit reader RXD"]
    assert (sending.bcm, sending.pin, sending.direction) == (14, 8, "output")
    assert (listening.bcm, listening.pin, listening.direction) == (15, 10, "input")
    assert sending.function.connect.startswith("RX of the scanner")
    assert sending.warnings == (words.CONSOLE,)


def test_a_reader_on_usb_has_no_line(lines):
    usb = ("reader", "device", "/dev/serial/by-id/usb-scanner"), ("reader", "kind", "line")
    assert not [name for name in lines(*usb) if "reader" in name]


def test_what_ends_a_release_is_told(settings_with):
    notes = wiring_of(settings_with(("turnstile", "release_hold_s", 8))).notes
    assert any("T = 9 to 10 s" in note for note in notes)
    assert not any("pulse" in note for note in notes)
    notes = wiring_of(settings_with(("turnstile", "release", "pulse"))).notes
    assert any("Set it to 5 s" in note for note in notes)
    assert not any("T = " in note for note in notes)


@pytest.mark.parametrize(("release", "is_told"), [("hold", True), ("pulse", False)])
def test_a_release_that_nothing_ends_early_is_told(release, is_told, settings_with):
    notes = wiring_of(
        settings_with(("turnstile", "passage", "none"), ("turnstile", "release", release))
    ).notes
    assert any("as many walk as can" in note for note in notes) == is_told


def test_fire_stands_first_and_is_the_gates_own_line(settings_with):
    notes = wiring_of(settings_with(("pins", "fire", 20))).notes
    assert notes[0].startswith("Fire acts in hardware: the fire contact lies in the relays'")
    assert "Line 20 only reports it." in notes[0]


# ------------------------------------------------------------------------------------ as it is told


def test_the_command_tells_it_in_three_shapes(write, least_text, settings_with, capsys):
    path = write(least_text)
    settings = settings_with()
    wiring = wiring_of(settings)
    for option, text in {
        "": as_text(wiring, settings),
        "--json": as_json(wiring, settings) + "\n",
        "--markdown": as_markdown(wiring),
    }.items():
        assert main(["config", "wiring", "--config", str(path), *option.split()]) == 0
        assert capsys.readouterr().out == text


@pytest.mark.parametrize("changes", [(), ALL_WIRED, (*WIEGAND, *INSIDE)], ids=str)
def test_everything_is_in_every_shape(changes, settings_with):
    settings = settings_with(*changes)
    wiring = wiring_of(settings)
    text, markdown = as_text(wiring, settings), as_markdown(wiring)
    whole = " ".join(text.split())
    for line in wiring.lines:
        row = re.search(rf"^{line.name} +(\d+) +(\d+) +(\w+) +(\S+) ", text, re.MULTILINE)
        assert row.groups() == (str(line.bcm), str(line.pin), line.direction, line.active)
        for said in (line.function.connect, line.function.unpowered, line.pull, *line.warnings):
            assert said in whole
            assert said in markdown
    for said in (*wiring.notes, *wiring.boot_settings, *wiring.not_wired):
        assert said in whole
        assert said in markdown
    assert [line for line in text.splitlines() if len(line) > 100] == []
    assert {row.count("|") for row in markdown.splitlines() if row.startswith("|")} == {12}


def test_json_has_a_line_with_all_of_it(settings_with):
    settings = settings_with()
    told = json.loads(as_json(wiring_of(settings), settings))
    assert (told["site"], told["gate"]) == ("example-court", "north-1")
    (fire,) = [each for each in told["lines"] if each["line"] == "fire"]
    assert fire == {
        "line": "fire",
        "what": words.INPUTS["fire"].what,
        "bcm": 16,
        "pin": 36,
        "direction": "input",
        "active": "open",
        "pull": words.PI_UP,
        "power_on": "down",
        "connect": words.INPUTS["fire"].connect,
        "unpowered": words.INPUTS["fire"].unpowered,
        "warnings": [words.SHORT],
    }
    assert told["not_wired"][-1] == "tamper"
    assert told["boot_settings"][0] == "dtparam=strict_gpiod"


def test_a_bad_file_has_no_wiring(write, least_text, capsys):
    path = write(f"{least_text}[pins]\nfire = 17\n")
    assert main(["config", "wiring", "--config", str(path)]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert "already used by entry_relay" in told.err
