"""What outlasts a state: who is there, what stands, what is wished, whether the arm is at rest.

A level is noted whatever the lane is doing. What it means is asked after every step: the state
that the lane is in by then takes the highest trigger that it knows.
"""

from collections.abc import Iterator
from dataclasses import replace

from gatepost.core.events import (
    Command,
    LaneEvent,
    PassShown,
    ProofShown,
    Record,
    SensorTrust,
    Verb,
)
from gatepost.core.facts import Facts
from gatepost.core.rules import Decision, decide
from gatepost.core.screening import Zone
from gatepost.core.states import MODES, Standing, State, Trigger
from gatepost.core.table import TABLE
from gatepost.core.visit import ExitWish, Lane, Order, Policy
from gatepost_hal.ports import Direction, InputChanged, InputName

PASSAGE = frozenset({InputName.PASSAGE, InputName.PASSAGE_EXIT})
# In these whoever stands there may show something.
ASKING = frozenset({State.AWAITING_PASS, State.MEASURING, State.PAUSING})
MODE_STATES = {mode.state for mode in MODES.values()} | {State.TESTING}

_LEVELS = {
    InputName.FIRE: Standing.FIRE,
    InputName.EMERGENCY: Standing.EMERGENCY,
    InputName.MAINTENANCE_KEY: Standing.MAINTENANCE,
    InputName.TAMPER: Standing.TAMPER,
}
_SWITCHES = {
    Verb.LOCK: (Standing.LOCKDOWN, True),
    Verb.UNLOCK: (Standing.LOCKDOWN, False),
    Verb.CLOSE: (Standing.CLOSURE, True),
    Verb.OPEN: (Standing.CLOSURE, False),
    Verb.BEGIN_MAINTENANCE: (Standing.MAINTENANCE, True),
    Verb.END_MAINTENANCE: (Standing.MAINTENANCE, False),
}
_ARRIVALS = {
    Order.PASS_FIRST: Trigger.ARRIVED,
    Order.MEASURE_FIRST: Trigger.ARRIVED_TO_MEASURE,
}


def with_levels(lane: Lane, event: LaneEvent, policy: Policy) -> tuple[Lane, tuple[Record, ...]]:
    """Note what outlasts a state; return the records of conditions that begin or end."""
    wish = _wish_of(lane, event, policy)
    if wish is not None:
        lane = _with_wish(lane, event.at_s, wish)
    match event:
        case InputChanged(name=name, active=active):
            return _with_input(lane, name, event.at_s, active=active)
        case PassShown(holder=holder) if holder is not None and holder.duress:
            # It tells silently: nothing else differs from any other pass.
            data = {"subject": holder.subject, "direction": event.direction.value}
            return lane, (Record("duress.shown", event.at_s, data),)
        case ProofShown(direction=Direction.ENTRY, refusal=str(why)) if lane.state in ASKING:
            return lane, (Record("proof.refused", event.at_s, {"why": why}),)
        case Command(verb=verb) if verb in _SWITCHES:
            standing, stands = _SWITCHES[verb]
            return _standing(lane, standing, event.at_s, stands=stands, by=event.by)
        case SensorTrust(distrust=distrust) if distrust is not lane.distrust:
            # What was against it once in an attempt stays against that attempt.
            visit = replace(lane.visit, distrust=distrust or lane.visit.distrust)
            return replace(lane, distrust=distrust, visit=visit), ()
        case _:
            return lane, ()


def _with_input(
    lane: Lane, name: InputName, at_s: float, *, active: bool
) -> tuple[Lane, tuple[Record, ...]]:
    if name is InputName.PRESENCE and active != lane.present:
        return replace(lane, present=active), ()
    if name in PASSAGE and active != (name in lane.turning):
        turned_by = name if active else lane.turned_by
        return replace(lane, turning=lane.turning ^ {name}, turned_by=turned_by), ()
    if name is InputName.MAINTENANCE_KEY and active != lane.key:
        lane = replace(lane, key=active)
    if name in _LEVELS:
        return _standing(lane, _LEVELS[name], at_s, stands=active)
    return lane, ()


def _wish_of(lane: Lane, event: LaneEvent, policy: Policy) -> ExitWish | None:
    """Return the wish to leave that an event is, if it is one."""
    until_s = event.at_s + policy.exit_wish_s
    match event:
        case InputChanged(name=InputName.EXIT_BUTTON, active=True):
            # Pressed again by somebody for whom it is free already: that is no second person.
            return None if lane.state is State.LEAVING else ExitWish(until_s)
        case PassShown(direction=Direction.EXIT, holder=holder, known=known):
            is_read_twice = (
                lane.state is State.LEAVING
                and lane.leaver is not None
                and lane.leaver.holder == holder
            )
            decision = _on_leaving(known, policy)
            return None if is_read_twice else ExitWish(until_s, holder, decision=decision)
        case Command(verb=Verb.RELEASE_EXIT, expires_at_s=expires_at_s):
            return ExitWish(min(until_s, expires_at_s), commanded_by=event.by)
        case _:
            return None


def _on_leaving(known: Facts | None, policy: Policy) -> Decision | None:
    """Return what the order in force says of somebody who leaves: nobody is measured inside."""
    if known is None or policy.regime is None or not policy.exits_by_pass:
        return None
    return decide(replace(known, zone=Zone.NO_INFORMATION, attempts_left=0), policy.regime)


def _is_free_to_leave(lane: Lane, wish: ExitWish, policy: Policy) -> bool:
    """Return whether nothing holds the exit against a wish. Fire and emergency need none."""
    if wish.commanded_by is not None:
        return True
    if Standing.LOCKDOWN in lane.standing and not policy.exit_in_lockdown:
        return False
    regime = policy.regime
    if not policy.exits_by_pass or regime is None or regime.measures_leavers:
        return True  # an order that this lane cannot carry out holds nobody in
    return wish.decision is not None and wish.decision.release


def _with_wish(lane: Lane, at_s: float, wish: ExitWish) -> Lane:
    """Note a wish, unless one that still waits says more: on whose word, or whose pass."""
    waits = lane.exit_wish
    if waits is not None and at_s < waits.until_s and _weight(waits) > _weight(wish):
        return lane
    return replace(lane, exit_wish=wish)


def _weight(wish: ExitWish) -> tuple[bool, bool]:
    return wish.commanded_by is not None, wish.holder is not None


def _standing(
    lane: Lane, standing: Standing, at_s: float, *, stands: bool, by: str | None = None
) -> tuple[Lane, tuple[Record, ...]]:
    if stands == (standing in lane.standing):
        return lane, ()
    mode = MODES[standing]
    record = Record(mode.begun if stands else mode.over, at_s, {} if by is None else {"by": by})
    return replace(lane, standing=lane.standing ^ {standing}), (record,)


def level_trigger(lane: Lane, at_s: float, policy: Policy) -> Trigger | None:
    """Return what a standing level means to the state that the lane is in by now, if anything."""
    steps = TABLE[lane.state].steps
    return next(
        (trigger for trigger in _level_triggers(lane, at_s, policy) if trigger in steps), None
    )


def _level_triggers(lane: Lane, at_s: float, policy: Policy) -> Iterator[Trigger]:
    """Yield what the levels say, what goes first first."""
    if (
        mode := next((mode for key, mode in MODES.items() if key in lane.standing), None)
    ) is not None:
        if lane.state is not mode.state:
            yield mode.trigger
    elif lane.state in MODE_STATES:
        yield Trigger.NORMAL
    yield Trigger.ARM_TURNS if lane.turning else Trigger.ARM_RESTS
    if lane.exit_wish is not None and at_s < lane.exit_wish.until_s:
        is_free = _is_free_to_leave(lane, lane.exit_wish, policy)
        yield Trigger.EXIT_REQUESTED if is_free else Trigger.EXIT_REFUSED
    if not lane.present:
        yield Trigger.LEFT
    elif lane.state is State.IDLE:
        yield _ARRIVALS[policy.order]
