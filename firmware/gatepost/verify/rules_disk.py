"""S5: what has to be on disk, and what waits for no disk."""

from gatepost.core.events import Command, PassShown, Written
from gatepost.core.states import State
from gatepost.verify.claims import Property, When
from gatepost.verify.explore import Seen
from gatepost.verify.terms import (
    ADMITTED,
    IN_THE_ARM,
    UNCOUNTED,
    frees,
    is_held_in,
    record_of,
    wish_at,
)
from gatepost_hal.ports import InputChanged

S5 = Property("S5", "an entry has its record on disk first; an exit waits for no disk")

# In these a wish to leave is granted at once, whatever became of the disk.
_EXIT_AT_ONCE = frozenset(State) - IN_THE_ARM - ADMITTED - UNCOUNTED | {State.MAINTENANCE}
_EXIT_AT_ONCE -= {State.MEASURING, State.PAUSING}


@S5.rule(When.ENTERED | When.TOLD)
def recorded_before_released(step: Seen) -> bool | None:
    """With the decision to let somebody in comes its record, exactly one, to be written first."""
    told = [type_ for type_ in step.types if type_ in ("visit.admitted", "entry.commanded")]
    if step.enters is not State.DECIDING:
        return not told if step.records else None
    wanted = "visit.admitted" if step.after.visit.released_by is None else "entry.commanded"
    return told == [wanted] and not frees(step.after)


@S5.rule(states={State.DECIDING}, events=(Written,))
@S5.rule(When.ENTERED, states={State.DECIDING})
def released_when_written(step: Seen) -> bool | None:
    """A decided entry is released by the word that it is on disk, and by nothing else."""
    if isinstance(step.event, Written) and step.event.ok:
        return step.after.state is State.RELEASED and not step.records
    return step.after.state is not State.RELEASED


@S5.rule(states={State.DECIDING}, events=(Written,))
def not_written_is_refused(step: Seen) -> bool | None:
    """An entry whose record cannot be written is refused, by whomever it was decided."""
    if not isinstance(step.event, Written) or step.event.ok:
        return None
    if step.after.state is State.LEAVING:  # for somebody else, who has waited for it inside
        return step.types == ("exit.released",)
    if step.before.present:
        # A wish to leave may have waited for this, and be refused as well.
        return step.after.state is State.REFUSED and set(step.types) <= {"exit.refused"}
    return not frees(step.after) and set(step.types) <= {"exit.refused"}


@S5.rule(states=_EXIT_AT_ONCE, events=(InputChanged, PassShown, Command))
def an_exit_waits_for_no_disk(step: Seen) -> bool | None:
    """A wish to leave frees the exit in one step, wherever nobody is in the arm or measured."""
    wish = wish_at(step)
    if wish is None or wish is step.before.exit_wish or is_held_in(step, wish):
        return None
    return step.after.state is State.LEAVING and record_of(step, "exit.released") is not None
