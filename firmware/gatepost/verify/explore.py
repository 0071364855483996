"""Breadth first through every state that a lane can reach, to the end."""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields, replace
from itertools import groupby
from operator import attrgetter
from typing import Any

from gatepost.core.events import Command, LaneEvent, Record, SensorTrust, Tick
from gatepost.core.facts import Category, Facts
from gatepost.core.lane import advance
from gatepost.core.regime import Outcome
from gatepost.core.rules import Decision
from gatepost.core.screening import Reason, Verdict, Zone
from gatepost.core.session import Brought, Need
from gatepost.core.states import Standing, State
from gatepost.core.visit import ExitWish, Lane, Policy, Visit
from gatepost.verify.order import keeps_in, on_leaving
from gatepost.verify.world import FRESH_S, RESIDENT, SERVED, SOON_S, Happening, happenings
from gatepost_hal.ports import Direction, Reading

# Only in these does a step read what was measured, what was decided, or who leaves.
_MEASURED = (State.AWAITING_PASS, State.MEASURING, State.PAUSING)
_ADMITTED = (State.DECIDING, State.RELEASED, State.ENTRY_ENDING)
_TOLD = (State.REFUSED, State.REFERRED)
_LEFT_BY = (State.LEAVING, State.EXIT_ENDING)


@dataclass(slots=True, eq=False)
class Node:
    """A lane that can be reached, how, and what the walk remembers of the thermometer's word."""

    lane: Lane
    doubted: bool = False  # now
    tainted: bool = False  # at any time since the attempt began
    parent: "Node | None" = None
    words: str = ""  # what happened to the parent
    calmer: list["Node"] = field(default_factory=list)  # where it gets to as things calm down

    def story(self) -> list[str]:
        """Return what has to happen, from a lane that nobody has touched, to come here."""
        lines: list[str] = []
        node = self
        while node.parent is not None:
            lines.append(f"{node.words:<45} -> {node.lane.state.name}")
            node = node.parent
        return lines[::-1]


@dataclass(slots=True)
class Seen:
    """One event, and what it did."""

    before: Lane
    event: LaneEvent
    after: Lane
    records: tuple[Record, ...]
    policy: Policy
    happening: Happening
    tainted: bool  # the thermometer was not believed during the attempt
    types: tuple[str, ...]  # of the records, in order
    obeys: bool | None = None  # whether it is a command that acts; None is not asked yet

    @property
    def enters(self) -> State | None:
        """Return the state that this step entered, if it is another one."""
        return None if self.after.state is self.before.state else self.after.state

    @property
    def at_s(self) -> float:
        """Return when it happened."""
        return self.event.at_s

    @property
    def is_late(self) -> bool:
        """Return whether the event is that the deadline passed."""
        deadline_at_s = self.before.deadline_at_s
        is_tick = isinstance(self.event, Tick)
        return is_tick and deadline_at_s is not None and self.event.at_s >= deadline_at_s


@dataclass(slots=True)
class Walk:
    """What was found on one site."""

    policy: Policy
    transitions: int = 0
    nodes: list[Node] = field(default_factory=list)

    def trapped(self) -> list[Node]:
        """Return the nodes from which, however all calms down, no way leads to an idle lane."""
        leads_to: dict[Node, list[Node]] = {}
        for node in self.nodes:
            for calmer in node.calmer:
                leads_to.setdefault(calmer, []).append(node)
        todo = [node for node in self.nodes if node.lane.state is State.IDLE]
        free = set(todo)
        while todo:
            for node in leads_to.get(todo.pop(), ()):
                if node not in free:
                    free.add(node)
                    todo.append(node)
        return [node for node in self.nodes if node not in free]


class EnoughError(Exception):
    """Whoever looks on has seen enough; the walk ends where it is."""


def walk(
    policy: Policy,
    see: Callable[[Seen, Node], None],
    crash: Callable[[Node, Happening, Exception], None],
) -> Walk:
    """Go everywhere; show each step to `see`, and each exception of the core to `crash`."""
    found = Walk(policy)
    known: dict[Any, Node] = {}
    todo: deque[Node] = deque()

    def arrive(node: Node, key: object) -> Node:
        known[key] = node
        found.nodes.append(node)
        todo.append(node)
        return node

    arrive(
        Node(_lane(_normalised(Lane(), policy, 0.0))),
        (_normalised(Lane(), policy, 0.0), False, False),
    )
    menus: dict[object, tuple[Happening, ...]] = {}
    try:
        while todo:
            node = todo.popleft()
            for happening in _menu(menus, node.lane, policy):
                for seen, place in _steps(node, happening, policy, crash):
                    found.transitions += 1
                    see(seen, node)
                    if place is None:
                        continue
                    after = known.get(place)
                    if after is None:
                        after = arrive(_node(place, node, happening), place)
                    if happening.calms and after is not node:
                        node.calmer.append(after)
    except EnoughError:
        pass  # what was found so far is what was asked for
    return found


def _menu(
    menus: dict[object, tuple[Happening, ...]], lane: Lane, policy: Policy
) -> tuple[Happening, ...]:
    """Return all that can happen; what it depends on is few enough to be remembered."""
    of = (lane.state, lane.deadline_at_s, len(lane.visit.samples))
    if of not in menus:
        menus[of] = tuple(happenings(lane, policy))
    return menus[of]


_Key = tuple[Any, ...]
_Place = tuple[_Key, bool, bool]  # the fields of a node


def _node(place: _Place, parent: Node, happening: Happening) -> Node:
    key, doubted, tainted = place
    return Node(_lane(key), doubted, tainted, parent, happening.words)


def _steps(
    node: Node,
    happening: Happening,
    policy: Policy,
    crash: Callable[[Node, Happening, Exception], None],
) -> Iterator[tuple[Seen, _Place | None]]:
    """Yield each step of a happening, and where it leads, if that may be another place.

    The steps of a whole attempt to measure are checked, but only what is between two lone samples
    is a place to go on from: it says all that a part of an attempt can.
    """
    lane, doubted, tainted = node.lane, node.doubted, node.tainted
    if happening.recently_turned:
        lane = replace(lane, turned_at_s=0.0)
    if happening.by_key and Standing.MAINTENANCE in lane.standing:
        lane = replace(lane, key=True)
    if happening.served is not None:
        lane = replace(lane, served=happening.served)
    last = len(happening.events) - 1
    for number, event in enumerate(happening.events):
        try:
            after, records = advance(lane, event, policy)
        except Exception as error:  # noqa: BLE001 - whatever it is, the lane must not raise it
            crash(node, happening, error)
            return
        if isinstance(event, SensorTrust):
            doubted = event.distrust is not None
        begins = after.state is State.MEASURING and lane.state is not State.MEASURING
        was_tainted, tainted = tainted, doubted or (tainted and not begins)
        types = tuple([record.type for record in records])
        seen = Seen(lane, event, after, records, policy, happening, was_tainted, types)
        # When an attempt has ended, the rest of the samples belongs to nobody; a command that is
        # repeated comes in any case.
        is_command = isinstance(event, Command)
        is_over = after.state is not node.lane.state and not is_command
        is_place = is_over or is_command or number == last
        if not is_place or (after is node.lane and doubted is node.doubted):
            yield seen, None
        else:
            taints = tainted if after.state in _MEASURED else doubted
            yield seen, (_normalised(after, policy, event.at_s), doubted, taints)
        if is_over:
            return
        lane = after


# What a lane is to the walk: as of now, without what no later step can see. Where a value is only
# handed on to a record, one value stands for all; the rules then ask that it was handed on.
_LANE = attrgetter(*(field_.name for field_ in fields(Lane)))
_AT = {field_.name: number for number, field_ in enumerate(fields(Lane))}
_VISIT = attrgetter(*(field_.name for field_ in fields(Visit)))


def _normalised(lane: Lane, policy: Policy, now_s: float) -> _Key:
    """Return the fields of the lane as it is known to the walk, and those of its visit."""
    values = list(_LANE(lane))
    deadline_at_s = lane.deadline_at_s
    values[_AT["entered_at_s"]] = 0.0
    if deadline_at_s is not None:
        values[_AT["deadline_at_s"]] = deadline_at_s - lane.entered_at_s
    values[_AT["turned_at_s"]] = None
    values[_AT["turned_by"]] = None
    values[_AT["key"]] = False
    values[_AT["exit_wish"]] = _known_wish(lane.exit_wish, policy, now_s)
    values[_AT["leaver"]] = _SOMEBODY if lane.state in _LEFT_BY else None
    if lane.state is not State.TESTING:
        values[_AT["tested"]] = None
    values[_AT["served"]] = SERVED
    values[_AT["visit"]] = _VISIT(_known_visit(lane))
    return tuple(values)


def _lane(key: _Key) -> Lane:
    values = list(key)
    values[_AT["visit"]] = Visit(*values[_AT["visit"]])
    return Lane(*values)


_SOMEBODY = ExitWish(FRESH_S, RESIDENT, "centre")
_BY_SOMEBODY = Visit(1, released_by="somebody")
# Where no visit is under way, the one before has left all that it can, and all of it the best that
# there is: nothing of it may be taken for the next person's.
_LEFT_OVER = Visit(
    1,
    holder=RESIDENT,
    attempt=1,
    near_limit=True,
    samples=tuple(Reading(SOON_S, object_c, 24.0) for object_c in (34.1, 34.2, 34.15)),
    verdict=Verdict(Zone.PASS, Reason.BELOW_LIMIT, index_c=36.58),
    decision=Decision(Outcome.ADMIT, ()),
    released_by="somebody",
    known=Facts(Direction.ENTRY, Category.RESIDENT),
    brought=Brought(escort="somebody"),
    wanted=(Need.TEST,),
)


def _known_wish(wish: ExitWish | None, policy: Policy, now_s: float) -> ExitWish | None:
    """Return a wish that has not lapsed: fresh, and by a command where that matters."""
    if wish is None or wish.until_s <= now_s:
        return None
    matters = not policy.exit_in_lockdown or policy.exits_by_pass
    if wish.commanded_by is not None and matters:
        return _SOMEBODY
    if policy.exits_by_pass and keeps_in(wish, policy):
        return ExitWish(FRESH_S)  # as if by the button, which the order does not let out either
    if policy.exits_by_pass:
        return ExitWish(FRESH_S, RESIDENT, decision=on_leaving(RESIDENT, policy))
    return ExitWish(FRESH_S, RESIDENT)


def _known_visit(lane: Lane) -> Visit:
    visit, state = lane.visit, lane.state
    if state in _MEASURED:
        return _measured_visit(visit, state)
    if state not in _ADMITTED and state not in _TOLD:
        return _LEFT_OVER
    if visit.released_by is not None:
        return _BY_SOMEBODY
    holder = None if state is State.REFUSED else visit.holder and RESIDENT
    decision = visit.decision and visit.decision._replace(rules=(), tell=(), reason="")
    if state in _ADMITTED:
        return Visit(1, holder=holder, decision=decision)
    return replace(_LEFT_OVER, holder=holder, decision=decision, released_by=None)


def _measured_visit(visit: Visit, state: State) -> Visit:
    # One objection that only is noted stands for none; one that blocks has no business here.
    objection = visit.objection if visit.objection and visit.objection.blocks else None
    visit = replace(visit, number=1, holder=visit.holder and RESIDENT, objection=objection)
    if state is State.PAUSING:
        return replace(visit, samples=_LEFT_OVER.samples, verdict=_LEFT_OVER.verdict, distrust=None)
    # A sensor that repeats itself for ever: three equal samples say all of it.
    runs = (list(run) for _, run in groupby(visit.samples, lambda sample: sample.object_c))
    samples = tuple(sample._replace(at_s=SOON_S) for run in runs for sample in run[:3])
    return replace(visit, samples=samples)
