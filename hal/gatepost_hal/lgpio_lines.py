"""lgpio's lines as gpiozero has them, but an output is claimed at the level that it starts with.

gpiozero 2.0.1 claims a line low and writes its level afterwards: an active-low relay is energised
in between, at every start. lgpio can claim at either level (`gpio_claim_output`); so it is asked
to. Import this with LG_WD set, and on a Pi alone (`gatepost_hal.gpio.lgpio_factory`).
"""

import lgpio
from gpiozero.pins.lgpio import LGPIOFactory, LGPIOPin


class LevelPin(LGPIOPin):  # type: ignore[misc]  # gpiozero ships no type information
    """A line whose first level as an output is the one that was asked for."""

    def output_with_state(self, state: bool) -> None:
        """Claim the line as an output at this level, in one step."""
        self.factory.claim_output(self._number, high=state)


class LevelFactory(LGPIOFactory):  # type: ignore[misc]  # as above
    """gpiozero's lgpio factory with `LevelPin` lines."""

    def __init__(self) -> None:
        super().__init__()
        self.pin_class = LevelPin

    def claim_output(self, number: int, *, high: bool) -> None:
        """Claim the line of BCM `number` as an output that starts `high`, or low."""
        lgpio.gpio_claim_output(self._handle, number, int(high))
