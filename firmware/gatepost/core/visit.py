"""What the lane knows: the site's policy, the visit of one person, and the lane itself."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum

from gatepost.core.events import Holder, Tested
from gatepost.core.facts import Facts
from gatepost.core.passback import Objection
from gatepost.core.regime import Regime
from gatepost.core.rules import Decision
from gatepost.core.screening import Instrument, Limits, Reason, Verdict
from gatepost.core.session import NOTHING, Brought, Need
from gatepost.core.states import Span, Standing, State
from gatepost_hal.ports import InputName, Reading


class Order(Enum):
    """What comes first: the documents disagree (R048 against R067)."""

    PASS_FIRST = "pass_first"
    MEASURE_FIRST = "measure_first"


class PassageSignal(Enum):
    """What the turnstile tells of a turn."""

    NONE = "none"  # whether anybody walked is not known
    SINGLE = "single"  # one contact, whichever way it turns
    PER_DIRECTION = "per_direction"


@dataclass(frozen=True, slots=True)
class Policy:
    """What the site decides: durations, limits, attempts; and the equipment that it has."""

    spans_s: Mapping[Span, float]
    limits: Limits
    instrument: Instrument
    measure_attempts: int
    order: Order = Order.PASS_FIRST
    passage: PassageSignal = PassageSignal.SINGLE
    # How long the relay is energised; None is as long as the release lasts. A turnstile that keeps
    # itself free until somebody walks wants a pulse.
    pulse_s: float | None = None
    tailgate_s: float = 2.0  # a turn this soon after another one is a second person
    exit_wish_s: float = 10.0  # a pressed button is remembered while the lane is not free
    exit_in_lockdown: bool = True
    # Who leaves shows a pass, and the order decides; a button alone frees nothing.
    exits_by_pass: bool = False
    # What else can be shown here: who reads certificates, and whose word on codes counts.
    brings: frozenset[Need] = frozenset()
    # The order in force; `limits` has its limit. None: the lane's own rules alone.
    regime: Regime | None = None


def under(policy: Policy, regime: Regime | None) -> Policy:
    """Return the policy under an order: what is over the limit is the order's to say."""
    if regime is None:
        return replace(policy, regime=None)
    limits = replace(policy.limits, limit_c=regime.limits.index_c)
    return replace(policy, regime=regime, limits=limits)


@dataclass(frozen=True, slots=True)
class Visit:
    """One person's dealings with the lane, from stepping up to being dealt with."""

    number: int
    holder: Holder | None = None
    objection: Objection | None = None
    attempt: int = 0
    near_limit: bool = False  # a finished attempt had an index near the limit
    samples: tuple[Reading, ...] = ()
    distrust: Reason | None = None  # what spoke against the thermometer during this attempt
    verdict: Verdict | None = None
    decision: Decision | None = None
    released_by: str | None = None  # whose command released it; None is an admission
    known: Facts | None = None  # of the holder, for the regime
    brought: Brought = NOTHING  # shown besides the pass
    wanted: tuple[Need, ...] = ()  # what the decision waits for; without it, it stands


@dataclass(frozen=True, slots=True)
class ExitWish:
    """Somebody wants to leave; it waits until the lane is free, or until it lapses."""

    until_s: float
    holder: Holder | None = None  # who, if a pass was shown at the exit reader
    commanded_by: str | None = None
    decision: Decision | None = None  # of the order in force, on whose pass was shown


@dataclass(frozen=True, slots=True)
class Lane:
    """Everything that the lane knows. The initial value is a lane that nobody has touched."""

    state: State = State.IDLE
    entered_at_s: float = 0.0  # into the state
    deadline_at_s: float | None = None
    visit: Visit = Visit(0)
    present: bool = False
    standing: frozenset[Standing] = frozenset()
    turning: frozenset[InputName] = frozenset()  # passage contacts that are active
    turned_by: InputName | None = None  # the contact that last began to tell of a turn
    turned_at_s: float | None = None  # the last turn that was somebody's
    exit_wish: ExitWish | None = None
    leaver: ExitWish | None = None  # whose wish the last release of the exit was
    key: bool = False  # the technician's, here: nobody elsewhere ends what it began
    tested: Tested | None = None
    served: tuple[tuple[str, float], ...] = ()  # ids of commands, until they expire
    distrust: Reason | None = None  # what speaks against the thermometer now
