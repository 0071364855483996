"""A chip that is exchanged while nobody looks is another chip to the next attempt."""

from gatepost.core.correction import Calibration, Point
from gatepost.core.states import State


def test_an_exchange_between_two_attempts_is_seen(make_stage):
    chip = make_stage(seed=5).gate._sensing._chip
    calibration = Calibration("c", chip, Point(33, 33), Point(38, 38), 9e9)
    stage = make_stage(
        seed=5,
        sensor={"calibration": "required"},
        calibrations={chip.sensor_id: calibration},
    )
    stage.reach(State.PAUSING)
    stage.lane.chip.eeprom[0x3C] ^= 0xFF
    stage.lane.chip.drift_c = -1.5
    ended = (State.RELEASED, State.REFERRED)
    assert stage.play_until(lambda: stage.state in ended, 30.0)
    assert stage.verdicts[-1] == ("refer", "untrusted")
