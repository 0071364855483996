"""Builds what the gate knows of passes: the roster, and who is inside."""

import logging
import math
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from itertools import islice
from typing import NamedTuple, TypeVar

from gatepost.core.events import Holder, PassShown, ProofShown
from gatepost.core.facts import Category, Facts, Pass
from gatepost.core.faults import Fault
from gatepost.core.passback import (
    Moment,
    Objection,
    PassbackMode,
    PassbackPolicy,
    Place,
    Sighting,
    moved,
    objection,
)
from gatepost.wiring.outings import Outing
from gatepost.wiring.trusted_clock import age_s, judging_moment, trusted_now
from gatepost_config.settings import NOTHING, Settings
from gatepost_hal.ports import Clock, Direction
from gatepost_services.roster import DamagedError, Person, Roster, RosterError, State
from gatepost_services.whereabouts import Row, Whereabouts, WhereaboutsError

_T = TypeVar("_T")
_log = logging.getLogger(__name__)

# Who has not walked for so long is forgotten, where no rule needs to know: 30 days.
_FORGOTTEN_S = 30 * 86400.0
_FORGET_AT_ONCE = 100  # between two people
_EVERYBODY = 1_000_000
_WORKS = Category.WORKS.value
# So many at once, when the roster changes: some milliseconds of the control loop.
_FOLLOW_AT_ONCE = 200
_DAY_S = 86400.0
_CATEGORIES = frozenset(category.value for category in Category)


class Introduced(NamedTuple):
    """What a signed pass says of its holder; `category` None: nothing, the roster knows them."""

    category: str | None
    household: str | None


_OF_THE_ROSTER = Introduced(None, None)
_INTRODUCED = 16  # between being shown and walking
_UNTOLD = 64  # outings between two looks, five seconds apart


class Passes:
    """The roster, and anti-passback on top of it.

    Neither is a reason not to start: a roster that cannot be used makes every pass unknown, and
    who is inside is then known only since the start. Both are told in `faults`; what becomes of
    the roster later, in `roster_faults`.
    """

    def __init__(self, settings: Settings, clock: Clock, boot_id: str, closing: ExitStack) -> None:
        self.faults: dict[Fault, str] = {}
        passback = settings.passback
        self._policy = PassbackPolicy(
            PassbackMode(passback.mode), passback.window_s, passback.pass_interval_s
        )
        self._clock = clock
        self._boot_id = boot_id
        self._roster = Roster(settings.paths.roster, settings.paths.roster_key)
        closing.callback(self._roster.close)
        self._max_age_days = settings.roster.max_age_days
        self._state: State | None = None
        self._damage: str | None = None
        has_rule = self._policy.mode is not PassbackMode.OFF or self._policy.pass_interval_s > 0
        # Without a reader inside nobody is seen to leave, and no count of who is inside is one.
        self._counts = bool(settings.regime.name) and settings.reader.exit_device != NOTHING
        self._is_kept = has_rule or self._counts
        self._whereabouts = self._open_whereabouts(settings, closing) if self._is_kept else None
        known = self._whereabouts.all() if self._whereabouts else {}
        self._sightings = {subject: _sighting(row) for subject, row in known.items()}
        self._left_utc_s = {
            subject: row.left_utc_s for subject, row in known.items() if row.left_utc_s is not None
        }
        # Who is of no roster, by their signed pass: those who walked, and those about to.
        self._signed = {
            subject: Introduced(row.category, row.household)
            for subject, row in known.items()
            if row.category is not None
        }
        self._introduced: dict[str, Introduced] = {}
        self._outings: deque[Outing] = deque(maxlen=_UNTOLD)
        self._erased: frozenset[bytes] = frozenset()
        self._to_look_over: list[str] = []  # for whether they were erased
        self._read_whole_roster()
        inside = [who for who, seen in self._sightings.items() if seen.place is Place.INSIDE]
        # Who is inside, and as what they count.
        self._inside_as = {who: self._category_of(who) for who in inside}
        self._inside = Counter(self._inside_as.values())
        self._to_recount: list[str] = []

    def shown(self, credential: str, direction: Direction, at_s: float) -> PassShown | ProofShown:
        """Return what was shown at a reader: whose pass it is, and what is known of them."""
        holder = self.look_up(credential)
        if holder is None:
            return PassShown(at_s, None, direction)
        objection = self.object_to(holder) if direction is Direction.ENTRY else None
        return PassShown(at_s, holder, direction, objection, self.known(holder, direction))

    def look_up(self, credential: str) -> Holder | None:
        """Return whose pass it is, None for nobody's."""
        member = self._of_roster(lambda roster: roster.look_up(credential))
        return Holder(member.subject, member.category, member.duress) if member else None

    def introduce(self, subject: str, category: str, household: str | None) -> None:
        """Take what a signed pass says of its holder; it is kept if they walk."""
        self._introduced[subject] = Introduced(category, household)
        while len(self._introduced) > _INTRODUCED:
            del self._introduced[next(iter(self._introduced))]

    def known(self, holder: Holder, direction: Direction, household: str | None = None) -> Facts:
        """Return what is known of somebody for the order in force.

        `household`: what a signed pass says; of others the roster knows it.
        """
        is_known = holder.category in _CATEGORIES
        person = self._person(holder.subject)
        household = household or (person.household if person else None)
        now = trusted_now(self._clock)
        return Facts(
            direction=direction,
            category=Category(holder.category) if is_known else Category.UNKNOWN,
            shown=Pass(holder.subject, household, valid=True),
            # Without a clock nobody is held in by a count of days: the doubt is ours.
            household_last_exit=None if now is None else self._last_outing(household, now),
            isolated=person is not None and person.isolated,
            registered=True if person else None,
            works_inside=self._how_many(holder, _WORKS) if self._counts else None,
            people_inside=self._how_many(holder) if self._counts else None,
            now=now,
        )

    def roster_faults(self) -> dict[Fault, str | None]:
        """Return what is wrong with the roster by now, and follow it: another one counts at once.

        Called between two people; what is counted by it is counted anew a part at a time.
        """
        try:
            self._forget_erased(self._roster.erased())
            state = self._roster.state()
        except RosterError as error:
            if isinstance(error, DamagedError):
                self._damage = str(error)
            # Whatever comes next is another one: it is to be told, and counted by.
            self._state = None
            return {Fault.ROSTER: str(error), Fault.ROSTER_STALE: None}
        if state != self._state:
            self._state, self._damage = state, None
            self._to_recount = list(self._inside_as)
        self._recount_some()
        return {Fault.ROSTER: self._damage, Fault.ROSTER_STALE: self._staleness(state)}

    def _read_whole_roster(self) -> None:
        try:
            self._state = self._roster.check()
        except RosterError as error:
            if isinstance(error, DamagedError):
                self._damage = str(error)
                self._state = self._state_at_all()
            self._tell(Fault.ROSTER, str(error))
        else:
            if (detail := self._staleness(self._state)) is not None:
                self._tell(Fault.ROSTER_STALE, detail)

    def _state_at_all(self) -> State | None:
        try:
            return self._roster.state()
        except RosterError:
            return None

    def _of_roster(self, question: Callable[[Roster], _T]) -> _T | None:
        """Return what the roster says, None where it says nothing or cannot be used."""
        if self._damage is not None:
            return None
        try:
            return question(self._roster)
        except RosterError as error:
            _log.error("%s", error)
            if isinstance(error, DamagedError):
                self._damage = str(error)
            return None

    def _staleness(self, state: State) -> str | None:
        """Return that the roster is too old, as far as a clock can tell."""
        now = trusted_now(self._clock)
        if not self._max_age_days or now is None:
            return None
        age_days = (now.timestamp() - state.as_of_utc_s) / _DAY_S
        if age_days <= self._max_age_days:
            return None
        return (
            f"version {state.version} of the roster is as of {state.as_of_utc}, "
            f"{age_days:.1f} days ago; this site's [roster] max_age_days is {self._max_age_days:g}"
        )

    def _person(self, subject: str) -> Person | None:
        return self._of_roster(lambda roster: roster.person(subject))

    def _category_of(self, subject: str) -> str | None:
        person = self._person(subject) or self._signed.get(subject)
        return person.category if person else None

    def _last_outing(self, household: str | None, now: datetime) -> datetime | None:
        """Return when somebody of a household last left, None where nobody is known to have.

        A time server may set the clock back a little, and who left just before left now. What lies
        further ahead was dated by a wrong clock, and is not known: it must hold nobody in.
        """
        if household is None:
            return None
        members = self._of_roster(lambda roster: roster.of_household(household)) or ()
        signed = (who for who, said in self._signed.items() if said.household == household)
        now_s = now.timestamp()
        known = (self._left_utc_s.get(who, math.inf) for who in (*members, *signed))
        left = [min(left_s, now_s) for left_s in known if left_s <= now_s + _DAY_S]
        return datetime.fromtimestamp(max(left), UTC) if left else None

    def _how_many(self, holder: Holder, category: str | None = None) -> int:
        """Return how many are inside, of a category or at all, without this one."""
        is_inside = holder.subject in self._inside_as
        if category is None:
            return self._inside.total() - is_inside
        is_one = is_inside and self._inside_as[holder.subject] == category
        return self._inside[category] - is_one

    def _count(self, subject: str, *, inside: bool) -> None:
        """Count somebody as inside, by the category that the roster has for them now, or not."""
        if subject in self._inside_as:
            self._inside[self._inside_as.pop(subject)] -= 1
        if inside:
            category = self._category_of(subject)
            self._inside_as[subject] = category
            self._inside[category] += 1

    def _recount_some(self) -> None:
        for subject in self._to_recount[:_FOLLOW_AT_ONCE]:
            self._count(subject, inside=subject in self._inside_as)
        del self._to_recount[:_FOLLOW_AT_ONCE]

    def _note_leaving(self, subject: str) -> None:
        """Count the outing at the passage, not when it was granted (R065); by a clock alone."""
        now = trusted_now(self._clock)
        if now is None:
            return
        self._left_utc_s[subject] = now.timestamp()
        said = self._person(subject) or self._signed.get(subject)
        if said is not None and said.household is not None and said.category is not None:
            self._outings.append(Outing(self._clock.now_s(), subject, said.category, now))

    def take_outings(self) -> Sequence[Outing]:
        """Return the outings of households that were counted since the last call."""
        taken = tuple(self._outings)
        self._outings.clear()
        return taken

    def _forget_erased(self, erased: frozenset[bytes]) -> None:
        """Forget where those were seen whom gatepost erase has removed."""
        if erased - self._erased:
            self._to_look_over = list(self._sightings)
        self._erased = erased
        asked = self._to_look_over[:_FOLLOW_AT_ONCE]
        gone = [subject for subject in asked if self._roster.is_among(subject, erased)]
        if gone and self._whereabouts is not None:
            try:
                self._whereabouts.forget(gone)
            except WhereaboutsError as error:
                _log.error("%s; tried again", error)
                return
        self._drop(gone)
        del self._to_look_over[:_FOLLOW_AT_ONCE]

    def _drop(self, subjects: Iterable[str]) -> None:
        for subject in subjects:
            self._sightings.pop(subject, None)
            self._left_utc_s.pop(subject, None)
            self._signed.pop(subject, None)
            self._count(subject, inside=False)

    def object_to(self, holder: Holder) -> Objection | None:
        """Return what speaks against letting this pass in now."""
        # A clock that was restored knows how late it was, not how late it is: what it says of a
        # time that has passed would keep out somebody who may come.
        now = judging_moment(self._clock, self._boot_id)
        return objection(self._sightings.get(holder.subject), now, self._policy)

    def note(self, subject: str, way: Direction) -> str | None:
        """Note that somebody went through; return why it could not be kept over a restart."""
        if not self._is_kept:
            return None
        place = Place.INSIDE if way is Direction.ENTRY else Place.OUTSIDE
        if (said := self._introduced.pop(subject, None)) is not None:
            self._signed[subject] = said
        sighting = moved(self._sightings.get(subject), place, self._now())
        self._sightings[subject] = sighting
        self._count(subject, inside=place is Place.INSIDE)
        if place is Place.OUTSIDE:
            self._note_leaving(subject)
        if self._whereabouts is None:
            return self.faults.get(Fault.WHEREABOUTS)
        try:
            row = _row(subject, sighting, self._left_utc_s.get(subject))
            said = self._signed.get(subject, _OF_THE_ROSTER)
            self._whereabouts.note(row._replace(category=said.category, household=said.household))
        except (WhereaboutsError, ValueError) as error:
            return str(error)
        return self._forget_old()

    def forgive(self) -> str | None:
        """Forget where everybody is; return why the file still knows.

        After an evacuation: whoever walked out through a free turnstile counts as inside, and must
        be able to come home.
        """
        self._sightings.clear()
        self._left_utc_s.clear()
        self._signed.clear()
        self._inside_as.clear()
        self._inside.clear()
        if self._whereabouts is None:
            return None
        try:
            self._whereabouts.forget_before(math.inf, max_rows=_EVERYBODY)
        except WhereaboutsError as error:
            return str(error)
        return None

    def _forget_old(self) -> str | None:
        """Forget who has not walked for long: of another boot, as far as a trusted clock tells.

        Whoever came in while the clock was not set yet came in by the monotonic one.
        """
        if self._whereabouts is None:
            return None
        now = judging_moment(self._clock, self._boot_id)
        known = self._sightings.items()
        old = (who for who, seen in known if age_s(seen.moved, now) > _FORGOTTEN_S)
        gone = list(islice(old, _FORGET_AT_ONCE))
        try:
            self._whereabouts.forget(gone)
        except WhereaboutsError as error:
            return str(error)
        self._drop(gone)
        return None

    def _now(self) -> Moment:
        return Moment(self._boot_id, self._clock.now_s(), self._clock.utc_s())

    def _open_whereabouts(self, settings: Settings, closing: ExitStack) -> Whereabouts | None:
        try:
            whereabouts = Whereabouts.open(settings.paths.whereabouts)
        except WhereaboutsError as error:
            self._tell(Fault.WHEREABOUTS, str(error))
            return None
        closing.callback(whereabouts.close)
        if whereabouts.set_aside is not None:
            self._tell(Fault.WHEREABOUTS, f"was damaged, and set aside as {whereabouts.set_aside}")
        return whereabouts

    def _tell(self, fault: Fault, detail: str) -> None:
        _log.error("%s", detail)
        self.faults[fault] = detail


def _sighting(row: Row) -> Sighting:
    entered = None
    if (
        row.entered_boot_id is not None
        and row.entered_at_s is not None
        and row.entered_utc_s is not None
    ):
        entered = Moment(row.entered_boot_id, row.entered_at_s, row.entered_utc_s)
    return Sighting(Place(row.place), Moment(row.boot_id, row.at_s, row.utc_s), entered)


def _row(subject: str, sighting: Sighting, left_utc_s: float | None) -> Row:
    moment, entered = sighting.moved, sighting.entered or (None, None, None)
    row = Row(subject, sighting.place.value, *moment, *entered)
    return row._replace(left_utc_s=left_utc_s)
