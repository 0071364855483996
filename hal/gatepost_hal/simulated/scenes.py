"""What the lens of a part sees of a forehead: apparent temperatures, mixed as radiance.

A scene gives the temperature of the black surface (emissivity 1) that would look the same to the
lens. Numbers: facts, sensor, sections 2.4 (optics), 2.5 (emissivity), 3.1 and 3.2 (skin), 4.
Temperatures are degrees Celsius, distances metres, instants seconds of the monotonic clock.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from gatepost_hal.parts import Part

Scene = Callable[[float], float]  # instant -> apparent temperature
Distance = Callable[[float], float]  # instant -> from the lens to the forehead

SKIN_EMISSIVITY = 0.98  # section 2.5
ROOM_SLOPE = 0.18  # C of forehead per C of room, section 3.1
ADAPTED_ROOM_C = 24.0  # the room for which `Forehead.skin_c` is given

_FACE_COOLER_C = 1.5  # section 2.4: forehead 34.5, face around it 33
# Section 2.4: the face is a disc of 9 cm around the forehead's 3.5 cm. A disc that is so many times
# larger fills as much of the view as the smaller one at a distance so many times shorter.
_FACE_TO_FOREHEAD = 9.0 / 3.5
# What a forehead still lacks after coming in from the cold: (C, time constant in s), section 3.2.
# Fitted to a device's numbers, taken here for the skin: nobody published the skin itself.
_COLD = ((1.86, 0.70 * 60), (1.57, 4.5 * 60))
_KELVIN = 273.15


def radiance(celsius: float) -> float:
    """Return T^4 in K^4: what a black surface of this temperature sends, but for a constant."""
    return (celsius + _KELVIN) ** 4


def celsius_of(radiance_k4: float) -> float:
    """Return the temperature in C of the black surface that sends `radiance_k4` (K^4)."""
    return float(max(radiance_k4, 0.0) ** 0.25) - _KELVIN


def still(distance_m: float) -> Distance:
    """Return the distance of somebody who does not move."""
    return lambda _at_s: distance_m


AT_5_CM = still(0.05)  # as near as a DCC needs it, section 2.4


def approach(
    stop_m: float, *, starts_at_s: float, from_m: float = 1.0, speed_m_per_s: float = 1.3
) -> Distance:
    """Return the distance of somebody who walks up and stops (1.3 m/s: section 4, unverified)."""

    def distance_m(at_s: float) -> float:
        walked_m = speed_m_per_s * max(0.0, at_s - starts_at_s)
        return max(stop_m, from_m - walked_m)

    return distance_m


def sway(distance_m: float, *, by_m: float, period_s: float) -> Distance:
    """Return the distance of somebody who rocks to and fro by `by_m` on either side."""
    return lambda at_s: max(0.0, distance_m + by_m * math.sin(math.tau * at_s / period_s))


@dataclass(frozen=True, slots=True, kw_only=True)
class Forehead:
    """Somebody's forehead in front of the lens.

    Args:
        skin_c: true temperature of the skin in a room of 24 C, once adapted to it.
        room_c: the room that the person stands in, and that skin and lens see around them.
        distance_m: from lens to forehead.
        fever_c: added to the skin.
        arrived_at_s: when the person came in from freezing cold; None is long ago.
        hat_share: how much of the forehead is under a hat or a fringe, 0 to 1.
        hat_c: how much cooler than skin that is (1 to 5, section 4).
        sun_c: added to the apparent temperature.
    """

    skin_c: float
    room_c: float = ADAPTED_ROOM_C
    distance_m: Distance = AT_5_CM
    fever_c: float = 0.0
    arrived_at_s: float | None = None
    hat_share: float = 0.0
    hat_c: float = 3.0
    sun_c: float = 0.0

    def true_skin_c(self, at_s: float) -> float:
        """Return what a thermometer on the skin would show at this instant."""
        skin_c = self.skin_c + self.fever_c + ROOM_SLOPE * (self.room_c - ADAPTED_ROOM_C)
        if self.arrived_at_s is None:
            return skin_c
        inside_s = max(0.0, at_s - self.arrived_at_s)
        return skin_c - sum(lack_c * math.exp(-inside_s / tau_s) for lack_c, tau_s in _COLD)

    def apparent_c(self, part: Part, at_s: float) -> float:
        """Return the apparent temperature in the view of `part` at this instant."""
        distance_m = self.distance_m(at_s)
        forehead_share = part.view_share(distance_m)
        head_share = part.view_share(distance_m / _FACE_TO_FOREHEAD)
        skin_c = self.true_skin_c(at_s)
        seen = (
            forehead_share * (1 - self.hat_share) * self._sent(skin_c)
            + forehead_share * self.hat_share * self._sent(skin_c - self.hat_c)
            + (head_share - forehead_share) * self._sent(skin_c - _FACE_COOLER_C)
            + (1 - head_share) * radiance(self.room_c)
        )
        return celsius_of(seen) + self.sun_c

    def scene(self, part: Part) -> Scene:
        """Return what the lens of `part` sees, as `SimulatedMlx90614.scene` takes it."""
        return partial(self.apparent_c, part)

    def _sent(self, surface_c: float) -> float:
        """Return what a surface sends: its own radiance, and the room's that it reflects."""
        own = SKIN_EMISSIVITY * radiance(surface_c)
        return own + (1 - SKIN_EMISSIVITY) * radiance(self.room_c)
