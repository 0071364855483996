"""When somebody who walked out has used their household's turn (R065). Pure."""

from datetime import datetime, timedelta
from typing import NamedTuple

from gatepost.core.events import Record
from gatepost.core.facts import Category
from gatepost.core.regime import Check, Regime
from gatepost_hal.ports import Direction


class Outing(NamedTuple):
    """Somebody of a household went out, and it counts: a trusted clock saw it.

    `at_s` is the monotonic instant, `left` the same by that clock; `category` as the roster, or
    their signed pass, has it.
    """

    at_s: float
    subject: str
    category: str
    left: datetime


def quota_used(outing: Outing, regime: Regime | None) -> Record | None:
    """Return the record of a turn that is used, None where the order counts no outings of theirs.

    A household has one in so many days, so that each outing uses the last of it. `free_on` is the
    day of the site on which the next may begin. No household is named: who gave the gate its
    roster knows whose subject it is.
    """
    if regime is None or outing.category not in {each.value for each in Category}:
        return None
    row = regime.rows[Direction.EXIT, Category(outing.category)]
    rules = next((rules for check, rules in row.checks if check is Check.QUOTA), None)
    if rules is None or not regime.limits.quota_days:
        return None
    day = outing.left.astimezone(regime.zone).date()
    return Record(
        "quota.used",
        outing.at_s,
        {
            "subject": outing.subject,
            "left": 0,
            "free_on": (day + timedelta(days=regime.limits.quota_days)).isoformat(),
            "regime": regime.name,
            "rules": list(rules) or ["ours"],
        },
    )
