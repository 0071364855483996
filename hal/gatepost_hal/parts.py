"""The MLX90614's ordering codes as data: what each sees, how noisy it is, how long it takes.

Source: Melexis datasheet 3901090614 rev 13, page 16 (tables 8 and 9: noise and settling at factory
filters) and page 38 (field of view). The update period is derived from table 9 (settling is 99.9 %
of a first-order filter); the oscillator's tolerance of 10 % is not in it.
"""

import math
from typing import NamedTuple

# A forehead between brows and hair, taken as a disc. What a lens sees beside it is cooler.
_FOREHEAD_RADIUS_M = 0.035
# With this share of its view on the forehead a part reads about 0.2 C low (model: a lobe of
# Gaussian shape that is at one half at the edge of the field of view; skin 34.5, face 33, room 22).
LEAST_SHARE = 0.85


class Part(NamedTuple):
    """One ordering code. `field_of_view_deg` is the full angle at half sensitivity."""

    code: str
    field_of_view_deg: float
    noise_c: float  # rms, of one result
    update_s: float  # between two results
    settling_s: float  # after a step, to 99.9 %

    @property
    def sample_period_s(self) -> float:
        """The bus is quiet for longer than refresh and settling before each read (page 23)."""
        return math.ceil((self.update_s + self.settling_s) * 100) / 100

    def view_share(self, distance_m: float) -> float:
        """Return which share of what the lens sees is forehead at this distance, 0 to 1."""
        half_deg = self.field_of_view_deg / 2
        edge_deg = math.degrees(math.atan2(_FOREHEAD_RADIUS_M, distance_m))
        return float(1 - 0.5 ** ((edge_deg / half_deg) ** 2))

    @property
    def farthest_m(self) -> float:
        """The distance at which `view_share` has fallen to `LEAST_SHARE`; 0 if it always is less.

        For 90 degrees that is less than 1 cm: such a part cannot see a forehead alone.
        """
        edge_deg = self.field_of_view_deg / 2 * math.sqrt(-math.log2(1 - LEAST_SHARE))
        return max(0.0, _FOREHEAD_RADIUS_M / math.tan(math.radians(edge_deg)))


_XA_S, _XC_S = 0.087, 0.135  # single-zone parts; dual-zone and gradient-compensated ones

# 3 V parts (Bxx, and Dxx of medical accuracy). The 5 V parts (Axx) need levels that a Pi lacks.
PARTS = {
    part.code: part
    for part in (
        Part("BAA", 90.0, 0.05, _XA_S, 0.10),
        Part("DAA", 90.0, 0.05, _XA_S, 0.10),
        Part("BBA", 70.0, 0.07, _XC_S, 0.14),
        Part("BCC", 35.0, 0.18, _XC_S, 0.14),
        Part("DCC", 35.0, 0.18, _XC_S, 0.14),
        Part("BCK", 13.0, 0.30, _XC_S, 3.23),
        Part("BCH", 12.0, 0.10, _XC_S, 0.65),
        Part("DCH", 12.0, 0.10, _XC_S, 0.65),
        Part("BCF", 10.0, 0.10, _XC_S, 1.33),
        Part("BCI", 5.0, 0.10, _XC_S, 0.65),
        Part("DCI", 5.0, 0.10, _XC_S, 0.65),
    )
}
