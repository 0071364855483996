"""Parts of a regime that are right by themselves and do not fit together: refused."""

import pytest

from gatepost_config.regime_file import BESIDES

from .regime_files import problems, settings

WHOLE = {
    "a missing row": (
        (', "unknown"]\nmay = "refer"', ']\nmay = "refer"'),
        "mine.toml: no [[entry]] row for: unknown; each category needs one in each direction.",
    ),
    "a category in two rows": (
        ('who = ["resident", "tenant"]', 'who = ["resident", "tenant", "works"]'),
        "mine.toml:69: [[entry]] works has a row already, at mine.toml:63; take it out of one.",
    ),
    "a category twice in a row": (
        ('who = ["resident", "tenant"]', 'who = ["resident", "resident", "tenant"]'),
        "mine.toml:63: [[entry]] resident has a row already, at mine.toml:63; take it out of one.",
    ),
    "an outcome that there is not": (
        ('may = "going_out"', 'may = "admits"'),
        "mine.toml:74: 'admits': no such outcome or choice; did you mean admit?",
    ),
    "a finding's outcome that there is not": (
        ('no_test = { then = "refer" }', 'no_test = { then = "home" }'),
        "mine.toml:52: 'home': no such outcome or choice; there are: admit, admit_and_report, "
        "recheck, refer, redirect, deny, hot_resident, visitors, couriers, vehicles, works, "
        "red_or_yellow_resident, red_or_yellow_tested, unknown_code, returned_resident, "
        "close_contact, going_out, mask, measure_on_exit, red_or_yellow_leaving, hot_leaving.",
    ),
    "a rule that does not exist": (
        ('rules = ["R006"]', 'rules = ["R304", "R006", "R000"]'),
        "mine.toml:45: no such rule: R304, R000; the catalogue has R001 to R303.",
    ),
    "a rule of a check that does not exist": (
        ('health_code = ["R033"]', 'health_code = ["R999"]'),
        "mine.toml:38: no such rule: R999; the catalogue has R001 to R303.",
    ),
    "a rule of the entrances that does not exist": (
        ('open = ["*"]', 'open = ["*"]\nrules = ["R999"]'),
        "mine.toml:8: no such rule: R999; the catalogue has R001 to R303.",
    ),
    "a recipient that there is not": (
        ('tell = ["community at once"]', 'tell = ["communty at once"]'),
        "mine.toml:45: 'communty at once': tell whom? did you mean community?",
    ),
    "a recipient that is like no other": (
        ('tell = ["community at once"]', 'tell = ["x at once"]'),
        "mine.toml:45: 'x at once': tell whom? there are: community, street, health_department, "
        "police, work_team, cdc, competent_department, government_department, "
        "residents_committee, three_person_group, property_office.",
    ),
    "a deadline that there is not": (
        ('tell = ["community at once"]', 'tell = ["community in an hour"]'),
        "mine.toml:45: 'community in an hour': how soon? there are: at once, immediately, in real "
        "time, promptly, daily.",
    ),
    "a recipient without a deadline": (
        ('tell = ["community at once"]', 'tell = ["community"]'),
        "mine.toml:45: 'community': how soon? there are: at once, immediately, in real time, "
        "promptly, daily.",
    ),
    "a choice that there is not": (
        ('mask = "prompt"', 'mask = "prompt"\nmasks = "must"'),
        "mine.toml:32: [choices] masks: no such choice; did you mean mask?",
    ),
    "an option that there is not": (
        ('hot_resident = "home"', 'hot_resident = "hospitals"'),
        "mine.toml:20: [choices] hot_resident = 'hospitals': no such option; did you mean "
        "hospital?",
    ),
    "an option that is like no other": (
        ('going_out = "free"', 'going_out = "x"'),
        "mine.toml:30: [choices] going_out = 'x': no such option; there are: free, quota, "
        "exempt_only.",
    ),
    "two missing choices": (
        ('vehicles = "register"\nworks = "limited"\n', ""),
        "mine.toml:19: [choices] does not say: vehicles, works.",
    ),
    "a missing finding": (
        ('no_clock = { then = "refer" }\n', ""),
        "mine.toml:39: [findings] does not say: no_clock.",
    ),
    "a check whose rules are missing": (
        ('health_code = ["R033"]\n', ""),
        "mine.toml:35: [checks] does not say by which rules: health_code.",
    ),
    "a check twice in the sequence": (
        ('"health_code"]', '"isolation", "health_code"]'),
        "mine.toml:4: sequence has isolation twice.",
    ),
    "a row's check that the sequence has not": (
        ('sequence = ["isolation", "temperature", ', 'sequence = ["isolation", '),
        "mine.toml:4: sequence lacks temperature, for which mine.toml:63 asks; add it.",
    ),
    "a choice's check that the sequence has not": (
        ('may = "refer"', 'may = "visitors"'),
        "mine.toml:4: sequence lacks registered, for which mine.toml:69 asks; add it.",
    ),
}


@pytest.mark.parametrize("what", WHOLE)
def test_what_does_not_fit_together_is_refused(what, tmp_path):
    change, told = WHOLE[what]
    assert problems(tmp_path, change) == [told]


def test_all_that_does_not_fit_together_is_told_at_once(tmp_path):
    changes = [
        ('mask = "prompt"', 'mask = "x"'),
        ('"health_code"]', '"isolation", "health_code"]'),
        ("[window]", "[window]\nstart = 2022-04-01T00:00:00"),
        ('rules = ["R006"]', 'rules = ["R999"]'),
        (', "unknown"]\nmay = "refer"', ']\nmay = "refer"'),
    ]
    told = problems(tmp_path, *changes)
    assert [problem.split(" ")[0] for problem in told] == [
        *("mine.toml:32:", "mine.toml:4:", "mine.toml:5:", "mine.toml:46:", "mine.toml:"),
    ]


def test_of_what_comes_besides_a_regime_need_not_speak_and_then_nothing_follows(tmp_path):
    rows = settings(tmp_path).rows.values()
    for row in rows:
        for finding in BESIDES:
            treatment = row.treatments[finding]
            assert treatment.outcome == "admit"
            assert (treatment.rules, treatment.tell, treatment.say) == ((), (), ())
