"""How a safety property is written down: small rules over one step, each with its words."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from enum import Flag, auto
from typing import NamedTuple

from gatepost.core.events import (
    Command,
    LaneEvent,
    PassShown,
    ProofShown,
    SensorTrust,
    Tick,
    Written,
)
from gatepost.core.states import State
from gatepost.core.visit import Policy
from gatepost.verify.explore import Seen
from gatepost_hal.ports import InputChanged, Reading, SensorFault

# None: the rule has nothing to say about this step. It must have something to say somewhere.
Check = Callable[[Seen], bool | None]
EVENTS: tuple[type[LaneEvent], ...] = (
    Reading,
    SensorFault,
    InputChanged,
    PassShown,
    ProofShown,
    Written,
    SensorTrust,
    Command,
    Tick,
)


class When(Flag):
    """What a step must do so that a rule can have something to say about it."""

    MOVED = auto()  # it changes anything at all
    ENTERED = auto()  # it leads to another state
    SWITCHED = auto()  # it changes what stands
    TOLD = auto()  # it leaves a record, other than of a command
    ANY = auto()


class Rule(NamedTuple):
    """One sentence that must hold, how it is checked, and where it can have something to say.

    `states` are those before the step; one of `when` must be. `site`: on others it is silent.
    """

    name: str
    words: str
    check: Check
    states: frozenset[State]
    events: tuple[type[LaneEvent], ...]
    when: When
    site: Callable[[Policy], bool]


@dataclass(frozen=True)
class Property:
    """One of S1 to S9: its words, and the rules that say it in detail."""

    name: str
    words: str
    rules: list[Rule] = field(default_factory=list)

    def rule(
        self,
        when: When = When.ANY,
        *,
        states: Collection[State] = frozenset(State),
        events: tuple[type[LaneEvent], ...] = EVENTS,
        site: Callable[[Policy], bool] = lambda _policy: True,
    ) -> Callable[[Check], Check]:
        """Return a decorator that adds a check; the head of its docstring is the rule in words.

        A check may be added for more than one kind of step.
        """

        def add(check: Check) -> Check:
            words = " ".join((check.__doc__ or "").partition("\n\n")[0].split())
            name = f"{self.name}.{check.__name__}"
            self.rules.append(Rule(name, words, check, frozenset(states), events, when, site))
            return check

        return add


_Checks = tuple[tuple[int, Check], ...]


class Judge:
    """Applies the rules to steps, and counts how often each of them had something to say."""

    def __init__(self, properties: Iterable[Property], policy: Policy) -> None:
        self.rules = [
            rule for property_ in properties for rule in property_.rules if rule.site(policy)
        ]
        self.counts = [0] * len(self.rules)
        # For each kind of step the rules that may have a say: most have none.
        self._of: dict[State, dict[type[LaneEvent], list[_Checks]]] = {
            state: {event: self._by_kind(state, event) for event in EVENTS} for state in State
        }

    def broken(self, step: Seen) -> list[Rule]:
        """Return the rules that a step breaks."""
        before, after, types = step.before, step.after, step.types
        kind = 0
        if after is not before:
            kind = 1
            if after.state is not before.state:
                kind += 2
            if after.standing is not before.standing:
                kind += 4
        if types and (len(types) > 1 or types[0] not in _OF_COMMANDS):
            kind += 8
        found: list[Rule] = []
        counts = self.counts
        for number, check in self._of[before.state][type(step.event)][kind]:
            try:
                holds = check(step)
            except (LookupError, TypeError, ValueError):
                holds = (
                    False  # a broken lane may lack what the rule reads: a record's data, samples
                )
            if holds is None:
                continue
            counts[number] += 1
            if not holds:
                found.append(self.rules[number])
        return found

    def _by_kind(self, state: State, event: type[LaneEvent]) -> list[_Checks]:
        return [
            tuple(
                (number, rule.check)
                for number, rule in enumerate(self.rules)
                if state in rule.states and event in rule.events and rule.when & (kind | When.ANY)
            )
            for kind in map(When, range(16))
        ]


_OF_COMMANDS = ("command.obeyed", "command.refused")
