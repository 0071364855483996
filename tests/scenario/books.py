"""Keeps the books of a story: what the turnstile did, what the log says, and whether they agree."""

from collections import Counter
from dataclasses import dataclass, field
from functools import partial

from gatepost.core.states import Span
from gatepost_hal.gpio import ALARM_REST_S
from gatepost_hal.outputs import ALARM_HOLD_S
from gatepost_hal.ports import Direction, HardwareEvent, InputChanged, InputName
from gatepost_hal.simulated.turnstile import Mechanism, PassageOutput
from gatepost_services.journal import Entry

from .fate import Fate
from .life import Life
from .stage import Stage

_EPSILON_S = 1e-6
_LOOP_S = 0.2  # a loop that turns has acted on what is over by then
_PASSAGE = (InputName.PASSAGE, InputName.PASSAGE_EXIT)
_RELEASES = {
    "visit.admitted": Direction.ENTRY,
    "entry.commanded": Direction.ENTRY,
    "exit.released": Direction.EXIT,
}
_OUTCOMES = {
    "passage.entered": Direction.ENTRY,
    "passage.not_entered": Direction.ENTRY,
    "passage.left": Direction.EXIT,
    "passage.not_left": Direction.EXIT,
}
_TURNS = (
    "passage.entered",
    "passage.left",
    "passage.forced",
    "passage.tailgated",
    "passage.wrong_way",
    "passage.free",
)
_TELL_WHY = ("controller.started", "journal.lost")
_TESTED = {"entry_relay": Direction.ENTRY, "exit_relay": Direction.EXIT}


def release_of(entry: Entry) -> Direction | None:
    """Return which way a record says is to be free; None for any other record."""
    if entry.type == "maintenance.tested":
        return _TESTED.get(entry.data["tested"])
    return _RELEASES.get(entry.type)


def outcome_of(entry: Entry) -> Direction | None:
    """Return the way of the release that a record says is over."""
    if entry.type == "passage.unconfirmed":
        return Direction(entry.data["direction"])
    return _OUTCOMES.get(entry.type)


def _is_turn(event: HardwareEvent) -> bool:
    return isinstance(event, InputChanged) and event.name in _PASSAGE and event.active


@dataclass
class Window:
    """One way is free, from the edge of its relay on."""

    way: Direction
    since_s: float
    life: Life
    record: Entry | None  # None: an alarm
    until_s: float | None = None
    turns: int = 0


@dataclass
class Books:
    """Watches a stage. `wrong` is what must not be; `counts` is what there was."""

    stage: Stage
    fate: Fate
    mechanism: Mechanism
    passage: PassageOutput
    wrong: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    windows: list[Window] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)  # of lives, as numbers of tried records
    _used: set[int] = field(default_factory=set)  # records that have energised a relay
    _heard: int = 0  # turns that the contacts told the loop; in its last turn `_now_heard`
    _now_heard: int = 0
    _untold: int = 0

    def __post_init__(self) -> None:
        for way, relay in self.stage.lane.relays.items():
            relay.on_change = partial(self._edge, way, relay.on_change)

    def complain(self, text: str) -> None:
        self.wrong.append(f"{self.stage.world.now_s():.3f} s: {text}")

    # ------------------------------------------------------------------------------- the lines

    def begin(self) -> None:
        """Watch the contacts of a life that begins."""
        mailbox = self.stage.lane.mailbox
        wait = mailbox.wait

        def count(until_s: float) -> list[HardwareEvent]:
            events = wait(until_s)
            self._now_heard = sum(map(_is_turn, events))
            self._heard += self._now_heard
            return events

        mailbox.wait = count

    def end(self, *, orderly: bool) -> None:
        """Note that a life is over; what it heard last it need not have told."""
        self.ends.append(len(self.stage.log.tried))
        self._untold += 0 if orderly else self._now_heard

    def _edge(self, way: Direction, tell_turnstile) -> None:
        tell_turnstile()
        energised = self.stage.lane.is_released(way)
        is_open = self._open(way) is not None
        if energised and not is_open:
            self._rises(way)
        elif is_open and not energised:
            self._falls(self._open(way))

    def _open(self, way: Direction) -> Window | None:
        newest = next((window for window in reversed(self.windows) if window.way is way), None)
        return newest if newest is not None and newest.until_s is None else None

    def _rises(self, way: Direction) -> None:
        now_s = self.stage.world.now_s()
        is_alarm = self._alarmed(now_s, ALARM_REST_S + _LOOP_S)
        record = self._reason(way)
        if record is None and not is_alarm:
            self.complain(f"{way.value} is energised without a record: {self._recent()}")
        if not is_alarm and len(self.stage.released()) > 1:
            self.complain("both ways are free without an alarm")
        self.windows.append(Window(way, now_s, self.stage.life, record))

    def _reason(self, way: Direction) -> Entry | None:
        """Return the record of this life that lets the way be free, if it was not used yet."""
        tried = self.stage.log.tried
        since = self.ends[-1] if self.ends else 0
        for number in range(len(tried) - 1, since - 1, -1):
            is_written, entry = tried[number]
            if release_of(entry) is way and number not in self._used:
                self._used.add(number)
                # Out one may without a record, when the disk is broken (S5).
                return entry if is_written or way is Direction.EXIT else None
        return None

    def _falls(self, window: Window) -> None:
        now_s = window.until_s = self.stage.world.now_s()
        if window.record is not None and now_s <= window.since_s + self._hold_s(window.record):
            return
        if now_s == self.stage.life.began_s and window.life is not self.stage.life:
            return  # whoever claimed the line next made it low
        left_s = ALARM_REST_S + _LOOP_S
        if self._hung(now_s - ALARM_HOLD_S - left_s, now_s):
            left_s += ALARM_HOLD_S
        if not self._alarmed(now_s, left_s):
            for_s = now_s - window.since_s
            self.complain(f"{window.way.value} was free for {for_s:.3f} s: {self._recent()}")

    def _hold_s(self, record: Entry) -> float:
        policy = self.stage.policy
        span = Span.TEST if record.type == "maintenance.tested" else Span.RELEASE_HOLD
        hold_s = policy.spans_s[span]
        return _EPSILON_S + (hold_s if policy.pulse_s is None else min(policy.pulse_s, hold_s))

    def _alarmed(self, now_s: float, within_s: float) -> bool:
        return self.fate.alarmed(now_s, within_s)

    def _hung(self, since_s: float, until_s: float) -> bool:
        """Return whether the loop hung, or was not there, in this time."""
        began_s = self.stage.life.began_s
        hung = [*self.fate.hung, (began_s - 20.0, began_s)]
        return any(begins < until_s and ends > since_s for begins, ends in hung)

    def _recent(self) -> list[str]:
        return [entry.type for _, entry in self.stage.log.tried[-5:]]

    # ------------------------------------------------------------------------------ the people

    def push(self, way: Direction, *, force: bool = False, people: int = 1) -> bool:
        """Let somebody push, and note how they came through, if they did."""
        turnstile = self.stage.lane.turnstile
        is_free, is_open = turnstile.is_free(way), turnstile._open is not None
        if not self.stage.lane.push(way, force=force, people=people):
            return False
        how = "through_an_open_wing" if is_open else "free" if is_free else "forced"
        if how == "free":
            how = self._goes(way)
        self.counts[f"{way.value} {how}"] += 1
        self.counts[f"{way.value} close_behind"] += people - 1
        return True

    def _goes(self, way: Direction) -> str:
        """Note that somebody went where it was free; return by what right."""
        windows = [window for window in self.windows if window.way is way]
        window = windows[-1]
        window.turns += 1
        if window.record is None or self._alarmed(self.stage.world.now_s(), 20.0):
            return "in_an_alarm"
        if window.record.type == "maintenance.tested":
            return "in_a_test"
        if window.turns == 1:
            return "released"
        if self._is_seen(window):
            self.complain(f"{window.turns} people on one release: {self._recent()}")
        return "again_on_one_release"

    def _is_seen(self, window: Window) -> bool:
        """Return whether the controller could know that somebody has used this release."""
        now_s = self.stage.world.now_s()
        stuck = any(begins < now_s and ends > window.since_s for begins, ends in self.fate.stuck)
        return (
            self.mechanism is Mechanism.TRIPOD
            and self.passage is not PassageOutput.NONE
            and not stuck
            and self.stage.life.turns
            and not self._hung(window.since_s, now_s)
        )

    # --------------------------------------------------------------------------------- the sum

    def close(self) -> None:
        """Draw the balance of a story that is over, with nobody in the arm."""
        if self.stage.released():
            self.complain(f"left released: {self.stage.released()}")
        self._balance()
        self._shows_what_died()
        told = sum(entry.type in _TURNS for _, entry in self.stage.log.tried)
        if not 0 <= self._heard - told <= self._untold:
            self.complain(f"{self._heard} turns were reported to it, and it told {told}")
        self._obeyed_once()
        for is_written, entry in self.stage.log.tried:
            self.counts[entry.type] += is_written
            if entry.type == "visit.admitted" and entry.data["index_c"] > 37.3:
                self.complain(f"admitted with {entry.data['index_c']}")

    def _obeyed_once(self) -> None:
        """See that no command acted twice while it lasted; each lasts a second here (S7)."""
        obeyed: dict[str, float] = {}
        for _, entry in self.stage.log.tried:
            if entry.type == "command.obeyed":
                name = str(entry.data["command"])
                if entry.at_s < obeyed.get(name, -1.0) + 1.0:
                    self.complain(f"obeyed again: {name}")
                obeyed[name] = entry.at_s

    def _balance(self) -> None:
        """Find the one outcome of each release, as far as its process could tell."""
        open_: dict[Direction, Entry] = {}
        for number, (is_written, entry) in enumerate(self.stage.log.tried):
            if number in self.ends:
                self._forget(open_)
            way = None if entry.type == "maintenance.tested" else release_of(entry)
            if way is not None and (is_written or way is Direction.EXIT):
                if open_:
                    self.complain(f"{entry.type} before the end of {next(iter(open_.values()))}")
                open_[way] = entry
                self.counts[f"releases of the {way.value}"] += 1
            over = outcome_of(entry)
            if over is not None:
                if open_.pop(over, None) is None:
                    self.complain(f"{entry.type} without a release at {entry.at_s:.3f} s")
                self.counts[f"outcomes of the {over.value}"] += 1
                self.counts["outcomes that the disk refused"] += not is_written
        if len(self.stage.log.tried) in self.ends:
            self._forget(open_)
        if open_:
            self.complain(f"no outcome of {next(iter(open_.values()))}")

    def _shows_what_died(self) -> None:
        """See that the disk alone tells which releases have no outcome, and why."""
        open_: Entry | None = None
        for entry in self.stage.log.entries:
            if outcome_of(entry) is not None or entry.type in (
                "controller.started",
                "journal.lost",
            ):
                open_ = None
            elif entry.type in _RELEASES:
                if open_ is not None:
                    self.complain(f"nothing on the disk tells why {open_} has no outcome")
                open_ = entry

    def _forget(self, open_: dict[Direction, Entry]) -> None:
        for way in open_:
            self.counts[f"outcomes of the {way.value} that died with the process"] += 1
        open_.clear()
