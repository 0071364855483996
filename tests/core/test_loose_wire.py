"""What comes and goes is one fault."""

import random

from gatepost.core.faults import Fault
from gatepost.core.plausibility import Expected
from gatepost.core.screening import Instrument, Limits
from gatepost.core.sensing import Sensing, Setup
from gatepost_hal.ports import Reading, SensorFault, SensorFaultKind


def test_a_loose_wire_is_one_fault():
    wire = random.Random(1)
    sensing = Sensing(Setup(0.28, Limits(37.3, 0.25, 7), Instrument(2.5), Expected()), 0.0)
    raised = 0
    stood = False
    while (now_s := sensing.next_at_s) < 3600.0:
        assert sensing.is_due(now_s, measuring=False)
        if wire.random() < 0.7:
            sensing.took(SensorFault(now_s, SensorFaultKind.ABSENT, "loose"))
        else:
            sensing.took(Reading(now_s, 24 + wire.gauss(0, 0.18), 24.0))
        stands = Fault.SENSOR in sensing.standing(now_s, 0.0)
        raised += stands and not stood
        stood = stands
    assert 1 <= raised <= 3
