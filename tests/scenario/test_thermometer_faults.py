"""Whatever the part or its bus does, at any time of a visit: no reading after it lets anybody in.

Exhaustive over the simulator's faults and the phases of a visit. Real physics, real settings.
"""

import pytest

from gatepost.core.states import State
from gatepost_hal.simulated.mlx90614 import ChipFault
from gatepost_hal.simulated.scenes import Forehead, approach

SKIN_C, FEVER_C = 34.4, 1.5
SAMPLES = 7
JUST_S = 0.002  # less than the time between two conversions of the part
# A storm hits by chance; every other fault hits each transfer, or each result.
LASTING = [fault for fault in ChipFault if fault is not ChipFault.PEC_STORM]
WHENS = ("well before", "just before", "just after")
PHASES = [
    "before the person",
    "before the pass",
    *(f"{when} sample {n}" for n in range(1, SAMPLES + 1) for when in WHENS),
]
# The boundary: the attempt is over when its last sample was read. What breaks afterwards has told
# the truth. So has a part that freezes between the last two samples, if it had a new result by
# then: what it repeats is its last live result of this very person (read once; the run of equal
# values that gives a frozen part away would begin only with the next sample).
TOLD_THE_TRUTH = {
    (fault, f"just after sample {SAMPLES}") for fault in (*LASTING, ChipFault.PEC_STORM)
} | {(ChipFault.FROZEN, f"{when} sample {SAMPLES}") for when in WHENS}


def somebody(stage, *, attempt, fever_c=0.0):
    """Return somebody who stands still; before attempt 2, who still comes closer in the first."""
    if attempt == 1:
        return Forehead(skin_c=SKIN_C, fever_c=fever_c)
    closer = approach(0.05, starts_at_s=stage.world.now_s() + 0.7, from_m=0.3, speed_m_per_s=0.3)
    return Forehead(skin_c=SKIN_C, fever_c=fever_c, distance_m=closer)


def onsets_s(stage, attempt):
    """Return the instant of each phase, by name, found in a visit without a fault."""
    onsets = {"before the person": stage.world.now_s()}
    stage.step_up(somebody(stage, attempt=attempt))
    onsets["before the pass"] = stage.world.now_s() - JUST_S
    stage.scan()
    while stage.gate.lane.visit.attempt < attempt:
        stage.play(0.05)
    last_s = stage.world.now_s()
    assert stage.play_until(lambda: stage.state is State.RELEASED)
    sampled_s = [sample.at_s for sample in stage.gate.lane.visit.samples]
    assert len(sampled_s) == SAMPLES
    for number, at_s in enumerate(sampled_s, start=1):
        onsets[f"well before sample {number}"] = (last_s + at_s) / 2
        # The words of a sample are on their way for some milliseconds before its instant.
        onsets[f"just before sample {number}"] = at_s - 0.03
        onsets[f"just after sample {number}"] = at_s + JUST_S
        last_s = at_s
    return onsets


def break_at(stage, fault, at_s):
    """Let the part break at this instant; it does not recover."""

    def strike():
        stage.lane.chip.fault = fault

    stage.world.call_at(at_s, strike)


def visit(stage, fault, at_s, *, attempt=1, fever_c=0.0):
    """Let somebody come while `fault` strikes at this instant; return whether they get in."""
    break_at(stage, fault, at_s)
    stage.step_up(somebody(stage, attempt=attempt, fever_c=fever_c))
    stage.scan()
    assert stage.play_until(lambda: stage.state in (State.RELEASED, State.REFERRED))
    return stage.state is State.RELEASED


@pytest.mark.parametrize("attempt", [1, 2], ids="attempt {}".format)
@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("fault", LASTING, ids=lambda fault: fault.value)
def test_no_reading_after_a_fault_lets_anybody_in(make_real, fault, phase, attempt):
    at_s = onsets_s(make_real(), attempt)[phase]
    stage = make_real()
    if visit(stage, fault, at_s, attempt=attempt):
        assert (fault, phase) in TOLD_THE_TRUTH
        last_live = -2 if fault is ChipFault.FROZEN else -1
        assert stage.gate.lane.visit.samples[last_live].at_s < at_s
        return
    assert (fault, phase) not in TOLD_THE_TRUTH
    told = stage.attempts
    assert told[-1]["zone"] == "no_information"
    expected = "frozen" if fault is ChipFault.FROZEN else "too_few_samples"
    assert told[-1]["reason"] == expected
    assert stage.released() == set()
    # Nor does coming back while the fault lasts.
    stage.walk_off()
    assert stage.screen(somebody(stage, attempt=1))["zone"] == "no_information"


def test_what_a_part_that_froze_after_its_last_live_sample_told_was_the_truth(make_real):
    # The boundary, precisely: seven results, each of this person, the last one at the freeze.
    at_s = onsets_s(make_real(), 1)[f"just before sample {SAMPLES}"]
    healthy = make_real()
    visit(healthy, None, at_s)
    frozen = make_real()
    assert visit(frozen, ChipFault.FROZEN, at_s)
    live, told = (stage.last("visit.admitted").data["samples_c"] for stage in (healthy, frozen))
    assert told[:-1] == live[:-1]
    assert len(told) == SAMPLES
    assert told[-1] != told[-2]
    assert abs(told[-1] - told[-2]) < 1.0  # of the same forehead


# ------------------------------------------------------------------------------------ PEC storms


@pytest.mark.parametrize("seed", range(12), ids="seed {}".format)
def test_no_storm_on_the_bus_lets_a_fever_in(make_real, seed):
    onsets = onsets_s(make_real(seed=seed), 1)
    early = [phase for phase in PHASES if phase.startswith(("before", "well"))]
    admitted = [
        phase
        for phase in early
        if visit(make_real(seed=seed), ChipFault.PEC_STORM, onsets[phase], fever_c=FEVER_C)
    ]
    assert len(early) == SAMPLES + 2
    assert admitted == []


def test_a_storm_from_the_beginning_ends_with_staff_or_with_a_verdict_from_checked_words(make_real):
    ends = set()
    for seed in range(40):
        clean = make_real(seed=seed).screen(somebody(None, attempt=1))
        stage = make_real(seed=seed)
        stage.lane.chip.fault = ChipFault.PEC_STORM
        stormy = stage.screen(somebody(None, attempt=1))
        ends.add((stormy["outcome"], stormy["reason"]))
        if stormy["outcome"] == "admit":
            # One wrong bit among those words, and the median or the spread would show it.
            assert abs(stormy["index_c"] - clean["index_c"]) < 0.4
            assert stormy["spread_c"] < 1.0
            assert len(stormy["samples_c"]) == SAMPLES
    # Both come: too many repeats count against an attempt, by chance there are fewer.
    assert {("admit", "below_limit"), ("refer", "disturbed")} <= ends
    assert ends <= {("admit", "below_limit"), ("refer", "disturbed"), ("refer", "too_few_samples")}


def test_a_storm_that_lasts_is_a_fault_and_then_nobody_passes(make_real):
    stage = make_real()
    stage.lane.chip.fault = ChipFault.PEC_STORM
    assert stage.play_until(lambda: "raised sensor_disturbed" in stage.faults, 1800.0)
    reasons = [stage.screen(somebody(stage, attempt=1))["reason"] for _ in range(20)]
    assert set(reasons) <= {"disturbed", "too_few_samples"}
    assert "disturbed" in reasons
    stage.lane.chip.fault = None
    assert stage.play_until(lambda: "cleared sensor_disturbed" in stage.faults, 1800.0)
    assert stage.screen(somebody(stage, attempt=1))["outcome"] == "admit"
    storm = [told for told in stage.faults if told.endswith("disturbed")]
    assert storm == ["raised sensor_disturbed", "cleared sensor_disturbed"]


# --------------------------------------------------------------------------------- faults, told


def told_of(stage, fault):
    return [told.split()[0] for told in stage.faults if told.split()[1] == fault]


@pytest.mark.parametrize(
    ("fault", "told", "until_s"),
    [
        (ChipFault.NACK, "sensor", 120.0),
        (ChipFault.STUCK_BUS, "sensor", 120.0),
        (ChipFault.ERROR_FLAG, "sensor", 120.0),
        (ChipFault.FROZEN, "sensor_frozen", 240.0),
        (ChipFault.PEC_STORM, "sensor_disturbed", 1200.0),
    ],
    ids=lambda value: value.value if isinstance(value, ChipFault) else None,
)
def test_a_fault_is_told_once_when_it_begins_and_once_when_it_ends(make_real, fault, told, until_s):
    stage = make_real()
    stage.lane.chip.fault = fault
    assert stage.play_until(lambda: stage.faults != [], until_s)
    for _ in range(3):  # people, and the time between them, do not tell it again
        stage.screen(somebody(stage, attempt=1))
        stage.play(300.0)
    assert told_of(stage, told) == ["raised"]
    stage.lane.chip.fault = None
    assert stage.play_until(lambda: told_of(stage, told) == ["raised", "cleared"], 600.0)
    stage.play(600.0)
    assert told_of(stage, told) == ["raised", "cleared"]
    lasted_s = stage.last("fault.cleared").data["lasted_s"]
    assert lasted_s > 900.0
    assert stage.screen(somebody(stage, attempt=1))["outcome"] == "admit"


def test_a_sensor_that_never_answers_is_told_while_somebody_waits_for_it(make_real, monkeypatch):
    # The kernel, or the thread that reads, hangs for ever: no reading, and no failure either.
    stage = make_real()
    with monkeypatch.context() as hanging:
        hanging.setattr(stage.lane.sampler, "request", lambda: None)
        assert stage.screen(somebody(stage, attempt=1))["reason"] == "too_few_samples"
        stage.play(120.0)
        assert stage.faults == ["raised sensor"]
        assert stage.last("fault.raised").data["detail"] == "no answer for 3.0 s"
    stage.play(60.0)
    assert stage.faults == ["raised sensor", "cleared sensor"]
    assert stage.screen(somebody(stage, attempt=1))["outcome"] == "admit"


def test_a_fault_says_what_follows_and_what_to_do(make_real):
    stage = make_real()
    stage.lane.chip.fault = ChipFault.FROZEN
    stage.play(300.0)
    data = stage.last("fault.raised").data
    assert data["fault"] == "sensor_frozen"
    assert data["detail"].startswith("7 readings or more of exactly 24.")
    assert data["effect"] == "entries end with staff: no information is never a pass"
    assert "supply off and on" in data["remedy"]


def test_an_ambient_that_no_gate_has_is_a_fault_for_as_long_as_it_lasts_and_a_minute(make_real):
    stage = make_real()
    stage.lane.chip.settle(70.0)
    stage.play(600.0)
    assert told_of(stage, "sensor_erratic") == ["raised"]
    assert stage.last("fault.raised").data["detail"]
    stage.lane.chip.settle(24.0)
    back_s = stage.world.now_s()
    assert stage.screen(somebody(stage, attempt=1))["zone"] == "no_information"
    assert stage.play_until(lambda: len(told_of(stage, "sensor_erratic")) == 2, 600.0)
    assert stage.world.now_s() - back_s > 60.0
    stage.play(600.0)
    assert told_of(stage, "sensor_erratic") == ["raised", "cleared"]
