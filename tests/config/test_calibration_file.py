"""The calibration files: what is written is read back, and nothing else is taken for one."""

import datetime as dt
import re

import pytest
from msgspec.structs import replace

from gatepost_config.calibration import (
    CalibrationRecord,
    PointRecord,
    as_toml,
    load_calibration,
    load_calibrations,
)
from gatepost_config.load import ConfigError

SENSOR = "0123456789abcdef"
OTHER = "fedcba9876543210"
DAY = dt.date(2026, 3, 1)
RECORD = CalibrationRecord(
    sensor_id=SENSOR,
    chip_emissivity=0xF332 / 0xFFFF,  # a fraction that has no short decimal
    chip_config=0x9FB4,
    by="M. Mustermann, Prüfstelle 7 ('north')",
    reference="Fluke 4180, no. 12345, #1",
    on=DAY,
    due=DAY.replace(year=2027),
    low=PointRecord(33.0, 32.871428571428574),
    high=PointRecord(38.0, 0.1 + 37.7),
)
TEXT = as_toml(RECORD)


@pytest.fixture
def put(tmp_path):
    """Write a calibration file; return its path."""

    def write(content, name=f"{SENSOR}.toml"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


@pytest.fixture
def problem_of(put):
    """Return what is said of a file with that content, without its path."""

    def told(content):
        path = put(content)
        with pytest.raises(ConfigError) as caught:
            load_calibration(path)
        (problem,) = caught.value.problems
        assert problem.startswith(f"{path}: ")
        return problem.removeprefix(f"{path}: ")

    return told


def with_line(key, line):
    """Return a good file whose line of `key` is another."""
    lines = TEXT.splitlines()
    at = next(n for n, text in enumerate(lines) if text.startswith(f"{key} = "))
    return "\n".join([*lines[:at], *filter(None, [line]), *lines[at + 1 :], ""])


# ------------------------------------------------------------------------------------- good files


def test_what_was_written_is_read_back_to_the_last_bit(put):
    assert load_calibration(put(TEXT)) == RECORD


def test_a_file_says_who_made_it_and_how_to_read_its_numbers():
    assert TEXT.startswith("# Written by gatepost calibrate.")
    assert "chip_config = 0x9fb4\n" in TEXT  # as the datasheet writes it


def test_events_cite_the_sensor_and_the_day_and_tell_two_of_one_day_apart():
    assert re.fullmatch(f"{SENSOR}/2026-03-01-[0-9a-f]{{6}}", RECORD.name)
    again = replace(RECORD, high=PointRecord(38.0, 37.81))
    assert again.name != RECORD.name
    assert again.name.rpartition("-")[0] == RECORD.name.rpartition("-")[0]


def test_a_calibration_counts_until_the_end_of_its_due_day():
    due = dt.datetime.fromtimestamp(RECORD.due_utc_s, dt.UTC)
    assert dt.datetime(2027, 3, 1, 23, 59, 59, tzinfo=dt.UTC) < due
    assert due < dt.datetime(2027, 3, 2, tzinfo=dt.UTC)


def test_the_day_after_is_soon_enough_to_be_due(put):
    record = load_calibration(put(with_line("due", "due = 2026-03-02")))
    assert record.due == dt.date(2026, 3, 2)


# -------------------------------------------------------------------------------------- bad files

BAD_VALUES = [
    ("sensor_id", 'sensor_id = "0123"'),
    ("sensor_id", f'sensor_id = "{SENSOR.upper()}"'),
    ("sensor_id", f'sensor_id = "{SENSOR}\\n"'),
    ("sensor_id", "sensor_id = 81985529216486895"),
    ("chip_emissivity", "chip_emissivity = 0"),
    ("chip_emissivity", "chip_emissivity = 1.01"),
    ("chip_emissivity", "chip_emissivity = nan"),
    ("chip_config", "chip_config = -1"),
    ("chip_config", "chip_config = 0x1_0000"),
    ("chip_config", 'chip_config = "0x9fb4"'),
    ("by", 'by = ""'),
    ("by", 'by = "a \\"quoted\\" name"'),
    ("by", 'by = "a\\\\b"'),
    ("by", 'by = "two\\nlines"'),
    ("by", 'by = "line end\\n"'),
    ("by", 'by = "\\u007f"'),
    ("by", f'by = "{"x" * 81}"'),
    ("by", "by = 7"),
    ("reference", 'reference = ""'),
    ("reference", "reference = '\"'"),
    ("on", 'on = "2026-03-01x"'),
    ("on", "on = 2026-03-01T12:00:00Z"),
    ("on", "on = 20260301"),
    ("due", "due = 09:00:00"),
    ("low", "low = { reference_c = nan, measured_c = 32.9 }"),
    ("low", "low = { reference_c = 33.0, measured_c = nan }"),
    ("low", "low = { reference_c = inf, measured_c = 32.9 }"),
    ("low", "low = { reference_c = -0.1, measured_c = 32.9 }"),
    ("high", "high = { reference_c = 60.1, measured_c = 37.9 }"),
    ("high", 'high = { reference_c = "38", measured_c = 37.9 }'),
    ("high", "high = { reference_c = 38.0 }"),
    ("high", "high = { reference_c = 38.0, measured_c = 37.9, spread_c = 0.1 }"),
    ("high", "high = [38.0, 37.9]"),
]


@pytest.mark.parametrize(("key", "line"), BAD_VALUES, ids=[line for _, line in BAD_VALUES])
def test_a_bad_value_is_no_calibration_and_told_with_its_key(key, line, problem_of):
    told = problem_of(with_line(key, line))
    assert told.startswith("no calibration: ")
    assert f"`$.{key}" in told
    assert told.endswith("Run gatepost calibrate again, or put the file back from a copy.")


@pytest.mark.parametrize(
    "key",
    ["sensor_id", "chip_emissivity", "chip_config", "by", "reference", "on", "due", "low", "high"],
)
def test_a_missing_value_is_told(key, problem_of):
    told = problem_of(with_line(key, None))
    assert told.startswith(f"no calibration: Object missing required field `{key}`")


def test_a_key_too_many_is_told(problem_of):
    told = problem_of(f"{TEXT}gain = 1.0\n")
    assert told.startswith("no calibration: Object contains unknown field `gain`")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'by = "\xe9"\n', "'utf-8' codec can't decode byte 0xe9"),
        ("no toml\n", "at line 1"),
        ("", "Object missing required field"),
        (TEXT[: len(TEXT) // 2], "at end of document"),  # a copy that was cut off
        (TEXT + TEXT, "Cannot overwrite a value"),
        ("x = " + "[" * 20000, ""),  # nested beyond what tomllib can follow
    ],
    ids=["not UTF-8", "not TOML", "empty", "cut off", "doubled", "nested"],
)
def test_what_is_no_calibration_at_all_is_told(content, said, problem_of):
    told = problem_of(content)
    assert told.startswith("no calibration: ")
    assert said in told


@pytest.mark.parametrize("due", ["2026-03-01", "2026-02-28"])
def test_a_due_day_that_is_not_after_the_day_itself_is_told(due, problem_of):
    told = problem_of(with_line("due", f"due = {due}"))
    assert told == f"due = {due}: must be later than on = 2026-03-01."


def test_a_file_that_cannot_be_read_is_told_with_the_reason(tmp_path):
    path = tmp_path / f"{SENSOR}.toml"
    with pytest.raises(ConfigError) as missing:
        load_calibration(path)
    path.mkdir()
    with pytest.raises(ConfigError) as directory:
        load_calibration(path)
    assert missing.value.problems == (f"{path}: cannot be read: No such file or directory.",)
    assert directory.value.problems == (f"{path}: cannot be read: Is a directory.",)


# ------------------------------------------------------------------------------------- the folder


def test_a_folder_gives_its_calibrations_by_sensor(tmp_path, put):
    put(TEXT)
    put(TEXT.replace(SENSOR, OTHER), f"{OTHER}.toml")
    put("a note of the technician", "README.txt")
    found, problems = load_calibrations(tmp_path)
    assert problems == ()
    assert {name: record.sensor_id for name, record in found.items()} == {
        SENSOR: SENSOR,
        OTHER: OTHER,
    }


def test_a_folder_that_is_not_there_has_none_and_one_that_cannot_be_read_is_told(put, tmp_path):
    assert load_calibrations(tmp_path / "calibration") == ({}, ())
    path = put("a file where the folder should be")
    assert load_calibrations(path) == ({}, (f"{path}: cannot be read: Not a directory.",))


def test_a_file_under_another_sensors_name_does_not_count(tmp_path, put):
    path = put(TEXT, f"{OTHER}.toml")
    found, problems = load_calibrations(tmp_path)
    assert found == {}
    assert problems == (f"{path}: it is that of sensor {SENSOR}; name it {SENSOR}.toml.",)


def test_bad_files_do_not_keep_the_good_ones_from_counting(tmp_path, put):
    put("nonsense", "0000000000000000.toml")
    put(TEXT)
    put(TEXT, f"{OTHER}.toml")
    (tmp_path / "ffffffffffffffff.toml").mkdir()
    found, problems = load_calibrations(tmp_path)
    assert found == {SENSOR: RECORD}
    told = [problem.removeprefix(f"{tmp_path}/").partition(":")[0] for problem in problems]
    assert told == ["0000000000000000.toml", f"{OTHER}.toml", "ffffffffffffffff.toml"]
