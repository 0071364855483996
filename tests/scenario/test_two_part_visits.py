"""Visits of more than one code, walked through on a simulated lane by the gate's own loop."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from gatepost.core.events import Holder, ProofShown
from gatepost.core.facts import Category, Code, DatedCode, Facts, Pass, Proof, ProofKind
from gatepost.core.session import Brought, Need
from gatepost.core.states import Span, State
from gatepost.gate.parts import Asked
from gatepost.wiring.ledgers import Ledgers
from gatepost.wiring.regimes import load
from gatepost_hal.ports import Direction, InputName

from .stage import FEVERISH_C, PRESENCE_REST_S, WELL_C

NOW = datetime(2022, 3, 21, 4, 0, tzinfo=UTC)
GREEN = DatedCode(Code.GREEN, NOW)
TEST = Proof(ProofKind.NEGATIVE, NOW)
ESCORT_S, AGAIN_S = 3600.0, 600.0


@pytest.fixture
def site(stage, tmp_path):
    """Put the lane under closed management, with an exit reader and its ledger."""
    stage.regime = (load("medium-risk")["medium-risk"], None)
    stage.policy = replace(stage.policy, brings=frozenset(Need))
    stage.ledger = books(stage, tmp_path)
    stage.passes.facts = Facts(
        Direction.ENTRY,
        Category.UNKNOWN,
        health_code=GREEN,
        trip_card=GREEN,
        shown=Pass("p", valid=True),
        registered=True,
        now=NOW,
    )
    stage.roster["VISITOR"] = Holder("v-1", "visitor")
    stage.roster["HOST"] = Holder("anna", "resident")
    stage.roster["GUARD"] = Holder("guard", "property_staff")
    stage.passes.proofs["TEST"] = ProofShown(0.0, brought=Brought(test=TEST))
    stage.passes.proofs["OLD"] = ProofShown(0.0, refusal="expired")
    stage.restart()
    stage.play(6.0)  # the order comes into force with the housekeeping
    stage.log.entries.clear()
    return stage


def books(stage, folder):
    path, clock = folder / "ledger.json", stage.world
    return Ledgers(path, clock, "boot", escort_s=ESCORT_S, again_s=AGAIN_S)


def told(stage):
    return [entry.type for entry in stage.log.entries if not entry.type.startswith("controller.")]


def comes(stage, credential):
    stage.step_up(WELL_C)
    stage.scan(credential)
    stage.play_until(lambda: stage.state is not State.MEASURING, 10.0)


def walks_in(stage):
    assert stage.play_until(lambda: stage.state is State.RELEASED, 2.0), stage.state
    stage.walk()
    stage.play(1.0)
    stage.walk_off()


def leaves(stage, credential):
    stage.lane.exit_reader.scan(credential)
    assert stage.play_until(lambda: stage.state is State.LEAVING, 2.0), stage.state
    stage.walk()
    stage.play(1.0)


def test_r077_a_visitor_with_an_escort_comes_in_and_the_ledger_is_opened(site):
    comes(site, "VISITOR")
    assert site.state is State.AWAITING_PASS
    assert site.lane.announcer.told[-1][1].key == "show_escort"
    site.scan("HOST")
    walks_in(site)
    assert told(site) == ["visit.admitted", "passage.entered", "escort.opened"]
    assert site.last("escort.opened").data["escort"] == "anna"


def test_a_visitor_whom_nobody_fetches_is_told_no(site):
    comes(site, "VISITOR")
    wait_s = site.policy.spans_s[Span.PROOF_TIMEOUT]
    assert site.play_until(lambda: site.state is State.REFUSED, wait_s + 1.0)
    assert site.last("visit.denied").data["wanted"] == ["escort"]
    assert site.lane.announcer.told[-1][1].key == "bring_escort"


def test_an_escort_that_lasts_too_long_is_told_once_also_over_a_restart(site, tmp_path):
    comes(site, "VISITOR")
    site.scan("HOST")
    walks_in(site)
    site.ledger = books(site, tmp_path)
    site.restart()
    site.play(ESCORT_S + 10.0)
    assert told(site).count("escort.overdue") == 1
    site.restart()
    site.play(20.0)
    assert told(site).count("escort.overdue") == 1


def test_r015_staff_are_on_duty_from_the_measured_entry_to_the_exit(site):
    comes(site, "GUARD")
    walks_in(site)
    leaves(site, "GUARD")
    assert told(site) == [
        "visit.admitted", "passage.entered", "duty.begun",
        "exit.released", "passage.left", "duty.ended",
    ]  # fmt: skip


def test_a_proof_that_has_expired_is_told_and_the_visit_goes_on(site):
    comes(site, "VISITOR")
    site.scan("OLD")
    assert site.last("proof.refused").data == {"why": "expired"}
    site.scan("HOST")
    walks_in(site)
    assert "passage.entered" in told(site)


@pytest.fixture
def signed(site):
    """Give the host a signed pass whose uses are counted."""
    site.roster["HOST"] = Holder("anna", "resident", pass_id="0a")
    return site


def test_a_counted_pass_is_used_when_it_is_granted(signed):
    comes(signed, "HOST")
    assert signed.passes.used == ["anna"]
    walks_in(signed)
    assert signed.passes.used == ["anna"]


def test_who_does_not_walk_has_the_use_again(signed):
    comes(signed, "HOST")
    signed.play(signed.policy.spans_s[Span.RELEASE_HOLD] + signed.policy.spans_s[Span.TURN] + 1.0)
    assert "passage.not_entered" in told(signed)
    assert signed.passes.used == []


def test_a_use_that_is_not_counted_frees_no_arm(signed):
    signed.passes.useless = "no_memory: the disk is full"
    comes(signed, "HOST")
    assert signed.state is State.REFUSED
    assert signed.released() == set()
    assert signed.last("pass.not_used").data == {
        "subject": "anna",
        "why": "no_memory: the disk is full",
    }


def test_who_is_let_in_by_staff_uses_nothing(signed):
    signed.passes.facts = replace(signed.passes.facts, health_code=DatedCode(Code.RED, NOW))
    comes(signed, "HOST")
    signed.play(PRESENCE_REST_S)
    signed.press(InputName.STAFF_RELEASE)
    assert signed.state is State.RELEASED
    assert signed.passes.used == []


@pytest.fixture
def escalated(site):
    """Bring somebody with a fever, whom the order wants told of."""
    site.step_up(FEVERISH_C)
    site.scan("GUARD")
    assert site.play_until(lambda: "escalation.raised" in told(site), 30.0), site.state
    site.walk_off()
    site.raised = told(site).count("escalation.raised")
    return site


def test_an_escalation_is_raised_again_until_somebody_acknowledges_it(escalated, tmp_path):
    escalated.play(AGAIN_S + 10.0)
    assert told(escalated).count("escalation.raised") == 2 * escalated.raised
    assert escalated.last("escalation.raised").data["again"] == 1
    escalated.ledger = books(escalated, tmp_path)  # over a restart
    escalated.restart()
    escalated.play(AGAIN_S + 10.0)
    assert told(escalated).count("escalation.raised") == 3 * escalated.raised
    answers = []
    escalated.asked.append(Asked(None, None, "", "uid 1000", answers.append, acknowledges=True))
    assert escalated.play_until(lambda: bool(answers), 1.0)
    assert answers[0]["done"]
    data = escalated.last("escalation.acknowledged").data
    assert (data["by"], data["count"]) == ("uid 1000", escalated.raised)
    escalated.play(2 * AGAIN_S)
    assert told(escalated).count("escalation.raised") == 3 * escalated.raised


def test_an_escalation_that_nobody_answers_is_not_raised_for_ever(escalated):
    escalated.play(8 * AGAIN_S)
    assert told(escalated).count("escalation.raised") == 7 * escalated.raised
