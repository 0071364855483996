"""What the gate learns from the people who walk in, and keeps; and what it never learns away."""

import logging
import random
from statistics import fmean, median

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from gatepost.core.offset import BOUND_C, Offset, learn
from gatepost.core.screening import Limits, Reason, Verdict, Zone
from gatepost.wiring.lane import gate
from gatepost.wiring.thermometer import OffsetStore
from gatepost_config.load import load
from gatepost_hal.simulated.mlx90614 import ChipFault
from gatepost_hal.simulated.scenes import Forehead
from gatepost_services.contract.events import decode
from gatepost_services.journal import JournalReader

LEARNS = {"learns": True}
SKIN_C = 34.4
HEALTHY = Forehead(skin_c=SKIN_C)
FIRST = 50


def crowd(count, *, seed=0, fever_share=0.0):
    """Return foreheads as they come: healthy ones of facts 3.1, and some with a fever."""
    chance = random.Random(seed)
    return [
        Forehead(
            skin_c=chance.gauss(SKIN_C, 0.5),
            fever_c=1.6 if chance.random() < fever_share else 0.0,
        )
        for _ in range(count)
    ]


def settled(device, **more):
    """Return what a gate has learnt from its first people, and some since."""
    return Offset(device, 2.43, 2.6, settled_c=2.6, people=FIRST)._replace(**more)


def learnt(stage):
    return [entry.data for entry in stage.log.entries if entry.type == "thermometer.learnt"]


def teach(stage, *, until, seed=0):
    """Let people come until something holds; return the decisions on them."""
    decisions = []
    for forehead in crowd(2 * FIRST, seed=seed):
        decisions.append(stage.screen(forehead))
        if until():
            return decisions
    raise AssertionError(f"not after {len(decisions)} people")


@pytest.fixture
def device(make_real):
    """Return how the sensor of seed 1 is called without a calibration."""
    return make_real().found[0].data["device"]


# ------------------------------------------------------------------------------------ first people


def test_the_first_fifty_set_the_offset_and_it_is_kept_and_told(make_real):
    stage = make_real(screening=LEARNS)
    before = teach(stage, until=lambda: learnt(stage) != [])
    assert {data["offset_c"] for data in before} == {2.43}
    # Not this device's own yet: the guard band is wider by what two devices may differ.
    assert {data["guard_c"] for data in before} == {0.5}
    measured = [data for data in before if data["zone"] != "no_information"]
    assert len(measured) == FIRST
    *while_settling, kept = stage.kept
    assert [each.people for each in while_settling] == list(range(1, FIRST))
    assert (kept.people, kept.settled_c, kept.first_c) == (FIRST, kept.offset_c, ())
    middle_c = median(data["index_c"] for data in measured)
    assert kept.offset_c == pytest.approx(2.43 + 36.8 - middle_c, abs=0.001)
    (told,) = learnt(stage)
    assert told == {
        "device": stage.found[0].data["device"],
        "offset_c": kept.offset_c,
        "settled_c": kept.offset_c,
        "middle_c": 36.8,
        "people": FIRST,
        "drifted": False,
    }
    after = stage.screen(HEALTHY)
    assert (after["offset_c"], after["guard_c"]) == (kept.offset_c, 0.25)


@pytest.mark.parametrize("drift_c", [-0.4, 0.4])
def test_the_healthy_middle_has_an_index_of_36_8_once_it_is_learnt(make_real, drift_c):
    # Also where the start value is not this device's.
    def age(lane):
        lane.chip.drift_c = drift_c

    stage = make_real(screening=LEARNS, prepare=age)
    teach(stage, until=lambda: learnt(stage) != [], seed=2)
    found_c = fmean(stage.screen(HEALTHY)["index_c"] for _ in range(20))
    assert found_c == pytest.approx(36.8, abs=0.15)


def test_a_gate_that_does_not_learn_keeps_the_offset_of_its_settings(make_real):
    stage = make_real(screening={"learns": False})
    for forehead in crowd(FIRST + 1):
        data = stage.screen(forehead)
        assert (data["offset_c"], data["guard_c"]) == (2.43, 0.25)
    assert (stage.kept, learnt(stage)) == ([], [])


def test_who_gave_no_information_or_was_not_decided_on_teaches_nothing(make_real, device):
    stage = make_real(screening=LEARNS, offsets={device: settled(device, people=FIRST + 48)})
    stage.screen(Forehead(skin_c=SKIN_C, hat_share=1.0))
    stage.screen(Forehead(skin_c=SKIN_C, sun_c=8.0))
    stage.step_up(HEALTHY)
    stage.scan()
    stage.play(1.0)
    stage.walk_off()
    stage.screen(HEALTHY)
    assert learnt(stage) == []
    stage.screen(Forehead(skin_c=SKIN_C, fever_c=2.0))  # the 100th: she counts, and is told
    (told,) = learnt(stage)
    assert told["people"] == 2 * FIRST


def test_the_first_fifty_of_another_device_are_kept_and_told_as_well(make_real, device):
    stage = make_real(screening=LEARNS, offsets={device: settled(device, people=FIRST - 1)})
    stage.screen(HEALTHY)
    stage.lane.chip.fault = ChipFault.NACK
    stage.play(60.0)
    stage.lane.chip.eeprom[0x3C] ^= 1  # the first cell of the identity
    stage.lane.chip.fault = None
    stage.play(60.0)
    teach(stage, until=lambda: len(learnt(stage)) == 2)
    first, second = stage.kept[0], stage.kept[-1]
    assert first.device == device != second.device
    assert (first.people, second.people) == (FIRST, FIRST)
    assert [told["device"] for told in learnt(stage)] == [first.device, second.device]


# --------------------------------------------------------------------------------------- restart


def test_what_was_told_before_a_restart_is_not_told_again(make_real, device):
    stage = make_real(screening=LEARNS, offsets={device: settled(device, people=FIRST)})
    stage.screen(Forehead(skin_c=SKIN_C, hat_share=1.0))  # teaches nothing
    assert (stage.kept, learnt(stage)) == ([], [])


def test_what_nobody_taught_is_not_kept(make_real, make_stage):
    # Kept, the offset of the settings would count as learnt once the gate is to learn.
    def unplug(lane):
        lane.chip.fault = ChipFault.NACK

    for stage in (make_real(), make_stage(screening=LEARNS, prepare=unplug)):
        stage.screen(HEALTHY)
        stage.gate.run(lambda: True, about={})
        assert stage.kept == []


def test_a_restart_with_what_was_kept_goes_on_without_doubt(make_real, device):
    kept = settled(device, offset_c=2.66, people=FIRST + 7)
    stage = make_real(screening=LEARNS, offsets={device: kept})
    assert stage.found[0].data["people"] == FIRST + 7
    data = stage.screen(HEALTHY)
    assert (data["offset_c"], data["guard_c"]) == (2.66, 0.25)
    for _ in range(FIRST - 8):
        stage.screen(HEALTHY)
    (told,) = learnt(stage)
    assert told["people"] == stage.kept[0].people == 2 * FIRST


def test_the_offset_of_another_device_does_not_count(make_real, device):
    other = make_real(seed=2, screening=LEARNS, offsets={device: settled(device)})
    data = other.screen(HEALTHY)
    assert (data["offset_c"], data["guard_c"]) == (2.43, 0.5)


@pytest.mark.parametrize("fails", [False, True], ids=["orderly", "exception"])
def test_what_was_learnt_is_kept_at_the_end_of_the_process(make_real, device, fails):
    stage = make_real(screening=LEARNS, offsets={device: settled(device)})
    for _ in range(3):
        stage.screen(HEALTHY)

    def stop():
        if fails:
            raise RuntimeError("a bug")
        return True

    try:
        stage.gate.run(stop, about={})
    except RuntimeError:
        assert fails
    assert [offset.people for offset in stage.kept] == [FIRST + 3]


def test_the_wired_gate_reads_and_writes_what_was_learnt_in_its_own_folder(make_real, config):
    # The same lane, under the gate that `gatepost run` wires up from a settings file.
    stage = make_real()
    device = stage.found[0].data["device"]
    wired_settings = load(config)
    paths = wired_settings.paths
    assert paths.offset.parent == paths.gate_dir
    OffsetStore(paths.offset).keep(settled(device, people=77))
    with gate(wired_settings, stage.hardware, boot_id="b", notify=lambda _said: None) as wired:
        paths.offset.unlink()
        while stage.world.now_s() < 5.0:
            wired.turn()
        wired.run(lambda: True, about={})
    assert OffsetStore(paths.offset).load() == {device: settled(device, people=77)}
    with JournalReader(paths.journal) as journal:
        events = [decode(record.body) for record in journal.read(0, 100).records]
    (found,) = [event for event in events if event.type == "gatepost.thermometer.found"]
    assert found.data["people"] == 77


# ------------------------------------------------------------------------------------------- disk


def test_a_disk_that_fails_while_the_offset_is_kept_does_not_stop_the_gate(
    make_real, device, tmp_path, caplog
):
    (tmp_path / "file").write_text("where a folder should be")
    store = OffsetStore(tmp_path / "file" / "offset.json")
    stage = make_real(
        screening=LEARNS,
        offsets={device: settled(device, people=FIRST - 1)},
        keep_offset=store.keep,
    )
    with caplog.at_level(logging.ERROR):
        for _ in range(FIRST + 1):
            assert stage.screen(HEALTHY)["outcome"] == "admit"
    assert [offset.people for offset in stage.kept] == [FIRST, 2 * FIRST]
    (record,) = caplog.records  # told once, not once in fifty people
    assert record.getMessage().endswith("Not a directory; what is learnt is lost at a restart")
    assert [told["people"] for told in learnt(stage)] == [FIRST, 2 * FIRST]


def test_a_journal_that_fails_while_it_is_told_does_not_hold_the_person_back(make_real, device):
    stage = make_real(screening=LEARNS, offsets={device: settled(device, people=2 * FIRST - 1)})

    def spy(entries):
        stage.log.broken |= any(entry.type == "thermometer.learnt" for entry in entries)

    stage.log.spy = spy
    assert stage.screen(HEALTHY)["outcome"] == "admit"
    assert stage.log.broken
    assert [offset.people for offset in stage.kept] == [2 * FIRST]
    stage.log.broken = False
    stage.play(10.0)
    assert stage.last("journal.lost").data == {"count": 2}  # and the passage


# ------------------------------------------------------------------------------------------ drift


def test_a_middle_that_moved_away_is_told_once_and_once_when_it_is_back(make_real, device):
    # As it is after a hundred people with warmer and warmer skin, or on a part that drifts.
    near = settled(device, middle_c=37.195, people=FIRST + 30)
    stage = make_real(screening=LEARNS, offsets={device: near})
    ill = Forehead(skin_c=SKIN_C, fever_c=1.5)
    assert stage.screen(HEALTHY)["outcome"] == "admit"
    for _ in range(3):
        stage.screen(ill)
    told = stage.screen(HEALTHY)
    assert (told["outcome"], told["reason"], told["attempt"]) == ("refer", "drifted", 1)
    assert told["index_c"] is not None  # for staff to judge
    for _ in range(8):
        assert stage.screen(HEALTHY)["reason"] == "drifted"
    stage.play(300.0)
    assert stage.faults == ["raised sensor_drifted"]
    for _ in range(12):
        stage.screen(HEALTHY)
    assert stage.screen(HEALTHY)["outcome"] == "admit"
    stage.play(300.0)
    assert stage.faults == ["raised sensor_drifted", "cleared sensor_drifted"]
    raised = next(entry for entry in stage.log.entries if entry.type == "fault.raised").data
    assert raised["detail"].startswith("the middle of the people is at 37.2")
    assert "clean the lens" in raised["remedy"]


def test_who_is_turned_away_because_of_a_drift_does_not_move_the_offset(make_real, device):
    away = settled(device, middle_c=37.3, drifted=True)
    stage = make_real(screening=LEARNS, offsets={device: away})
    cooler = Forehead(skin_c=SKIN_C - 0.4)  # not so cool that he is left out for that
    decisions = [stage.screen(cooler) for _ in range(10)]
    assert {data["reason"] for data in decisions} == {"drifted"}
    assert {data["offset_c"] for data in decisions} == {2.6}
    stage.gate.run(lambda: True, about={})  # what was learnt is kept at the end
    (kept,) = stage.kept
    assert (kept.offset_c, kept.people) == (2.6, FIRST + 10)
    assert kept.middle_c == pytest.approx(37.2)


def test_a_wave_of_fevers_is_not_learnt_away(make_real, device):
    stage = make_real(screening=LEARNS, offsets={device: settled(device)})
    for forehead in crowd(80, seed=3, fever_share=0.5):
        stage.screen(forehead)
    data = stage.screen(Forehead(skin_c=SKIN_C, fever_c=1.2))
    assert data["outcome"] == "refer"
    assert abs(data["offset_c"] - 2.6) < 0.1


def told_by(index_c, offset_c):
    """Return what the gate says of this index; the crowd of the property below needs no gate."""
    guard_c = 0.25
    if index_c > 37.3 + guard_c:
        zone, reason = Zone.REFER, Reason.ABOVE_LIMIT
    elif index_c > 37.3 - guard_c:
        zone, reason = Zone.RECHECK, Reason.NEAR_LIMIT
    else:
        zone, reason = Zone.PASS, Reason.BELOW_LIMIT
    return Verdict(zone, reason, index_c=index_c, ambient_c=(24.4, 24.4), offset_c=offset_c)


def after(device, *, seed, count, fever_share, drift_c, start_error_c):
    """Return what is learnt from a crowd, while the device drifts by `drift_c` in all."""
    chance = random.Random(seed)
    offset = Offset(device, 2.43, 2.43)
    for number in range(count):
        skin_c = chance.gauss(34.3, 0.55) + start_error_c + drift_c * number / count
        skin_c += chance.uniform(0.8, 3.0) if chance.random() < fever_share else 0.0
        verdict = told_by(skin_c + offset.offset_c, offset.offset_c)
        admitted = verdict.zone is not Zone.REFER and verdict.is_within(37.3)
        offset = learn(offset, verdict, Limits(37.3, 0.25, 7), admitted=admitted)
    return offset


crowds = st.fixed_dictionaries(
    {
        "seed": st.integers(0, 2**32 - 1),
        "count": st.sampled_from([0, 1, 49, 50, 51, 120, 600, 3000]),
        "fever_share": st.sampled_from([0.0, 0.05, 0.3, 0.7, 1.0]),
        "drift_c": st.floats(-2.0, 2.0),
        "start_error_c": st.floats(-1.0, 1.0),
    }
)


@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@example(  # 1.764 + 0.5 is 2.2640000000000002
    of={
        "seed": 56,
        "count": 3000,
        "fever_share": 0.05,
        "drift_c": -1.0,
        "start_error_c": 0.5625,
    },
    fever_c=0.5,
)
@given(of=crowds, fever_c=st.sampled_from([0.5, 1.0, 2.5]))
def test_after_learning_from_any_crowd_a_fever_moves_the_index_by_itself(
    make_real, device, of, fever_c
):
    offset = after(device, **of)
    assert offset.is_sound()
    assert offset.settled_c is None or abs(offset.offset_c - offset.settled_c) <= BOUND_C
    # The same seed draws the same noise twice: the difference is the fever alone.
    first = []
    for added_c in (0.0, fever_c):
        stage = make_real(screening=LEARNS, offsets={device: offset})
        stage.screen(Forehead(skin_c=SKIN_C, fever_c=added_c))
        first.append(stage.attempts[0])
    well, ill = first
    assert well["offset_c"] == ill["offset_c"] == round(offset.offset_c, 3)
    assert ill["index_c"] - well["index_c"] == pytest.approx(fever_c, abs=0.05)


def test_another_start_in_the_settings_begins_the_learning_anew(make_real, device):
    known = {device: settled(device)}
    for start_c, people in [(2.43, FIRST), (2.3, 0)]:
        stage = make_real(screening={"learns": True, "offset_c": start_c}, offsets=known)
        assert stage.found[0].data["people"] == people


def test_an_offset_at_its_bound_asks_for_a_calibration_and_people_go_on(make_real, device):
    at_bound = settled(device, offset_c=2.6 - BOUND_C)
    stage = make_real(screening=LEARNS, offsets={device: at_bound})
    (raised,) = [entry.data for entry in stage.found if entry.type == "fault.raised"]
    assert raised["fault"] == "calibration_due"
    assert raised["detail"] == "the offset has moved by its bound of 0.5 C"
    assert stage.screen(Forehead(skin_c=SKIN_C + 0.5))["outcome"] == "admit"
