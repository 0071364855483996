"""The mechanism of a turnstile: what its relays free, what its passage contacts say, who walks.

The times are ours, chosen to be like those of what is sold; no standard gives them.
"""

from collections.abc import Mapping
from enum import Enum
from functools import partial
from typing import NamedTuple

from gatepost_hal.ports import Direction, InputName
from gatepost_hal.simulated.lines import SimulatedContact, SimulatedRelay
from gatepost_hal.simulated.world import World

TURN_S = 0.8  # one turn of a tripod, hands on the arm to arm at rest; one person through a wing
FOLLOW_S = 0.5  # somebody who slips through a wing is so much behind the one in front
_PASSAGE_PULSE_S = 0.2  # in the middle of its turn a tripod closes its passage contact
_LATCHING_PULSE_S = 0.1  # a shorter pulse does not free a latching turnstile
_ROUNDING_S = 1e-9


class Mechanism(Enum):
    """What is in the way."""

    TRIPOD = "tripod"  # locks itself after each turn, which lets one person through
    SWING_GATE = "swing_gate"  # a wing, open for as many as hurry


class PassageOutput(Enum):
    """Which contacts report that somebody walks through."""

    SINGLE = "single"  # one for both ways: PASSAGE
    PER_DIRECTION = "per_direction"  # PASSAGE inwards, PASSAGE_EXIT outwards
    NONE = "none"  # the turnstile has none, and no such input is wired


class Mechanics(NamedTuple):
    """The variant of a turnstile.

    With `latching`, a pulse of at least 0.1 s on a relay frees its direction until one turn, or
    until `latch_s` is over; a relay that stays energised frees no second turn.
    """

    mechanism: Mechanism = Mechanism.TRIPOD
    passage: PassageOutput = PassageOutput.SINGLE
    latching: bool = False
    latch_s: float = 5.0


TRIPOD = Mechanics()


class SimulatedTurnstile:
    """A turnstile between two relays and its passage contacts.

    `rotations` is the truth: the instant and the way of each person who walked, whatever the
    contacts say.
    """

    def __init__(
        self,
        mechanics: Mechanics,
        *,
        relays: Mapping[Direction, SimulatedRelay],
        contacts: Mapping[InputName, SimulatedContact],
        world: World,
    ) -> None:
        self._mechanics = mechanics
        self._relays = relays
        self._contacts = contacts
        self._world = world
        self._moving_until_s = world.now_s()
        self._open: Direction | None = None  # the way that a wing stands open
        self._pulse_at_s: dict[Direction, float | None] = dict.fromkeys(relays)  # not latched yet
        self._latched_until_s = dict.fromkeys(relays, world.now_s())
        self.rotations: list[tuple[float, Direction]] = []
        if mechanics.latching:
            for direction, relay in relays.items():
                relay.on_change = partial(self._relay_changed, direction)

    def is_free(self, direction: Direction) -> bool:
        """Return whether the mechanism gives way to somebody who pushes that way."""
        if self._mechanics.latching:
            return self._world.now_s() < self._latched_until_s[direction]
        return self._relays[direction].is_energised

    def push(self, direction: Direction, *, force: bool = False, people: int = 1) -> bool:
        """Push; return whether it gave way. It does when it is free, or when forced.

        An open wing stops nobody, whichever way they walk. `people` walk one behind the other.

        Raises:
            ValueError: more than one through a tripod.
        """
        is_wing = self._mechanics.mechanism is Mechanism.SWING_GATE
        if people < 1 or (people > 1 and not is_wing):
            raise ValueError(f"people = {people}: a tripod lets one through, a wing one or more")
        if self._is_turning() or not (force or self._open or self.is_free(direction)):
            return False
        now_s = self._world.now_s()
        self._latched_until_s[direction] = now_s
        self._walk(direction)
        for number in range(1, people):
            self._world.call_at(now_s + number * FOLLOW_S, partial(self._walk, direction))
        if is_wing:
            self._open_wing(direction, TURN_S + (people - 1) * FOLLOW_S)
        else:
            self._turn(direction)
        return True

    def hold_open(self, for_s: float) -> bool:
        """Hold the wing from now on; return whether it is open at all."""
        if self._open is None:
            return False
        self._open_wing(self._open, for_s)
        return True

    def _walk(self, direction: Direction) -> None:
        self.rotations.append((self._world.now_s(), direction))

    def _is_turning(self) -> bool:
        is_tripod = self._mechanics.mechanism is Mechanism.TRIPOD
        return is_tripod and self._world.now_s() < self._moving_until_s

    def _turn(self, direction: Direction) -> None:
        now_s = self._world.now_s()
        self._moving_until_s = now_s + TURN_S
        middle_s = now_s + (TURN_S - _PASSAGE_PULSE_S) / 2
        self._world.call_at(middle_s, partial(self._report, direction, passing=True))
        ends_s = middle_s + _PASSAGE_PULSE_S
        self._world.call_at(ends_s, partial(self._report, direction, passing=False))

    def _open_wing(self, direction: Direction, for_s: float) -> None:
        self._moving_until_s = max(self._moving_until_s, self._world.now_s() + for_s)
        if self._open is None:
            self._open = direction
            self._report(direction, passing=True)
        self._world.call_at(self._moving_until_s, self._close_wing)

    def _close_wing(self) -> None:
        # An earlier timer finds a later end when somebody else walked, or held the wing.
        if self._open is not None and self._world.now_s() >= self._moving_until_s:
            self._report(self._open, passing=False)
            self._open = None

    def _report(self, direction: Direction, *, passing: bool) -> None:
        if self._mechanics.passage is PassageOutput.NONE:
            return
        outwards = direction is Direction.EXIT
        per_direction = self._mechanics.passage is PassageOutput.PER_DIRECTION
        name = InputName.PASSAGE_EXIT if outwards and per_direction else InputName.PASSAGE
        if name in self._contacts:  # an output that is not wired tells nobody
            self._contacts[name].set(active=passing)

    def _relay_changed(self, direction: Direction) -> None:
        now_s = self._world.now_s()
        began_s, self._pulse_at_s[direction] = self._pulse_at_s[direction], None
        if self._relays[direction].is_energised:
            self._pulse_at_s[direction] = now_s
            look = partial(self._look_at_pulse, direction, now_s)
            self._world.call_at(now_s + _LATCHING_PULSE_S, look)
        elif began_s is not None and now_s - began_s >= _LATCHING_PULSE_S - _ROUNDING_S:
            self._latch(direction)  # it ended in the very instant at which it is looked at

    def _look_at_pulse(self, direction: Direction, began_s: float) -> None:
        if self._pulse_at_s[direction] == began_s:
            self._latch(direction)

    def _latch(self, direction: Direction) -> None:
        self._pulse_at_s[direction] = None  # one pulse frees once, however long it is
        self._latched_until_s[direction] = self._world.now_s() + self._mechanics.latch_s
