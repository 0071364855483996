"""`gatepost calibrate` on a simulated sensor, in virtual time: what it writes, what it refuses."""

import datetime as dt
import os
from statistics import median

import pytest
from msgspec.structs import replace

from gatepost.cli.bench_sensor import Bench
from gatepost.cli.calibrate import (
    Guide,
    Signature,
    check_writable,
    former,
    months_later,
    say_what_follows,
    write,
)
from gatepost.cli.calibration_point import RefusedError, StoppedError, measure_point
from gatepost.core.correction import Correction, corrected
from gatepost.wiring.thermometer import calibration_of
from gatepost_config.calibration import load_calibration
from gatepost_config.load import parse
from gatepost_config.settings import Sensor
from gatepost_hal.mlx90614 import Mlx90614
from gatepost_hal.parts import PARTS
from gatepost_hal.simulated.mlx90614 import ChipFault, SimulatedI2cBus, SimulatedMlx90614
from gatepost_hal.simulated.world import World

SIGNED = Signature("A. Smith", "Testo 350, no. 7, certificate 2026-11", 12)


class Desk:
    """A sensor, a blackbody, and a technician who types what the script says.

    An entry of the script may be a function: it is done before the next entry is typed.
    """

    def __init__(self, tmp_path, *script, part="DCC", seed=1, **world):
        self.world = World(**world)
        self.chip = SimulatedMlx90614(self.world, part=PARTS[part], seed=seed, supply_v=3.3)
        bus = SimulatedI2cBus(self.chip, world=self.world)
        self.script = list(script)
        self.settings = parse(
            {
                "gate": {"site": "s", "name": "g"},
                "screening": {},
                "sensor": {"part": part},
                "link": {"broker_host": "h"},
                "paths": {
                    "calibration_dir": str(tmp_path / "calibration"),
                    "gate_dir": str(tmp_path),
                },
            },
            path=tmp_path,
        )
        self.sees = lambda celsius: celsius  # of the temperature that is typed
        self.bench = Bench(
            Mlx90614(bus.open, clock=self.world, pause=self.world.spend),
            self.world,
            self.world.advance,
            PARTS[part].sample_period_s,
            self.look_at,
        )
        self.world.advance(1.0)

    def look_at(self, celsius):
        self.chip.scene = lambda _at_s: self.sees(celsius)

    def ask(self, _question):
        while self.script and callable(self.script[0]):
            self.script.pop(0)()
        if not self.script:
            raise EOFError
        return self.script.pop(0)

    def calibrate(self):
        return Guide(self.settings, self.bench, ask=self.ask).calibrate(SIGNED)

    @property
    def path(self):
        words = (self.chip.eeprom[cell] for cell in range(0x3C, 0x40))
        name = "".join(f"{word:04x}" for word in words)
        return self.settings.paths.calibration_dir / f"{name}.toml"

    def look(self, celsius, calibration, count=200):
        """Return the median of what the sensor makes of a temperature, calibrated."""
        self.look_at(celsius)
        correction = Correction(supply_v=3.3, calibration=calibration)
        samples = [self.bench.sample() for _ in range(count)]
        return median(corrected(sample, correction).object_c for sample in samples)


@pytest.fixture
def desk(tmp_path):
    return lambda *script, **keywords: Desk(tmp_path, *script, **keywords)


def wave(desk):
    """A hand before the lens for a third of a second, every ten seconds."""
    desk.sees = lambda celsius: celsius - 2.5 * (desk.world.now_s() % 10 < 0.35)


def climb(desk):
    desk.sees = lambda celsius: celsius + 1.2 / 60 * desk.world.now_s()


def warm_up(desk):
    desk.chip.room_c = 32.0  # the die follows for minutes


TROUBLES = {
    "a hand": (wave, "scatter"),
    "a blackbody on its way": (climb, "a minute. Wait until"),
    "a die on its way": (warm_up, "can drifts"),
    "a chip that stands still": (
        lambda desk: setattr(desk.chip, "fault", ChipFault.FROZEN),
        "readings or more of exactly",
    ),
    "a disturbed bus": (lambda desk: setattr(desk.chip, "fault", ChipFault.PEC_STORM), ""),
    "no sensor": (lambda desk: setattr(desk.chip, "fault", ChipFault.NACK), "absent"),
    "a short circuit": (lambda desk: setattr(desk.chip, "fault", ChipFault.STUCK_BUS), "timeout"),
    "a part that gives up": (
        lambda desk: setattr(desk.chip, "fault", ChipFault.ERROR_FLAG),
        "flagged",
    ),
    "a wrong number typed": (
        lambda desk: setattr(desk, "sees", lambda celsius: celsius + 2.0),
        "wrong reference or distance",
    ),
}


# ------------------------------------------------------------------------------- a good run


@pytest.mark.parametrize(("gain", "error_c"), [(1.0, 0.0), (1.0, 0.4), (1.0, -1.0), (1.03, -0.8)])
def test_the_file_makes_the_readings_agree_with_the_reference(desk, gain, error_c):
    at = desk("33.02", "37,95")
    at.sees = lambda celsius: 33.0 + gain * (celsius - 33.0) + error_c
    write(at.calibrate(), at.path)
    record = load_calibration(at.path)
    assert (record.by, record.reference) == (SIGNED.by, SIGNED.reference)
    assert (record.low.reference_c, record.high.reference_c) == (33.02, 37.95)
    assert record.due == months_later(record.on, 12)
    for celsius in (33.0, 36.0, 38.0):
        assert at.look(celsius, calibration_of(record)) == pytest.approx(celsius, abs=0.1)


@pytest.mark.parametrize("part", ["DCC", "BAA", "BBA"])
def test_a_steady_blackbody_is_not_refused(desk, part, capsys):
    for seed in range(20):
        at = desk("33", "38", part=part, seed=seed)
        at.chip.drift_c = 0.3
        record = at.calibrate()
        assert record.low.measured_c == pytest.approx(33.3, abs=0.12)
        assert record.high.measured_c == pytest.approx(38.3, abs=0.12)
    assert "Not good" not in capsys.readouterr().out


def test_it_says_step_by_step_what_to_do_in_short_lines(desk, capsys, tmp_path):
    desk("33", "38").calibrate()
    out = capsys.readouterr().out
    for words in ("about 33 C", "about 38 C", "fills the view", "Wait until", "median", "Good:"):
        assert words in out
    assert all(len(line) < 80 for line in out.splitlines() if str(tmp_path) not in line)


# ------------------------------------------------------------------------------- what it refuses


@pytest.mark.parametrize("name", TROUBLES)
def test_a_point_that_is_not_steady_is_refused_and_tried_again(desk, name, capsys):
    cause, words = TROUBLES[name]

    def mend():
        at.chip.fault, at.sees = None, lambda celsius: celsius
        at.chip.settle(24.0)

    at = desk("33", lambda: cause(at), "38", mend, "38")
    record = at.calibrate()
    (refusal,) = capsys.readouterr().out.split("Not good")[1:]
    assert "try 1 of 3" in refusal
    assert words in " ".join(refusal.split())
    assert record.high.measured_c == pytest.approx(38.0, abs=0.12)


@pytest.mark.parametrize("name", TROUBLES)
def test_after_three_tries_it_ends(desk, name):
    at = desk(lambda: TROUBLES[name][0](at), "33", "33", "33", "33")
    with pytest.raises(StoppedError, match="3 tries"):
        at.calibrate()
    assert at.script == ["33"]


@pytest.mark.parametrize("part", ["DCC", "BAA", "BBA"])
def test_every_part_shows_the_drift_of_its_die(desk, part):
    at = desk(part=part)
    at.look_at(33.0)
    event = at.bench.sample()
    at.chip.room_c = 26.0  # 0.28 C a minute at first
    with pytest.raises(RefusedError, match="can drifts"):
        measure_point(at.bench, Sensor(part=part), event.chip)


@pytest.mark.parametrize(
    "typed", ["", "warm", "27.9", "45.1", "43", "nan", "inf", "-inf", "33 38", "1e9", "--"]
)
def test_what_is_no_temperature_is_asked_for_again(desk, typed, capsys):
    record = desk(typed, "33", "38").calibrate()
    assert record.low.reference_c == 33.0
    out = capsys.readouterr().out
    assert "is no number" in out or "cannot be used here: from 28 to 42 C" in out


def test_the_second_point_must_be_well_above_the_first(desk, capsys):
    record = desk("34", "33", "36.9", "37 C").calibrate()
    assert (record.low.reference_c, record.high.reference_c) == (34.0, 37.0)
    assert capsys.readouterr().out.count("from 37 to 45 C") == 2


def test_a_gain_that_no_part_has_is_refused(desk, capsys):
    at = desk("33", "38", "38", "38")
    at.sees = lambda celsius: 33.0 + 1.2 * (celsius - 33.0)
    with pytest.raises(StoppedError, match="3 tries at point 2"):
        at.calibrate()
    assert "the gain must be" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(("cell", "word"), [(0x3C, 0x1234), (0x24, 0xF000), (0x25, 0x9FB0)])
def test_another_sensor_for_the_second_point_ends_it(desk, cell, word):
    at = desk("33", lambda: at.chip.eeprom.update({cell: word}), "38", "38", "38")
    with pytest.raises(StoppedError, match="Another sensor answers now"):
        at.calibrate()


def test_a_part_whose_cells_are_nonsense_gets_no_calibration(desk):
    at = desk("33", "33", "33")
    at.chip.eeprom[0x24] = 0  # an emissivity of nothing
    with pytest.raises(StoppedError, match="3 tries at point 1"):
        at.calibrate()


@pytest.mark.parametrize("script", [(), ("33",), ("no", "33", "no")])
def test_the_end_of_the_input_ends_it(desk, script):
    with pytest.raises(StoppedError, match="input ended"):
        desk(*script).calibrate()


def test_without_a_sensor_nothing_is_asked(desk):
    at = desk("33", "38")
    at.chip.fault = ChipFault.NACK
    with pytest.raises(StoppedError, match=r"absent: .*Check the sensor's plug"):
        at.calibrate()
    assert at.script == ["33", "38"]


def test_a_sensor_that_answers_on_the_second_try_is_taken(desk):
    at = desk("33", "38")
    at.chip.fault = ChipFault.BAD_PEC
    at.world.call_at(at.world.now_s() + 0.5, lambda: setattr(at.chip, "fault", None))
    assert at.calibrate().low.reference_c == 33.0


def test_a_clock_that_was_never_set_is_told_before_the_work(desk):
    at = desk("33", "38", start_utc_s=0.0)
    with pytest.raises(StoppedError, match=r"1970-01-01.*timedatectl"):
        at.calibrate()
    assert at.script == ["33", "38"]


def test_a_folder_that_cannot_be_written_is_told_before_the_work(desk, tmp_path):
    (tmp_path / "calibration").write_text("no folder")
    at = desk("33", "38")
    with pytest.raises(StoppedError, match="sudo"):
        at.calibrate()
    assert at.script == ["33", "38"]
    check_writable(tmp_path / "may" / "be" / "made")


# ------------------------------------------------------------------------------- the file


def test_the_gate_can_read_folder_and_file_whatever_the_umask(desk):
    at = desk("33", "38")
    record = at.calibrate()
    umask = os.umask(0o077)
    try:
        write(record, at.path)
        write(record, at.path)
    finally:
        os.umask(umask)
    assert at.path.parent.stat().st_mode & 0o777 == 0o755
    files = list(at.path.parent.iterdir())
    assert {file.stat().st_mode & 0o777 for file in files} == {0o644}
    assert sorted(file.name for file in files) == [at.path.name, f"{at.path.name}.previous"]


def test_the_former_file_is_kept_and_told(desk, capsys):
    at = desk("33", "38")
    record = at.calibrate()
    write(record, at.path)
    first = at.path.read_bytes()
    at.script = ["32", "39"]
    capsys.readouterr()
    second = at.calibrate()
    assert "Before: calibrated on 2026-09-21 by A. Smith" in capsys.readouterr().out
    write(second, at.path)
    assert at.path.with_name(f"{at.path.name}.previous").read_bytes() == first
    assert load_calibration(at.path) == second


def test_a_bad_former_file_is_told_kept_and_replaced(desk, capsys):
    at = desk("33", "38")
    at.path.parent.mkdir()
    at.path.write_bytes(b"\xff rubbish")
    record = at.calibrate()
    assert "a file that does not count" in capsys.readouterr().out
    write(record, at.path)
    assert load_calibration(at.path) == record
    assert at.path.with_name(f"{at.path.name}.previous").read_bytes() == b"\xff rubbish"


def test_a_file_of_another_sensor_does_not_count(desk):
    at = desk("33", "38")
    write(at.calibrate(), at.path)
    other = at.path.with_name("0123456789abcdef.toml")
    at.path.rename(other)
    assert "does not count" in former(other)
    assert "of sensor" in former(other)


def test_a_write_that_fails_ends_with_status_1(desk, capsys):
    at = desk("33", "38")
    record = at.calibrate()
    at.path.mkdir(parents=True)  # in the way
    with pytest.raises(SystemExit) as ended:
        write(record, at.path)
    assert ended.value.code == 1
    assert "still counts" in capsys.readouterr().err


def test_the_technician_is_told_what_follows(desk, capsys):
    say_what_follows(desk().settings)
    out = capsys.readouterr().out
    assert "systemctl restart" in out
    assert "learns its offset anew" in out


def test_two_calibrations_of_one_day_are_two_devices_to_the_learning(desk):
    first, second = (desk("33", high).calibrate() for high in ("38", "38.5"))
    assert first.on == second.on
    assert first.name != second.name


def test_an_offset_set_by_hand_is_to_be_checked(desk, capsys):
    at = desk("33", "38")
    kept = replace(at.settings.screening, learns=False)
    say_what_follows(replace(at.settings, screening=kept))
    assert "check it" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("months", "day"),
    [(1, "2026-02-28"), (12, "2027-01-31"), (13, "2027-02-28"), (3, "2026-04-30")],
)
def test_a_month_later_is_the_same_day_or_the_last(months, day):
    assert months_later(dt.date(2026, 1, 31), months) == dt.date.fromisoformat(day)
