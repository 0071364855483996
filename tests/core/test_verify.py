"""That `gatepost verify` finds what is wrong: faults that are planted in the table."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from gatepost.cli.main import main
from gatepost.core import lane as core_lane
from gatepost.core.states import OUTPUTS, Standing, State, Trigger
from gatepost.core.table import TABLE, Step
from gatepost.core.visit import Lane
from gatepost.verify import diagram, explore
from gatepost.verify import report as verify_report
from gatepost.verify.claims import Property
from gatepost.verify.meanings import RECORDS, STATES
from gatepost.verify.report import SiteReport, verify_site
from gatepost.verify.rules_told import KNOWN_TYPES
from gatepost.verify.world import SITES

ONE_CONTACT, _, BLIND, _ = SITES
README = Path(__file__).parents[2] / "firmware/README.md"


@pytest.fixture
def plant(monkeypatch):
    """Return what changes one step of the table, or makes a trigger ignored or impossible."""

    def planted(state: State, trigger: Trigger, step: Step | None, *, ignored: bool = False):
        row = TABLE[state]
        steps = {key: value for key, value in row.steps.items() if key is not trigger}
        if step is not None:
            steps[trigger] = step
        ignored_now = row.ignored - {trigger} | ({trigger} if ignored else set())
        impossible = row.impossible - {trigger} | (set() if ignored or step else {trigger})
        row = row._replace(steps=steps, ignored=ignored_now, impossible=impossible)
        monkeypatch.setitem(TABLE, state, row)

    return planted


def found(site: str = ONE_CONTACT) -> SiteReport:
    """Walk to the first bad step."""
    report = verify_site(site, SITES[site], first=True)
    assert report.violations
    return report


def broken(site: str = ONE_CONTACT) -> set[str]:
    """Return the properties that the first bad step breaks."""
    return {rule.partition(".")[0] for rule in found(site).violations}


def short_walk(steps: int):
    """Return a walk that ends after so many steps."""

    def walk(policy, see, crash) -> explore.Walk:
        def look(step, node) -> None:
            nonlocal steps
            steps -= 1
            if steps < 0:
                raise explore.EnoughError
            see(step, node)

        return explore.walk(policy, look, crash)

    return walk


def test_a_way_round_the_disk_is_found_and_told_as_a_story(plant):
    plant(State.AWAITING_PASS, Trigger.ENTRY_COMMANDED, Step(State.RELEASED, ("entry.commanded",)))
    story = found().stories[0]
    assert story.property == "S1"
    assert story.lines[0] == f"  on the site: {ONE_CONTACT}"
    assert story.lines[1] == "  an untouched lane"
    assert story.lines[2].split() == ["presence", "on", "->", "AWAITING_PASS"]
    assert story.lines[3] == "  then staff_release on: AWAITING_PASS -> RELEASED"
    assert "STAFF_RELEASE" in story.lines[4]
    assert story.lines[5].startswith("    entry.commanded {'visit': 1")
    assert str(story).startswith("S1 is broken: The entry is freed alone only from DECIDING")


def test_an_entry_whose_record_was_not_written_is_found(plant):
    plant(State.DECIDING, Trigger.NOT_RECORDED, Step(State.RELEASED))
    assert broken(BLIND) == {"S1", "S5"}


@pytest.mark.parametrize(
    ("property_", "state", "trigger", "step"),
    [
        # The second person through the arm counts as the one that was let in.
        ("S2", State.ENTERING, Trigger.TAILGATED, Step(State.ENTERING, ("passage.entered",))),
        # A release whose end nobody hears of.
        ("S2", State.ENTRY_ENDING, Trigger.TIMEOUT, Step(State.CLEARING)),
        # A mode that sends somebody away who is in the arm.
        ("S3", State.ENTERING, Trigger.LOCKDOWN, Step(State.LOCKED)),
        # A pass is enough after staff was asked for.
        ("S4", State.REFERRED, Trigger.PASS_KNOWN, Step(State.MEASURING)),
        # A card in front of an arm that hangs.
        ("S6", State.HELD, Trigger.PASS_KNOWN, Step(State.MEASURING)),
        # It is said that the person was turned away, and they are let in.
        ("S5", State.MEASURING, Trigger.ADMITTED, Step(State.DECIDING, ("visit.denied",))),
    ],
)
def test_a_changed_step_breaks_its_property(plant, property_, state, trigger, step):
    plant(state, trigger, step)
    assert property_ in broken()


def test_a_fire_that_a_state_ignores_is_found(plant):
    plant(State.LEAVING, Trigger.FIRE, None, ignored=True)
    assert broken() >= {"S1", "S3"}


def test_an_impossible_trigger_is_no_surprise_but_a_violation(plant):
    plant(State.REFUSED, Trigger.FORCED, None)
    (story,) = found().stories
    assert story.property == "S8"
    assert "ImpossibleTriggerError: FORCED in state REFUSED" in story.lines[-1]


def test_a_trap_is_found():
    idle, way, trap, inner = (
        explore.Node(Lane(state)) for state in (State.IDLE, *[State.HELD] * 3)
    )
    way.calmer.append(idle)
    trap.calmer.append(inner)
    inner.calmer.append(trap)
    walk = explore.Walk(SITES[BLIND], nodes=[idle, way, trap, inner])
    assert walk.trapped() == [trap, inner]


def test_a_lamp_that_says_something_else_is_found(monkeypatch):
    wrong = OUTPUTS[State.REFUSED]._replace(signal=OUTPUTS[State.RELEASED].signal)
    monkeypatch.setitem(OUTPUTS, State.REFUSED, wrong)
    assert broken() == {"S9"}


def test_a_command_that_is_not_remembered_is_found(monkeypatch):
    monkeypatch.setattr(core_lane, "_served", lambda lane, _command: replace(lane, served=()))
    assert broken() == {"S7"}


def test_a_lane_that_begins_released_is_found(monkeypatch):
    begun = Lane(State.FIRE, standing=frozenset({Standing.FIRE}))
    monkeypatch.setattr(verify_report, "Lane", lambda: begun)
    monkeypatch.setattr(verify_report, "walk", short_walk(1))
    report = verify_site(BLIND, SITES[BLIND])
    assert report.violations["S8.begins_safely"] == 1


def test_a_rule_that_never_has_anything_to_say_is_a_violation(monkeypatch):
    idle = Property("S9", "words")
    idle.rule()(lambda _step: None)
    monkeypatch.setattr(verify_report, "PROPERTIES", (idle,))
    monkeypatch.setattr(verify_report, "walk", short_walk(1000))
    stories = verify_site(BLIND, SITES[BLIND]).stories
    (story,) = [story for story in stories if story.property == "S9"]
    assert "never had anything to say" in story.words


def test_a_rule_has_one_story_and_a_property_three(monkeypatch):
    monkeypatch.setattr(verify_report, "walk", short_walk(1))  # so most rules had nothing to say
    report = verify_site(BLIND, SITES[BLIND])
    told = [story.property for story in report.stories]
    assert max(told.count(property_) for property_ in told) == 3
    assert len({story.rule for story in report.stories}) == len(report.stories)
    assert sum(report.violations.values()) > len(report.stories)


def test_json_is_one_line_and_the_status_is_zero(capsys):
    assert main(["verify", "--json", "--site", "no passage contact"]) == 0
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    numbers = json.loads(out)
    assert list(numbers) == ["states", "transitions", "properties", "violations", "seconds"]
    assert numbers["states"] > 2000
    assert numbers["transitions"] > 100_000
    assert (numbers["properties"], numbers["violations"]) == (9, 0)


def test_a_violation_makes_the_status_one_and_is_told(plant, capsys):
    plant(State.DECIDING, Trigger.NOT_RECORDED, Step(State.RELEASED))
    assert main(["verify", "--first", "--json"]) == 1
    captured = capsys.readouterr()
    assert json.loads(captured.out)["violations"] > 0
    assert "is broken" in captured.err
    assert main(["verify", "--first", "--site", "one passage contact"]) == 1
    assert " violations, in" in capsys.readouterr().out


def test_every_record_has_a_meaning():
    told_elsewhere = {"command.obeyed", "command.refused", "duress.shown", "escalation.raised"}
    told_elsewhere.add("proof.refused")
    assert set(RECORDS) == diagram.recorded_types() | told_elsewhere
    assert set(RECORDS) == KNOWN_TYPES
    assert list(STATES) == list(State)


@pytest.mark.packaging
def test_the_readme_of_the_firmware_is_what_the_table_says():
    text = README.read_text(encoding="utf-8")
    renew = "it is stale: run gatepost verify --diagram firmware/README.md"
    assert diagram.renewed(text) == text, renew


def test_the_diagram_is_printed_or_renewed_in_a_file(tmp_path, capsys):
    assert main(["verify", "--diagram"]) == 0
    printed = capsys.readouterr().out
    assert "stateDiagram-v2\n    [*] --> IDLE" in printed
    path = tmp_path / "readme.md"
    path.write_text(f"before\n{diagram.BEGIN}\nstale\n{diagram.END}\nafter\n", encoding="utf-8")
    assert main(["verify", "--diagram", str(path)]) == 0
    text = path.read_text(encoding="utf-8")
    assert text == f"before\n{diagram.BEGIN}\n\n{printed}\n{diagram.END}\nafter\n"


def test_a_file_without_the_markers_is_left_alone(tmp_path, capsys):
    path = tmp_path / "readme.md"
    path.write_text("nothing\n", encoding="utf-8")
    with pytest.raises(SystemExit) as ended:
        main(["verify", "--diagram", str(path)])
    assert ended.value.code == 1
    assert "no <!-- begin" in capsys.readouterr().err
    assert path.read_text(encoding="utf-8") == "nothing\n"


def test_an_unknown_site_is_wrong_usage(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["verify", "--site", "nowhere"])
    assert ended.value.code == 2
    assert "there are: pass first" in capsys.readouterr().err
