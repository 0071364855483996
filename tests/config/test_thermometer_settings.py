"""What a site may say about its thermometer and its limit: defaults, ranges, contradictions."""

import pytest

from gatepost_config.load import load
from gatepost_config.settings import Screening, Sensor

NUMBER = "must be a number{} from {} to {}, without quotes or a unit. The default is {}."
CELSIUS, VOLTS, CENTIMETRES, SECONDS = (
    f" of {unit}" for unit in ("degrees Celsius", "volts", "centimetres", "seconds")
)
PARTS = 'must be one of "{}". The default is "DCC".'.format(
    '", "'.join(
        ("BAA", "BBA", "BCC", "BCF", "BCH", "BCI", "BCK", "DAA", "DCC", "DCH", "DCI")  # sorted
    )
)


def test_the_defaults_are_those_of_a_calibrated_dcc_at_5_cm_on_3_3_v(least_text, write):
    settings = load(write(least_text.replace("[screening]\noffset_c = 2.43\n", "")))
    assert settings.sensor == Sensor(
        part="DCC",
        distance_cm=5.0,
        supply_v=3.3,
        emissivity=0.98,
        calibration="required",
        warm_up_s=120.0,
        i2c_bus=3,
        address=0x5A,
        deadline_s=0.1,
    )
    assert settings.screening == Screening(
        limit_c=37.3,
        guard_c=0.25,
        samples=7,
        offset_c=2.5,
        learns=True,
        ambient_low_c=20.0,
        ambient_high_c=29.0,
        outside_ambient="no_information",
    )
    assert str(settings.paths.calibration_dir) == "/etc/gatepost/calibration"
    assert str(settings.paths.offset) == "/var/lib/gatepost/gate/offset.json"


@pytest.mark.parametrize(
    ("section", "key", "value", "sentence"),
    [
        ("sensor", "part", "AAA", PARTS),  # a 5 V part
        ("sensor", "part", "dcc", PARTS),
        ("sensor", "part", 7, PARTS),
        ("sensor", "distance_cm", 0.4, NUMBER.format(CENTIMETRES, 0.5, 60, 5.0)),
        ("sensor", "distance_cm", 60.1, NUMBER.format(CENTIMETRES, 0.5, 60, 5.0)),
        ("sensor", "supply_v", 2.5, NUMBER.format(VOLTS, 2.6, 3.6, 3.3)),
        ("sensor", "supply_v", 5.0, NUMBER.format(VOLTS, 2.6, 3.6, 3.3)),
        ("sensor", "emissivity", 0.89, NUMBER.format("", 0.9, 1, 0.98)),
        ("sensor", "emissivity", 1.01, NUMBER.format("", 0.9, 1, 0.98)),
        ("sensor", "emissivity", float("nan"), NUMBER.format("", 0.9, 1, 0.98)),
        (
            *("sensor", "calibration", "none"),
            'must be one of "factory", "required". The default is "required".',
        ),
        ("sensor", "warm_up_s", -1, NUMBER.format(SECONDS, 0, 7200, 120.0)),
        ("sensor", "warm_up_s", 7201, NUMBER.format(SECONDS, 0, 7200, 120.0)),
        ("screening", "guard_c", -0.01, NUMBER.format(CELSIUS, 0, 1, 0.25)),
        ("screening", "guard_c", 1.01, NUMBER.format(CELSIUS, 0, 1, 0.25)),
        ("screening", "offset_c", 6.01, NUMBER.format(CELSIUS, 0, 6, 2.5)),
        ("screening", "learns", "yes", "must be true or false. The default is true."),
        ("screening", "learns", 1, "must be true or false. The default is true."),
        ("screening", "ambient_low_c", 24.1, NUMBER.format(CELSIUS, -30, 24, 20.0)),
        ("screening", "ambient_high_c", 23.9, NUMBER.format(CELSIUS, 24, 45, 29.0)),
        (
            *("screening", "outside_ambient", "ignore"),
            'must be one of "no_information", "widen". The default is "no_information".',
        ),
        (
            *("paths", "calibration_dir", "calibration"),
            'must be an absolute path in quotes. The default is "/etc/gatepost/calibration".',
        ),
    ],
)
def test_a_bad_value_is_told_with_what_is_allowed(section, key, value, sentence, problems_with):
    told = problems_with((section, key, value))
    assert told == [f"gate.toml: [{section}] {key} = {value!r}: {sentence}"]


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("sensor", "distance_cm", 0.5),
        ("sensor", "distance_cm", 60),
        ("sensor", "supply_v", 2.6),
        ("sensor", "supply_v", 3.6),
        ("sensor", "emissivity", 0.9),
        ("sensor", "emissivity", 1),
        ("sensor", "warm_up_s", 0),
        ("sensor", "warm_up_s", 7200),
        ("sensor", "calibration", "factory"),
        ("screening", "guard_c", 0),
        ("screening", "learns", False),
        ("screening", "ambient_low_c", -30),
        ("screening", "ambient_high_c", 45),
        ("screening", "outside_ambient", "widen"),
    ],
)
def test_what_is_within_the_range_is_taken(section, key, value, settings_with):
    assert getattr(getattr(settings_with((section, key, value)), section), key) == value


def test_the_sensors_pace_is_the_parts_and_no_setting(problems_with):
    # It was one once: a file of then must be told, not silently misread.
    (told,) = problems_with(("sensor", "sample_period_s", 0.28))
    assert told.startswith("gate.toml: [sensor] sample_period_s = 0.28: no such setting.")


# --------------------------------------------------------------------------- guard band and limit


@pytest.mark.parametrize(
    ("limit_c", "most_c"), [(37.0, 0.2), (37.3, 0.5), (37.5, 0.7), (37.77, 0.97)]
)
def test_a_guard_band_that_reaches_the_healthy_middle_is_refused(
    limit_c, most_c, settings_with, problems_with
):
    limit = ("screening", "limit_c", limit_c)
    allowed = settings_with(limit, ("screening", "guard_c", most_c))
    assert allowed.screening.guard_c == most_c
    guard_c = round(most_c + 0.01, 2)
    assert problems_with(limit, ("screening", "guard_c", guard_c)) == [
        f"gate.toml: [screening] guard_c = {guard_c}: more than half of the healthy would be "
        f"within it; with limit_c = {limit_c}, at most {most_c:.2f}."
    ]


def test_a_guard_band_is_told_together_with_what_else_is_wrong(problems_with):
    told = problems_with(("screening", "guard_c", 0.9), ("sensor", "supply_v", 5.0))
    assert [sentence.split(":")[1] for sentence in told] == [
        " [sensor] supply_v = 5.0",
        " [screening] guard_c = 0.9",
    ]
