"""What a record of the lane says: its data, by its type."""

from collections.abc import Mapping
from math import isfinite

from gatepost.core.attempt import SHUT
from gatepost.core.events import Command, Json, Record
from gatepost.core.regime import Outcome
from gatepost.core.rules import Decision
from gatepost.core.screening import GUIDANCE, Reason
from gatepost.core.states import State
from gatepost.core.visit import Lane, PassageSignal, Policy, Visit
from gatepost_hal.ports import Direction, InputName

# What is said is what was decided (S9); only another attempt needs the reason's own words.
_SAY = {
    Outcome.ADMIT: GUIDANCE[Reason.BELOW_LIMIT].say,
    Outcome.ADMIT_AND_REPORT: GUIDANCE[Reason.BELOW_LIMIT].say,
    Outcome.REFER: GUIDANCE[Reason.ABOVE_LIMIT].say,
    Outcome.REDIRECT: "no entry",
    Outcome.DENY: "no entry",  # whatever was measured
}
# A turn that nobody was let through for.
_ALARMS = ("passage.forced", "passage.tailgated", "passage.wrong_way", "passage.free")
_DECISIONS = ("visit.admitted", "visit.referred", "visit.denied")
_EXIT_DECISIONS = ("exit.released", "exit.refused")
_OF_THE_EXIT = ("exit.released", "exit.refused", "passage.left", "passage.not_left")


def command_record(type_: str, command: Command, why: str | None = None) -> Record:
    """Return the record of a command that was obeyed, or refused and why."""
    data: dict[str, Json] = {"command": command.id, "verb": command.verb.value, "by": command.by}
    if command.tested is not None:
        data["tested"] = command.tested.value
    if why is not None:
        data["why"] = why
    return Record(type_, command.at_s, data)


def data_of(type_: str, lane: Lane, policy: Policy) -> Mapping[str, Json]:
    """Return the data of a record that a step leaves; `lane` is as the step found it."""
    if type_ in _ALARMS:
        return _alarm_data(lane, policy)
    if type_ in ("passage.held", "passage.rested"):
        return {}
    if type_ == "maintenance.tested":
        return {"tested": None if lane.tested is None else lane.tested.value}
    is_exit = type_ in _OF_THE_EXIT or (
        type_ == "passage.unconfirmed" and lane.state is State.LEAVING
    )
    if is_exit:
        return _exit_data(lane, is_decision=type_ in _EXIT_DECISIONS)
    visit = lane.visit
    data: dict[str, Json] = {"visit": visit.number, "direction": Direction.ENTRY.value}
    data |= _who(visit.holder.subject, visit.holder.category) if visit.holder else _who(None, None)
    escort = visit.brought.escort or (visit.known and visit.known.escort)
    if escort:
        data["escort"] = escort
    if visit.released_by is not None:
        data["by"] = visit.released_by
    elif type_.startswith("visit.") and visit.decision is not None:
        data |= _decision_data(visit, visit.decision, policy)
        if visit.decision is SHUT:
            data["state"] = lane.state.name.lower()
    return data


def escalations(type_: str, lane: Lane, at_s: float) -> tuple[Record, ...]:
    """Return a record for each one whom the order in force wants to be told of a decision.

    `within_s`: how soon, from this event on (0 is at once); `rules` are those of the decision.
    """
    visit, leaver = lane.visit, lane.leaver
    data: dict[str, Json]
    if type_ in _EXIT_DECISIONS and leaver is not None:
        decision, holder = leaver.decision, leaver.holder
        data = {"direction": Direction.EXIT.value}
    elif type_ in _DECISIONS and visit.released_by is None:
        decision, holder = visit.decision, visit.holder
        data = {"visit": visit.number, "direction": Direction.ENTRY.value}
    else:
        return ()
    if decision is None:
        return ()
    data |= {
        **(_who(holder.subject, holder.category) if holder else {}),
        "finding": decision.reason,
        "regime": decision.regime,
        "rules": list(decision.rules),
    }
    return tuple(
        Record("escalation.raised", at_s, {**notice._asdict(), **data}) for notice in decision.tell
    )


def _who(subject: str | None, category: str | None) -> dict[str, Json]:
    return {"subject": subject, "category": category}


def _alarm_data(lane: Lane, policy: Policy) -> dict[str, Json]:
    data: dict[str, Json] = {"state": lane.state.name.lower()}
    if policy.passage is PassageSignal.PER_DIRECTION:
        way = Direction.EXIT if lane.turned_by is InputName.PASSAGE_EXIT else Direction.ENTRY
        data["direction"] = way.value
    return data


def _exit_data(lane: Lane, *, is_decision: bool) -> dict[str, Json]:
    data: dict[str, Json] = {"direction": Direction.EXIT.value}
    leaver = lane.leaver
    if leaver is not None and leaver.holder is not None:
        data |= _who(leaver.holder.subject, leaver.holder.category)
    if leaver is not None and leaver.commanded_by is not None:
        data["by"] = leaver.commanded_by
    if is_decision and leaver is not None and leaver.decision is not None:
        decision = leaver.decision
        data |= {"outcome": decision.outcome.word, "rules": list(decision.rules)}
        data |= _of_order(decision)
    return data


def _of_order(decision: Decision) -> dict[str, Json]:
    return {
        "regime": decision.regime,
        "finding": decision.reason,
        "tell": [notice._asdict() for notice in decision.tell],
        "prompts": list(decision.say),
    }


def _decision_data(visit: Visit, decision: Decision, policy: Policy) -> dict[str, Json]:
    data: dict[str, Json] = {
        "outcome": decision.outcome.word,
        "rules": list(decision.rules),
        "attempt": visit.attempt,
    }
    if decision.regime is not None:
        data |= _of_order(decision)
    elif decision.reason:
        data["finding"] = decision.reason  # why a signed pass is none here and now
    if visit.brought.kinds:
        data["brought"] = list(visit.brought.kinds)
    if visit.wanted:
        data["wanted"] = [need.value for need in visit.wanted]
    if visit.objection is not None:
        data["objection"] = visit.objection.reason
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
