"""Builds what the gate knows of passes: the roster, and who is inside."""

import logging
import math
from collections import Counter
from contextlib import ExitStack
from datetime import UTC, datetime

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
from gatepost.wiring.trusted_clock import trusted_now
from gatepost_config.settings import NOTHING, Settings
from gatepost_hal.ports import Clock, Direction
from gatepost_services.roster import Roster, RosterError
from gatepost_services.whereabouts import Row, Whereabouts, WhereaboutsError

_log = logging.getLogger(__name__)

# Who has not walked for so long is forgotten, where no rule needs to know: 30 days.
_FORGOTTEN_S = 30 * 86400.0
_FORGET_AT_ONCE = 100  # between two people
_EVERYBODY = 1_000_000
_WORKS = Category.WORKS.value
_CATEGORIES = frozenset(category.value for category in Category)


class Passes:
    """The roster, and anti-passback on top of it.

    Neither is a reason not to start: a roster that cannot be used makes every pass unknown, and
    who is inside is then known only since the start. Both are told in `faults`.
    """

    def __init__(self, settings: Settings, clock: Clock, boot_id: str, closing: ExitStack) -> None:
        self.faults: dict[Fault, str] = {}
        passback = settings.passback
        self._policy = PassbackPolicy(
            PassbackMode(passback.mode), passback.window_s, passback.pass_interval_s
        )
        self._clock = clock
        self._boot_id = boot_id
        self._roster = self._load_roster(settings)
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
        self._inside: Counter[str | None] = Counter()
        self._outings: dict[str, float] = {}  # by household: when somebody of it last left
        self._recount()

    def shown(self, credential: str, direction: Direction, at_s: float) -> PassShown | ProofShown:
        """Return what was shown at a reader: whose pass it is, and what is known of them."""
        holder = self.look_up(credential)
        if holder is None:
            return PassShown(at_s, None, direction)
        objection = self.object_to(holder) if direction is Direction.ENTRY else None
        return PassShown(at_s, holder, direction, objection, self.known(holder, direction))

    def use(self, holder: Holder) -> str | None:  # noqa: ARG002
        """Count a use of a signed pass; return why it may not be used, if so."""
        return None

    def give_back(self, holder: Holder) -> None:
        """Take the count of a use back: nobody walked."""

    def look_up(self, credential: str) -> Holder | None:
        """Return whose pass it is, None for nobody's."""
        member = self._roster and self._roster.look_up(credential)
        return Holder(member.subject, member.category, member.duress) if member else None

    def known(self, holder: Holder, direction: Direction) -> Facts:
        """Return what is known of somebody for the order in force: what the roster says."""
        is_known = holder.category in _CATEGORIES
        household = self._household_of(holder.subject)
        now = trusted_now(self._clock)
        return Facts(
            direction=direction,
            category=Category(holder.category) if is_known else Category.UNKNOWN,
            shown=Pass(holder.subject, household, valid=True),
            # Without a clock nobody is held in by a count of days: the doubt is ours.
            household_last_exit=None if now is None else self._last_outing(household),
            isolated=self._roster is not None and self._roster.is_isolated(holder.subject),
            registered=True,  # they are on the roster
            works_inside=self._how_many(holder, _WORKS) if self._counts else None,
            people_inside=self._how_many(holder) if self._counts else None,
            now=now,
        )

    def _how_many(self, holder: Holder, category: str | None = None) -> int:
        """Return how many are inside, of a category or at all, without this one."""
        sighting = self._sightings.get(holder.subject)
        is_inside = sighting is not None and sighting.place is Place.INSIDE
        if category is None:
            return self._inside.total() - is_inside
        is_one = is_inside and self._category_of(holder.subject) == category
        return self._inside[category] - is_one

    def _category_of(self, subject: str) -> str | None:
        return self._roster.category_of(subject) if self._roster else None

    def _household_of(self, subject: str) -> str | None:
        return self._roster.household_of(subject) if self._roster else None

    def _last_outing(self, household: str | None) -> datetime | None:
        utc_s = None if household is None else self._outings.get(household)
        return None if utc_s is None else datetime.fromtimestamp(utc_s, UTC)

    def _recount(self) -> None:
        inside = (who for who, seen in self._sightings.items() if seen.place is Place.INSIDE)
        self._inside = Counter(map(self._category_of, inside))
        self._outings.clear()
        for subject, utc_s in self._left_utc_s.items():
            self._count_outing(subject, utc_s)

    def _count_outing(self, subject: str, utc_s: float) -> None:
        household = self._household_of(subject)
        if household is not None:
            self._outings[household] = max(utc_s, self._outings.get(household, utc_s))

    def _note_leaving(self, subject: str) -> None:
        """Count the outing at the passage, not when it was granted (R065); by a clock alone."""
        now = trusted_now(self._clock)
        if now is not None:
            self._left_utc_s[subject] = now.timestamp()
            self._count_outing(subject, now.timestamp())

    def object_to(self, holder: Holder) -> Objection | None:
        """Return what speaks against letting this pass in now."""
        return objection(self._sightings.get(holder.subject), self._now(), self._policy)

    def note(self, subject: str, way: Direction) -> str | None:
        """Note that somebody went through; return why it could not be kept over a restart."""
        if not self._is_kept:
            return None
        place = Place.INSIDE if way is Direction.ENTRY else Place.OUTSIDE
        was = self._sightings.get(subject)
        sighting = moved(was, place, self._now())
        self._sightings[subject] = sighting
        was_inside = was is not None and was.place is Place.INSIDE
        self._inside[self._category_of(subject)] += (place is Place.INSIDE) - was_inside
        if place is Place.OUTSIDE:
            self._note_leaving(subject)
        if self._whereabouts is None:
            return self.faults.get(Fault.WHEREABOUTS)
        try:
            self._whereabouts.note(_row(subject, sighting, self._left_utc_s.get(subject)))
        except (WhereaboutsError, ValueError) as error:
            return str(error)
        return self._forget_before(self._clock.utc_s() - _FORGOTTEN_S, max_rows=_FORGET_AT_ONCE)

    def forgive(self) -> str | None:
        """Forget where everybody is; return why the file still knows.

        After an evacuation: whoever walked out through a free turnstile counts as inside, and must
        be able to come home.
        """
        self._sightings.clear()
        self._left_utc_s.clear()
        self._recount()
        return self._forget_before(math.inf, max_rows=_EVERYBODY)

    def _forget_before(self, utc_s: float, *, max_rows: int) -> str | None:
        if self._whereabouts is None:
            return None
        try:
            gone = self._whereabouts.forget_before(utc_s, max_rows=max_rows)
        except WhereaboutsError as error:
            return str(error)
        if gone:
            known = self._sightings.items()
            self._sightings = {who: seen for who, seen in known if seen.moved.utc_s >= utc_s}
            left = self._left_utc_s.items()
            self._left_utc_s = {who: at_s for who, at_s in left if who in self._sightings}
            self._recount()
        return None

    def _now(self) -> Moment:
        return Moment(self._boot_id, self._clock.now_s(), self._clock.utc_s())

    def _load_roster(self, settings: Settings) -> Roster | None:
        try:
            return Roster.load(settings.paths.roster)
        except RosterError as error:
            self._tell(Fault.ROSTER, str(error))
            return None

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
