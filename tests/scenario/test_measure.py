"""`gatepost measure` on a simulated sensor, in virtual time: what a technician is told."""

import datetime as dt
import json
import re
from itertools import count, pairwise

import msgspec
import pytest

from gatepost.cli.bench_sensor import Bench
from gatepost.cli.main import main
from gatepost.cli.measure import once
from gatepost.cli.measure_session import Session
from gatepost.cli.measure_text import NO_DIAGNOSIS
from gatepost.cli.measure_watch import watch
from gatepost.core.offset import Offset
from gatepost_config.calibration import CalibrationRecord, PointRecord, as_toml
from gatepost_config.load import parse
from gatepost_hal.mlx90614 import Mlx90614
from gatepost_hal.simulated.mlx90614 import DCC, ChipFault, SimulatedI2cBus, SimulatedMlx90614
from gatepost_hal.simulated.scenes import Forehead, sway
from gatepost_hal.simulated.world import World

ERROR_C = 0.4  # of the sensor; the calibration mends it
# A 35 degree part sees some face and room around a forehead at 5 cm: about 0.4 C less.
HEALTHY = Forehead(skin_c=34.5)
FEVERISH = Forehead(skin_c=34.5, fever_c=2.0)


class Desk:
    """A calibrated sensor that a technician holds something in front of."""

    def __init__(self, tmp_path, *, is_calibrated=True, due="2027-01-01", **sensor):
        self.world = World()
        self.chip = SimulatedMlx90614(self.world, seed=3, supply_v=3.3)
        self.chip.drift_c = ERROR_C
        words = (self.chip.eeprom[cell] for cell in range(0x3C, 0x40))
        self.sensor_id = "".join(f"{word:04x}" for word in words)
        self.settings = parse(
            {
                "gate": {"site": "s", "name": "g"},
                "screening": {},
                "sensor": sensor,
                "link": {"broker_host": "h"},
                "paths": {
                    "calibration_dir": str(tmp_path),
                    "gate_dir": str(tmp_path),
                },
            },
            path=tmp_path,
        )
        self.device = "none"
        if is_calibrated:
            low, high = (PointRecord(c, c + ERROR_C) for c in (33.0, 38.0))
            record = CalibrationRecord(
                sensor_id=self.sensor_id,
                chip_emissivity=1.0,
                chip_config=0x9FB4,
                by="A",
                reference="B",
                on=dt.date(2026, 1, 1),
                due=dt.date.fromisoformat(due),
                low=low,
                high=high,
            )
            (tmp_path / f"{self.sensor_id}.toml").write_text(as_toml(record))
            self.device = record.name
        bus = SimulatedI2cBus(self.chip, world=self.world)
        self.bench = Bench(
            Mlx90614(bus.open, clock=self.world, pause=self.world.spend),
            self.world,
            self.world.advance,
            DCC.sample_period_s,
        )
        self.world.advance(1.0)

    def show(self, forehead):
        self.chip.scene = forehead.scene(DCC)

    def session(self, settled_c=2.6):
        learnt = Offset(self.device, 2.5, settled_c, settled_c=settled_c, people=80)
        return Session(self.settings, self.bench, {self.device: learnt})

    def watch(self, samples, *, as_json=False, do=None):
        """Watch so many samples; `do` maps the number of one to what happens before it."""
        number = count()

        def goes_on():
            at = next(number)
            (do or {}).get(at, lambda: None)()
            return at < samples

        watch(self.session(), as_json=as_json, goes_on=goes_on)


@pytest.fixture
def desk(tmp_path):
    return lambda **keywords: Desk(tmp_path, **keywords)


def fault(at, kind):
    return lambda: setattr(at.chip, "fault", kind)


# ------------------------------------------------------------------------------- one attempt


def test_a_healthy_forehead_passes(desk, capsys):
    at = desk()
    at.show(HEALTHY)
    assert once(at.session(), as_json=False) == 0
    out = capsys.readouterr().out
    assert "zone     pass, because: below limit" in out
    assert 'told     "please go"' in out
    assert f"{at.sensor_id}/2026-01-01" in out
    assert "due 2027-01-01" in out
    assert "learnt from 80 people" in out
    assert NO_DIAGNOSIS in out
    assert "! " not in out


def test_a_feverish_forehead_is_referred(desk, capsys):
    at = desk()
    at.show(FEVERISH)
    assert once(at.session(), as_json=False) == 0
    out = capsys.readouterr().out
    assert "zone     refer, because: above limit" in out
    assert "please wait for staff" in out


def test_somebody_who_rocks_is_told_to_hold_still(desk, capsys):
    at = desk()
    at.show(Forehead(skin_c=34.5, distance_m=sway(0.10, by_m=0.08, period_s=1.7)))
    assert once(at.session(), as_json=False) == 0
    assert "hold still in front" in capsys.readouterr().out


def test_json_has_the_numbers_of_the_text(desk, capsys):
    at = desk()
    at.show(HEALTHY)
    assert once(at.session(), as_json=True) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["sensor_id"] == at.sensor_id
    assert told["offset_c"] == 2.6
    assert len(told["samples"]) == 7
    assert told["object_c"] - told["skin_c"] == pytest.approx(ERROR_C + 0.18 - 0.2, abs=0.1)
    assert told["zone"] == "pass"
    assert told["faults"] == {}
    assert told["failure"] is None
    assert told["simulated"] is False


def test_without_a_calibration_there_are_numbers_and_no_information(desk, capsys):
    at = desk(is_calibrated=False)
    at.show(HEALTHY)
    assert once(at.session(), as_json=False) == 0
    out = capsys.readouterr().out
    assert "none here" in out
    assert "zone     no information, because: untrusted" in out
    assert "run gatepost calibrate" in " ".join(out.split())
    assert "index    3" in out


def test_the_factory_may_be_enough(desk, capsys):
    at = desk(is_calibrated=False, calibration="factory")
    at.show(HEALTHY)
    once(at.session(), as_json=False)
    assert "untrusted" not in capsys.readouterr().out


def test_a_calibration_past_its_date_is_told(desk, capsys):
    at = desk(due="2026-02-01")
    at.show(HEALTHY)
    assert once(at.session(), as_json=False) == 0
    out = capsys.readouterr().out
    assert "zone     pass" in out
    assert "! calibration due" in out


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (ChipFault.NACK, "absent: .*Check the sensor's plug"),
        (ChipFault.STUCK_BUS, "timeout: .*short circuit"),
        (ChipFault.BAD_PEC, "bad_pec: .*cable"),
        (ChipFault.ALL_ONES, "bad_pec: .*cable"),
        (ChipFault.ERROR_FLAG, "flagged: .*replace it"),
    ],
)
@pytest.mark.parametrize("as_json", [False, True])
def test_a_sensor_that_does_not_answer_has_status_1_and_a_remedy(
    desk, kind, words, as_json, capsys
):
    at = desk()
    at.chip.fault = kind
    with pytest.raises(SystemExit) as ended:
        once(at.session(), as_json=as_json)
    assert ended.value.code == 1
    out, err = capsys.readouterr()
    assert re.search(words, err)
    assert bool(out) is as_json
    if as_json:
        told = json.loads(out)
        assert told["index_c"] is None
        assert told["zone"] == "no_information"
        assert told["failure"] is not None


def test_one_lost_sample_does_not_end_the_attempt(desk, capsys):
    at = desk()
    at.show(HEALTHY)
    now_s = at.world.now_s()
    at.world.call_at(now_s + 0.5, fault(at, ChipFault.BAD_PEC))
    at.world.call_at(now_s + 0.9, fault(at, None))
    assert once(at.session(), as_json=True) == 0
    told = json.loads(capsys.readouterr().out)
    assert len(told["samples"]) == 7
    assert told["failure"].startswith("The sensor does not answer: bad_pec")


def test_a_sensor_that_stands_still_is_said_so_in_the_end(desk, capsys):
    at = desk()
    at.show(HEALTHY)
    at.world.advance(0.5)
    at.chip.fault = ChipFault.FROZEN
    assert once(at.session(), as_json=False) == 0
    out = capsys.readouterr().out
    assert "because: frozen" in out
    assert "! sensor frozen" in out


# ------------------------------------------------------------------------------- for ever


def test_watching_survives_faults_and_shows_when_they_end(desk, capsys):
    at = desk()
    at.show(HEALTHY)
    at.watch(40, do={10: fault(at, ChipFault.BAD_PEC), 15: fault(at, None)})
    out = capsys.readouterr().out
    assert out.count("NO ANSWER: bad_pec") == 5
    assert out.count("shorten or shield") == 1  # the remedy once, not at every line
    assert "ANSWERS AGAIN after 5 without" in out
    assert out.index("ANSWERS AGAIN") < out.rindex("34.")


@pytest.mark.parametrize("kind", list(ChipFault))
def test_no_fault_ends_the_watch_and_every_one_is_over_in_the_end(desk, kind, capsys):
    at = desk()
    at.show(HEALTHY)
    at.watch(80, as_json=True, do={10: fault(at, kind), 30: fault(at, None)})
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(lines) == 80
    assert all(line["failure"] is None and not line["faults"] for line in lines[:10])
    assert any(line["failure"] or line["faults"] for line in lines[10:31])
    assert all(line["failure"] is None for line in lines[30:])


def test_what_the_watch_finds_is_told_when_it_begins_and_when_it_ends(desk, capsys):
    at = desk()
    at.show(HEALTHY)
    at.watch(40, do={10: fault(at, ChipFault.FROZEN), 30: fault(at, None)})
    out = capsys.readouterr().out
    assert out.count("! sensor frozen") == 1
    assert out.count("over: sensor frozen") == 1
    assert "  frozen\n" in out


def test_another_sensor_is_announced(desk, capsys):
    at = desk()
    at.show(HEALTHY)
    at.watch(80, do={20: lambda: at.chip.eeprom.update({0x3C: 0xABCD})})
    out = capsys.readouterr().out
    assert out.count("sensor   ") == 2
    assert "sensor   abcd" in out
    assert "! sensor untrusted" in out


def test_a_sensor_that_was_away_warms_up_again(desk, capsys):
    at = desk()
    at.show(HEALTHY)
    at.watch(90, do={10: fault(at, ChipFault.NACK), 60: fault(at, None)})
    assert "or came back, a short time ago" in " ".join(capsys.readouterr().out.split())


def test_all_lines_fit_a_narrow_screen(desk, capsys):
    at = desk(is_calibrated=False)
    at.show(HEALTHY)
    kinds = [*ChipFault, None]
    at.watch(400, do={20 * (i + 1): fault(at, kind) for i, kind in enumerate(kinds)})
    at.show(HEALTHY)
    once(at.session(), as_json=False)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) < 80
    assert max(len(line) for line in lines if line[2:3] == ":") <= 64


def test_json_lines_have_units_and_a_spread_of_the_last_samples(desk, capsys):
    at = desk()
    at.show(HEALTHY)
    at.watch(30, as_json=True)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    skins_c = [line["skin_c"] for line in lines]
    assert lines[0]["spread_c"] == 0
    assert lines[-1]["spread_c"] == pytest.approx(max(skins_c[-7:]) - min(skins_c[-7:]), abs=0.002)
    assert {line["sensor_id"] for line in lines} == {at.sensor_id}
    assert all(b["utc_s"] > a["utc_s"] for a, b in pairwise(lines))
    expected = lines[-1]["skin_c"] - 0.18 * (lines[-1]["ambient_c"] - 24) + lines[-1]["offset_c"]
    assert lines[-1]["index_c"] == pytest.approx(expected, abs=0.002)


# ------------------------------------------------------------------------------- the command


@pytest.fixture
def file(tmp_path):
    """A settings file whose calibrations and bus are not those of this machine."""
    path = tmp_path / "gatepost.toml"
    path.write_text(
        '[gate]\nsite = "s"\nname = "g"\n[screening]\n[link]\nbroker_host = "h"\n[paths]\n'
        f'gate_dir = "{tmp_path}"\ncalibration_dir = "{tmp_path}/calibration"\n'
        "[sensor]\ni2c_bus = 250\n"
    )
    return path


def measure(file, *more):
    return main(["measure", "--config", str(file), *more])


def test_the_simulated_sensor_sees_the_number(file, capsys):
    assert measure(file, "--simulated", "34.5", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["object_c"] == pytest.approx(34.5 + 0.3 + 0.18, abs=0.2)
    assert told["simulated"] is True


def test_the_text_says_what_is_simulated(file, capsys):
    assert measure(file, "--simulated", "34.5") == 0
    out = capsys.readouterr().out
    assert out.startswith("SIMULATED")
    assert max(map(len, out.splitlines())) < 80


def test_ctrl_c_is_the_good_end_of_a_watch(file, monkeypatch, capsys):
    pauses = count()

    def sleep(_duration_s):
        if next(pauses) == 5:
            raise KeyboardInterrupt

    monkeypatch.setattr("time.sleep", sleep)
    assert measure(file, "--simulated", "34.5", "--watch", "--json") == 0
    assert len(capsys.readouterr().out.splitlines()) == 5


def test_a_bus_that_is_not_there_has_status_1(file, monkeypatch, capsys):
    monkeypatch.setattr("time.sleep", lambda _duration_s: None)
    with pytest.raises(SystemExit) as ended:
        measure(file)
    assert ended.value.code == 1
    assert "/dev/i2c-250" in capsys.readouterr().err


def test_what_the_gate_learnt_counts_here_too(file, tmp_path, capsys):
    measure(file, "--simulated", "34.5", "--json")
    before = json.loads(capsys.readouterr().out)
    learnt = Offset(f"{before['sensor_id']}/factory", 2.5, 3.1, settled_c=3.1, people=60)
    (tmp_path / "offset.json").write_bytes(msgspec.json.encode([learnt]))
    measure(file, "--simulated", "34.5", "--json")
    after = json.loads(capsys.readouterr().out)
    assert after["offset_c"] == 3.1
    assert after["index_c"] - before["index_c"] == pytest.approx(0.6, abs=0.002)
    assert msgspec.json.decode((tmp_path / "offset.json").read_bytes(), type=list[Offset]) == [
        learnt
    ]


def test_what_the_gate_learnt_and_nobody_can_read_is_told(file, tmp_path, capsys):
    (tmp_path / "offset.json").mkdir()
    assert measure(file, "--simulated", "34.5") == 0
    out, err = capsys.readouterr()
    assert "sudo" in err
    assert "2.50 C, being learnt" in out


@pytest.mark.parametrize("celsius", ["-1", "61", "nan", "warm"])
def test_a_scene_that_makes_no_sense_has_status_2(file, celsius):
    with pytest.raises(SystemExit) as ended:
        measure(file, "--simulated", celsius)
    assert ended.value.code == 2


def test_bad_settings_have_status_2(file, capsys):
    file.write_text(file.read_text() + 'part = "BAA"\n')
    assert measure(file, "--simulated", "34.5") == 2
    assert "90 degrees" in capsys.readouterr().err
