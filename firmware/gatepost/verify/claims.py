"""How a safety property is written down: small rules over one step, each with its words."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from gatepost.core.events import (
    Command,
    LaneEvent,
    PassShown,
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
    Written,
    SensorTrust,
    Command,
    Tick,
)


class Rule(NamedTuple):
    """One sentence that must hold, how it is checked, and where it can have something to say.

    `states` are those before the step. `moves`: only a step that changes something. `site`: only
    on such sites; on all others the rule is silent.
    """

    name: str
    words: str
    check: Check
    states: frozenset[State]
    events: tuple[type[LaneEvent], ...]
    moves: bool
    site: Callable[[Policy], bool]


@dataclass(frozen=True)
class Property:
    """One of S1 to S9: its words, and the rules that say it in detail."""

    name: str
    words: str
    rules: list[Rule] = field(default_factory=list)

    def rule(
        self,
        states: Collection[State] = frozenset(State),
        events: tuple[type[LaneEvent], ...] = EVENTS,
        *,
        moves: bool = False,
        site: Callable[[Policy], bool] = lambda _policy: True,
    ) -> Callable[[Check], Check]:
        """Return a decorator that adds a check; its docstring is the rule in words."""

        def add(check: Check) -> Check:
            words = " ".join((check.__doc__ or "").split())
            name = f"{self.name}.{check.__name__}"
            self.rules.append(Rule(name, words, check, frozenset(states), events, moves, site))
            return check

        return add


class Judge:
    """Applies the rules to steps, and counts how often each of them had something to say."""

    def __init__(self, properties: Iterable[Property], policy: Policy) -> None:
        self.rules = [
            rule for property_ in properties for rule in property_.rules if rule.site(policy)
        ]
        self.counts = [0] * len(self.rules)
        # For each state and type of event the rules that may have a say: most have none.
        self._of = {
            (state, event, moves): tuple(
                (number, rule.check)
                for number, rule in enumerate(self.rules)
                if state in rule.states and event in rule.events and (moves or not rule.moves)
            )
            for state in State
            for event in EVENTS
            for moves in (False, True)
        }

    def broken(self, step: Seen) -> list[Rule]:
        """Return the rules that a step breaks."""
        before = step.before
        found: list[Rule] = []
        counts = self.counts
        for number, check in self._of[before.state, type(step.event), step.after is not before]:
            holds = check(step)
            if holds is None:
                continue
            counts[number] += 1
            if not holds:
                found.append(self.rules[number])
        return found
