"""The whole gate, its sensor looking at real foreheads: people, rooms, hats, sun and distance.

Physics and numbers: `gatepost_hal.simulated.scenes`. Supply, emissivity and distance are real.
"""

import itertools

import pytest

from gatepost.core.screening import GUIDANCE, Reason
from gatepost_hal.simulated.scenes import Forehead, approach, still, sway

SKIN_C = 34.4  # with an offset of 2.43 the index of a healthy middle, in a room of 24 C
ROOMS_C = range(20, 30)
# The same seed draws the same noise at the same instants in every room: what differs between two
# runs of a seed is physics and the part's step of 0.02 C. Six seeds keep the step out as well.
SEEDS = range(6)


def mean_index_c(make_real, *, room_c, sensor=(), prepare=lambda _lane: None, **forehead):
    """Return the index of the same person, the mean over `SEEDS`."""
    found_c = []
    for seed in SEEDS:
        stage = make_real(room_c=room_c, seed=seed, sensor=dict(sensor), prepare=prepare)
        stage.screen(Forehead(**{"skin_c": SKIN_C, "room_c": room_c} | forehead))
        found_c.append(stage.attempts[0]["index_c"])
    return sum(found_c) / len(found_c)


# ---------------------------------------------------------------------------------- index and room


def test_the_same_person_has_the_same_index_in_every_room(make_real):
    found_c = [mean_index_c(make_real, room_c=room_c) for room_c in ROOMS_C]
    assert max(found_c) - min(found_c) < 0.05  # 0.15 is asked for
    # And it is about right: skin and offset, less what 5 cm, the face beside the forehead, and
    # the 0.4 C by which the die is warmer than the room cost. The offset learns that.
    assert found_c[4] - (SKIN_C + 2.43) == pytest.approx(-0.18, abs=0.03)


@pytest.mark.parametrize("room_c", ROOMS_C)
@pytest.mark.parametrize("fever_c", [-1.0, 1.0, 3.0])
def test_a_fever_moves_the_index_by_itself_in_every_room(make_real, room_c, fever_c):
    well_c = mean_index_c(make_real, room_c=room_c)
    moved_c = mean_index_c(make_real, room_c=room_c, fever_c=fever_c) - well_c
    assert abs(moved_c - fever_c) < 0.05


def test_the_hotter_of_two_people_never_has_the_lower_index(make_real):
    found_c = [mean_index_c(make_real, room_c=24, fever_c=tenths / 10) for tenths in range(41)]
    assert all(low_c < high_c for low_c, high_c in itertools.pairwise(found_c))


@pytest.mark.parametrize("room_c", [20, 24, 28])
def test_a_fever_is_referred_and_a_healthy_person_passes_in_every_room(make_real, room_c):
    for seed in SEEDS:
        stage = make_real(room_c=room_c, seed=seed)
        assert stage.screen(Forehead(skin_c=SKIN_C, room_c=room_c))["outcome"] == "admit"
        ill = stage.screen(Forehead(skin_c=SKIN_C, room_c=room_c, fever_c=1.2))
        assert (ill["outcome"], ill["reason"]) == ("refer", "above_limit")


# ---------------------------------------------------------------------------- supply and emissivity


def test_a_supply_that_is_set_wrong_by_0_3_v_shifts_the_skin_by_0_18(make_real):
    # Almost all of what the datasheet allows: that is why the supply is a setting. The ambient
    # is shifted with it, which takes a fifth of it back in the index.
    right, wrong = (
        make_real(sensor={"supply_v": supply_v}).screen(Forehead(skin_c=SKIN_C))
        for supply_v in (3.3, 3.0)
    )
    assert wrong["object_c"] == right["object_c"]
    assert wrong["skin_c"] - right["skin_c"] == pytest.approx(0.18, abs=0.02)
    assert wrong["ambient_c"][0] - right["ambient_c"][0] == pytest.approx(0.18, abs=0.011)
    assert wrong["index_c"] - right["index_c"] == pytest.approx(0.18 * (1 - 0.18), abs=0.01)


def test_without_the_skins_emissivity_a_cold_room_reads_lower_than_a_warm_one(make_real):
    def lack_c(room_c):
        whole_c = mean_index_c(make_real, room_c=room_c)
        return whole_c - mean_index_c(make_real, room_c=room_c, sensor={"emissivity": 1.0})

    assert lack_c(20) == pytest.approx(0.25, abs=0.03)
    assert lack_c(28) == pytest.approx(0.14, abs=0.03)


def test_what_the_chip_adds_for_its_own_emissivity_is_undone(make_real):
    # Somebody wrote 0.95 into cell 0x24, and the part divides by it.
    def change(lane):
        lane.chip.eeprom[0x24] = round(0.95 * 0xFFFF)

    changed_c = mean_index_c(make_real, room_c=24, prepare=change)
    assert abs(changed_c - mean_index_c(make_real, room_c=24)) < 0.02
    told = make_real(prepare=change).found[0].data
    assert told["emissivity"] == pytest.approx(0.95, abs=0.0001)


# ------------------------------------------------------------------------------ no bare warm skin


@pytest.mark.parametrize(("minutes", "reason"), [(0, "no_forehead"), (1, "cold")])
def test_who_comes_from_the_cold_is_no_information(make_real, minutes, reason):
    stage = make_real()
    arrived_at_s = stage.world.now_s() - 60 * minutes
    told = stage.screen(Forehead(skin_c=SKIN_C, arrived_at_s=arrived_at_s))
    assert (told["outcome"], told["zone"], told["reason"]) == ("refer", "no_information", reason)


def test_who_came_from_the_cold_an_hour_ago_passes(make_real):
    stage = make_real()
    arrived_at_s = stage.world.now_s() - 3600
    assert stage.screen(Forehead(skin_c=SKIN_C, arrived_at_s=arrived_at_s))["outcome"] == "admit"


@pytest.mark.parametrize("hat_c", [3.0, 4.0, 5.0])
def test_a_healthy_forehead_under_a_hat_is_no_information(make_real, hat_c):
    for seed in SEEDS:
        stage = make_real(seed=seed)
        told = stage.screen(Forehead(skin_c=SKIN_C, hat_share=1.0, hat_c=hat_c))
        assert (told["outcome"], told["zone"]) == ("refer", "no_information")
        assert told["reason"] in ("no_forehead", "cold")
        assert "forehead" in stage.last("visit.rechecked").data["say"]


def test_who_takes_the_hat_off_passes_at_the_next_attempt(make_real):
    stage = make_real()
    stage.step_up(Forehead(skin_c=SKIN_C, hat_share=1.0))
    stage.scan()
    assert stage.play_until(lambda: "visit.rechecked" in stage.types, 5.0)
    stage.step_up(Forehead(skin_c=SKIN_C))
    assert stage.play_until(lambda: "visit.admitted" in stage.types, 10.0)
    assert stage.verdicts == [("recheck", "no_forehead"), ("admit", "below_limit")]


def test_who_stands_too_far_away_is_no_information(make_real):
    for seed in SEEDS:
        told = make_real(seed=seed).screen(Forehead(skin_c=SKIN_C, distance_m=still(0.15)))
        assert (told["outcome"], told["zone"]) == ("refer", "no_information")
        assert told["reason"] in ("no_forehead", "cold")


def test_who_comes_closer_during_the_measurement_is_told_to_stand_still_and_then_passes(make_real):
    stage = make_real()
    closer = approach(0.05, starts_at_s=stage.world.now_s() + 0.3, from_m=0.5, speed_m_per_s=0.4)
    assert stage.screen(Forehead(skin_c=SKIN_C, distance_m=closer))["outcome"] == "admit"
    assert stage.verdicts == [("recheck", "moving"), ("admit", "below_limit")]
    assert stage.last("visit.rechecked").data["say"] == "hold still in front of the sensor"


@pytest.mark.parametrize("sun_c", [1.0, 2.0, 4.0, 8.0, 12.0])
def test_the_sun_makes_nobody_pass(make_real, sun_c):
    for fever_c in (0.0, 1.5):
        told = make_real().screen(Forehead(skin_c=SKIN_C, fever_c=fever_c, sun_c=sun_c))
        assert told["outcome"] == "refer"
        assert sun_c < 8.0 or told["reason"] == "too_hot"


# ------------------------------------------------------------------------- outside 20 to 29 degrees


@pytest.mark.parametrize("room_c", [0, 5, 10, 16, 19, 30, 33, 36])
def test_outside_the_studied_ambients_nobody_is_known_anything_of(make_real, room_c):
    for fever_c in (0.0, 1.5):
        stage = make_real(room_c=room_c)
        told = stage.screen(Forehead(skin_c=SKIN_C, room_c=room_c, fever_c=fever_c))
        assert stage.verdicts == [("refer", "ambient")]  # trying again would change nothing
        assert told["say"] == "please wait for staff"
        assert told["index_c"] is not None


@pytest.mark.parametrize("room_c", [10, 33])
@pytest.mark.parametrize("outside", ["no_information", "widen"])
def test_far_outside_nobody_gets_in(make_real, room_c, outside):
    stage = make_real(room_c=room_c, screening={"outside_ambient": outside})
    for fever_c in (0.0, 1.0, 2.0):
        told = stage.screen(Forehead(skin_c=SKIN_C, room_c=room_c, fever_c=fever_c))
        assert told["outcome"] == "refer"


@pytest.mark.parametrize(("room_c", "guard_c"), [(19, 0.311), (16, 0.611), (30, 0.389)])
def test_a_site_may_have_the_guard_band_widen_outside(make_real, room_c, guard_c):
    # A tenth for each degree of the die, which is 0.4 C warmer than the room. On both sides.
    stage = make_real(room_c=room_c, screening={"outside_ambient": "widen", "ambient_low_c": 20.0})
    well = stage.screen(Forehead(skin_c=SKIN_C - 0.5, room_c=room_c))
    ill = stage.screen(Forehead(skin_c=SKIN_C, room_c=room_c, fever_c=1.6))
    assert (well["outcome"], well["guard_c"]) == ("admit", pytest.approx(guard_c, abs=0.02))
    assert (ill["outcome"], ill["reason"]) == ("refer", "above_limit")
    near = stage.screen(Forehead(skin_c=SKIN_C + 0.6 - guard_c + 0.15, room_c=room_c))
    assert near["reason"] == "near_limit"


# ------------------------------------------------------------------------------ attempts, records


@pytest.mark.parametrize(
    ("somebody", "room_c", "reason", "attempts"),
    [
        (Forehead(skin_c=SKIN_C, distance_m=sway(0.09, by_m=0.05, period_s=1.3)), 24, "moving", 3),
        (Forehead(skin_c=SKIN_C, hat_share=1.0, hat_c=4.0), 24, "no_forehead", 3),
        (Forehead(skin_c=SKIN_C - 1.7), 24, "cold", 2),
        (Forehead(skin_c=SKIN_C, sun_c=8.0), 24, "too_hot", 2),
        (Forehead(skin_c=SKIN_C - 0.9), 15, "ambient", 1),
        (Forehead(skin_c=SKIN_C, fever_c=2.0), 24, "above_limit", 1),
    ],
    ids=["moving", "no_forehead", "cold", "too_hot", "ambient", "above_limit"],
)
def test_each_reason_has_its_number_of_attempts_before_staff(
    make_real, somebody, room_c, reason, attempts
):
    stage = make_real(room_c=room_c)
    stage.screen(somebody)
    assert stage.verdicts == [("recheck", reason)] * (attempts - 1) + [("refer", reason)]
    assert GUIDANCE[Reason(reason)].attempts == attempts
    *before, last = [entry.data["say"] for entry in stage.log.entries]
    assert set(before) <= {GUIDANCE[Reason(reason)].say}
    assert last == "please wait for staff"


def test_a_decision_says_what_was_measured_corrected_and_compared(make_real):
    stage = make_real()
    data = stage.screen(Forehead(skin_c=SKIN_C))
    ordered = sorted(data["samples_c"])
    assert data["object_c"] == ordered[3]  # the median, as the part gave it
    # 0.18 C of supply less, and 0.2 C of emissivity more.
    assert data["skin_c"] == pytest.approx(data["object_c"] - 0.18 + 0.21, abs=0.02)
    assert data["skin_max_c"] == pytest.approx(ordered[-1] + 0.03, abs=0.02)
    assert data["spread_c"] == pytest.approx(ordered[-1] - ordered[0], abs=0.02)
    assert data["ambient_c"] == pytest.approx([24.4, 24.4], abs=0.011)
    assert (data["offset_c"], data["guard_c"], data["calibration"]) == (2.43, 0.25, None)
    expected_c = data["skin_c"] - 0.18 * (24.4 - 24) + 2.43
    assert data["index_c"] == pytest.approx(expected_c, abs=0.01)
    assert (data["zone"], data["reason"], data["say"]) == ("pass", "below_limit", "please go")


def test_an_attempt_without_samples_has_no_numbers(make_real):
    stage = make_real()
    stage.lane.bus.flip = lambda _transfer: 0
    data = stage.screen(Forehead(skin_c=SKIN_C))
    assert (data["reason"], data["say"]) == ("too_few_samples", "please wait for staff")
    numbers = ("index_c", "object_c", "skin_c", "skin_max_c", "spread_c", "guard_c", "offset_c")
    assert [data[name] for name in numbers] == [None] * len(numbers)
    assert (data["ambient_c"], data["samples_c"]) == ([], [])


@pytest.mark.parametrize(
    "hidden",
    [{"arrived_at_s": 60.0}, {"hat_share": 1.0, "hat_c": 2.0}, {"distance_m": still(0.15)}],
    ids=["a minute out of the frost", "a hat that takes 2 C", "15 cm away"],
)
def test_what_no_infrared_thermometer_sees_is_what_the_readme_says(make_real, hidden):
    # No promise but the limit of the method. Whoever finds a way to see these fevers changes the
    # README as well; what is sure is that the same fever is seen when nothing hides it.
    stage = make_real()
    if "arrived_at_s" in hidden:
        hidden = {"arrived_at_s": stage.world.now_s() - hidden["arrived_at_s"]}
    assert stage.screen(Forehead(skin_c=SKIN_C, fever_c=1.5, **hidden))["zone"] == "pass"
    assert stage.screen(Forehead(skin_c=SKIN_C, fever_c=1.5))["zone"] == "refer"
