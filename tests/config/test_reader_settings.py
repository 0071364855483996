"""How the pass readers are connected, and what does not fit together."""

import pytest

WIEGAND = (
    ("reader", "kind", "wiegand26"),
    ("reader", "device", "/dev/gpiochip0"),
    ("reader", "d0", 20),
    ("reader", "d1", 21),
)
EXIT = (
    ("reader", "exit_kind", "wiegand34"),
    ("reader", "exit_device", "/dev/gpiochip4"),
    ("reader", "exit_d0", 22),
    ("reader", "exit_d1", 26),
)


def told(problems_with, *changes) -> str:
    (problem,) = problems_with(*changes)
    return problem


def test_each_way_may_have_its_own_kind(settings_with):
    reader = settings_with(*WIEGAND, *EXIT).reader
    assert (reader.kind, reader.d0, reader.d1) == ("wiegand26", 20, 21)
    assert (reader.exit_kind, reader.exit_d0, reader.exit_d1) == ("wiegand34", 22, 26)
    keyboard = ("reader", "kind", "keyboard"), ("reader", "device", "/dev/input/by-id/usb-scanner")
    assert settings_with(*keyboard, *EXIT).reader.kind == "keyboard"


@pytest.mark.parametrize("missing", [1, 2, 3])
def test_a_wiegand_reader_needs_its_chip_and_both_lines(missing, problems_with):
    given = [change for place, change in enumerate(WIEGAND) if place != missing]
    problem = told(problems_with, *given)
    assert problem.startswith('gate.toml: [reader] kind = "wiegand26": needs the GPIO chip and')
    assert 'Write device = "/dev/gpiochip0" and two lines from 2 to 27.' in problem


@pytest.mark.parametrize("missing", [1, 2, 3])
def test_so_does_one_at_the_exit_which_is_told_by_its_own_keys(missing, problems_with):
    problem = told(problems_with, *(c for place, c in enumerate(EXIT) if place != missing))
    assert '[reader] exit_kind = "wiegand34"' in problem
    assert "Write exit_device = " in problem


@pytest.mark.parametrize("key", ["d0", "d1", "exit_d0", "exit_d1"])
def test_data_lines_of_no_wiegand_reader_are_told(key, problems_with):
    problem = told(problems_with, ("reader", key, 20))
    assert f"{key} = 20" in problem
    assert 'write 0 for both, or "wiegand26"' in problem


@pytest.mark.parametrize(
    ("key", "pin", "user"),
    [("d0", 17, "entry_relay"), ("d1", 16, "fire"), ("d1", 20, "d0"), ("exit_d0", 21, "d1")],
)
def test_a_data_line_that_is_used_already_is_told_with_both_uses(key, pin, user, problems_with):
    problem = told(problems_with, *WIEGAND, *EXIT, ("reader", key, pin))
    sentence = f"[reader] {key} = {pin}: already used by {user}; give each its own line."
    assert problem == f"gate.toml: {sentence}"


def test_a_data_line_is_not_line_1(problems_with):
    assert "belongs to the HAT's EEPROM" in told(problems_with, *WIEGAND, ("reader", "d0", 1))


def test_a_keyboard_has_a_device_of_its_own(problems_with, settings_with):
    keyboard = ("reader", "kind", "keyboard")
    assert "name one of /dev/input/by-id" in told(problems_with, keyboard)
    settings_with(keyboard, ("reader", "device", "/dev/null"))


def test_the_speed_is_one_that_there_is(problems_with, settings_with):
    assert settings_with(("reader", "baud", 9600)).reader.baud == 9600
    problem = told(problems_with, ("reader", "baud", 9601))
    assert "must be one of 1200, 2400, 4800, 9600," in problem
    assert "The default is 115200." in problem


def test_an_unknown_kind_is_told_with_those_there_are(problems_with):
    problem = told(problems_with, ("reader", "kind", "rfid"))
    assert 'must be one of "keyboard", "line", "wiegand26", "wiegand34".' in problem


def test_a_reader_is_told_of_also_where_the_pins_are_wrong(problems_with):
    problems = problems_with(("pins", "fire", "16"), ("reader", "d0", 5))
    assert len(problems) == 2
