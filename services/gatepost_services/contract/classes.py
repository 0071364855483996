"""How urgent each type of event is, and which version of its schema holds: one table.

Light on purpose: the gate needs a class and a version for each event, and no schema. What the data
of a type hold stands in the modules that `gatepost_services.contract.schemas` names.
"""

from types import MappingProxyType

from gatepost_services.record import EventClass

_ALARM, _LIVE, _BOOKS, _CURVE = EventClass

CLASS_OF = MappingProxyType(
    {
        "visit.admitted": _LIVE,
        "visit.rechecked": _LIVE,
        "visit.referred": _ALARM,  # a temperature above the limit, or none to be had
        "visit.denied": _LIVE,
        "visit.abandoned": _LIVE,
        "escalation.raised": _ALARM,  # somebody has to be told, and soon
        "escalation.acknowledged": _BOOKS,
        "entry.commanded": _LIVE,
        "exit.released": _LIVE,
        "exit.refused": _LIVE,
        "passage.entered": _LIVE,
        "passage.not_entered": _LIVE,
        "passage.left": _LIVE,
        "passage.not_left": _LIVE,
        "passage.unconfirmed": _LIVE,
        "passage.forced": _ALARM,
        "passage.tailgated": _ALARM,
        "passage.wrong_way": _ALARM,
        "passage.held": _ALARM,
        "passage.rested": _LIVE,
        "passage.free": _LIVE,
        "duress.shown": _ALARM,
        "proof.refused": _LIVE,
        "pass.not_used": _LIVE,
        "escort.opened": _LIVE,
        "escort.closed": _LIVE,
        "escort.overdue": _ALARM,  # a visitor is inside for longer than the site allows
        "duty.begun": _LIVE,
        "duty.ended": _LIVE,
        "fire.raised": _ALARM,
        "fire.cleared": _ALARM,
        "emergency.raised": _ALARM,
        "emergency.cleared": _ALARM,
        "tamper.raised": _ALARM,
        "tamper.cleared": _ALARM,
        "lane.locked": _BOOKS,
        "lane.unlocked": _BOOKS,
        "lane.closed": _BOOKS,
        "lane.opened": _BOOKS,
        "maintenance.begun": _BOOKS,
        "maintenance.tested": _BOOKS,
        "maintenance.ended": _BOOKS,
        "regime.changed": _BOOKS,
        "disinfection.done": _BOOKS,
        "command.obeyed": _BOOKS,
        "command.refused": _BOOKS,
        "document.applied": _BOOKS,
        "document.refused": _BOOKS,
        "quota.used": _LIVE,
        "config.changed": _BOOKS,
        "clock.changed": _BOOKS,
        "clock.stepped": _BOOKS,
        "clock.behind": _BOOKS,
        "health.reported": _CURVE,
        "controller.started": _BOOKS,
        "controller.stopped": _BOOKS,
        "controller.failed": _ALARM,
        "controller.overrun": _CURVE,
        "fault.raised": _BOOKS,
        "fault.cleared": _BOOKS,
        "thermometer.found": _BOOKS,
        "thermometer.learnt": _CURVE,
        # Without these the server could not tell what it has not got.
        "journal.gap": _ALARM,
        "journal.late": _ALARM,
        "journal.lost": _ALARM,
        "store.corrupt": _ALARM,
        # Never written: it goes out in an event's place, with that event's class.
        "journal.withheld": _LIVE,
    }
)
# Types whose schema is no longer the first one. `versions.json` keeps what each version was, and a
# test compares: another schema under the same number is red.
_LATER: MappingProxyType[str, int] = MappingProxyType({})
_FIRST = 1


def class_of(type_: str) -> EventClass:
    """Return the class of a type; a type that nobody has classed is as urgent as a decision."""
    return CLASS_OF.get(type_, _LIVE)


def version_of(type_: str) -> int:
    """Return the version of a type's schema."""
    return _LATER.get(type_, _FIRST)


def schema_urn(type_: str) -> str | None:
    """Return what names the schema of a type's data (`dataschema`), None for an unknown type."""
    return f"urn:gatepost:schema:{type_}:{version_of(type_)}" if type_ in CLASS_OF else None
