"""The checks: what each one finds in the facts. One function a check, in one table.

None is: in order. A check says what it sees; what follows from that is the regime's.
"""

from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta, tzinfo
from typing import NamedTuple

from gatepost.core.facts import Category, Code, DatedCode, Facts, Mask, ProofKind, Refusal
from gatepost.core.regime import Check, Finding, Limits
from gatepost.core.screening import Zone


class Site(NamedTuple):
    """What a check needs besides the facts."""

    limits: Limits
    zone: tzinfo
    areas: Mapping[str, datetime] = {}


Found = Finding | None


def _isolation(facts: Facts, _: Site) -> Found:
    return Finding.ISOLATED if facts.isolated else None


def _mask(facts: Facts, _: Site) -> Found:
    match facts.mask:
        case Mask.WORN:
            return None
        case Mask.NOT_WORN:
            return Finding.NO_MASK
        case Mask.UNKNOWN:
            return Finding.MASK_UNKNOWN


def _temperature(facts: Facts, site: Site) -> Found:
    """Strictly more than the limit is hot; a zone that is no pass is none for any index."""
    match facts.zone:
        case Zone.NO_INFORMATION:
            return Finding.UNMEASURED
        case Zone.RECHECK:
            return Finding.NEAR_LIMIT
        case Zone.REFER:
            return Finding.HOT
        case Zone.PASS:
            # This way round, an index that is no number is hot.
            is_within = facts.index_c is None or facts.index_c <= site.limits.index_c
            return None if is_within else Finding.HOT


def _health_code(facts: Facts, site: Site) -> Found:
    return _code(facts.health_code, Finding.CODE_UNKNOWN, facts, site)


def _trip_card(facts: Facts, site: Site) -> Found:
    return _code(facts.trip_card, Finding.TRIP_UNKNOWN, facts, site)


def _code(dated: DatedCode, unknown: Finding, facts: Facts, site: Site) -> Found:
    match dated.code:
        case Code.UNKNOWN:
            return unknown
        case Code.YELLOW | Code.RED:  # however old: only a newer one clears it
            return Finding.CODED_TESTED if _has_long_test(facts, site) else Finding.CODED
        case Code.GREEN if dated.seen is None or not site.limits.code_hours:
            return None
        case Code.GREEN if facts.now is None:
            return Finding.NO_CLOCK
        case Code.GREEN:
            span = timedelta(hours=site.limits.code_hours)
            return None if _is_within(dated.seen, facts.now, span) else unknown


def _risk_area(facts: Facts, site: Site) -> Found:
    days = _days_since_risk_area(facts, site)
    if days is None and facts.category is Category.RETURNED_RESIDENT:
        days = 0  # it is what the category says
    if days is None or days > site.limits.look_back_days:
        return None
    return Finding.RISK_AREA_TESTED if _has_long_test(facts, site) else Finding.RISK_AREA


def _days_since_risk_area(facts: Facts, site: Site) -> int | None:
    """Return the fewest days that anything speaks of; without a clock a stay has just ended."""
    known = [] if facts.risk_area_days is None else [facts.risk_area_days]
    for area, ended in facts.stays:
        since = site.areas.get(area)
        if since is not None and ended >= since:
            days = 0 if facts.now is None else _days_between(ended, facts.now, site.zone)
            known.append(max(days, 0))
    return min(known, default=None)


def _has_long_test(facts: Facts, site: Site) -> bool:
    test = facts.test
    if test is None or test.kind is not ProofKind.NEGATIVE or facts.now is None:
        return False
    return _is_within(test.taken, facts.now, timedelta(days=site.limits.long_test_days))


def _test(facts: Facts, site: Site) -> Found:
    """A negative result of the last hours, or a sample of today (R035)."""
    test = facts.test
    if test is None:
        return Finding.NO_TEST
    if facts.now is None or test.taken > facts.now:
        return Finding.NO_CLOCK
    match test.kind:
        case ProofKind.NEGATIVE:
            is_valid = _is_within(test.taken, facts.now, timedelta(hours=site.limits.test_hours))
        case ProofKind.SAMPLED:
            is_valid = _days_between(test.taken, facts.now, site.zone) == 0
    return None if is_valid else Finding.NO_TEST


def _pass(facts: Facts, _: Site) -> Found:
    if facts.shown is None or facts.shown.valid is None:
        return Finding.NO_PASS
    return None if facts.shown.valid else Finding.BAD_PASS


def _registered(facts: Facts, _: Site) -> Found:
    return None if facts.registered else Finding.UNREGISTERED


def _escort(facts: Facts, _: Site) -> Found:
    return None if facts.escort else Finding.NO_ESCORT


def _quota(facts: Facts, site: Site) -> Found:
    """One person of a household every so many days, counted in days of the site (R065)."""
    last = facts.household_last_exit
    if last is None and (facts.shown is None or facts.shown.household is None):
        return Finding.NO_HOUSEHOLD
    if last is None or facts.vouchers > 0:
        return None
    if facts.now is None or last > facts.now:
        return Finding.NO_CLOCK
    is_due = _days_between(last, facts.now, site.zone) >= site.limits.quota_days
    return None if is_due else Finding.OVER_QUOTA


def _works(facts: Facts, site: Site) -> Found:
    if facts.works_inside is None:
        return Finding.WORKS_UNKNOWN
    return None if facts.works_inside < site.limits.works_inside else Finding.WORKS_FULL


def _capacity(facts: Facts, site: Site) -> Found:
    if not site.limits.capacity or facts.people_inside is None:
        return None
    return None if facts.people_inside < site.limits.capacity else Finding.OVER_CAPACITY


def _is_within(then: datetime, now: datetime, span: timedelta) -> bool:
    """Return whether `then` was at most `span` ago; what is still to come was not."""
    return timedelta(0) <= now - then <= span


def _days_between(then: datetime, now: datetime, zone: tzinfo) -> int:
    return (_day(now, zone) - _day(then, zone)).days


def _day(instant: datetime, zone: tzinfo) -> date:
    """Return the day in a zone; at the ends of the calendar, where that has none, its own."""
    try:
        return instant.astimezone(zone).date()
    except OverflowError:
        return instant.date()


def besides(finding: Finding, facts: Facts, limits: Limits) -> Found:
    """Return what comes with a finding, as one more: it never takes the finding's place."""
    if finding is Finding.ISOLATED and Refusal.OBSERVATION in facts.refused:
        return Finding.REFUSES_OBSERVATION
    if finding is Finding.ISOLATED:
        since, now = facts.isolated_since, facts.now
        is_over = since and now and now - since >= timedelta(days=limits.observation_days)
        return Finding.RELEASE_DUE if is_over else None
    if finding is Finding.UNMEASURED and Refusal.MEASURING in facts.refused:
        return Finding.REFUSES_MEASURING
    if finding in _UNPROVEN and Refusal.PROOF in facts.refused:
        return Finding.REFUSES_PROOF
    return None


class Entry(NamedTuple):
    """A check's function, and all that it can find, with what comes besides."""

    look: Callable[[Facts, Site], Found]
    findings: tuple[Finding, ...]


_UNPROVEN = (Finding.CODE_UNKNOWN, Finding.TRIP_UNKNOWN, Finding.NO_TEST)
_ISOLATED = (Finding.ISOLATED, Finding.RELEASE_DUE, Finding.REFUSES_OBSERVATION)
_MEASURED = (
    Finding.UNMEASURED,
    Finding.NEAR_LIMIT,
    Finding.HOT,
    Finding.REFUSES_MEASURING,
)
_CODED = (Finding.CODED, Finding.CODED_TESTED, Finding.REFUSES_PROOF)
CHECKS = {
    Check.ISOLATION: Entry(_isolation, _ISOLATED),
    Check.MASK: Entry(_mask, (Finding.MASK_UNKNOWN, Finding.NO_MASK)),
    Check.TEMPERATURE: Entry(_temperature, _MEASURED),
    Check.HEALTH_CODE: Entry(_health_code, (Finding.CODE_UNKNOWN, *_CODED, Finding.NO_CLOCK)),
    Check.TRIP_CARD: Entry(_trip_card, (Finding.TRIP_UNKNOWN, *_CODED, Finding.NO_CLOCK)),
    Check.RISK_AREA: Entry(_risk_area, (Finding.RISK_AREA, Finding.RISK_AREA_TESTED)),
    Check.TEST: Entry(_test, (Finding.NO_TEST, Finding.REFUSES_PROOF, Finding.NO_CLOCK)),
    Check.PASS: Entry(_pass, (Finding.NO_PASS, Finding.BAD_PASS)),
    Check.REGISTERED: Entry(_registered, (Finding.UNREGISTERED,)),
    Check.ESCORT: Entry(_escort, (Finding.NO_ESCORT,)),
    Check.QUOTA: Entry(_quota, (Finding.NO_HOUSEHOLD, Finding.OVER_QUOTA, Finding.NO_CLOCK)),
    Check.WORKS: Entry(_works, (Finding.WORKS_FULL, Finding.WORKS_UNKNOWN)),
    Check.CAPACITY: Entry(_capacity, (Finding.OVER_CAPACITY,)),
}
