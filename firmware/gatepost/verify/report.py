"""The walk over whole sites with all properties, and what comes out of it."""

import multiprocessing
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from time import perf_counter

from gatepost.core.states import State, Trigger
from gatepost.core.visit import Lane, Policy
from gatepost.verify.claims import Judge
from gatepost.verify.explore import EnoughError, Node, Seen, Walk, walk
from gatepost.verify.properties import BEGINS_SAFELY, NEVER_RAISES, NO_TRAP, PROPERTIES
from gatepost.verify.steps import noted_steps
from gatepost.verify.terms import frees
from gatepost.verify.world import SITES, Happening

_MAX_STORIES = 3  # of a property, on a site
_VACUOUS = "It never had anything to say: what is never checked does not hold."


@dataclass(frozen=True, slots=True)
class Story:
    """How a rule was broken: what happened to a lane that nobody had touched, line by line."""

    rule: str
    words: str
    lines: tuple[str, ...]

    @property
    def property(self) -> str:
        """Return which of S1 to S9 it is about."""
        return self.rule.partition(".")[0]

    def __str__(self) -> str:
        """Return it as text."""
        return "\n".join((f"{self.property} is broken: {self.words}", *self.lines))


@dataclass(slots=True)
class SiteReport:
    """What was found on one site. `checks` and `violations` are by rule."""

    site: str
    states: int = 0
    transitions: int = 0
    seconds: float = 0.0
    checks: dict[str, int] = field(default_factory=dict)
    violations: dict[str, int] = field(default_factory=dict)
    stories: list[Story] = field(default_factory=list)
    reached: frozenset[State] = frozenset()
    taken: frozenset[tuple[State, Trigger]] = frozenset()


@dataclass(frozen=True, slots=True)
class Report:
    """What was found on all sites."""

    sites: tuple[SiteReport, ...]
    seconds: float

    @property
    def states(self) -> int:
        """Return how many states of the lane were reached."""
        return sum(site.states for site in self.sites)

    @property
    def transitions(self) -> int:
        """Return how many steps were checked."""
        return sum(site.transitions for site in self.sites)

    @property
    def properties(self) -> int:
        """Return how many properties were checked."""
        return len(PROPERTIES)

    @property
    def stories(self) -> list[Story]:
        """Return the first violations of each property."""
        return [story for site in self.sites for story in site.stories]

    @property
    def violations(self) -> int:
        """Return how often a rule was broken, or had nothing to say anywhere."""
        return sum(sum(site.violations.values()) for site in self.sites)

    def checked(self, property_name: str) -> int:
        """Return how often the rules of a property had something to say."""
        return sum(
            count
            for site in self.sites
            for rule, count in site.checks.items()
            if rule.partition(".")[0] == property_name
        )


def verify(sites: Mapping[str, Policy] = SITES, *, first: bool = False) -> Report:
    """Walk over the sites, and check all properties; with `first`, up to the first bad step."""
    begin_s = perf_counter()
    if first or len(sites) == 1:
        reports = _one_after_another(sites, first=first)
    else:
        # Fresh processes: a fork of one that runs threads may hang.
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(mp_context=context) as pool:
            reports = list(pool.map(verify_site, sites.keys(), sites.values()))
    return Report(tuple(reports), perf_counter() - begin_s)


def _one_after_another(sites: Mapping[str, Policy], *, first: bool) -> list[SiteReport]:
    reports: list[SiteReport] = []
    for site, policy in sites.items():
        reports.append(verify_site(site, policy, first=first))
        if first and reports[-1].violations:
            break
    return reports


def verify_site(site: str, policy: Policy, *, first: bool = False) -> SiteReport:
    """Walk over one site, and check all properties."""
    begin_s = perf_counter()
    witness = _Witness(SiteReport(site), Judge(PROPERTIES, policy), first=first)
    with noted_steps() as taken:
        found = walk(policy, witness.see, witness.crash)
    report = witness.report
    report.states, report.transitions = len(found.nodes), found.transitions
    report.reached = frozenset(node.lane.state for node in found.nodes)
    report.taken = frozenset(taken)
    if not (first and report.violations):
        witness.conclude(found)
    report.seconds = perf_counter() - begin_s
    return report


class _Witness:
    """Sees every step of a walk, and writes down what is broken."""

    def __init__(self, report: SiteReport, judge: Judge, *, first: bool) -> None:
        self.report = report
        self._judge = judge
        self._first = first

    def see(self, step: Seen, node: Node) -> None:
        broken = self._judge.broken(step)
        for rule in broken:
            self._note(rule.name, rule.words, _told(node, step))
        if broken and self._first:
            raise EnoughError

    def crash(self, node: Node, happening: Happening, error: Exception) -> None:
        line = f"  then {happening.words}: {type(error).__name__}: {error}"
        self._note(*NEVER_RAISES, (*_way_to(node), line))
        if self._first:
            raise EnoughError

    def conclude(self, found: Walk) -> None:
        """Check what can be told of the walk as a whole."""
        rules = self._judge.rules
        checks = self.report.checks
        for rule, count in zip(rules, self._judge.counts, strict=True):
            checks[rule.name] = checks.get(rule.name, 0) + count
        checks[NEVER_RAISES[0]] = found.transitions
        checks[BEGINS_SAFELY[0]] = 1
        checks[NO_TRAP[0]] = len(found.nodes)
        if frees(Lane()):
            self._note(*BEGINS_SAFELY, ())
        for node in found.trapped():
            self._note(*NO_TRAP, _way_to(node))
        for name, words in {rule.name: rule.words for rule in rules}.items():
            if not checks[name]:
                self._note(name, f"{words} {_VACUOUS}", ())

    def _note(self, rule: str, words: str, lines: tuple[str, ...]) -> None:
        violations, stories = self.report.violations, self.report.stories
        if rule not in violations:
            story = Story(rule, words, (f"  on the site: {self.report.site}", *lines))
            told = [other for other in stories if other.property == story.property]
            if len(told) < _MAX_STORIES:
                stories.append(story)
        violations[rule] = violations.get(rule, 0) + 1


def _way_to(node: Node) -> tuple[str, ...]:
    return ("  an untouched lane", *(f"  {line}" for line in node.story()))


def _told(node: Node, step: Seen) -> tuple[str, ...]:
    records = [f"    {record.type} {dict(record.data)}" for record in step.records]
    return (
        *_way_to(node),
        f"  then {step.happening.words}: {step.before.state.name} -> {step.after.state.name}",
        f"    {step.event}",
        *(records or ["    no records"]),
    )
