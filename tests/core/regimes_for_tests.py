"""The shipped regimes, people in a few words, and what is expected of a decision.

Whoever a test does not say more of is unremarkable: cool, green, masked, with a valid pass.
"""

from datetime import datetime
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

from gatepost.core.facts import Category, Code, DatedCode, Facts, Mask, Pass, Proof, ProofKind
from gatepost.core.regime import Notice, Regime
from gatepost.core.rules import Decision, decide
from gatepost.core.screening import Zone
from gatepost.wiring.regimes import load
from gatepost_hal.ports import Direction

SHIPPED = ("normal", "medium-risk", "control-window", "case", "lockdown")
SITE_ZONE = ZoneInfo("Asia/Shanghai")
# Who hears of a problem by R185.
OFFICES = "community competent_department health_department"
NOON = datetime(2022, 4, 3, 12, 0, tzinfo=SITE_ZONE)
PASS = Pass("p1", household="h1", valid=True)
# The instrument's own word, and what a bare number says where the limit is 37.3.
HOT = {"zone": Zone.REFER, "index_c": 38.2}
UNMEASURED = {"zone": Zone.NO_INFORMATION, "index_c": None}
NEAR = {"zone": Zone.RECHECK, "index_c": 37.2}
GREEN, YELLOW, RED = DatedCode(Code.GREEN), DatedCode(Code.YELLOW), DatedCode(Code.RED)
NO_CODE = DatedCode(Code.UNKNOWN)


@cache
def shipped(name: str) -> Regime:
    """Return a regime as it is shipped, for no gate in particular."""
    return load(name)[name]


def changed(name: str, tmp_path: Path, lines: str, gate: str | None = None) -> Regime:
    """Return a shipped regime, changed by the lines of a site file."""
    site = tmp_path / "site.toml"
    site.write_text(lines, encoding="utf-8")
    return load(name, site, gate)[name]


def facts(direction: Direction, category: str, **more) -> Facts:
    """Return what is known of somebody unremarkable, but for what is said."""
    known = {
        "zone": Zone.PASS,
        "index_c": 36.6,
        "attempts_left": 2,
        "health_code": GREEN,
        "trip_card": GREEN,
        "shown": PASS,
        "mask": Mask.WORN,
        "now": NOON,
    }
    return Facts(direction, Category(category), **{**known, **more})


def entering(category: str, **more) -> Facts:
    return facts(Direction.ENTRY, category, **more)


def leaving(category: str, **more) -> Facts:
    return facts(Direction.EXIT, category, **more)


def at(text: str) -> datetime:
    """Return an instant of the site, from its local date and time."""
    return datetime.fromisoformat(text).replace(tzinfo=SITE_ZONE)


def proof(kind: str, taken: datetime) -> Proof:
    return Proof(ProofKind(kind), taken)


def negative(taken: str) -> Proof:
    return proof("negative", at(taken))


def sampled(taken: str) -> Proof:
    return proof("sampled", at(taken))


def expect(
    regime: Regime,
    person: Facts,
    outcome: str,
    *,
    rules: str = "",
    tell: str = "",
    say: str = "",
    reason: str | None = None,
) -> Decision:
    """Hold a decision to an order: the outcome, rules that it cites, exactly whom it tells, now.

    `rules`, `tell` and `say` are words with spaces between; what is said may have more keys.
    """
    decision = decide(person, regime)
    assert decision.outcome.word == outcome, decision
    assert decision.release is (outcome in {"admit", "admit_and_report"})
    assert set(rules.split()) <= set(decision.rules), decision.rules
    assert sorted(decision.tell) == [Notice(who, 0) for who in sorted(tell.split())]
    assert set(say.split()) <= set(decision.say), decision.say
    if reason is not None:
        assert decision.reason == reason
    return decision
