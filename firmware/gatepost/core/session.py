"""One visit collects what the order asks for: a pass, then proofs of codes and tests, an escort.

What is still missing is found by asking the order itself: what somebody could bring is supposed to
be there, and what the decision does not need is left out again. So no list of needs stands beside
the regime's own rules.
"""

from collections.abc import Collection
from dataclasses import replace
from enum import Enum
from typing import NamedTuple

from gatepost.core.facts import Category, Code, DatedCode, Facts, Proof, ProofKind
from gatepost.core.regime import Regime
from gatepost.core.rules import decide

# Who may bring somebody in: who lives or is on duty here, a person with a name (R077).
ESCORTS = frozenset(
    {
        Category.RESIDENT,
        Category.TENANT,
        Category.PROPERTY_STAFF,
        Category.EPIDEMIC_CONTROL,
    }
)


class Need(Enum):
    """What a person can still show when a decision waits for it."""

    HEALTH_CODE = "health_code"
    TRIP_CARD = "trip_card"
    TEST = "test"
    ESCORT = "escort"


class Brought(NamedTuple):
    """What was shown in this visit besides the pass, verified by whoever made this value.

    `escort`: the subject of the pass that somebody showed for the visitor.
    """

    health_code: DatedCode | None = None
    trip_card: DatedCode | None = None
    test: Proof | None = None
    escort: str | None = None

    @property
    def kinds(self) -> tuple[str, ...]:
        """The words of what is there, for the record: no more of it."""
        return tuple(need.value for need in Need if getattr(self, need.value) is not None)


NOTHING = Brought()


def also(brought: Brought, more: Brought) -> Brought:
    """Return both; where there is one of a kind already, what was shown last."""
    newer = {kind: getattr(more, kind) for kind in more.kinds}
    return brought._replace(**newer)


def with_brought(known: Facts, brought: Brought) -> Facts:
    """Return the facts with what was brought.

    A red or yellow code that is known gives way to a later one only (R043): nobody gets rid of it
    by showing an old green one.
    """
    return replace(
        known,
        health_code=_later(known.health_code, brought.health_code),
        trip_card=_later(known.trip_card, brought.trip_card),
        test=brought.test or known.test,
        escort=brought.escort or known.escort,
    )


def _later(known: DatedCode, shown: DatedCode | None) -> DatedCode:
    if shown is None:
        return known
    if known.code is Code.UNKNOWN:
        return shown
    is_later = known.seen is not None and shown.seen is not None and shown.seen > known.seen
    return shown if is_later else known


def missing(facts: Facts, regime: Regime, brings: Collection[Need]) -> tuple[Need, ...]:
    """Return what would make the order let this person through, none if nothing that they bring.

    `facts`: all that is known after the measurement. `brings`: what can be shown at this gate.
    """
    if _lets_in(facts, regime):
        return ()
    needs = [need for need in Need if need in brings and _is_open(facts, need)]
    if not needs or not _lets_in(_supposing(facts, needs), regime):
        return ()
    for need in tuple(needs):
        without = [other for other in needs if other is not need]
        if _lets_in(_supposing(facts, without), regime):
            needs = without
    return tuple(needs)


def _lets_in(facts: Facts, regime: Regime) -> bool:
    is_escorted = facts.escort is not None or not facts.needs_escort
    return is_escorted and decide(facts, regime).release


def brought_by(subject: str, shown: Facts, *, visitor: Facts, is_own: bool) -> Brought:
    """Return what another pass adds: one's own, with newer codes; or of whoever brings one in."""
    if is_own:
        return Brought(_known(shown.health_code), _known(shown.trip_card), shown.test)
    is_wanted = visitor.needs_escort in (True, False, subject)
    may = shown.category in ESCORTS and not shown.isolated and is_wanted
    return Brought(escort=subject if may else None)


def _known(code: DatedCode) -> DatedCode | None:
    return None if code.code is Code.UNKNOWN else code


def _is_open(facts: Facts, need: Need) -> bool:
    """Return whether showing it could change anything: a red code stays red."""
    match need:
        case Need.HEALTH_CODE:
            return facts.health_code.code in (Code.UNKNOWN, Code.GREEN)
        case Need.TRIP_CARD:
            return facts.trip_card.code in (Code.UNKNOWN, Code.GREEN)
        case Need.TEST:
            return facts.now is not None
        case Need.ESCORT:
            return facts.escort is None


def _supposing(facts: Facts, needs: Collection[Need]) -> Facts:
    green = DatedCode(Code.GREEN, facts.now)
    return replace(
        facts,
        health_code=green if Need.HEALTH_CODE in needs else facts.health_code,
        trip_card=green if Need.TRIP_CARD in needs else facts.trip_card,
        test=Proof(ProofKind.NEGATIVE, facts.now)
        if Need.TEST in needs and facts.now is not None
        else facts.test,
        escort="?" if Need.ESCORT in needs else facts.escort,
    )
