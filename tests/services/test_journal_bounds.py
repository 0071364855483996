"""What goes from the journal, and when: the decision alone, for any state that a journal can have.

Driven over a real journal in `test_journal_keeper`.
"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatepost_services.journal.bounds import Evict, Forget, GiveBack, Limits, next_step
from gatepost_services.journal.schema import ALL_CLASSES, Stats
from gatepost_services.journal.writer import EVER, NEVER
from gatepost_services.record import EventClass

from .journal_files import DAY_S, NOW_UTC_S

ALARM, LIVE, BOOKS, CURVE = EventClass
LIMITS = Limits(
    max_events=20,
    max_bytes=100_000,
    max_age_s=90 * DAY_S,
    keep_delivered_s=7 * DAY_S,
    min_free_bytes=50_000,
)
EVENT_BYTES = 2_000
ROOMY = 10**12


class Model:
    """A journal as the decision sees it: numbers and dates by class, a page an event."""

    def __init__(self, held, delivered_seq=0, disk=ROOMY):
        self.held = sorted(held)
        self.last_seq = max([0, *(seq for seq, _, _ in held)])
        self.delivered_seq = delivered_seq
        self.disk = disk
        self.free = 0
        self.evicted = []
        self.forgotten = []
        self.steps = []
        self.now_utc_s = NOW_UTC_S

    def stats(self):
        of = [[(s, utc) for s, each, utc in self.held if each is c] for c in ALL_CLASSES]
        return Stats(
            last_seq=self.last_seq,
            head=b"",
            pruned=0,
            rows=tuple(map(len, of)),
            bytes=tuple(EVENT_BYTES * len(each) for each in of),
            dropped=(0,) * 4,
            oldest=tuple(each[0] if each else None for each in of),
            used_bytes=EVENT_BYTES * len(self.held),
            free_bytes=self.free,
        )

    def next(self, now_utc_s=NOW_UTC_S, limits=LIMITS):
        self.now_utc_s = NOW_UTC_S if now_utc_s is None else now_utc_s
        assert len(self.steps) < 1000, "it never ends"
        return next_step(
            self.stats(),
            limits,
            delivered_seq=self.delivered_seq,
            free_bytes=self.disk,
            now_utc_s=now_utc_s,
        )

    def do(self, step, *, at_a_time=3):
        """Do it as the writer does, a few at a time."""
        self.steps.append(step)
        match step:
            case Forget(keep):
                goes = [
                    each
                    for each in self.held
                    if each[0] <= self.delivered_seq and not keep[0] <= each[2] <= keep[1]
                ]
                goes = goes[:at_a_time]
                self.forgotten += goes
            case Evict(event_class, dated, _, most):
                at_a_time = min(at_a_time, most)
                goes = [
                    each
                    for each in self.held
                    if each[1] is event_class
                    and each[0] > self.delivered_seq
                    and dated[0] <= each[2] <= dated[1]
                ]
                goes = goes[:at_a_time]
                self.evicted += goes
                if goes:
                    self.last_seq += 1
                    self.held.append((self.last_seq, ALARM, self.now_utc_s))
            case GiveBack(pages):
                gives = min(self.free, pages * 4096)
                self.free, self.disk = self.free - gives, self.disk + gives
                assert gives, "nothing was there to give back"
                return
        assert goes, f"{step} does nothing"
        self.held = [each for each in self.held if each not in goes]
        self.free += EVENT_BYTES * len(goes)

    def run(self, now_utc_s=NOW_UTC_S, limits=LIMITS):
        while (step := self.next(now_utc_s, limits)) is not None:
            self.do(step)


dates = st.one_of(
    st.floats(NOW_UTC_S - 100 * DAY_S, NOW_UTC_S),
    st.floats(0, 4e9),  # a clock that was never set, or was years ahead
)
held = st.lists(st.tuples(st.sampled_from(EventClass), dates), max_size=40).map(
    lambda events: [(seq, each, utc_s) for seq, (each, utc_s) in enumerate(events, start=1)]
)
models = st.builds(
    Model, held, delivered_seq=st.integers(0, 45), disk=st.integers(0, 200_000) | st.just(ROOMY)
)
clocks = st.none() | st.floats(1e9, 3e9) | st.just(NOW_UTC_S)


@given(model=models, now_utc_s=clocks)
@settings(max_examples=400, deadline=None)
def test_it_comes_to_an_end_within_all_limits(model, now_utc_s):
    model.run(now_utc_s)
    assert len(model.held) <= max(LIMITS.max_events, 1)
    assert model.stats().used_bytes <= LIMITS.max_bytes
    if model.disk < LIMITS.min_free_bytes:
        # All that it could give is given; the last gap event alone stays.
        assert (model.free, len(model.held)) in [(0, 0), (0, 1)]


@given(model=models, now_utc_s=clocks)
@settings(max_examples=400, deadline=None)
def test_nothing_undelivered_goes_for_room_while_something_delivered_is_there(model, now_utc_s):
    while (step := model.next(now_utc_s)) is not None:
        if isinstance(step, Evict) and step.cause != "age":
            assert all(seq > model.delivered_seq for seq, _, _ in model.held)
        model.do(step)


@given(model=models, now_utc_s=clocks)
@settings(max_examples=400, deadline=None)
def test_what_is_more_urgent_goes_later(model, now_utc_s):
    while (step := model.next(now_utc_s)) is not None:
        if isinstance(step, Evict) and step.cause != "age":
            assert step.dated == EVER
            there = {each for _, each, _ in model.held}
            assert step.event_class is max(there)
        model.do(step)


@given(model=models)
@settings(max_examples=200, deadline=None)
def test_no_date_counts_while_nobody_vouches_for_the_clock(model):
    model.delivered_seq, model.disk = 0, ROOMY
    model.held = model.held[: LIMITS.max_events]
    assert model.next(None) is None


@given(model=models, now_utc_s=st.floats(1.6e9, 3e9))
@settings(max_examples=400, deadline=None)
def test_only_what_is_too_old_goes_for_its_age(model, now_utc_s):
    model.disk, model.held = ROOMY, model.held[: LIMITS.max_events]
    model.run(now_utc_s)
    for _, _, utc_s in model.evicted:
        # What a clock dated that was never set is of an unknown age.
        assert 1.6e9 <= utc_s <= now_utc_s - LIMITS.max_age_s
    for _, _, utc_s in model.forgotten:
        assert not now_utc_s - LIMITS.keep_delivered_s <= utc_s <= now_utc_s + DAY_S


@given(
    ages=st.lists(st.floats(0, 100 * DAY_S), max_size=15),
    delivered=st.integers(0, 15),
    jump_s=st.floats(-20 * 365 * DAY_S, 20 * 365 * DAY_S),
)
@settings(max_examples=300, deadline=None)
def test_a_clock_that_jumps_by_years_keeps_what_is_undelivered_unless_it_says_it_is_old(
    ages, delivered, jump_s
):
    utc = sorted(NOW_UTC_S - age for age in ages)
    model = Model([(seq, LIVE, utc_s) for seq, utc_s in enumerate(utc, start=1)], delivered)
    now_utc_s = max(NOW_UTC_S + jump_s, 0.0)
    model.run(now_utc_s)
    assert all(utc_s <= now_utc_s - LIMITS.max_age_s for _, _, utc_s in model.evicted)
    if jump_s <= 0:
        # Back: nothing undelivered is younger than it was.
        assert {s for s, _, _ in model.evicted} <= {
            s for s, _, utc_s in model.held + model.evicted if utc_s <= NOW_UTC_S - 90 * DAY_S
        }


# ------------------------------------------------------------------------------- one by one


def events(count, event_class=LIVE, *, first=1, age_s=0.0):
    return [(first + n, event_class, NOW_UTC_S - age_s) for n in range(count)]


def test_a_journal_within_its_limits_needs_nothing():
    assert Model(events(20), delivered_seq=20).next() is None
    assert Model([]).next() is None


@pytest.mark.parametrize(
    ("count", "step"), [(20, None), (21, Evict(LIVE, EVER, "events", 10))], ids=["full", "one more"]
)
def test_one_event_more_than_the_most_is_too_many(count, step):
    assert Model(events(count)).next() == step
    assert Model(events(count), delivered_seq=1).next() == (step and Forget(NEVER))


def test_the_bytes_count_as_the_events_do():
    limits = LIMITS.__class__(max_events=1000, max_bytes=5 * EVENT_BYTES, min_free_bytes=0)
    assert Model(events(5)).next(limits=limits) is None
    assert Model(events(6)).next(limits=limits) == Evict(LIVE, EVER, "events", 10)


def test_a_disk_that_is_short_gets_the_free_pages_first():
    model = Model(events(5), disk=LIMITS.min_free_bytes - 1)
    model.free = 4096
    assert model.next() == GiveBack(64)
    model.free = 0
    assert model.next() == Evict(LIVE, EVER, "disk", 10)
    model.disk += 1
    assert model.next() is None


def test_the_last_gap_event_is_not_replaced_by_another():
    model = Model(events(1, ALARM), disk=0)
    assert model.next() is None
    assert Model(events(2, ALARM), disk=0).next() == Evict(ALARM, EVER, "disk", 10)


def test_free_pages_go_back_when_they_are_worth_a_write():
    model = Model([])
    model.free = 4 * 1024 * 1024
    assert model.next() is None
    model.free += 1
    assert model.next() == GiveBack(64)


WEEK_S, QUARTER_S = 7 * DAY_S, 90 * DAY_S


@pytest.mark.parametrize(
    ("age_s", "delivered", "kind"),
    [
        (WEEK_S, 1, None),
        (WEEK_S + 1, 1, Forget),
        (WEEK_S + 1, 0, None),
        (QUARTER_S - 1, 0, None),
        (QUARTER_S, 0, Evict),
        (-DAY_S, 1, None),
        (-DAY_S - 1, 1, Forget),  # a clock was wrong; the server has it
        (-400 * DAY_S, 0, None),  # and here it has not
        (NOW_UTC_S, 0, None),  # dated 1970
        (NOW_UTC_S, 1, Forget),
    ],
)
def test_what_is_delivered_is_kept_for_a_time_and_what_is_not_for_longer(age_s, delivered, kind):
    step = Model(events(1, age_s=age_s), delivered_seq=delivered).next()
    assert type(step) is (type(None) if kind is None else kind)


def test_the_causes_are_told_apart():
    assert Model(events(21)).next().cause == "events"
    assert Model(events(2), disk=0).next().cause == "disk"
    assert Model(events(2, age_s=QUARTER_S)).next().cause == "age"


@pytest.mark.parametrize(("count", "most"), [(9, 10), (119, 11), (5000, 500), (50_000, 1000)])
def test_not_more_than_a_tenth_of_a_class_goes_at_a_time(count, most):
    limits = Limits(max_events=count - 1)
    assert Model(events(count)).next(limits=limits) == Evict(LIVE, EVER, "events", most)
