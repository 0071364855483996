"""How many attempts a visit may take, and what becomes of one whose thermometer is not believed."""

from dataclasses import replace

import pytest

from gatepost.core.events import SensorTrust
from gatepost.core.regime import Outcome
from gatepost.core.screening import GUIDANCE, Reason, Zone
from gatepost.core.states import State
from gatepost_hal.ports import Reading

# What an attempt can look like, and its reason; five samples at 24 C if nothing else is said.
ATTEMPTS = {
    "too_few": ([34.1, 34.2, 34.15, 34.12], 24.0, Reason.TOO_FEW_SAMPLES),
    "hot": ([39.6, 39.7, 39.65, 39.62, 39.68], 24.0, Reason.TOO_HOT),
    "cold": ([32.6, 32.7, 32.65, 32.62, 32.68], 24.0, Reason.COLD),
    "hat": ([31.1, 31.2, 31.15, 31.12, 31.18], 24.0, Reason.NO_FOREHEAD),
    "moving": ([34.1, 35.2, 34.3, 34.2, 34.15], 24.0, Reason.MOVING),
    "frozen": ([34.1] * 5, 24.0, Reason.FROZEN),
    "near": ([34.81, 34.83, 34.85, 34.87, 34.89], 24.0, Reason.NEAR_LIMIT),
    "room": ([34.1, 34.2, 34.15, 34.12, 34.18], 19.9, Reason.AMBIENT),
}
COOL_C = [34.1, 34.2, 34.15, 34.12, 34.18]
REFUSALS = [reason for reason, each in GUIDANCE.items() if each.zone is Zone.NO_INFORMATION]


def attempt(walk, name):
    """Make one attempt from MEASURING to its end, and wait for the next; return the reason."""
    objects_c, ambient_c, _ = ATTEMPTS[name]
    walk.samples(objects_c, ambient_c)
    if walk.state is State.MEASURING:  # frozen, or too few: over when its time is
        walk.does("deadline")
    reason = walk.lane.visit.verdict.reason
    if walk.state is State.PAUSING:
        walk.does("deadline")
    return reason


@pytest.mark.parametrize("name", ATTEMPTS)
def test_staff_takes_over_after_as_many_attempts_as_the_reason_may_cost(name, new_walk, policy):
    walk = new_walk(policy=replace(policy, measure_attempts=9)).to(State.MEASURING)
    reason = ATTEMPTS[name][2]
    for _ in range(GUIDANCE[reason].attempts):
        assert walk.state is State.MEASURING
        assert attempt(walk, name) is reason
    assert walk.state is (State.DECIDING if reason is Reason.NEAR_LIMIT else State.REFERRED)


@pytest.mark.parametrize("reason", REFUSALS)
def test_a_distrust_costs_as_many_attempts_as_its_reason_may(reason, new_walk, policy):
    walk = new_walk(policy=replace(policy, measure_attempts=9)).to(State.MEASURING)
    walk.feed(SensorTrust(walk.next_s(), reason))
    types = []
    for _ in range(GUIDANCE[reason].attempts):
        types += walk.samples(COOL_C)
        assert walk.lane.visit.verdict.reason is reason
        if walk.state is State.PAUSING:
            walk.does("deadline")
    assert types == ["visit.rechecked"] * (GUIDANCE[reason].attempts - 1) + ["visit.referred"]


@pytest.mark.parametrize(
    ("name", "site", "attempts"),
    [
        ("near", 1, 1),
        ("near", 2, 2),
        ("near", 5, 3),
        ("cold", 1, 1),
        ("cold", 2, 2),
        ("cold", 3, 2),
        ("room", 3, 1),
    ],
)
def test_the_sites_own_number_of_attempts_counts_where_it_is_smaller(
    name, site, attempts, new_walk, policy
):
    walk = new_walk(policy=replace(policy, measure_attempts=site)).to(State.MEASURING)
    for _ in range(attempts):
        assert walk.state is State.MEASURING
        attempt(walk, name)
    assert walk.state is not State.MEASURING
    assert walk.lane.visit.attempt == attempts


@pytest.mark.parametrize(
    ("names", "state"),
    [
        ("moving cold", State.REFERRED),  # two attempts are over, and cold may cost two
        ("cold moving", State.MEASURING),
        ("moving moving cold", State.REFERRED),  # more than it may cost is no fault of the count
        ("cold moving too_few", State.REFERRED),
        ("moving room", State.REFERRED),
    ],
)
def test_the_last_reason_counts_against_all_attempts_of_the_visit(names, state, walk):
    walk.to(State.MEASURING)
    for name in names.split():
        assert walk.state is State.MEASURING
        attempt(walk, name)
    assert walk.state is state


@pytest.mark.parametrize(
    "words",
    [
        "distrust arrives shows_pass",  # before the visit
        "arrives distrust shows_pass",  # before the attempt
        "arrives shows_pass distrust",  # in it
        "arrives shows_pass distrust trust",  # and it is over: this attempt saw it
        "arrives distrust shows_pass trust",
        "arrives shows_pass distrust trust distrust trust",
    ],
)
def test_an_attempt_during_which_the_thermometer_was_not_believed_admits_nobody(words, walk):
    walk.does(words)
    assert walk.state is State.MEASURING
    assert walk.does("cool") == ["visit.referred"]
    verdict = walk.lane.visit.verdict
    assert (verdict.zone, verdict.reason) == (Zone.NO_INFORMATION, Reason.ERRATIC)
    assert verdict.index_c == 36.59  # for the record


@pytest.mark.parametrize(
    "words",
    [
        "distrust trust arrives shows_pass",
        "arrives distrust trust shows_pass",
        "arrives shows_pass distrust trust near_over leaves arrives shows_pass",  # another visit
        "arrives shows_pass near distrust trust deadline",  # between two attempts
        "arrives shows_wrong_pass distrust trust shows_pass",
    ],
)
def test_an_attempt_that_began_after_the_doubt_was_over_counts(words, walk):
    walk.does(words)
    assert walk.state is State.MEASURING
    assert walk.lane.visit.distrust is None
    assert walk.does("cool") == ["visit.admitted"]


def test_the_first_doubt_is_over_before_the_second_attempt_which_counts(walk):
    walk.to(State.MEASURING).feed(SensorTrust(walk.next_s(), Reason.DISTURBED))
    assert walk.does("cool trust deadline") == ["visit.rechecked"]
    assert walk.does("cool") == ["visit.admitted"]
    assert walk.lane.visit.attempt == 2


def test_a_doubt_that_lasts_into_the_second_attempt_counts_there_too(walk):
    walk.to(State.MEASURING).feed(SensorTrust(walk.next_s(), Reason.DISTURBED))
    walk.does("cool deadline")
    assert walk.lane.visit.distrust is Reason.DISTURBED
    assert walk.does("trust cool") == ["visit.rechecked"]


def test_the_last_word_against_the_thermometer_is_the_one_that_is_told(walk):
    walk.to(State.MEASURING).does("distrust")
    walk.feed(SensorTrust(walk.next_s(), Reason.DRIFTED))
    walk.does("cool")
    assert walk.lane.visit.verdict.reason is Reason.DRIFTED


@pytest.mark.parametrize("name", ["too_few", "cold", "moving", "room", "hot"])
def test_samples_that_say_nothing_anyway_keep_their_own_reason(name, walk):
    walk.to(State.MEASURING).does("distrust")
    assert attempt(walk, name) is ATTEMPTS[name][2]


def test_a_fever_seen_by_a_thermometer_that_is_not_believed_still_goes_to_staff(walk):
    walk.to(State.MEASURING).does("distrust fever")
    assert walk.state is State.REFERRED
    assert walk.lane.visit.decision.outcome is Outcome.REFER
    assert walk.lane.visit.verdict.zone is Zone.NO_INFORMATION


def test_a_reading_near_the_limit_that_is_not_believed_does_not_count_as_one_before(walk):
    walk.to(State.MEASURING).feed(SensorTrust(walk.next_s(), Reason.DISTURBED))
    walk.does("near trust deadline deadline deadline near")
    assert walk.state is State.REFERRED
    assert walk.lane.visit.decision.rules == ("R018", "ours")


@pytest.mark.parametrize("state", [State.DECIDING, State.RELEASED])
def test_who_is_admitted_stays_so_when_the_thermometer_is_doubted_afterwards(state, walk):
    walk.to(state).does("distrust")
    assert walk.state is state
    assert walk.does("written passage") == ["passage.entered"]


# ----------------------------------------------------------------------- what an attempt is made of


def test_readings_that_are_not_newer_than_the_attempt_are_ignored(walk):
    before = walk.to(State.MEASURING).lane
    for at_s in (before.entered_at_s, before.entered_at_s - 0.001, 0.0):
        walk.feed(Reading(at_s, 34.1, 24.0))
    assert walk.lane == before


def test_readings_of_one_attempt_are_not_used_for_the_next(walk):
    walk.to(State.MEASURING).samples([36.4, 36.5])
    walk.does("deadline deadline")
    assert walk.state is State.MEASURING
    assert (walk.lane.visit.attempt, walk.lane.visit.samples) == (2, ())
    assert walk.does("cool") == ["visit.admitted"]


def test_an_attempt_goes_on_until_its_last_sample_differs_from_the_one_before(walk):
    walk.to(State.MEASURING).samples([34.1, 34.2, 34.15, 34.12, 34.12])
    assert walk.state is State.MEASURING  # only a new value shows a sensor that is still alive
    assert walk.samples([34.14]) == ["visit.admitted"]
    assert len(walk.lane.visit.samples) == 6


@pytest.mark.parametrize("word", ["", "fault", "fault fault fault"])
def test_an_attempt_whose_last_sample_repeats_the_one_before_admits_nobody(word, walk):
    walk.to(State.MEASURING).samples([34.1, 34.2, 34.15, 34.12, 34.12])
    assert walk.does(f"{word} deadline") == ["visit.rechecked"]
    verdict = walk.lane.visit.verdict
    assert (verdict.reason, verdict.index_c) == (Reason.FROZEN, 36.55)


def test_a_sensor_that_repeats_itself_at_the_end_of_an_attempt_admits_nobody(walk):
    walk.to(State.MEASURING).samples([34.1, 34.2, 34.15, 34.12, 34.12, 34.12, 34.12])
    assert walk.does("deadline") == ["visit.rechecked"]
    assert walk.lane.visit.verdict.reason is Reason.FROZEN


@pytest.mark.parametrize(
    ("words", "reason"), [("distrust", Reason.ERRATIC), ("disturbed", Reason.DISTURBED)]
)
def test_a_distrusted_attempt_that_ends_on_a_repeated_sample_tells_of_the_distrust(
    words, reason, walk
):
    walk.to(State.MEASURING).samples([34.1, 34.2, 34.15, 34.12, 34.12])
    walk.does(f"{words} deadline")
    assert walk.lane.visit.verdict.reason is reason


@pytest.mark.parametrize("word", ["", "fault", "fault fault fault fault fault"])
def test_too_few_samples_at_the_deadline_are_measured_again_and_then_referred(word, walk):
    walk.to(State.MEASURING)
    types = []
    for _ in range(3):
        walk.samples([34.1, 34.2, 34.15, 34.12])
        types += walk.does(f"{word} deadline deadline")
    assert types == ["visit.rechecked", "visit.rechecked", "visit.referred"]
    assert walk.lane.visit.attempt == 3
    assert walk.lane.visit.verdict.reason is Reason.TOO_FEW_SAMPLES


def test_near_the_limit_one_passes_at_last_and_just_over_it_is_referred(new_walk):
    under = new_walk().to(State.MEASURING).does("near deadline near deadline near")
    over = new_walk().to(State.MEASURING).does("near_over deadline near_over deadline near_over")
    assert under == ["visit.rechecked", "visit.rechecked", "visit.admitted"]
    assert over == ["visit.rechecked", "visit.rechecked", "visit.referred"]


@pytest.mark.parametrize("words", ["near deadline fever", "deadline deadline fever"])
def test_a_fever_is_referred_at_once_also_after_a_recheck(words, walk):
    walk.to(State.MEASURING).does(words)
    assert walk.state is State.REFERRED
    assert walk.lane.visit.decision.outcome is Outcome.REFER


@pytest.mark.parametrize(
    ("attempts", "words"), [(1, "near"), (3, "deadline deadline deadline deadline near")]
)
def test_one_reading_near_the_limit_is_never_enough(attempts, words, new_walk, policy):
    walk = new_walk(policy=replace(policy, measure_attempts=attempts)).to(State.MEASURING)
    assert "visit.admitted" not in walk.does(words)
