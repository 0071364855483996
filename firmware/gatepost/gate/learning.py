"""What the thermometer learns from the people who were measured."""

from collections.abc import Callable
from types import MappingProxyType

from gatepost.core.events import Record
from gatepost.core.offset import Offset
from gatepost.core.sensing import Sensing
from gatepost.core.visit import Visit

# The records of a decision, and whether the person was let in.
LESSONS = MappingProxyType({"visit.admitted": True, "visit.referred": False})
_KEEP_PEOPLE = 50  # what was learnt is written down after so many


def learn(
    sensing: Sensing, visit: Visit, record: Record, keep: Callable[[Offset], None]
) -> tuple[Record, ...]:
    """Learn from whoever was just admitted or referred; now and then write down what, and tell."""
    verdict, holder, at_s = visit.verdict, visit.holder, record.at_s
    if verdict is None or holder is None:
        return ()
    admitted = LESSONS[record.type]
    if not sensing.learn(verdict, subject=holder.subject, admitted=admitted, now_s=at_s):
        return ()
    is_round = sensing.offset.people % _KEEP_PEOPLE == 0
    if is_round or sensing.offset.settled_c is None:
        # The first people one by one: a gate that loses its power every night settles too.
        keep(sensing.offset)
    return (Record("thermometer.learnt", at_s, sensing.told()),) if is_round else ()
