"""What one decision by a regime costs, beside a chain of ifs that somebody wrote for one order.

With a roster of 100,000 people in 30,000 households, people with chance facts come and
go; a decision is the look-up of the pass, the facts about its holder, and what the order says. The
peer is what a gate has that knows a single order: the order `normal` as ifs, in this file. It takes
turns with the regimes, and must come to the same outcomes. Exit status 1 when it does not, or
when a regime's median is above 0.2 ms. Run with `make bench`.
"""

import random
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from time import perf_counter_ns
from typing import NamedTuple

from gatepost.core.facts import Category, Code, DatedCode, Facts, Mask, Pass, Proof, ProofKind
from gatepost.core.regime import Notice, Outcome, Regime
from gatepost.core.rules import decide
from gatepost.core.screening import Zone
from gatepost.wiring.regimes import load
from gatepost_config.regimes import shipped
from gatepost_hal.ports import Direction
from gatepost_services.roster import Roster, RosterKey, Row
from gatepost_services.roster.writer import RosterWriter, Whole

PEOPLE, HOUSEHOLDS, DECISIONS, LIMIT_MS = 100_000, 30_000, 20_000, 0.2
NOW = datetime(2022, 4, 3, 4, 0, tzinfo=UTC)
# Most who come to a compound's gate live there.
CATEGORIES = {
    Category.RESIDENT: 60,
    Category.TENANT: 20,
    Category.VISITOR: 8,
    Category.COURIER: 5,
    Category.PROPERTY_STAFF: 5,
    Category.WORKS: 2,
}


class Asked(NamedTuple):
    """Somebody at the gate: the credential, and what was seen and measured."""

    credential: str
    direction: Direction
    zone: Zone
    code: DatedCode
    mask: Mask
    registered: bool
    days: int | None
    test: Proof | None
    works: int


class Compound:
    """Who lives and works there, and when a household's last member went out."""

    def __init__(self, chance: random.Random, folder: Path) -> None:
        chosen = chance.choices([*CATEGORIES], [*CATEGORIES.values()], k=PEOPLE)
        key = RosterKey.load_or_make(folder / "roster.key")
        rows = [
            Row(key.digest(f"pass-{number}"), f"person-{number}", category.value)
            for number, category in enumerate(chosen)
        ]
        with RosterWriter.open(folder / "roster.db", key) as writer:
            writer.replace(Whole(rows, as_of_utc_s=0))
        self.roster = Roster(folder / "roster.db", folder / "roster.key")
        self.household = {f"person-{number}": f"h{number % HOUSEHOLDS}" for number in range(PEOPLE)}
        self.last_exit = {
            f"h{number}": NOW - timedelta(hours=chance.uniform(1, 96))
            for number in range(HOUSEHOLDS)
        }

    def facts(self, asked: Asked) -> Facts:
        """Look the pass up, and say all that is known."""
        member = self.roster.look_up(asked.credential)
        if member is None:
            raise RuntimeError("everybody here is known")
        household = self.household[member.subject]
        return Facts(
            asked.direction,
            Category(member.category),
            zone=asked.zone,
            index_c=36.6 if asked.zone is Zone.PASS else 37.9,
            health_code=asked.code,
            trip_card=DatedCode(Code.GREEN),
            test=asked.test,
            shown=Pass(asked.credential, household, valid=True),
            household_last_exit=self.last_exit[household],
            registered=asked.registered,
            mask=asked.mask,
            risk_area_days=asked.days,
            works_inside=asked.works,
            now=NOW,
        )


def crowd(chance: random.Random) -> list[Asked]:
    """Return people, most of them unremarkable."""
    zones, masks = [Zone.PASS, Zone.RECHECK, Zone.REFER, Zone.NO_INFORMATION], [*Mask]
    codes = [DatedCode(code) for code in (Code.GREEN, Code.YELLOW, Code.RED, Code.UNKNOWN)]
    test = Proof(ProofKind.NEGATIVE, NOW - timedelta(hours=30))
    return [
        Asked(
            f"pass-{chance.randrange(PEOPLE)}",
            chance.choice([*Direction]),
            chance.choices(zones, [90, 4, 2, 4])[0],
            chance.choices(codes, [90, 2, 2, 6])[0],
            chance.choices(masks, [85, 5, 10])[0],
            registered=chance.random() < 0.8,
            days=5 if chance.random() < 0.03 else None,
            test=test if chance.random() < 0.3 else None,
            works=chance.randrange(6),
        )
        for _ in range(DECISIONS)
    ]


# --------------------------------------------------------------------------------------- the peer

_COMMUNITY = (Notice("community", 0),)
Told = tuple[Outcome, tuple[str, ...], tuple[Notice, ...]]


def normal_in_ifs(facts: Facts) -> Told:
    """Return outcome, rules and recipients of the order `normal`, strictest first."""
    is_hot = facts.zone is Zone.REFER or (facts.zone is Zone.PASS and (facts.index_c or 0) > 37.3)
    is_coded = facts.health_code.code in (Code.YELLOW, Code.RED)
    if facts.direction is Direction.EXIT:
        return _going(facts, is_odd=is_hot or is_coded)
    was_away = facts.risk_area_days is not None and facts.risk_area_days <= 14
    return (
        _kept_out(facts, is_odd=is_hot or is_coded, was_away=was_away)
        or _referred(facts, is_coded=is_coded, was_away=was_away)
        or _let_in(facts, is_hot=is_hot, was_away=was_away)
    )


def _kept_out(facts: Facts, *, is_odd: bool, was_away: bool) -> Told | None:
    if facts.category is Category.COURIER:
        return Outcome.REDIRECT, ("R089", "R090", "R092"), ()
    if is_odd and facts.category not in (Category.RESIDENT, Category.TENANT):
        return Outcome.DENY, ("R004", "R033"), _COMMUNITY
    if facts.category is Category.PROPERTY_STAFF and was_away:
        return Outcome.DENY, ("R013",), _COMMUNITY
    if facts.category is Category.WORKS and (facts.works_inside or 0) >= 4:
        return Outcome.DENY, ("R083",), ()
    return None


def _referred(facts: Facts, *, is_coded: bool, was_away: bool) -> Told | None:
    if is_coded:
        return Outcome.REFER, ("R038", "ours"), _COMMUNITY
    if facts.health_code.code is Code.UNKNOWN:
        return Outcome.REFER, ("R001", "R017", "R251"), ()
    if facts.category is Category.VISITOR and not facts.registered:
        return Outcome.REFER, ("R072", "R079"), ()
    is_outsider = facts.category in (Category.VISITOR, Category.WORKS)
    if is_outsider and was_away and facts.test is None:
        return Outcome.REFER, ("R051", "R058"), _COMMUNITY
    return None


def _let_in(facts: Facts, *, is_hot: bool, was_away: bool) -> Told:
    if facts.zone in (Zone.NO_INFORMATION, Zone.RECHECK):
        return Outcome.RECHECK, ("R001", "R017", "R018"), ()
    if is_hot:
        return Outcome.ADMIT_AND_REPORT, ("R005",), _COMMUNITY
    if was_away:
        return Outcome.ADMIT_AND_REPORT, ("R008", "R059"), _COMMUNITY
    return Outcome.ADMIT, ("R001",), ()


def _going(facts: Facts, *, is_odd: bool) -> Told:
    if facts.zone in (Zone.NO_INFORMATION, Zone.RECHECK):
        return Outcome.RECHECK, ("R001", "R012", "R017"), ()
    if is_odd:
        return Outcome.ADMIT_AND_REPORT, ("R039", "R288"), _COMMUNITY
    return Outcome.ADMIT, ("R070",), ()


# ------------------------------------------------------------------------------------ the measure


def main(folder: Path) -> int:
    """Return 1 when a decision takes too long, or the two disagree."""
    chance = random.Random(1)
    compound, people = Compound(chance, folder), crowd(chance)
    regimes = {name: load(name)[name] for name in shipped()}
    ways: dict[str, Callable[[Facts], object]] = {"normal, as ifs (the peer)": normal_in_ifs}
    ways |= {name: _by(regime) for name, regime in regimes.items()}
    unlike = sum(
        decide(facts, regimes["normal"]).outcome is not normal_in_ifs(facts)[0]
        for facts in map(compound.facts, people)
    )
    taken_ms: dict[str, list[float]] = {name: [] for name in ways}
    for asked in people:
        # In turns for each person, so that a busy machine disturbs all of them alike.
        for name, way in ways.items():
            began_ns = perf_counter_ns()
            way(compound.facts(asked))
            taken_ms[name].append((perf_counter_ns() - began_ns) / 1e6)
    peer_ms = median(next(iter(taken_ms.values())))
    print(
        f"one decision of {DECISIONS:,}, with {PEOPLE:,} people in {HOUSEHOLDS:,} households; "
        f"other outcomes than the peer's: {unlike}"
    )
    for name, times_ms in taken_ms.items():
        print(
            f"  {name:<26} median {median(times_ms):.4f} ms   p99 "
            f"{quantiles(times_ms, n=100)[-1]:.4f} ms   ratio {median(times_ms) / peer_ms:.2f}"
        )
    slowest_ms = max(median(times_ms) for times_ms in taken_ms.values())
    is_fast = slowest_ms < LIMIT_MS
    print(f"  slowest median {slowest_ms:.4f} ms: {'below' if is_fast else 'NOT below'} {LIMIT_MS}")
    return 0 if is_fast and not unlike else 1


def _by(regime: Regime) -> Callable[[Facts], object]:
    return lambda facts: decide(facts, regime)


if __name__ == "__main__":
    with TemporaryDirectory() as made:
        sys.exit(main(Path(made)))
