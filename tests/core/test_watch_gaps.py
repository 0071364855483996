"""What the watch could not see it does not trust."""

from gatepost.core.faults import Fault
from gatepost.core.plausibility import Expected, Watch
from gatepost.core.screening import Reason
from gatepost_hal.ports import Reading, SensorFault, SensorFaultKind

DRIFT_C_PER_S = 0.46 / 60


def drifting(at_s):
    return Reading(at_s, 34.0 + at_s % 0.1, 24.0 + DRIFT_C_PER_S * at_s)


def test_a_drift_is_not_forgotten_over_a_gap():
    watch = Watch(Expected(warm_up_s=0.0), 0.0)
    for at_s in range(0, 120, 10):
        watch.take(drifting(at_s))
    for at_s in range(120, 320, 10):
        watch.fail(SensorFault(at_s, SensorFaultKind.TIMEOUT, "stuck"))
    for at_s in (320, 322, 330, 339, 345, 350):
        watch.take(drifting(at_s))
        assert watch.findings(at_s)[Fault.SENSOR_UNBALANCED].reason in (
            Reason.WARMING_UP,
            Reason.UNSTABLE,
        )
