"""What is wired to the mock pins of a simulated lane: contacts that bounce, relays on a board."""

from collections.abc import Callable
from functools import partial

from gpiozero.pins.mock import MockPin

from gatepost_hal.gpio import NORMALLY_CLOSED
from gatepost_hal.ports import InputName
from gatepost_hal.simulated.world import World

# A contact closes and opens like this before it stands (seconds between the changes).
BOUNCE_S = (0.001, 0.002, 0.001, 0.003)


class SimulatedLine(MockPin):  # type: ignore[misc]  # gpiozero ships no type information
    """A mock line that is claimed as lgpio's are: low, unless it is claimed with a level.

    A plain mock pin keeps its level when it becomes an output, and hides the moment for which a
    wrong driver energises an active-low board.
    """

    on_level: Callable[[], None] | None = None

    def output_with_state(self, state: bool) -> None:
        """Become an output at this level in one step, as `gatepost_hal.lgpio_lines` does."""
        super()._set_function("output")
        self._change_state(state)

    def _set_function(self, value: str) -> None:
        super()._set_function(value)
        if value == "output":
            self._change_state(False)  # noqa: FBT003 - gpiozero's own signature

    def _change_state(self, value: bool) -> bool:
        changed = bool(super()._change_state(value))
        if changed and self.on_level is not None:
            self.on_level()
        return changed


class SimulatedContact:
    """A switch between an input line and ground, with bounce."""

    def __init__(self, pin: MockPin, name: InputName, *, world: World) -> None:
        self._pin = pin
        self._is_cut = False
        self._normally_closed = name in NORMALLY_CLOSED
        self._world = world
        self._set(closed=self._normally_closed)

    def set(self, *, active: bool) -> None:
        """Bring the contact to its active or resting side, bouncing on the way."""
        closed = active != self._normally_closed
        at_s = self._world.now_s()
        level = closed
        for gap_s in BOUNCE_S:
            self._world.call_at(at_s, partial(self._set, closed=level))
            at_s += gap_s
            level = not level
        self._world.call_at(at_s, partial(self._set, closed=closed))

    def touch(self, *, for_s: float, after_s: float) -> None:
        """Go to the active side for a moment: a bounce, a spark, a passing lorry."""
        at_s = self._world.now_s() + after_s
        active = not self._normally_closed
        self._world.call_at(at_s, partial(self._set, closed=active))
        self._world.call_at(at_s + for_s, partial(self._set, closed=not active))

    def lose_edges(self) -> None:
        """From now on the kernel reports no edge of this line; its level stays readable."""
        self._pin.when_changed = None

    def cut(self) -> None:
        """Cut the wire: the line floats up, and the switch is heard of no more."""
        self._is_cut = True
        self._set(closed=False)

    def _set(self, *, closed: bool) -> None:
        if closed and not self._is_cut:
            self._pin.drive_low()
        else:
            self._pin.drive_high()


class SimulatedRelay:
    """One channel of a relay board, which pulls its line to rest until a driver claims it.

    `on_change` is told each time it is energised or let go. `pulses` counts how often it was
    energised, for however short a moment.
    """

    def __init__(self, pin: SimulatedLine, *, active_high: bool) -> None:
        self._pin = pin
        self._active_high = active_high
        self.pulses = 0
        self.on_change: Callable[[], None] = lambda: None
        if not active_high:
            pin.drive_high()
        pin.on_level = self._level_changed

    @property
    def is_energised(self) -> bool:
        """Return whether the coil pulls, as the line says."""
        return bool(self._pin.state) == self._active_high

    def _level_changed(self) -> None:
        self.pulses += self.is_energised
        self.on_change()
