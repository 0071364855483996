"""From the settings and the files of a gate to its thermometer: what fits, what is left out."""

import datetime as dt
import logging
import subprocess
import sys
from pathlib import Path
from typing import get_args, get_type_hints

import msgspec
import pytest

from gatepost.core.offset import Offset
from gatepost.wiring import thermometer
from gatepost.wiring.thermometer import OffsetStore, check_part, part_problems
from gatepost_config.calibration import CalibrationRecord, PointRecord, as_toml
from gatepost_config.load import ConfigError, load, parse
from gatepost_config.settings import Sensor
from gatepost_hal.parts import PARTS

SENSOR, OTHER = "0123456789abcdef", "fedcba9876543210"
RECORD = CalibrationRecord(
    sensor_id=SENSOR,
    chip_emissivity=1.0,
    chip_config=0x9FB4,
    by="M. Mustermann",
    reference="Fluke 4180, no. 12345",
    on=dt.date(2026, 3, 1),
    due=dt.date(2027, 3, 1),
    low=PointRecord(33.0, 32.8),
    high=PointRecord(38.0, 37.9),
)


@pytest.fixture
def settings_with(tmp_path):
    """Return the settings of a gate with some sections changed."""

    def make(**sections):
        least = {
            "gate": {"site": "s", "name": "g"},
            "screening": {},
            "link": {"broker_host": "127.0.0.1"},
            "paths": {"calibration_dir": str(tmp_path)},
        }
        return parse(least | sections, path=Path("gate.toml"))

    return make


# --------------------------------------------------------------------------------------- the part


def test_the_parts_of_the_settings_are_those_that_are_known():
    assert set(get_args(get_type_hints(Sensor)["part"])) == set(PARTS)
    assert Sensor().part in PARTS


def test_the_defaults_fit_their_part(settings_with):
    assert part_problems(settings_with()) == []


@pytest.mark.parametrize(
    ("part", "distance_cm"), [("DCC", 5.0), ("DCC", 6.3), ("BCC", 6.3), ("DCH", 15), ("BBA", 2.0)]
)
def test_a_part_at_a_distance_at_which_it_sees_a_forehead_is_good(part, distance_cm, settings_with):
    settings = settings_with(
        sensor={"part": part, "distance_cm": distance_cm}, lane={"measure_timeout_s": 30.0}
    )
    assert part_problems(settings) == []
    check_part(settings, Path("gate.toml"))


@pytest.mark.parametrize("part", ["BAA", "DAA"])
def test_a_part_that_sees_90_degrees_is_refused_with_those_that_fit(part, settings_with):
    (told,) = part_problems(settings_with(sensor={"part": part, "distance_cm": 10}))
    assert told == (
        f'[sensor] part = "{part}" with distance_cm = 10.0: it sees 90 degrees wide, and only 12% '
        "of that is forehead; take one of BCK, BCH, DCH, "
        "BCF, BCI, DCI."
    )


def test_a_dcc_too_far_away_is_refused_with_how_near_it_must_be(settings_with):
    (told,) = part_problems(settings_with(sensor={"distance_cm": 7}))
    assert told == (
        '[sensor] part = "DCC" with distance_cm = 7.0: it sees 35 degrees wide, and only 80% of '
        "that is forehead; come to 6.3 cm or nearer, or take one of BCK, BCH, DCH, BCF, BCI, DCI."
    )
    remedied = settings_with(sensor={"distance_cm": 6.3})
    assert part_problems(remedied) == []


def test_a_distance_at_which_no_part_sees_a_forehead_is_said_so(settings_with):
    (told,) = part_problems(settings_with(sensor={"distance_cm": 60}))
    assert told.endswith("; come to 6.3 cm or nearer.")


def test_a_slow_part_is_refused_with_the_time_it_needs(settings_with):
    slow = {"part": "BCF", "distance_cm": 10}
    (told,) = part_problems(settings_with(sensor=slow))
    assert told == (
        "[lane] measure_timeout_s = 6.0: 7 samples of a BCF, every 1.47 s, take up to 10.99 s; "
        "allow at least that."
    )
    remedied = settings_with(sensor=slow, lane={"measure_timeout_s": 10.99})
    assert part_problems(remedied) == []


def test_more_samples_need_more_time(settings_with):
    many = settings_with(screening={"samples": 25}, lane={"measure_timeout_s": 9.4})
    (told,) = part_problems(many)
    assert "25 samples of a DCC, every 0.28 s, take up to 9.50 s" in told


def test_a_deadline_must_be_shorter_than_the_parts_pace(settings_with):
    assert part_problems(settings_with(sensor={"deadline_s": 0.27})) == []
    (told,) = part_problems(settings_with(sensor={"deadline_s": 0.28}))
    assert told == (
        "[sensor] deadline_s = 0.28: must be shorter than the 0.28 s between two samples of a DCC."
    )


def test_all_that_does_not_fit_is_told_at_once_with_the_file(settings_with):
    settings = settings_with(sensor={"part": "BAA", "deadline_s": 1.0})
    with pytest.raises(ConfigError) as caught:
        check_part(settings, Path("/etc/gate.toml"))
    told = [problem.partition(" = ")[0] for problem in caught.value.problems]
    assert told == [
        "/etc/gate.toml: [sensor] part",
        "/etc/gate.toml: [lane] measure_timeout_s",
        "/etc/gate.toml: [sensor] deadline_s",
    ]


@pytest.mark.parametrize("words", ["config check", "run", "simulate"])
def test_every_command_of_a_gate_refuses_a_part_that_cannot_see_a_forehead(words, config):
    text = config.read_text()
    config.write_text(text.replace("[sensor]\n", '[sensor]\npart = "BAA"\ndistance_cm = 10\n'))
    done = subprocess.run(
        [sys.executable, "-m", "gatepost", *words.split(), "--config", str(config)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    (told,) = part_problems(load(config))
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"gatepost: {config}: {told}\n")


# ------------------------------------------------------------------------------- what is wired up


def test_every_setting_of_the_thermometer_reaches_the_core(settings_with):
    settings = settings_with(
        sensor={
            "part": "DCH",
            "supply_v": 3.1,
            "emissivity": 0.97,
            "max_drift_c_per_min": 0.2,
            "warm_up_s": 60,
        },
        screening={
            "limit_c": 37.5,
            "guard_c": 0.3,
            "samples": 9,
            "offset_c": 2.7,
            "learns": False,
            "ambient_low_c": 18,
            "ambient_high_c": 30,
            "outside_ambient": "widen",
        },
    )
    setup = thermometer.setup(settings, {})
    assert setup.sample_period_s == PARTS["DCH"].sample_period_s
    limits = setup.limits
    assert (limits.limit_c, limits.guard_c, limits.samples) == (37.5, 0.3, 9)
    assert (limits.ambient_c, limits.widens_outside) == ((18.0, 30.0), True)
    instrument = setup.instrument
    assert (instrument.offset_c, instrument.doubt_c, instrument.noise_c) == (2.7, 0.0, 0.10)
    assert instrument.distance_m == (0.02, PARTS["DCH"].farthest_m)
    correction = instrument.correction
    assert (correction.supply_v, correction.emissivity) == (3.1, 0.97)
    assert correction.calibration is None
    assert setup.expected == (0.10, 60.0, 0.2 / 60, True)
    assert (setup.calibrations, setup.offsets, setup.learns) == ({}, {}, False)


def test_by_default_a_calibration_is_required_and_outside_is_no_information(settings_with):
    setup = thermometer.setup(settings_with(), {})
    assert setup.expected.is_calibrated
    assert setup.learns
    assert not setup.limits.widens_outside
    factory = thermometer.setup(settings_with(sensor={"calibration": "factory"}), {})
    assert not factory.expected.is_calibrated


# ------------------------------------------------------------------------------------ calibrations


def put(folder, record, name=None):
    (folder / f"{name or record.sensor_id}.toml").write_text(as_toml(record), encoding="utf-8")


def calibrations(settings_with):
    return thermometer.setup(settings_with(), {}).calibrations


def test_a_calibration_file_becomes_what_the_core_computes_with(tmp_path, settings_with, caplog):
    put(tmp_path, RECORD)
    found = calibrations(settings_with)
    (calibration,) = found.values()
    assert list(found) == [SENSOR]
    assert calibration.name == RECORD.name
    assert calibration.chip == (SENSOR, 1.0, 0x9FB4)
    assert calibration.corrected_c(32.8) == 33.0
    assert calibration.corrected_c(37.9) == pytest.approx(38.0)
    assert dt.datetime.fromtimestamp(calibration.due_utc_s, dt.UTC).date() == dt.date(2027, 3, 1)
    assert caplog.records == []


@pytest.mark.parametrize(
    ("points", "said"),
    [
        ([(33.0, 32.9), (35.9, 35.8)], "2.90 C apart"),
        ([(38.0, 37.9), (33.0, 32.8)], "-5.00 C apart"),
        ([(33.0, 35.0), (38.0, 38.1)], "+2.00 C off at the low point"),
        ([(33.0, 32.9), (38.0, 36.0)], "-2.00 C off at the high point"),
        ([(33.0, 33.3), (38.0, 37.7)], "the gain must be from 0.95 to 1.05"),
    ],
)
def test_a_calibration_that_is_nonsense_is_told_and_left_out(
    points, said, tmp_path, settings_with, caplog
):
    low, high = (PointRecord(*point) for point in points)
    put(tmp_path, msgspec.structs.replace(RECORD, sensor_id=OTHER, low=low, high=high))
    put(tmp_path, RECORD)
    assert list(calibrations(settings_with)) == [SENSOR]
    messages = [record.getMessage() for record in caplog.records]
    assert messages[0].startswith(f"{tmp_path}/{OTHER}.toml: ")
    assert said in "".join(messages)


def test_a_file_that_is_no_calibration_is_told_and_left_out(tmp_path, settings_with, caplog):
    put(tmp_path, RECORD)
    put(tmp_path, RECORD, OTHER)
    (tmp_path / "0000.toml").write_text("nonsense")
    assert list(calibrations(settings_with)) == [SENSOR]
    told = [(record.levelno, record.getMessage()) for record in caplog.records]
    assert [level for level, _ in told] == [logging.ERROR, logging.ERROR]
    assert told[0][1].startswith(f"{tmp_path}/0000.toml: no calibration: ")
    assert told[1][1].endswith(f"name it {SENSOR}.toml.")


# ------------------------------------------------------------------------------------ the offsets

LEARNT = Offset("a/factory", 2.43, 2.61, settled_c=2.6, people=77, middle_c=36.85)
SETTLING = Offset("b/2026-03-01", 2.43, 2.43, first_c=(2.4, 2.55), people=2)


@pytest.fixture
def file(tmp_path):
    return tmp_path / "offset.json"


def test_what_is_kept_is_there_after_a_restart(file, caplog):
    assert OffsetStore(file).load() == {}
    store = OffsetStore(file)
    store.keep(LEARNT)
    store.keep(SETTLING)
    again = OffsetStore(file)
    assert again.load() == {LEARNT.device: LEARNT, SETTLING.device: SETTLING}
    newer = LEARNT._replace(people=100)
    again.keep(newer)  # and the other device is not forgotten
    assert OffsetStore(file).load() == {LEARNT.device: newer, SETTLING.device: SETTLING}
    assert caplog.records == []


def test_the_eight_devices_that_were_used_last_are_remembered(file):
    store = OffsetStore(file)
    for number in range(9):
        store.keep(LEARNT._replace(device=f"device-{number}"))
    store.keep(LEARNT._replace(device="device-2"))
    store.keep(LEARNT._replace(device="device-9"))
    assert list(OffsetStore(file).load()) == [
        f"device-{number}" for number in (3, 4, 5, 6, 7, 8, 2, 9)
    ]


@pytest.mark.parametrize(
    "content",
    [
        b"\0" * 200,
        b"[[",
        b"{}",
        b'[["a", 2.5]',
        b"[7]",
        b'[["a", "2.5"]]',
        b'[["a", 2.5, NaN, null, [], 0, 36.8, false]]',
        b'[["a", 2.5, null, null, [], 0, 36.8, false]]',
        b'[["\xff", 2.5]]',
        b"x" * 1_000_001,
    ],
    ids=lambda content: repr(content[:30]),
)
def test_a_corrupt_file_is_told_once_and_learning_begins_anew(content, file, caplog):
    file.write_bytes(content)
    store = OffsetStore(file)
    assert store.load() == {}
    (record,) = caplog.records
    assert record.getMessage().startswith(f"{file}: no offsets, learning begins anew: ")
    store.keep(LEARNT)
    assert OffsetStore(file).load() == {LEARNT.device: LEARNT}


@pytest.mark.parametrize(
    "unsound",
    [
        LEARNT._replace(offset_c=3.2),  # further than it may creep
        LEARNT._replace(settled_c=4.0, offset_c=4.0),  # further than the first people may set it
        LEARNT._replace(middle_c=100.0),
        LEARNT._replace(people=-1),
        SETTLING._replace(first_c=(2.5,) * 50),  # would have been set by now
        SETTLING._replace(people=1),
    ],
)
def test_an_offset_that_nobody_can_have_taught_is_left_out(unsound, file):
    good = LEARNT._replace(device="good")
    file.write_bytes(msgspec.json.encode([unsound, good]))
    assert OffsetStore(file).load() == {"good": good}


def test_a_number_that_is_none_is_not_kept_as_one(file):
    # JSON has no NaN: it comes back as nothing, and nothing is no offset.
    OffsetStore(file).keep(LEARNT._replace(offset_c=float("nan")))
    assert OffsetStore(file).load() == {}


def test_a_folder_that_cannot_be_written_is_told_once_and_its_recovery_once(tmp_path, caplog):
    store = OffsetStore(tmp_path / "gate" / "offset.json")
    for _ in range(3):
        store.keep(LEARNT)
    (tmp_path / "gate").mkdir()
    for _ in range(3):
        store.keep(SETTLING)
    assert [record.getMessage() for record in caplog.records] == [
        f"{tmp_path}/gate/offset.json: cannot be written: No such file or directory; what is "
        "learnt is lost at a restart",
        "what is learnt is kept again (failed 3 times)",
    ]
    kept = OffsetStore(tmp_path / "gate" / "offset.json").load()
    assert kept == {LEARNT.device: LEARNT, SETTLING.device: SETTLING}
