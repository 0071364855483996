"""Who wants to enter again: what speaks against it, under every mode and whatever the clocks do."""

import math
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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

OFF, SOFT, HARD, TIMED = PassbackMode
INSIDE, OUTSIDE = Place
BLOCKED = Objection("already_inside", blocks=True)
TOLD = Objection("already_inside", blocks=False)
TOO_SOON = Objection("too_soon", blocks=True)
ENTERED = Moment("boot-1", at_s=1000.0, utc_s=1e9)
fast = settings(max_examples=200, deadline=None)

seconds = st.floats(-1e5, 1e5) | st.sampled_from([0.0, math.nan, math.inf, -math.inf])
moments = st.builds(Moment, st.sampled_from(["boot-1", "boot-2"]), seconds, seconds)
sightings = st.builds(Sighting, st.sampled_from(Place), moments, st.none() | moments)
spans_s = st.sampled_from([0.0, 1.0, 60.0, 3600.0, math.inf])
policies = st.builds(PassbackPolicy, st.sampled_from(PassbackMode), spans_s, spans_s)


def later(after_s, then=ENTERED):
    return Moment(then.boot_id, then.at_s + after_s, then.utc_s + after_s)


def rebooted(after_s):
    """So much later by the wall clock, after a restart: the monotonic clock began anew."""
    return Moment("boot-2", 5.0, ENTERED.utc_s + after_s)


def inside():
    return moved(None, INSIDE, ENTERED)


def outside(after_s=10.0):
    return moved(inside(), OUTSIDE, later(after_s))


# -------------------------------------------------------------------------------------- the place


@pytest.mark.parametrize(
    ("mode", "of_inside"), [(OFF, None), (SOFT, TOLD), (HARD, BLOCKED), (TIMED, BLOCKED)]
)
def test_who_is_inside_is_objected_to_as_the_site_wants_and_who_is_outside_is_not(mode, of_inside):
    policy = PassbackPolicy(mode, window_s=60)
    assert objection(inside(), later(20), policy) == of_inside
    assert objection(outside(), later(20), policy) is None
    assert objection(None, later(20), policy) is None


@pytest.mark.parametrize("now_after", [later, rebooted])
def test_timed_blocks_while_the_entry_is_younger_than_the_window(now_after):
    policy = PassbackPolicy(TIMED, window_s=60)
    assert objection(inside(), now_after(0), policy) == BLOCKED
    assert objection(inside(), now_after(59.99), policy) == BLOCKED
    assert objection(inside(), now_after(60), policy) is None


def test_hard_blocks_however_long_ago_it_was_and_whatever_the_clock_says():
    policy = PassbackPolicy(HARD)
    for now in (later(0), later(1e9), rebooted(-1e9), Moment("boot-2", math.nan, math.nan)):
        assert objection(inside(), now, policy) == BLOCKED


# ----------------------------------------------------------------------------------- the interval


@pytest.mark.parametrize("mode", PassbackMode)
@pytest.mark.parametrize("now_after", [later, rebooted])
def test_in_every_mode_the_same_pass_does_not_enter_twice_within_the_interval(mode, now_after):
    policy = PassbackPolicy(mode, window_s=1, pass_interval_s=30)
    # Having gone out in between changes nothing: that is how a pass is handed over the fence.
    assert objection(outside(), now_after(29.99), policy) == TOO_SOON
    assert objection(outside(), now_after(30), policy) is None


def test_the_interval_begins_with_the_entry_and_not_with_the_way_out():
    policy = PassbackPolicy(OFF, pass_interval_s=30)
    assert objection(outside(after_s=29), later(31), policy) is None


def test_who_was_only_seen_to_leave_has_not_entered():
    sighting = moved(None, OUTSIDE, ENTERED)
    assert objection(sighting, later(1), PassbackPolicy(HARD, 60, 60)) is None


def test_what_only_tells_does_not_hide_what_blocks_and_the_place_is_told_before_the_time():
    seen = {
        mode: objection(inside(), later(1), PassbackPolicy(mode, 60, 30)) for mode in PassbackMode
    }
    assert seen == {OFF: TOO_SOON, SOFT: TOO_SOON, HARD: BLOCKED, TIMED: BLOCKED}


# ----------------------------------------------------------------------------------- what is seen


@fast
@given(st.none() | sightings, moments)
def test_every_entry_is_the_last_one_and_a_way_out_remembers_it(before, now):
    entered = moved(before, INSIDE, now)
    assert (entered.place, entered.moved, entered.entered) == (INSIDE, now, now)
    left = moved(before, OUTSIDE, now)
    assert (left.place, left.moved) == (OUTSIDE, now)
    assert left.entered is (None if before is None else before.entered)


@fast
@given(st.none() | sightings, moments, moments, st.sampled_from(PassbackMode), spans_s)
def test_whoever_went_out_comes_in_again_where_there_is_no_interval(
    before, left, now, mode, span_s
):
    assert objection(moved(before, OUTSIDE, left), now, PassbackPolicy(mode, span_s)) is None


@fast
@given(sightings, moments, st.sampled_from([OFF, SOFT]), spans_s)
def test_neither_off_nor_soft_keeps_anybody_out_by_the_place(sighting, now, mode, span_s):
    found = objection(sighting, now, PassbackPolicy(mode, span_s))
    assert found == (TOLD if mode is SOFT and sighting.place is INSIDE else None)


# ------------------------------------------------------------------------------------- the clocks


@fast
@given(sightings, moments, policies, seconds)
def test_within_one_boot_the_wall_clock_does_not_matter_and_across_boots_nothing_else(
    sighting, now, policy, other_s
):
    boots = {then.boot_id for then in (sighting.moved, sighting.entered or sighting.moved)}
    if boots == {now.boot_id}:
        moved_clock = now._replace(utc_s=other_s)
    elif now.boot_id not in boots:
        moved_clock = now._replace(at_s=other_s)
    else:
        return  # some of it in this boot, some before: both clocks matter
    assert objection(sighting, now, policy) == objection(sighting, moved_clock, policy)


@fast
@given(st.floats(-1e9, -1e-3) | st.just(math.nan), st.sampled_from(Place), policies)
def test_a_clock_that_went_back_knows_nothing_that_a_rule_about_time_could_hold_against_anybody(
    back_s, place, policy
):
    sighting = Sighting(place, ENTERED, ENTERED)
    for now in (later(back_s), rebooted(back_s)):
        of_place = {HARD: BLOCKED, SOFT: TOLD}.get(policy.mode) if place is INSIDE else None
        assert objection(sighting, now, policy) == of_place


# -------------------------------------------------------------------------------------- histories

steps = st.lists(
    st.tuples(
        st.sampled_from(["enters", "leaves", "restarts"]),
        st.floats(0, 100).map(lambda wait_s: round(wait_s, 1)),
    ),
    max_size=40,
)


def let_in(steps, policy):
    """Return when a pass came in, "out" for each exit between; the wall clock is a true one."""
    sighting, history = None, []
    now_s, boot, booted_at_s = 0.0, 1, 0.0
    for what, wait_s in steps:
        now_s += wait_s
        if what == "restarts":
            boot, booted_at_s = boot + 1, now_s
            continue
        now = Moment(f"boot-{boot}", now_s - booted_at_s, 1e9 + now_s)
        found = objection(sighting, now, policy)
        if what == "leaves":
            sighting = moved(sighting, OUTSIDE, now)
            history.append("out")
        elif found is None or not found.blocks:
            sighting = moved(sighting, INSIDE, now)
            history.append(now_s)
    return history


def entries(history):
    return [at_s for at_s in history if at_s != "out"]


def without_an_exit_between(history):
    return [second - first for first, second in pairwise(history) if "out" not in (first, second)]


@fast
@given(steps)
def test_hard_lets_nobody_in_twice_without_an_exit_in_between(steps):
    assert without_an_exit_between(let_in(steps, PassbackPolicy(HARD))) == []


@fast
@given(steps)
def test_timed_lets_nobody_in_twice_within_the_window_without_an_exit_in_between(steps):
    history = let_in(steps, PassbackPolicy(TIMED, window_s=60))
    assert all(lapse_s > 60 - 1e-6 for lapse_s in without_an_exit_between(history))


@fast
@given(steps, st.sampled_from([OFF, SOFT]))
def test_one_pass_enters_once_in_an_interval_whatever_happens_between(steps, mode):
    came_s = entries(let_in(steps, PassbackPolicy(mode, pass_interval_s=60)))
    assert all(second - first > 60 - 1e-6 for first, second in pairwise(came_s))


@fast
@given(steps, st.sampled_from([OFF, SOFT]))
def test_where_nothing_blocks_everybody_comes_in(steps, mode):
    tries = [what for what, _ in steps if what == "enters"]
    assert len(entries(let_in(steps, PassbackPolicy(mode)))) == len(tries)
