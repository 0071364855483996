"""S9: what the person is told, and what is recorded, is what was decided and what happened."""

from gatepost.core.events import Command, PassShown, Record
from gatepost.core.lane import output_of
from gatepost.core.prompts import prompt_of
from gatepost.core.regime import Outcome
from gatepost.core.signals import SIGNALS, Signal
from gatepost.core.states import State
from gatepost.core.visit import Lane
from gatepost.verify.claims import Property, When
from gatepost.verify.explore import Seen
from gatepost.verify.measured import DIGITS, index_of
from gatepost.verify.terms import (
    ADMITTED,
    BOTH,
    CONDITION_TYPES,
    IN_THE_ARM,
    LET_OUT,
    MODE_OF,
    frees,
    has_contact,
    record_of,
    turn_of,
    wish_at,
)
from gatepost_hal.ports import Lamp

S9 = Property("S9", "what the person is told, and what is recorded, is what was decided")

_SHOWN = {
    State.IDLE: Signal.READY,
    State.AWAITING_PASS: Signal.SHOW_PASS,
    State.MEASURING: Signal.HOLD_STILL,
    State.PAUSING: Signal.TRY_AGAIN,
    State.DECIDING: Signal.HOLD_STILL,
    State.REFUSED: Signal.NO_ENTRY,
    State.REFERRED: Signal.WAIT_FOR_STAFF,
    State.CLEARING: Signal.READY,
    State.HELD: Signal.ALARM,
    State.FORCED: Signal.ALARM,
    State.FIRE: Signal.EVACUATE,
    State.EMERGENCY: Signal.EVACUATE,
    State.MAINTENANCE: Signal.SERVICE,
    State.LOCKED: Signal.LOCKED,
    State.CLOSED: Signal.CLOSED,
    State.TAMPER: Signal.ALARM,
}
_GREEN = {Signal.GO, Signal.EVACUATE, Signal.SERVICE, Signal.TEST_GREEN}
_OUTCOME_OF = {
    "visit.admitted": Outcome.ADMIT,
    "visit.rechecked": Outcome.RECHECK,
    "visit.referred": Outcome.REFER,
    "visit.denied": Outcome.DENY,
}
_STATE_OF = {
    "visit.admitted": State.DECIDING,
    "visit.rechecked": State.PAUSING,
    "visit.referred": State.REFERRED,
    "visit.denied": State.REFUSED,
}
# Where a step may go on to at once: who was decided on has gone, or somebody wishes to leave.
_ONWARD = frozenset({State.IDLE, State.LEAVING, *MODE_OF.values()})
_VISIT = frozenset({State.AWAITING_PASS, State.MEASURING, State.PAUSING})
_ENDS_OF_A_VISIT = frozenset(_OUTCOME_OF) - {"visit.rechecked"} | {
    "visit.abandoned",
    "entry.commanded",
}
_OF_AN_ENTRY = ("passage.entered", "passage.not_entered")
_OF_AN_EXIT = ("passage.left", "passage.not_left")
KNOWN_TYPES = (
    frozenset(_OUTCOME_OF)
    | CONDITION_TYPES
    | {"visit.abandoned", "entry.commanded", "exit.released", "exit.refused", "duress.shown"}
    | {"command.obeyed", "command.refused", "proof.refused", "maintenance.tested"}
    | {f"passage.{word}" for word in ("entered", "not_entered", "left", "not_left", "held")}
    | {f"passage.{word}" for word in ("unconfirmed", "wrong_way", "tailgated", "forced", "free")}
    | {"passage.rested", "escalation.raised"}
)


# ------------------------------------------------------------------------------ lamps and sound


@S9.rule(When.ENTERED)
def the_signal_is_what_the_state_means(step: Seen) -> bool:
    """GO when one way is free, EVACUATE when both are, and for all else the signal of the state."""
    lane = step.after
    signal, free = output_of(lane).signal, frees(lane)
    if lane.state is State.TESTING:
        return lane.tested is not None and signal not in (Signal.GO, Signal.EVACUATE)
    if free:
        return signal is (Signal.EVACUATE if free == BOTH else Signal.GO)
    wanted = Signal.READY if lane.state in IN_THE_ARM else _SHOWN.get(lane.state)
    return signal is wanted


@S9.rule(When.ENTERED)
def green_is_free(step: Seen) -> bool | None:
    """The green lamp is lit where a way is free, where all lamps are, and where it is tested."""
    if step.after.state is step.before.state:
        return None
    signal = output_of(step.after).signal
    return (Lamp.GREEN in SIGNALS[signal].lamps) == (signal in _GREEN)


@S9.rule(When.ENTERED)
def the_words_are_those_of_the_lamps(step: Seen) -> bool:
    """In words, too, nobody is told to go, to leave, or to wait for staff, but who may or must."""
    lane = step.after
    prompt, free = prompt_of(lane), frees(lane)
    key = None if prompt is None else prompt.key
    if free and lane.state is not State.TESTING:
        return key == ("evacuate" if free == BOTH else "go")
    is_for_staff = lane.state is State.REFERRED
    return key not in ("evacuate", "go") and (key == "wait_for_staff") == is_for_staff


@S9.rule(When.MOVED)
def the_state_is_what_was_decided(step: Seen) -> bool | None:
    """Let in was admitted, wait for staff was referred, no entry was denied or not recorded."""
    lane = step.after
    decision, by = lane.visit.decision, lane.visit.released_by
    outcome = None if decision is None else decision.outcome
    if lane.state in ADMITTED:
        return by is not None or (outcome is not None and outcome.releases)
    match lane.state:
        case State.REFERRED:
            return outcome is Outcome.REFER
        case State.REFUSED:
            is_unwritten = step.before.state in (State.DECIDING, State.REFUSED)
            return outcome is Outcome.DENY or (
                is_unwritten and (by is not None or (outcome is not None and outcome.releases))
            )
        case State.PAUSING:
            return outcome is Outcome.RECHECK
        case _:
            return None


# ------------------------------------------------------------------------------------- records


@S9.rule(When.TOLD)
def a_record_is_of_now_and_known(step: Seen) -> bool | None:
    """A record has a known type and the instant of its event."""
    if not step.records:
        return None
    return KNOWN_TYPES.issuperset(step.types) and all(
        record.at_s == step.event.at_s for record in step.records
    )


def _who(record: Record, lane: Lane) -> bool:
    """Return whether a record names the visit of a lane, and whose it is."""
    visit, data = lane.visit, record.data
    subject = None if visit.holder is None else visit.holder.subject
    return (data.get("visit"), data.get("subject")) == (visit.number, subject)


@S9.rule(When.TOLD)
def a_decision_is_told_as_it_was_made(step: Seen) -> bool | None:
    """The record of a decision has its outcome and its person, and the lane goes where it says."""
    told = [record for record in step.records if record.type in _OUTCOME_OF]
    if not told:
        return None
    record, lane = told[0], step.after
    outcomes = {_OUTCOME_OF[record.type].word}
    if step.policy.regime is not None and record.type == "visit.admitted":
        outcomes.add("admit_and_report")
    if len(told) > 1 or record.data["outcome"] not in outcomes:
        return False
    if lane.state is not _STATE_OF[record.type]:
        return lane.state in _ONWARD
    return _who(record, lane)


@S9.rule(When.ENTERED | When.TOLD, states=_VISIT)
def every_visit_has_an_end(step: Seen) -> bool | None:
    """A visit ends once: decided on, or let in by staff, or abandoned; and then it is told."""
    told = [type_ for type_ in step.types if type_ in _ENDS_OF_A_VISIT]
    return len(told) == (step.after.state not in _VISIT)


@S9.rule(When.TOLD)
def an_admission_shows_its_numbers(step: Seen) -> bool | None:
    """The record of an admission has the index that its samples make, and says: please go."""
    record = record_of(step, "visit.admitted")
    if record is None:
        return None
    samples, index_c = step.after.visit.samples, record.data["index_c"]
    return (
        isinstance(index_c, float)
        and abs(index_c - index_of(samples)) <= 10**-DIGITS
        and record.data["samples_c"] == [round(sample.object_c, 2) for sample in samples]
        and record.data["say"] == "please go"
        and (record.data["zone"] in ("pass", "recheck") or _is_reported(record, step))
    )


def _is_reported(record: Record, step: Seen) -> bool:
    """Return whether it is an order that let in somebody above the limit, and somebody is told."""
    return step.policy.regime is not None and bool(record.data.get("tell"))


@S9.rule(When.TOLD, site=lambda policy: policy.regime is not None)
def whom_an_order_names_is_told(step: Seen) -> bool | None:
    """Each one whom a decision names has an escalation, right after it, and nobody else has."""
    if not _OUTCOME_OF.keys() & set(step.types):
        return "escalation.raised" not in step.types  # the walk's order reports nobody who leaves
    decision = step.after.visit.decision
    told = [record.data["who"] for record in step.records if record.type == "escalation.raised"]
    return decision is not None and told == [notice.who for notice in decision.tell]


@S9.rule(When.TOLD)
def staffs_word_is_told_with_its_name(step: Seen) -> bool | None:
    """The record of an entry by staff says by whom, and for whom, if anybody had come for it."""
    record = record_of(step, "entry.commanded")
    if record is None:
        return None
    by = step.event.by if isinstance(step.event, Command) else "staff"
    before, visit = step.before.visit, step.after.visit
    is_for_somebody = step.before.state in _VISIT | {State.REFUSED, State.REFERRED}
    whose = (before.number, before.holder) if is_for_somebody else (before.number + 1, None)
    is_theirs = (visit.number, visit.holder) == whose
    return is_theirs and record.data.get("by") == by and _who(record, step.after)


@S9.rule(When.TOLD, states=ADMITTED)
def who_was_let_in_is_who_entered(step: Seen) -> bool | None:
    """What became of an entry is told of the visit, the person and the word that it was let by."""
    record = record_of(step, *_OF_AN_ENTRY, "passage.unconfirmed")
    if record is None:
        return None
    by = step.before.visit.released_by
    return _who(record, step.before) and record.data.get("by") == by


@S9.rule(When.TOLD)
def who_wished_is_who_left(step: Seen) -> bool | None:
    """The records of an exit name the one whose wish it was, from the wish to the turn."""
    told = record_of(step, "exit.released", "exit.refused")
    if told is not None:
        wish = wish_at(step)
    else:
        told = record_of(step, *_OF_AN_EXIT) if step.before.state in LET_OUT else None
        wish = step.before.leaver
    if told is None or wish is None:
        return None if told is None else False
    subject = None if wish.holder is None else wish.holder.subject
    return (told.data.get("subject"), told.data.get("by")) == (subject, wish.commanded_by)


@S9.rule(When.MOVED, states=LET_OUT)
def the_leaver_stays(step: Seen) -> bool | None:
    """Whose wish freed the exit stays the same until the turn."""
    if step.after.state not in LET_OUT or "exit.released" in step.types:
        return None
    return step.after.leaver == step.before.leaver


@S9.rule(When.TOLD)
def the_wish_granted_is_the_leavers(step: Seen) -> bool | None:
    """Whose wish is granted is who leaves."""
    return step.after.leaver == wish_at(step) if "exit.released" in step.types else None


@S9.rule(When.TOLD, site=has_contact)
def nobody_walked_unless_the_arm_turned(step: Seen) -> bool | None:
    """An entry or exit is told only with a turn of the arm."""
    if record_of(step, "passage.entered", "passage.left") is None:
        return None
    return turn_of(step.event) is not None


@S9.rule(When.TOLD, site=has_contact)
def a_contact_leaves_nothing_unconfirmed(step: Seen) -> bool | None:
    """Where the turnstile tells of a turn, nothing is left unconfirmed."""
    if not step.records:
        return None
    return "passage.unconfirmed" not in step.types


@S9.rule(When.TOLD, site=lambda policy: not has_contact(policy))
def without_a_contact_nothing_is_claimed(step: Seen) -> bool | None:
    """Where the turnstile tells nothing, nobody is told to have walked."""
    if not step.records:
        return None
    return record_of(step, "passage.entered", "passage.left") is None


@S9.rule(events=(PassShown,))
def duress_is_told_silently(step: Seen) -> bool | None:
    """A pass shown under threat is told once, wherever it is shown, and no other one is."""
    shown = step.event
    if not isinstance(shown, PassShown):
        return None
    is_threat = shown.holder is not None and shown.holder.duress
    return step.types.count("duress.shown") == is_threat


@S9.rule(When.MOVED)
def a_visit_has_one_number(step: Seen) -> bool:
    """A visit keeps its number, and the next one has the next."""
    return step.after.visit.number - step.before.visit.number in (0, 1)


@S9.rule(When.TOLD)
def a_condition_is_told_with_who_switched_it(step: Seen) -> bool | None:
    """The record of a condition names whoever commanded it."""
    record = record_of(step, *CONDITION_TYPES)
    if record is None:
        return None
    by = step.event.by if isinstance(step.event, Command) else None
    return record.data.get("by") == by
