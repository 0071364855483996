"""What the settings of the lane and its turnstile say together, and what they must not."""

import pytest


def told(problems_with, *changes) -> str:
    (problem,) = problems_with(*changes)
    return problem


def test_hard_anti_passback_needs_an_exit_reader(problems_with, settings_with):
    problem = told(problems_with, ("passback", "mode", "hard"))
    assert "nobody who has left could enter again" in problem
    assert '"timed" or "soft"' in problem
    settings_with(("passback", "mode", "hard"), ("reader", "exit_device", "/dev/ttyACM1"))


@pytest.mark.parametrize("mode", ["off", "soft", "timed"])
def test_the_other_modes_do_without(mode, settings_with):
    assert settings_with(("passback", "mode", mode)).passback.mode == mode


def test_a_contact_for_each_way_needs_its_line(problems_with, settings_with):
    both = ("turnstile", "passage", "per_direction"), ("pins", "passage_exit", 22)
    for alone in both:
        assert "needs that line, and nothing else uses it" in told(problems_with, alone)
    assert settings_with(*both).pins.passage_exit == 22


def test_a_pulse_is_shorter_than_the_release(problems_with, settings_with):
    pulse = ("turnstile", "release", "pulse")
    longer = ("turnstile", "pulse_s", 2.0), ("turnstile", "release_hold_s", 1.0)
    assert "make it shorter" in told(problems_with, pulse, *longer)
    settings_with(*longer)  # a hold does not look at it
    settings_with(pulse)


def test_active_low_relays_belong_on_lines_that_are_pulled_up_at_power_on(
    problems_with, settings_with
):
    low = ("turnstile", "relay_active", "low")
    problems = problems_with(low)
    assert [problem.split()[2] for problem in problems] == ["entry_relay", "exit_relay"]
    assert all("from 4 to 8" in problem for problem in problems)
    settings_with(low, ("pins", "entry_relay", 4), ("pins", "exit_relay", 7))


def test_lines_that_are_not_wired_do_not_clash(settings_with, problems_with):
    assert settings_with().pins.emergency == settings_with().pins.tamper == 0
    assert "already used by passage" in told(problems_with, ("pins", "tamper", 24))


def test_a_relay_on_the_lines_of_the_sensors_bus_is_refused(problems_with, settings_with):
    relays = ("pins", "entry_relay", 2), ("pins", "exit_relay", 3)
    assert [each.partition(": ")[2] for each in problems_with(*relays)] == [
        f"[pins] {key} = {line}: already used by the sensor's bus (i2c_bus = 3); give each its own "
        "line."
        for key, line in (("entry_relay", 2), ("exit_relay", 3))
    ]
    problems_with(*relays, ("sensor", "i2c_bus", 1))
    settings_with(*relays, ("sensor", "i2c_bus", 0))  # on the lines of the EEPROM


def test_a_line_of_the_uart_that_a_scanner_is_on_is_refused(problems_with, settings_with):
    scanner, buzzer = ("reader", "device", "/dev/serial0"), ("pins", "buzzer", 15)
    settings_with(buzzer)
    settings_with(buzzer, ("reader", "device", "/dev/ttyACM0"))
    assert told(problems_with, scanner, buzzer).endswith(
        "[pins] buzzer = 15: already used by the UART (device); give each its own line."
    )
    both = problems_with(scanner, ("reader", "exit_device", "/dev/ttyAMA0"))
    assert [each.partition("exit_device")[2] for each in both] == [
        f' = "/dev/ttyAMA0", line {line}: already used by the UART (device); give each its own '
        "line."
        for line in (14, 15)
    ]


def test_where_the_sensors_section_is_wrong_its_lines_are_not_spoken_of(problems_with):
    (problem,) = problems_with(("pins", "buzzer", 2), ("sensor", "i2c_bus", "three"))
    assert "i2c_bus" in problem


def test_line_1_is_the_hat_eeproms(problems_with):
    assert "use 2 to 27, or 0" in told(problems_with, ("pins", "tamper", 1))


@pytest.mark.parametrize("hours", ["", "22:00-06:00", "00:00-23:59"])
def test_quiet_hours_are_times_of_day(hours, settings_with):
    assert settings_with(("signals", "quiet_hours", hours)).signals.quiet_hours == hours


@pytest.mark.parametrize("hours", ["22-6", "24:00-06:00", "22:00", "22:00-06:60", "22:00 - 06:00"])
def test_other_quiet_hours_are_told_with_what_is_allowed(hours, problems_with):
    assert '"22:00-06:00", or "" for none' in told(problems_with, ("signals", "quiet_hours", hours))


def test_exits_by_pass_need_an_order_and_a_reader_inside(problems_with, settings_with):
    by_pass = ("regime", "exits", "by_pass")
    nothing = problems_with(by_pass)
    assert any("there is no order that could let anybody out" in problem for problem in nothing)
    assert any("all would be held in; wire an exit reader" in problem for problem in nothing)
    order, reader = ("regime", "name", "normal"), ("reader", "exit_device", "/dev/ttyACM1")
    assert settings_with(by_pass, order, reader).regime.exits == "by_pass"
