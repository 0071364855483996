"""The lane: makes sense of raw events, and moves through the table of `gatepost.core.table`.

`advance` is a pure function: a lane, an event and the site's policy in; a lane and the records to
write out. The loop applies `OUTPUTS[lane.state]` and brings the next event.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from typing import NamedTuple, TypeAlias

from gatepost.core.rules import UNKNOWN_PASS, Decision, Facts, Outcome, decide
from gatepost.core.screening import (
    GUIDANCE,
    Instrument,
    Limits,
    Reason,
    Verdict,
    Zone,
    is_complete,
    judge,
)
from gatepost.core.table import OUTPUTS, TABLE, Span, State, Trigger
from gatepost_hal.ports import Direction, InputChanged, InputName, Reading, SensorFault

Json: TypeAlias = "str | int | float | bool | Sequence[Json] | Mapping[str, Json] | None"


class Holder(NamedTuple):
    """Who a known pass belongs to: an opaque subject of the roster, and its category."""

    subject: str
    category: str


class PassShown(NamedTuple):
    """A pass was shown. `holder` is None when nobody knows it."""

    at_s: float
    holder: Holder | None


class Written(NamedTuple):
    """The records of the last step are on disk, or could not be written."""

    at_s: float
    ok: bool


class SensorTrust(NamedTuple):
    """Whether the thermometer can be believed has changed; `distrust` says why not, None is yes."""

    at_s: float
    distrust: Reason | None


class Tick(NamedTuple):
    """Time has come so far."""

    at_s: float


LaneEvent = Reading | SensorFault | InputChanged | PassShown | Written | SensorTrust | Tick


@dataclass(frozen=True, slots=True)
class Policy:
    """What the site decides: durations, limits, attempts; and the thermometer that it has."""

    spans_s: Mapping[Span, float]
    limits: Limits
    instrument: Instrument
    measure_attempts: int


@dataclass(frozen=True, slots=True)
class Visit:
    """One person's dealings with the lane, from stepping up to being dealt with."""

    number: int
    holder: Holder | None = None
    attempt: int = 0
    near_limit: bool = False  # a finished attempt had an index near the limit
    samples: tuple[Reading, ...] = ()
    distrust: Reason | None = None  # what spoke against the thermometer during this attempt
    verdict: Verdict | None = None
    decision: Decision | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """Something that happened and must be told: an event type and its data, ready for JSON."""

    type: str
    at_s: float
    data: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Lane:
    """Everything that the lane knows. The initial value is a lane that nobody has touched."""

    state: State = State.IDLE
    entered_at_s: float = 0.0  # into the state
    deadline_at_s: float | None = None
    visit: Visit = Visit(0)
    present: bool = False
    fire: bool = False
    distrust: Reason | None = None  # what speaks against the thermometer now


class ImpossibleTriggerError(RuntimeError):
    """The table says that this cannot happen: a bug. Nothing was changed."""


def advance(lane: Lane, event: LaneEvent, policy: Policy) -> tuple[Lane, tuple[Record, ...]]:
    """Return the lane after `event`, and what is to be recorded, in order.

    Raises:
        ImpossibleTriggerError: a bug; the lane is to be put into its safe state by a restart.
    """
    lane, trigger = _with_levels(lane, event)
    candidate = lane
    if trigger is None:
        candidate, trigger = _interpret(lane, event, policy)
    if trigger is None:
        return candidate, ()
    if trigger in TABLE[lane.state].ignored:
        return lane, ()  # not the candidate: an ignored pass must leave no holder behind (S6)
    lane, records = _step(candidate, trigger, event.at_s, policy)
    while (trigger := _level_trigger(lane)) is not None:
        lane, new = _step(lane, trigger, event.at_s, policy)
        records += new
    return lane, records


def _with_levels(lane: Lane, event: LaneEvent) -> tuple[Lane, Trigger | None]:
    """Note the levels that outlast a state; return what their change means to the table."""
    match event:
        case InputChanged(name=InputName.PRESENCE, active=active) if active != lane.present:
            return replace(lane, present=active), Trigger.ARRIVED if active else Trigger.LEFT
        case InputChanged(name=InputName.FIRE, active=active) if active != lane.fire:
            trigger = Trigger.FIRE_RAISED if active else Trigger.FIRE_CLEARED
            return replace(lane, fire=active), trigger
        case SensorTrust(distrust=distrust):
            # What was against it once in an attempt stays against that attempt.
            visit = replace(lane.visit, distrust=distrust or lane.visit.distrust)
            return replace(lane, distrust=distrust, visit=visit), None
        case _:
            return lane, None


def _level_trigger(lane: Lane) -> Trigger | None:
    """Return what a standing level means to a state that was just entered, if anything."""
    if lane.state is State.IDLE and lane.present:
        return Trigger.ARRIVED
    if not lane.present and Trigger.LEFT in TABLE[lane.state].steps:
        return Trigger.LEFT
    return None


def _interpret(lane: Lane, event: LaneEvent, policy: Policy) -> tuple[Lane, Trigger | None]:
    """Return what an event means to the table, and the lane as it is if the table takes it."""
    match event:
        case InputChanged(name=InputName.PASSAGE, active=True):
            return lane, Trigger.PASSAGE
        case InputChanged(name=InputName.EXIT_BUTTON, active=True):
            return lane, Trigger.EXIT_REQUESTED
        case PassShown(holder=None):
            visit = replace(_visit_of_pass(lane), decision=UNKNOWN_PASS)
            return replace(lane, visit=visit), Trigger.PASS_UNKNOWN
        case PassShown(holder=holder):
            visit = replace(_visit_of_pass(lane), holder=holder)
            return replace(lane, visit=visit), Trigger.PASS_KNOWN
        case Reading() if lane.state is State.MEASURING and event.at_s > lane.entered_at_s:
            samples = (*lane.visit.samples, event)
            lane = replace(lane, visit=replace(lane.visit, samples=samples))
            if not is_complete(samples, policy.limits):
                return lane, None
            return _conclude(lane, policy)
        case Written(ok=ok) if lane.state is State.DECIDING:
            return lane, Trigger.RECORDED if ok else Trigger.NOT_RECORDED
        case Tick(at_s=at_s) if lane.deadline_at_s is not None and at_s >= lane.deadline_at_s:
            if lane.state is State.MEASURING:
                return _conclude(lane, policy)
            return lane, Trigger.TIMEOUT
        case _:
            # A released button, a sample that nobody waits for or that is older than the
            # attempt, a sensor fault (the attempt ends without that sample): no trigger.
            return lane, None


def _visit_of_pass(lane: Lane) -> Visit:
    """Return the visit that a pass belongs to: the one that waits for it, else a new one."""
    if lane.state is State.AWAITING_PASS:
        return lane.visit
    return Visit(lane.visit.number + 1)


# What is said is what was decided (S9); only another attempt needs the reason's own words.
_SAY = {
    Outcome.ADMIT: GUIDANCE[Reason.BELOW_LIMIT].say,
    Outcome.REFER: GUIDANCE[Reason.ABOVE_LIMIT].say,
}
_TRIGGER_OF = {
    Outcome.ADMIT: Trigger.ADMITTED,
    Outcome.RECHECK: Trigger.RECHECKED,
    Outcome.REFER: Trigger.REFERRED,
    Outcome.DENY: Trigger.DENIED,
}


def _conclude(lane: Lane, policy: Policy) -> tuple[Lane, Trigger]:
    """Judge the samples of this attempt and decide."""
    visit = lane.visit
    verdict = judge(visit.samples, policy.limits, policy.instrument).distrusted(visit.distrust)
    if not is_complete(visit.samples, policy.limits):
        # Its time is over, and the last sample only repeats the one before.
        verdict = verdict.distrusted(Reason.FROZEN)
    attempts = min(policy.measure_attempts, GUIDANCE[verdict.reason].attempts)
    facts = Facts(
        pass_known=visit.holder is not None,
        verdict=verdict,
        attempts_left=max(0, attempts - visit.attempt),
        near_limit_before=visit.near_limit,
    )
    decision = decide(facts, policy.limits.limit_c)
    near_limit = visit.near_limit or verdict.zone is Zone.RECHECK
    visit = replace(visit, verdict=verdict, decision=decision, near_limit=near_limit)
    return replace(lane, visit=visit), _TRIGGER_OF[decision.outcome]


def _step(
    lane: Lane, trigger: Trigger, at_s: float, policy: Policy
) -> tuple[Lane, tuple[Record, ...]]:
    step = TABLE[lane.state].steps.get(trigger)
    if step is None:
        raise ImpossibleTriggerError(f"{trigger.name} in state {lane.state.name}")
    records = tuple(Record(type_, at_s, _data(type_, lane, policy)) for type_ in step.records)
    return (lane if step.to is lane.state else _enter(lane, step.to, at_s, policy)), records


def _enter(lane: Lane, state: State, at_s: float, policy: Policy) -> Lane:
    visit = lane.visit
    if state is State.AWAITING_PASS:
        visit = Visit(visit.number + 1)
    elif state is State.MEASURING:
        visit = Visit(
            visit.number,
            holder=visit.holder,
            attempt=visit.attempt + 1,
            near_limit=visit.near_limit,
            distrust=lane.distrust,
        )
    span = OUTPUTS[state].until
    deadline_at_s = None if span is None else at_s + policy.spans_s[span]
    return replace(lane, state=state, entered_at_s=at_s, deadline_at_s=deadline_at_s, visit=visit)


def _data(type_: str, lane: Lane, policy: Policy) -> Mapping[str, Json]:
    """Return the data of a record, by the family of its type."""
    visit = lane.visit
    holder = visit.holder
    family = type_.partition(".")[0]
    if type_ == "passage.forced":
        return {"state": lane.state.name.lower()}
    if family == "fire" or type_ in ("passage.free", "exit.released"):
        return {}
    data: dict[str, Json] = {"visit": visit.number}
    if type_ in ("passage.left", "passage.not_left"):
        return {"direction": Direction.EXIT.value}
    data["direction"] = Direction.ENTRY.value
    data["subject"] = None if holder is None else holder.subject
    data["category"] = None if holder is None else holder.category
    if family == "visit" and visit.decision is not None:
        data |= _decision_data(visit, visit.decision, policy)
    return data


def _decision_data(visit: Visit, decision: Decision, policy: Policy) -> dict[str, Json]:
    data: dict[str, Json] = {
        "outcome": decision.outcome.value,
        "rules": list(decision.rules),
        "attempt": visit.attempt,
    }
    if (verdict := visit.verdict) is not None:
        calibration = policy.instrument.correction.calibration
        data |= {
            "zone": verdict.zone.value,
            "reason": verdict.reason.value,
            "say": _SAY.get(decision.outcome, GUIDANCE[verdict.reason].say),
            "index_c": verdict.index_c,
            "guard_c": verdict.guard_c,
            "offset_c": _rounded(verdict.offset_c, 3),
            "object_c": _rounded(verdict.object_c),
            "skin_c": _rounded(verdict.skin_c),
            "skin_max_c": _rounded(verdict.max_c),
            "spread_c": _rounded(verdict.spread_c),
            "ambient_c": [_rounded(ambient_c) for ambient_c in verdict.ambient_c or ()],
            "samples_c": [_rounded(sample.object_c) for sample in visit.samples],
            "calibration": None if calibration is None else calibration.name,
        }
    return data


def _rounded(celsius: float | None, digits: int = 2) -> float | None:
    """Return hundredths of what was measured (the part resolves 0.02 C), None for no number."""
    return None if celsius is None or not isfinite(celsius) else round(celsius, digits)
