"""One short play for each type of event: what has to happen so that a gate tells it.

`PLAYS` is the whole table: a play, and the types that it brings about. Each plays on a `Theatre`,
which is a stage and what else a gate has.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from threading import Event

from gatepost.core.events import Holder, ProofShown, Verb
from gatepost.core.facts import Category, Code, DatedCode, Facts, Pass
from gatepost.core.passback import Objection
from gatepost.core.session import Need
from gatepost.core.states import Span, State
from gatepost.gate import Asked
from gatepost.wiring.ledgers import Ledgers
from gatepost.wiring.outings import Outing, quota_used
from gatepost.wiring.regimes import load as load_regimes
from gatepost_hal.ports import Direction, InputName

from .documents_rig import Rig
from .stage import FEVERISH_C, NEAR_LIMIT_C, WELL_C, Stage

NOW = datetime(2022, 3, 21, 4, 0, tzinfo=UTC)
GREEN = DatedCode(Code.GREEN, NOW)
DAY_S = 86_400.0
SMALL = "[journal]\nmax_events = 1_000\nappend_deadline_s = 5.0\n"
A_MOMENT = Event()


class Theatre:
    """A stage, and folders for what a part keeps."""

    def __init__(self, make_stage: Callable[..., Stage], config, folder) -> None:
        self.make_stage, self.config, self.folder = make_stage, config, folder

    def stage(self, **sections: object) -> Stage:
        return self.make_stage(**sections)

    def compound(self) -> Stage:
        """Return a lane under closed management, with an exit reader and its ledgers."""
        stage = self.stage()
        stage.regime = (load_regimes("medium-risk")["medium-risk"], None)
        stage.policy = replace(stage.policy, brings=frozenset(Need))
        stage.ledger = Ledgers(
            self.folder / "ledger.json", stage.world, "boot", escort_s=600.0, again_s=300.0
        )
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
        stage.passes.proofs["OLD"] = ProofShown(0.0, refusal="expired")
        stage.restart()
        stage.play(6.0)  # the order comes into force with the housekeeping
        return stage


def tell(stage: Stage, records) -> None:
    """Let the loop record what a part has to tell."""
    stage.news += records
    stage.play(6.0)


def comes(stage: Stage, credential: str) -> None:
    stage.step_up(WELL_C)
    stage.scan(credential)
    stage.play_until(lambda: stage.state is not State.MEASURING, 10.0)


def walks_in(stage: Stage) -> None:
    assert stage.play_until(lambda: stage.state is State.RELEASED, 2.0), stage.state
    stage.walk()
    stage.play(1.0)
    stage.walk_off()


def leaves(stage: Stage, credential: str) -> None:
    stage.lane.exit_reader.scan(credential)
    assert stage.play_until(lambda: stage.state is State.LEAVING, 2.0), stage.state
    stage.walk()
    stage.play(1.0)


# ----------------------------------------------------------------------------------- at the entry


def somebody_is_well(theatre: Theatre) -> None:
    theatre.stage().screen(WELL_C)


def somebody_has_a_fever(theatre: Theatre) -> None:
    theatre.stage().screen(FEVERISH_C)


def somebody_is_near_the_limit_and_walks_off(theatre: Theatre) -> None:
    stage = theatre.stage()
    stage.step_up(NEAR_LIMIT_C)
    stage.scan()
    assert stage.play_until(lambda: stage.state is State.PAUSING)
    stage.walk_off()


def somebody_has_no_pass(theatre: Theatre) -> None:
    stage = theatre.stage()
    stage.step_up(WELL_C)
    stage.scan("UNKNOWN")


def somebody_is_inside_already(theatre: Theatre) -> None:
    stage = theatre.stage()
    stage.passes.objections["subject-1"] = Objection("already_inside", blocks=True)
    stage.step_up(WELL_C)
    stage.scan()


def staff_lets_somebody_in_who_does_not_walk(theatre: Theatre) -> None:
    stage = theatre.stage()
    stage.press(InputName.STAFF_RELEASE)
    stage.end_release()
    stage.play(stage.policy.spans_s[Span.TURN] + 1.0)


def a_visitor_is_brought_in_stays_too_long_and_leaves(theatre: Theatre) -> None:
    stage = theatre.compound()
    comes(stage, "VISITOR")
    stage.scan("OLD")
    stage.scan("HOST")
    walks_in(stage)
    stage.play(620.0)
    leaves(stage, "VISITOR")


def a_guard_is_on_duty(theatre: Theatre) -> None:
    stage = theatre.compound()
    comes(stage, "GUARD")
    walks_in(stage)
    leaves(stage, "GUARD")


def a_guard_has_a_fever_and_somebody_knows(theatre: Theatre) -> None:
    stage = theatre.compound()
    stage.step_up(FEVERISH_C)
    stage.scan("GUARD")
    assert stage.play_until(lambda: stage.state is State.REFUSED, 30.0)
    stage.play(310.0)  # nobody answers: raised again
    stage.asked.append(Asked(None, None, "a-1", "uid 1000", lambda _said: None, acknowledges=True))
    stage.play(1.0)


def somebody_is_under_threat_and_the_disk_counts_no_pass(theatre: Theatre) -> None:
    stage = theatre.compound()
    stage.roster["HOST"] = Holder("anna", "resident", duress=True, pass_id="0a")
    stage.passes.useless = "no_memory: the disk is full"
    comes(stage, "HOST")
    assert stage.play_until(lambda: stage.state is State.REFUSED, 10.0)


# ------------------------------------------------------------------------------ exit, and the arm


def somebody_leaves_and_somebody_does_not(theatre: Theatre) -> None:
    stage = theatre.stage()
    stage.reach(State.EXITING)
    stage.touch(InputName.EXIT_BUTTON, active=False)
    assert stage.play_until(lambda: stage.state is State.IDLE)
    stage.press(InputName.EXIT_BUTTON)
    assert stage.state is State.LEAVING
    stage.play(stage.policy.spans_s[Span.RELEASE_HOLD] + stage.policy.spans_s[Span.TURN] + 1.0)


def a_lock_down_holds_the_exit(theatre: Theatre) -> None:
    stage = theatre.stage(sections={"lane": {"exit_in_lockdown": False}})
    stage.order(Verb.LOCK)
    stage.press(InputName.EXIT_BUTTON)
    stage.order(Verb.UNLOCK)


def a_turnstile_tells_nothing(theatre: Theatre) -> None:
    stage = theatre.stage(sections={"turnstile": {"passage": "none"}})
    stage.reach(State.RELEASED)
    stage.end_release()


def the_arm_is_forced_and_somebody_follows(theatre: Theatre) -> None:
    stage = theatre.stage()
    stage.reach(State.FORCED)
    assert stage.play_until(lambda: stage.state is State.IDLE)
    stage.reach(State.ENTERING)
    stage.play(1.0)
    stage.lane.push(Direction.ENTRY, force=True)
    stage.play(1.0)


def somebody_goes_the_wrong_way(theatre: Theatre) -> None:
    stage = theatre.stage(sections={"turnstile": {"passage": "per_direction"}})
    stage.reach(State.RELEASED)
    stage.touch(InputName.PASSAGE_EXIT, active=True)
    stage.play(0.5)


def the_arm_is_held_and_let_go(theatre: Theatre) -> None:
    stage = theatre.stage()
    stage.reach(State.HELD)
    stage.touch(InputName.PASSAGE, active=False)
    stage.play(1.0)


def everybody_walks_in_a_fire(theatre: Theatre) -> None:
    stage = theatre.stage()
    stage.reach(State.FIRE)
    stage.lane.push(Direction.EXIT)
    stage.play(1.0)
    stage.touch(InputName.FIRE, active=False)
    stage.play(10.0)


def the_emergency_button(theatre: Theatre) -> None:
    stage = theatre.stage()
    stage.reach(State.EMERGENCY)
    stage.touch(InputName.EMERGENCY, active=False)
    stage.play(10.0)


def the_housing_is_opened(theatre: Theatre) -> None:
    stage = theatre.stage()
    stage.reach(State.TAMPER)
    stage.touch(InputName.TAMPER, active=False)
    stage.play(10.0)


# -------------------------------------------------------------------------------------- by orders


def a_technician_works_here(theatre: Theatre) -> None:
    stage = theatre.stage()
    stage.order(Verb.CLOSE)
    stage.order(Verb.OPEN)
    stage.order(Verb.OPEN)  # obeyed: it is as wished
    stage.reach(State.TESTING)
    stage.order(Verb.TEST)  # without saying what: refused
    stage.touch(InputName.MAINTENANCE_KEY, active=False)
    stage.play(10.0)
    stage.asked.append(Asked(None, None, "d-1", "uid 1000", lambda _said: None, disinfected=True))
    stage.play(1.0)


def another_order_comes_into_force(theatre: Theatre) -> None:
    stage = theatre.stage()
    stage.regime = (load_regimes("normal")["normal"], None)
    stage.play(6.0)


def documents_come(theatre: Theatre) -> None:
    stage, rig = theatre.stage(), Rig(theatre.folder)
    told = []
    try:
        for version, content in ((1, "credential,subject,category\nP1,anna,resident\n"), (2, "x")):
            rig.offer("roster", version, content)
            told += rig.documents.poll()
            while rig.documents._jobs:
                told += rig.documents.poll()
    finally:
        rig.close()
    tell(stage, told)


def a_household_uses_its_outing(theatre: Theatre) -> None:
    stage = theatre.stage()
    outing = Outing(stage.world.now_s(), "anna", "resident", NOW)
    record = quota_used(outing, load_regimes("medium-risk")["medium-risk"])
    assert record is not None
    tell(stage, [record])


PLAYS: dict[Callable[[Theatre], None], tuple[str, ...]] = {
    somebody_is_well: ("visit.admitted", "passage.entered"),
    somebody_has_a_fever: ("visit.referred",),
    somebody_is_near_the_limit_and_walks_off: ("visit.rechecked", "visit.abandoned"),
    somebody_has_no_pass: ("visit.denied",),
    somebody_is_inside_already: ("visit.denied",),
    staff_lets_somebody_in_who_does_not_walk: ("entry.commanded", "passage.not_entered"),
    a_visitor_is_brought_in_stays_too_long_and_leaves: (
        *("proof.refused", "escort.opened", "escort.overdue", "escort.closed"),
    ),
    a_guard_is_on_duty: ("duty.begun", "duty.ended"),
    a_guard_has_a_fever_and_somebody_knows: ("escalation.raised", "escalation.acknowledged"),
    somebody_is_under_threat_and_the_disk_counts_no_pass: ("duress.shown", "pass.not_used"),
    somebody_leaves_and_somebody_does_not: ("exit.released", "passage.left", "passage.not_left"),
    a_lock_down_holds_the_exit: ("lane.locked", "exit.refused", "lane.unlocked"),
    a_turnstile_tells_nothing: ("passage.unconfirmed",),
    the_arm_is_forced_and_somebody_follows: ("passage.forced", "passage.tailgated"),
    somebody_goes_the_wrong_way: ("passage.wrong_way",),
    the_arm_is_held_and_let_go: ("passage.held", "passage.rested"),
    everybody_walks_in_a_fire: ("fire.raised", "passage.free", "fire.cleared"),
    the_emergency_button: ("emergency.raised", "emergency.cleared"),
    the_housing_is_opened: ("tamper.raised", "tamper.cleared"),
    a_technician_works_here: (
        *("lane.closed", "lane.opened", "maintenance.begun", "maintenance.tested"),
        *("maintenance.ended", "command.obeyed", "command.refused", "disinfection.done"),
    ),
    another_order_comes_into_force: ("regime.changed",),
    documents_come: ("document.applied", "document.refused"),
    a_household_uses_its_outing: ("quota.used",),
}
