"""What can happen to a lane, each with the words for it; and the sites that it happens on.

Time is abstract. A lane has just entered its state (instant 0); an event comes soon (1 s), or just
before the state's deadline, or at it. What depends on the age of something else (a turn before, a
wish to leave, a command) is tried both ways.
"""

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from gatepost.core.events import (
    Command,
    Holder,
    LaneEvent,
    PassShown,
    ProofShown,
    SensorTrust,
    Tested,
    Tick,
    Verb,
    Written,
)
from gatepost.core.passback import Objection
from gatepost.core.screening import Instrument, Limits, Reason
from gatepost.core.session import NOTHING, Brought
from gatepost.core.states import Span, State
from gatepost.core.visit import Lane, Order, PassageSignal, Policy, under
from gatepost.verify.order import BRINGS, ORDER, TEST, known
from gatepost_hal.ports import (
    Direction,
    InputChanged,
    InputName,
    Reading,
    SensorFault,
    SensorFaultKind,
)

SOON_S = 1.0
FRESH_S = 10.0  # a command, or a wish, that has not expired
LONG_S = 100.0  # after every deadline

# All spans differ, so that a state that takes another one's shows. Two attempts of three samples
# are enough, for a third would only repeat the second.
_POLICY = Policy(
    spans_s={
        Span.PASS_TIMEOUT: 15.0,
        Span.PROOF_TIMEOUT: 30.0,
        Span.MEASURE_TIMEOUT: 6.0,
        Span.RECHECK_PAUSE: 2.0,
        Span.RELEASE_HOLD: 5.0,
        Span.TURN: 1.5,
        Span.HELD: 8.0,
        Span.ALARM_SHOW: 7.0,
        Span.REFUSED_SHOW: 4.0,
        Span.REFERRED_SHOW: 20.0,
        Span.TEST: 3.0,
    },
    limits=Limits(limit_c=37.3, guard_c=0.2, samples=3),
    instrument=Instrument(offset_c=2.43),
    measure_attempts=2,
)
SITES = {
    "pass first, one passage contact": _POLICY,
    "measure first, a passage contact for each way": replace(
        _POLICY, order=Order.MEASURE_FIRST, passage=PassageSignal.PER_DIRECTION
    ),
    "pass first, no passage contact, release by a pulse, no exit in a lock-down": replace(
        _POLICY, passage=PassageSignal.NONE, pulse_s=0.5, exit_in_lockdown=False
    ),
    "pass first, one passage contact, under an order": under(
        replace(_POLICY, exits_by_pass=True, brings=BRINGS), ORDER
    ),
}

# Three samples and the ambient: what an attempt to measure can look like.
ATTEMPTS = {
    "passing": ((34.1, 34.2, 34.15), 24.0),
    "near the limit, below it": ((34.83, 34.85, 34.87), 24.0),
    "near the limit, above it": ((34.91, 34.93, 34.89), 24.0),
    "feverish": ((36.4, 36.5, 36.45), 24.0),
    "frozen": ((34.1, 34.1, 34.1), 24.0),
    "noisy": ((34.1, 35.2, 34.3), 24.0),
    "a hat": ((31.1, 31.2, 31.15), 20.0),
    "cold": ((32.6, 32.7, 32.65), 24.0),
    "a cup of tea": ((43.1, 43.2, 43.15), 24.0),
    "a hot room": ((34.1, 34.2, 34.15), 29.1),
    "no numbers": ((math.nan, math.nan, math.nan), 24.0),
    "no ambient": ((34.1, 34.2, 34.15), math.nan),
    "infinite": ((math.inf, -math.inf, math.inf), 24.0),
}
GOOD = ("passing", "near the limit, below it", "near the limit, above it", "feverish")

RESIDENT = Holder("a", "resident")
ANOTHER = Holder("b", "visitor")
UNDER_DURESS = Holder("c", "resident", duress=True)
BLOCKED = Objection("already_inside", blocks=True)
NOTED = Objection("already_inside", blocks=False)

# What every lane of the walk remembers of the commands before.
SERVED = (("earlier", FRESH_S),)
_MANY = 64


class Happening(NamedTuple):
    """One thing, or a few right after one another.

    `teaches`: a measurement in it may count. `calms`: it ends something, or it is time going by.
    `recently_turned`: somebody went through the arm a moment ago. `by_key`: it is the technician's
    key that began the maintenance. `served`: the commands that the lane remembers, where not the
    usual ones.
    """

    words: str
    events: tuple[LaneEvent, ...]
    teaches: bool = True
    calms: bool = False
    recently_turned: bool = False
    by_key: bool = False
    served: tuple[tuple[str, float], ...] | None = None


def happenings(lane: Lane, policy: Policy) -> Iterator[Happening]:
    """Yield everything that can happen to a lane that has just entered its state."""
    yield from _inputs(policy)
    yield from _passes(policy)
    yield from _commands()
    yield from _odd_commands()
    yield from _times(lane)
    yield from _readings(lane)
    yield Happening("the record is on disk", (Written(SOON_S, ok=True),), calms=True)
    yield Happening("the record cannot be written", (Written(SOON_S, ok=False),))
    yield Happening("the thermometer is distrusted", (SensorTrust(SOON_S, Reason.DISTURBED),))
    yield Happening("the thermometer is trusted", (SensorTrust(SOON_S, None),), calms=True)
    yield Happening("a sensor fault", (SensorFault(SOON_S, SensorFaultKind.ABSENT, ""),))


def _inputs(policy: Policy) -> Iterator[Happening]:
    for name in InputName:
        if name is InputName.PASSAGE and policy.passage is PassageSignal.NONE:
            continue
        if name is InputName.PASSAGE_EXIT and policy.passage is not PassageSignal.PER_DIRECTION:
            continue
        for active in (True, False):
            event = (InputChanged(SOON_S, name, active),)
            words = f"{name.value} {'on' if active else 'off'}"
            yield Happening(words, event, calms=not active)
            if active and name in (InputName.PASSAGE, InputName.PASSAGE_EXIT):
                yield Happening(f"{words} right after a turn", event, recently_turned=True)


def _passes(policy: Policy) -> Iterator[Happening]:
    shown = {
        "a known pass": (RESIDENT, None),
        "another known pass": (ANOTHER, None),
        "an unknown pass": (None, None),
        "a pass under duress, that is inside": (UNDER_DURESS, BLOCKED),
        "a pass that is inside": (RESIDENT, BLOCKED),
        "a pass that is inside, by a soft rule": (RESIDENT, NOTED),
    }
    for words, (holder, objection) in shown.items():
        facts = known(holder, Direction.ENTRY, policy)
        yield Happening(words, (PassShown(SOON_S, holder, Direction.ENTRY, objection, facts),))
    proofs = {
        "a certificate of a test": ProofShown(SOON_S, Direction.ENTRY, Brought(test=TEST)),
        "a certificate that has expired": ProofShown(
            SOON_S, Direction.ENTRY, NOTHING, refusal="expired"
        ),
        "a certificate at the exit": ProofShown(SOON_S, Direction.EXIT, Brought(test=TEST)),
    }
    for words, proof in proofs.items():
        yield Happening(words, (proof,))
    leavers = {"a known pass": RESIDENT, "another known pass": ANOTHER, "an unknown pass": None}
    for words, holder in leavers.items():
        facts = known(holder, Direction.EXIT, policy)
        event = PassShown(SOON_S, holder, Direction.EXIT, None, facts)
        yield Happening(f"{words} at the exit", (event,))


def _commands() -> Iterator[Happening]:
    for verb in Verb:
        tested = Tested.ENTRY_RELAY if verb is Verb.TEST else None
        calms = verb in (Verb.UNLOCK, Verb.OPEN, Verb.END_MAINTENANCE)
        fresh = Command(SOON_S, "id", verb, "centre", FRESH_S, tested)
        yield Happening(f"command {verb.value}, and again", (fresh, fresh), calms=calms)
        yield Happening(f"command {verb.value}, late", (fresh._replace(expires_at_s=SOON_S),))
    end = Command(SOON_S, "id", Verb.END_MAINTENANCE, "centre", FRESH_S)
    yield Happening("command end_maintenance, against the key", (end,), by_key=True)
    for tested in (Tested.EXIT_RELAY, Tested.BUZZER):  # the lamps are as the buzzer
        fresh = Command(SOON_S, "id", Verb.TEST, "centre", FRESH_S, tested)
        yield Happening(f"command test {tested.value}", (fresh,))


def _odd_commands() -> Iterator[Happening]:
    release = Command(SOON_S, "id", Verb.RELEASE_ENTRY, "centre", FRESH_S)
    odd = {
        "command release_entry without an end": release._replace(expires_at_s=math.inf),
        "command release_entry with an end in no time": release._replace(expires_at_s=math.nan),
        "command release_entry of something": release._replace(tested=Tested.ENTRY_RELAY),
        "command test of nothing": release._replace(verb=Verb.TEST),
    }
    for words, command in odd.items():
        yield Happening(words, (command,))
    for verb in (Verb.RELEASE_ENTRY, Verb.RELEASE_EXIT, Verb.UNLOCK):
        again = Command(SOON_S, SERVED[0][0], verb, "centre", FRESH_S)
        yield Happening(f"command {verb.value}, with the id of an earlier one", (again,))
    for words, until_s in (("still count", FRESH_S), ("have expired", SOON_S)):
        many = tuple((f"{number}", until_s) for number in range(_MANY))
        yield Happening(f"command release_entry after many that {words}", (release,), served=many)


def _times(lane: Lane) -> Iterator[Happening]:
    yield Happening("time goes on", (Tick(SOON_S),), calms=True)
    yield Happening("a long time goes by", (Tick(LONG_S),), calms=True)
    if lane.deadline_at_s is not None:
        before_s = math.nextafter(lane.deadline_at_s, 0)
        yield Happening("the deadline comes near", (Tick(before_s),), calms=True)
        yield Happening("the deadline passes", (Tick(lane.deadline_at_s),), calms=True)


def _readings(lane: Lane) -> Iterator[Happening]:
    samples = len(lane.visit.samples) if lane.state is State.MEASURING else 0
    if samples in (0, 1):
        yield Happening("one sample", (Reading(SOON_S, 34.12, 24.0),))
    if samples in (1, 2):
        yield Happening("another sample", (Reading(SOON_S, 34.18, 24.0),))
    # Outside a measurement one sample says all about any of them.
    objects_c = (34.1, 34.2, 34.15) if lane.state is State.MEASURING else (34.1,)
    for at_s, words in ((0.0, "samples from before"), (-60.0, "old samples")):
        stale = tuple(Reading(at_s, object_c, 24.0) for object_c in objects_c)
        yield Happening(words, stale, teaches=False)
    if lane.state is not State.MEASURING:
        return
    for words, (objects_c, ambient_c) in ATTEMPTS.items():
        attempt = tuple(Reading(SOON_S, object_c, ambient_c) for object_c in objects_c)
        # After a lone good sample, what is bad as a whole may be good in part.
        teaches = words in GOOD or bool(lane.visit.samples)
        yield Happening(f"an attempt: {words}", attempt, teaches=teaches)
