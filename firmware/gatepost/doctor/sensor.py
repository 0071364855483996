"""The thermometer and its bus: who answers, whether it can be believed, how it was calibrated."""

import re
from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from math import sqrt
from statistics import mean, median
from typing import NamedTuple

from gatepost.core.correction import calibration_problems
from gatepost.doctor.model import Finding, Fine, Skipped, Wrong
from gatepost.doctor.site import Site
from gatepost.wiring.thermometer import calibration_of
from gatepost_config.calibration import load_calibrations
from gatepost_hal.mlx90614 import EEPROM_ID, BusError, CheckedBus, Mlx90614
from gatepost_hal.parts import PARTS
from gatepost_hal.ports import Chip, Reading, SensorFault, SensorFaultKind

# About so long is the sensor read, in samples of its own pace.
_LOOK_S = 8.0
_FEWEST, _MOST = 6, 25
_GIVE_UP = 3  # samples in a row without any answer
# Of good series of 6 less than 0.1 % have so much noise, of 25 none (20,000 each, simulated). Too
# little is judged of long series only: of 6 some 2 % have less than a third by chance.
_NOISY, _QUIET, _LONG = 2.5, 1 / 3, 20
_STORM_SHARE = 0.1
_POSSIBLE_AMBIENT_C = (-30.0, 60.0)
_ADDRESSES = range(0x08, 0x78)
# A word that is its own check code: no part said that.
_EMPTY = re.compile(r"word (0xFFFF(?= with PEC 0xFF)|0x0000(?= with PEC 0x00))")
_SCAN_DEADLINE_S = 0.001  # one attempt each
# Configuration 1, bits 10 to 8 and 2 to 0 (datasheet p. 15): FIR 1024, and no IIR or one of 50 %.
_PLAIN, _HALF = (7, 4), (7, 0)
_SETTLES_PLAIN_S, _SETTLES_HALF_S = 0.14, 1.33


class Looked(NamedTuple):
    """What a series of samples gave."""

    samples: tuple[Reading | SensorFault, ...]

    @property
    def readings(self) -> list[Reading]:
        """Those that are temperatures."""
        return [each for each in self.samples if isinstance(each, Reading)]

    @property
    def faults(self) -> list[SensorFault]:
        """Those that are not."""
        return [each for each in self.samples if isinstance(each, SensorFault)]

    @property
    def chip(self) -> Chip | None:
        """Who answered last."""
        return next((each.chip for each in reversed(self.readings) if each.chip), None)

    def all_are(self, *kinds: SensorFaultKind) -> bool:
        """Return whether each sample failed, and for one of these reasons."""
        return all(isinstance(each, SensorFault) and each.kind in kinds for each in self.samples)


def look(site: Site) -> Looked:
    """Return a series of samples, taken once for all checks of one run."""
    if not isinstance(known := site.memory.get(__name__), Looked):
        known = site.memory[__name__] = _sampled(site)
    return known


def _sampled(site: Site) -> Looked:
    settings = site.settings.sensor
    period_s = PARTS[settings.part].sample_period_s
    wanted = min(max(int(_LOOK_S / period_s), _FEWEST), _MOST)
    thermometer = Mlx90614(
        partial(site.open_bus, settings.i2c_bus),
        clock=site.clock,
        pause=site.pause,
        address=settings.address,
        deadline_s=settings.deadline_s,
    )
    samples: list[Reading | SensorFault] = []
    try:
        while len(samples) < wanted:
            site.pause(period_s)
            samples.append(thermometer.measure())
            if len(samples) == _GIVE_UP and not _answers(samples):
                break
    finally:
        thermometer.close()
    return Looked(tuple(samples))


def _answers(samples: Sequence[Reading | SensorFault]) -> bool:
    nothing = (SensorFaultKind.ABSENT, SensorFaultKind.TIMEOUT, SensorFaultKind.BUS_ERROR)
    return any(isinstance(each, Reading) or each.kind not in nothing for each in samples)


def bus(site: Site) -> Finding:
    """See whether the bus moves at all."""
    if site.gate.is_running:
        return Skipped("the gate has the bus; sudo systemctl stop gatepost-gate, then again")
    looked = look(site)
    if looked.all_are(SensorFaultKind.TIMEOUT):
        return Wrong("stuck", {"bus": site.settings.sensor.i2c_bus})
    if looked.all_are(SensorFaultKind.BUS_ERROR):
        detail = looked.faults[0].detail
        if "systemctl" in detail:
            return Skipped(detail)
        return Wrong("error", {"bus": site.settings.sensor.i2c_bus, "why": detail})
    return Fine("/dev/i2c-{bus} moves", {"bus": site.settings.sensor.i2c_bus})


def answers(site: Site) -> Finding:
    """See whether the part answers where the settings say."""
    looked, address = look(site), site.settings.sensor.address
    if looked.all_are(SensorFaultKind.ABSENT):
        others = _others(site)
        if others:
            found = ", ".join(f"0x{each:02X}" for each in others)
            values = {"address": f"0x{address:02X}", "found": found, "decimal": others[0]}
            return Wrong("elsewhere", values)
        return Wrong("absent", {"address": f"0x{address:02X}"})
    other = [each for each in looked.faults if each.kind is not SensorFaultKind.BAD_PEC]
    if not looked.readings and other:
        if other[0].kind is SensorFaultKind.FLAGGED:
            return Wrong("flagged")
        if other[0].kind is SensorFaultKind.IMPOSSIBLE_WORD:
            return Wrong("impossible", {"why": other[0].detail})
    words = {word for fault in looked.faults for word in _EMPTY.findall(fault.detail)}
    if words and looked.all_are(SensorFaultKind.BAD_PEC):
        return Wrong("floating", {"words": " and ".join(sorted(words))})
    if other:
        values = {"lost": len(other), "samples": len(looked.samples), "why": other[0].kind.value}
        return Wrong("loose", values)
    return Fine("at {address}", {"address": f"0x{address:02X}"})


def _others(site: Site) -> list[int]:
    """Return at which other addresses of the bus something answers."""
    number = site.settings.sensor.i2c_bus
    try:
        opened = site.open_bus(number)
    except OSError:
        return []
    checked = CheckedBus(opened, clock=site.clock, pause=site.pause, deadline_s=_SCAN_DEADLINE_S)
    found = []
    try:
        for address in _ADDRESSES:
            try:
                checked.read_word(address, EEPROM_ID[0])
            except BusError as error:
                if error.kind is not SensorFaultKind.BAD_PEC:
                    continue
            found.append(address)
    finally:
        opened.close()
    return found


def pec(site: Site) -> Finding:
    """See whether the packet error code fits, on this very part and its cable."""
    looked = look(site)
    samples = len(looked.samples)
    if looked.all_are(SensorFaultKind.BAD_PEC):
        codes = {
            code for each in looked.faults for code in re.findall(r"PEC 0x(\w\w)", each.detail)
        }
        return Wrong("none" if codes <= {"FF", "00"} else "always", {"samples": samples})
    bad = sum(each.kind is SensorFaultKind.BAD_PEC for each in looked.faults)
    bad += sum(each.repeats > 0 for each in looked.readings)
    if bad > _STORM_SHARE * samples:
        return Wrong("disturbed", {"bad": bad, "samples": samples})
    return Fine(
        "right in {right} of {samples} samples", {"right": samples - bad, "samples": samples}
    )


def part(site: Site) -> Finding:
    """See whether the chip can be the one that the settings name."""
    chip, said = look(site).chip, PARTS[site.settings.sensor.part]
    if chip is None:
        return Skipped("nobody said who it is")
    filters = (chip.config >> 8 & 7, chip.config & 7)
    expected = {_SETTLES_PLAIN_S: _PLAIN, _SETTLES_HALF_S: _HALF}
    if said.settling_s <= _SETTLES_PLAIN_S:
        is_other = filters != _PLAIN
    elif said.settling_s in expected:
        is_other = filters != expected[said.settling_s]
    else:  # how these filter is not published; not so, at least
        is_other = filters == _PLAIN
    noise_c = _noise_c(look(site).readings)
    values = {"part": said.code, "config": f"0x{chip.config:04X}", "id": chip.sensor_id}
    if is_other:
        return Wrong("filters", values)
    is_long = len(look(site).readings) >= _LONG
    if is_long and 0 < noise_c < _QUIET * said.noise_c:
        return Wrong("quiet", {**values, "noise": f"{noise_c:.2f}", "usual": said.noise_c})
    return Fine("{part} is possible; its id is {id}", values)


def _noise_c(readings: Sequence[Reading]) -> float:
    """Return the noise of the object from one sample to the next: slow changes do not count."""
    steps = [after.object_c - before.object_c for before, after in pairwise(readings)]
    return sqrt(mean(step * step for step in steps) / 2) if steps else 0.0


def noise(site: Site) -> Finding:
    """See whether the readings move as those of this part do before a still scene."""
    readings, usual_c = look(site).readings, PARTS[site.settings.sensor.part].noise_c
    if len(readings) < _FEWEST:
        return Skipped("only {count} good samples", {"count": len(readings)})
    noise_c = _noise_c(readings)
    values = {"noise": f"{noise_c:.2f}", "usual": usual_c, "samples": len(readings)}
    if noise_c == 0:
        return Wrong("frozen", values)
    if noise_c > _NOISY * usual_c:
        return Wrong("noisy", values)
    return Fine("{noise} C over {samples} samples; {usual} C is usual", values)


def ambient(site: Site) -> Finding:
    """See whether the can is as warm as a gate can be, and as the screening needs it."""
    readings, screening = look(site).readings, site.settings.screening
    ambient_c = median(each.ambient_c for each in readings)
    low_c, high_c = screening.ambient_low_c, screening.ambient_high_c
    values = {"ambient": f"{ambient_c:.1f}", "low": low_c, "high": high_c}
    least_c, most_c = _POSSIBLE_AMBIENT_C
    if not least_c <= ambient_c <= most_c:
        return Wrong("impossible", values)
    if not low_c <= ambient_c <= high_c and screening.outside_ambient == "no_information":
        return Wrong("outside", values)
    passed_s = readings[-1].at_s - readings[0].at_s
    drift = abs(readings[-1].ambient_c - readings[0].ambient_c) / passed_s * 60 if passed_s else 0
    # Two words of 0.02 C each may be one step off.
    rounding = 2 * 0.02 / passed_s * 60 if passed_s else 0
    if drift > site.settings.sensor.max_drift_c_per_min + rounding:
        return Wrong("drifts", {**values, "drift": f"{drift:.1f}"})
    return Fine(f"{ambient_c:.1f} C")


def emissivity(site: Site) -> Finding:
    """See whether the chip still computes with the emissivity it was delivered with."""
    chip = look(site).chip
    if chip is None:
        return Skipped("nobody said who it is")
    if chip.emissivity != 1.0:
        return Wrong("changed", {"emissivity": f"{chip.emissivity:.3f}"})
    return Fine("1.0, as delivered")


def calibration(site: Site) -> Finding:
    """See whether this very chip was calibrated here, and whether that still counts."""
    chip, settings = look(site).chip, site.settings
    if chip is None:
        return Skipped("nobody said who it is")
    records, problems = load_calibrations(settings.paths.calibration_dir)
    record = records.get(chip.sensor_id)
    values: dict[str, object] = {"id": chip.sensor_id, "folder": settings.paths.calibration_dir}
    if record is None:
        mine = [problem for problem in problems if chip.sensor_id in problem]
        if mine:
            return Wrong("damaged", {**values, "why": mine[0]})
        if settings.sensor.calibration == "factory":
            return Fine('none, and none is asked for: [sensor] calibration = "factory"')
        return Wrong("missing", values)
    known = calibration_of(record)
    if wrong := calibration_problems(known.low, known.high):
        return Wrong("damaged", {**values, "why": wrong[0]})
    if known.chip != chip:
        return Wrong("changed", values)
    if site.clock.utc_s() > known.due_utc_s:
        return Wrong("due", {**values, "due": record.due})
    return Fine("good until {due}", {"due": record.due})
