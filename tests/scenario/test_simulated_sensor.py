"""One simulated sensor: what `gatepost calibrate --simulated` calibrates, the lane reads with."""

import datetime as dt
import io
from statistics import median

import pytest

from gatepost.cli.bench_sensor import simulated_bench
from gatepost.cli.main import main
from gatepost.core.correction import Correction, corrected
from gatepost.demo import SIMULATED_ERROR_C
from gatepost.demo.sensor import simulated_calibration, simulated_sensor
from gatepost.wiring.thermometer import calibration_of
from gatepost_config.calibration import load_calibration
from gatepost_config.load import load
from gatepost_hal.ports import Reading
from gatepost_hal.simulated.lane import SimulatedLane
from gatepost_hal.simulated.people.crowd import people
from gatepost_hal.simulated.world import World
from gatepost_services.contract.events import decode
from gatepost_services.journal import JournalReader

from .rosters import import_roster
from .test_run import gatepost

SHOWN_C = (30.0, 39.0)
DAY = dt.date(2026, 11, 23)
NEAR_C = 0.12  # the median of 100 samples of a DCC, and of the 25 of each point


@pytest.fixture(params=[3.0, 3.3], ids=["3.0 V", "3.3 V"])
def config(request, tmp_path):
    path = tmp_path / "gatepost.toml"
    for name in ("gate", "link", "run/gate", "run/link"):
        (tmp_path / name).mkdir(parents=True)
    path.write_text(
        '[gate]\nsite = "s"\nname = "g"\n[screening]\nlearns = false\n'
        f"[link]\nbroker_host = 'h'\n[sensor]\nsupply_v = {request.param}\n"
        f'[paths]\ngate_dir = "{tmp_path}/gate"\nlink_dir = "{tmp_path}/link"\n'
        f'roster = "{tmp_path}/roster.db"\nroster_key = "{tmp_path}/roster.key"\n'
        f'run_dir = "{tmp_path}/run"\ncalibration_dir = "{tmp_path}/calibration"\n'
    )
    return path


@pytest.fixture
def record(config, tmp_path, monkeypatch):
    """What the command wrote, as the manual has it typed."""
    monkeypatch.setattr("sys.stdin", io.StringIO("33\n38\ny\n"))
    words = ("--simulated", "--by", "Li Wei", "--reference", "BB-1", "--config", str(config))
    assert main(["calibrate", *words]) == 0
    (path,) = tmp_path.glob("calibration/*.toml")
    return load_calibration(path)


def read(settings, shown_c, *, seed):
    """Return what a simulated lane makes of a black surface, before any calibration."""
    world = World()
    lane = SimulatedLane(world, chip=simulated_sensor(world, settings.sensor, seed=seed))
    lane.chip.scene = lambda _at_s: shown_c
    world.advance(10.0)
    readings = []
    while len(readings) < 100:
        world.advance(0.4)
        found = lane.thermometer.measure()
        assert isinstance(found, Reading)
        readings.append(found)
    lane.close()
    return readings


@pytest.mark.parametrize("seed", [0, 42])
def test_without_a_calibration_the_lane_reads_too_high_and_with_it_right(config, record, seed):
    settings = load(config)
    delivered = Correction(settings.sensor.supply_v)  # a black surface: nothing of skin
    calibrated = Correction(settings.sensor.supply_v, calibration=calibration_of(record))
    for shown_c in SHOWN_C:
        readings = read(settings, shown_c, seed=seed)
        found_c = [
            median(corrected(each, correction).object_c for each in readings)
            for correction in (delivered, calibrated)
        ]
        assert found_c == pytest.approx([shown_c + SIMULATED_ERROR_C, shown_c], abs=NEAR_C)


def test_it_is_one_and_the_same_part_on_the_bench_and_in_the_lane(config):
    settings = load(config)
    with simulated_bench(settings) as bench:
        on_the_bench = bench.sample().chip
    (in_the_lane,) = {each.chip for each in read(settings, 34.0, seed=7)}
    assert on_the_bench == in_the_lane
    assert on_the_bench.sensor_id == simulated_calibration(settings.sensor, DAY).sensor_id


def test_the_calibration_of_the_demo_is_what_the_guide_would_find(config, record):
    made = simulated_calibration(load(config).sensor, record.on)
    assert (made.sensor_id, made.chip_config) == (record.sensor_id, record.chip_config)
    for mine, found in ((made.low, record.low), (made.high, record.high)):
        assert mine.reference_c == found.reference_c
        assert mine.measured_c == pytest.approx(found.measured_c, abs=NEAR_C)


def visits(config, tmp_path):
    """Return what the gate measured of people in a simulated lane of these settings."""
    rows = [f"{who.credential},{who.subject},resident\n" for who in people(3, seed=5)]
    import_roster(tmp_path, "credential,subject,category\n" + "".join(rows)).close()
    result = gatepost("simulate", "--config", config, "--people", 3, "--seed", 5, "--speed", 1000)
    assert result.returncode == 0, result.stderr
    with JournalReader(tmp_path / "gate/journal.db") as journal:
        events = [decode(each.body) for each in journal.read(0, 1000).records]
    return [each.data for each in events if each.data.get("samples_c")]


def test_the_gate_of_the_simulated_lane_takes_the_calibration(config, record, tmp_path):
    found = visits(config, tmp_path)
    assert {each["calibration"] for each in found} == {calibration_of(record).name}
    shift_c = 0.6 * (load(config).sensor.supply_v - 3.0)
    for each in found:
        assert each["skin_c"] == pytest.approx(
            each["object_c"] - shift_c - SIMULATED_ERROR_C, abs=0.25
        )


def test_a_sensor_without_a_calibration_is_not_trusted_there(config, tmp_path):
    found = visits(config, tmp_path)
    assert {each["calibration"] for each in found} == {None}
    assert "untrusted" in {each["reason"] for each in found}
    assert {each["zone"] for each in found} == {"no_information"}
