"""The scenes against the numbers of the facts (sensor, 2.4, 2.5, 3.1, 3.2, 4)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost_hal.parts import PARTS
from gatepost_hal.simulated.mlx90614 import SimulatedMlx90614
from gatepost_hal.simulated.scenes import (
    Forehead,
    approach,
    celsius_of,
    radiance,
    still,
    sway,
)
from gatepost_hal.simulated.world import World

DCC = PARTS["DCC"]
TOUCHING = still(0.0)


def adapted(skin_c, room_c, **keywords):
    """Somebody whose skin has this temperature in this very room."""
    return Forehead(skin_c=skin_c - 0.18 * (room_c - 24.0), room_c=room_c, **keywords)


def seen_c(forehead, part=DCC, at_s=0.0):
    return forehead.scene(part)(at_s)


@given(st.floats(-100.0, 400.0))
def test_radiance_and_celsius_are_each_others_inverse(celsius):
    assert celsius_of(radiance(celsius)) == pytest.approx(celsius, abs=1e-9)


def test_less_than_no_radiance_is_absolute_zero():
    assert celsius_of(-1.0) == -273.15


# ------------------------------------------------------------------------------ emissivity, optics


@pytest.mark.parametrize(("room_c", "low_c"), [(16.0, 0.33), (22.0, 0.23), (28.0, 0.12)])
def test_skin_reads_low_by_what_it_reflects_of_the_room(room_c, low_c):
    forehead = adapted(34.0, room_c, distance_m=TOUCHING)
    assert 34.0 - seen_c(forehead) == pytest.approx(low_c, abs=0.005)


def test_skin_as_warm_as_the_room_reads_true_at_any_distance():
    # Only the face is cooler, so nothing but forehead may be in view.
    assert seen_c(adapted(34.0, 34.0, distance_m=TOUCHING)) == pytest.approx(34.0, abs=1e-6)


@pytest.mark.parametrize(
    ("code", "distance_m", "reads_c"),
    [
        ("DCC", 0.05, 34.18),
        ("DCC", 0.08, 33.8),
        ("DCC", 0.10, 33.5),
        ("DCC", 0.15, 32.2),
        ("DCH", 0.10, 34.26),
        ("DCH", 0.20, 34.05),
        ("BCF", 0.20, 34.17),
        ("BCF", 0.30, 33.8),
        ("DCI", 0.30, 34.25),
        ("DCI", 0.50, 34.0),
    ],
)
def test_a_part_reads_at_a_distance_what_the_model_of_the_facts_says(code, distance_m, reads_c):
    # The facts integrate over the sphere, `Part.view_share` over the plane: up to 0.1 C apart.
    forehead = adapted(34.5, 22.0, distance_m=still(distance_m))
    assert seen_c(forehead, PARTS[code]) == pytest.approx(reads_c, abs=0.1)


@pytest.mark.parametrize("distance_m", [0.02, 0.05, 0.10])
def test_a_view_of_90_degrees_is_useless(distance_m):
    forehead = adapted(34.5, 22.0, distance_m=still(distance_m))
    assert seen_c(forehead, PARTS["BAA"]) < 34.26 - 1.0


@pytest.mark.parametrize("part", PARTS.values(), ids=lambda part: part.code)
def test_at_the_farthest_distance_of_a_part_it_reads_about_0_2_c_low(part):
    at_m = seen_c(adapted(34.5, 22.0, distance_m=still(part.farthest_m)), part)
    full = seen_c(adapted(34.5, 22.0, distance_m=TOUCHING), DCC)
    low_c = full - at_m
    # Of 90 and 70 degrees the room behind the head is in view as well.
    assert 0.15 < low_c < (0.3 if part.field_of_view_deg < 70 else 1.5)


@pytest.mark.parametrize("room_c", [16.0, 24.0, 32.0])
def test_from_far_away_there_is_only_the_room(room_c):
    assert seen_c(adapted(34.5, room_c, distance_m=still(100.0))) == pytest.approx(room_c, abs=1e-3)


@given(st.floats(0.0, 2.0), st.floats(0.0, 2.0))
def test_nearer_is_never_cooler_in_a_cool_room(one_m, other_m):
    near_m, far_m = sorted((one_m, other_m))
    near_c, far_c = (seen_c(adapted(34.5, 22.0, distance_m=still(m))) for m in (near_m, far_m))
    assert near_c >= far_c - 1e-9


# -------------------------------------------------------------------------------------------- skin


@pytest.mark.parametrize("room_c", [16.0, 20.0, 24.0, 29.0])
def test_skin_follows_the_room_by_0_18(room_c):
    skin_c = Forehead(skin_c=34.5, room_c=room_c).true_skin_c(0.0)
    assert skin_c == pytest.approx(34.5 + 0.18 * (room_c - 24.0))


@given(st.floats(0.0, 4.0), st.floats(0.0, 4.0))
def test_more_fever_is_never_less_warm(one_c, other_c):
    low_c, high_c = sorted((one_c, other_c))
    at = [seen_c(Forehead(skin_c=34.5, fever_c=fever_c)) for fever_c in (low_c, high_c)]
    assert at[1] - at[0] >= 0.85 * (high_c - low_c) - 1e-9


@pytest.mark.parametrize(
    ("minutes", "skin_c"), [(0, 33.17), (1, 34.90), (3, 35.77), (5, 36.08), (60, 36.60)]
)
def test_who_comes_in_from_the_cold_warms_as_was_measured(minutes, skin_c):
    forehead = Forehead(skin_c=36.6, arrived_at_s=100.0)
    assert forehead.true_skin_c(100.0 + 60 * minutes) == pytest.approx(skin_c, abs=0.005)


def test_before_arrival_the_skin_is_as_cold_as_on_arrival():
    forehead = Forehead(skin_c=36.6, arrived_at_s=100.0)
    assert forehead.true_skin_c(0.0) == forehead.true_skin_c(100.0)


def test_who_came_long_ago_is_who_never_came():
    came = Forehead(skin_c=34.5, arrived_at_s=0.0)
    assert seen_c(came, at_s=7200.0) == pytest.approx(seen_c(Forehead(skin_c=34.5)), abs=1e-4)


@pytest.mark.parametrize(("share", "low_c"), [(0.0, 0.0), (0.25, 0.75), (1.0, 3.0)])
def test_a_fringe_cools_by_its_share(share, low_c):
    bare = Forehead(skin_c=34.5, distance_m=TOUCHING)
    fringe = Forehead(skin_c=34.5, distance_m=TOUCHING, hat_share=share, hat_c=3.0)
    assert seen_c(bare) - seen_c(fringe) == pytest.approx(low_c, abs=0.08)


def test_surfaces_mix_as_radiance_and_not_as_degrees():
    # Half of 34.5 C and half of 4.5 C look warmer than 19.5 C.
    mixed = Forehead(skin_c=34.5, distance_m=TOUCHING, hat_share=0.5, hat_c=30.0)
    whole = Forehead(skin_c=19.5, distance_m=TOUCHING)
    assert 0.5 < seen_c(mixed) - seen_c(whole) < 1.5


def test_sun_adds_to_what_the_lens_sees():
    shade_c, sun_c = (seen_c(Forehead(skin_c=34.5, sun_c=sun_c)) for sun_c in (0.0, 0.7))
    assert sun_c - shade_c == pytest.approx(0.7)


# ---------------------------------------------------------------------------------------- movement


@pytest.mark.parametrize(("at_s", "distance_m"), [(0, 1.0), (10, 1.0), (10.5, 0.35), (12, 0.05)])
def test_who_walks_up_comes_nearer_and_stops(at_s, distance_m):
    assert approach(0.05, starts_at_s=10.0)(at_s) == pytest.approx(distance_m)


def test_who_sways_is_on_either_side_of_where_they_stand():
    distance_m = sway(0.05, by_m=0.01, period_s=2.0)
    assert [distance_m(at_s) for at_s in (0.0, 0.5, 1.0, 1.5)] == pytest.approx(
        [0.05, 0.06, 0.05, 0.04]
    )


def test_nobody_sways_through_the_lens():
    distance_m = sway(0.05, by_m=0.2, period_s=2.0)
    assert min(distance_m(step / 10) for step in range(20)) == 0.0


def test_the_chip_sees_somebody_walk_up():
    world = World()
    chip = SimulatedMlx90614(world, part=DCC._replace(noise_c=0.0), room_c=22.0)
    walk = approach(0.05, starts_at_s=2.0)
    chip.scene = adapted(34.5, 22.0, distance_m=walk).scene(chip.part)
    seen = []
    for _ in range(4):
        world.advance(0.95)
        seen.append(chip.word(0x07) * 0.02 - 273.15)
    # At 1 m, still at 1 m, after a second's walk, and at rest.
    assert seen[1] == pytest.approx(22.7, abs=0.1)  # section 4: presence by contrast
    assert seen[1] == seen[0] < seen[2] <= seen[3]
    assert seen[3] == pytest.approx(34.18, abs=0.02)
