"""The control loop and its hands: what it records, what it does, how long each takes."""

from gatepost.gate.loop import Gate
from gatepost.gate.parts import Asked, Errand, EventLog, Hardware, Surroundings
from gatepost.gate.stage import FIRE_HOLD_S

__all__ = ["FIRE_HOLD_S", "Asked", "Errand", "EventLog", "Gate", "Hardware", "Surroundings"]
