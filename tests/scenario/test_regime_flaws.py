"""What no regime may say is refused when it is read: with the file, the line and the rule."""

import pytest

from gatepost.wiring.regimes import load
from gatepost_config import regimes
from gatepost_config.load import ConfigError
from gatepost_config.regimes import path_of

RESIDENT = """\
[[entry]]
who = ["resident"]
may = "admit"
checks = ["isolation", "temperature"]
"""
VISITOR = """\
[[entry]]
who = ["visitor"]
may = "admit"
checks = ["temperature", "health_code"]
"""
LEAVING = """\
[[exit]]
who = ["resident"]
may = "admit"
checks = ["isolation"]
"""
FLAWS = {
    "nobody comes in unmeasured": (
        '[[entry]]\nwho = ["resident"]\nmay = "admit"\nchecks = ["isolation"]\n',
        "site.toml:1: entry of resident: lets in without the check temperature (R001).",
    ),
    "a measurement that says nothing is no pass": (
        f'{RESIDENT}if.unmeasured = {{ then = "admit" }}\n',
        "site.toml:5: entry of resident, unmeasured: a measurement that says nothing lets nobody "
        "in (S4).",
    ),
    "a measurement too near to the limit is no pass": (
        f'{RESIDENT}if.near_limit = {{ then = "admit_and_report" }}\n',
        "site.toml:5: entry of resident, near_limit: a measurement that says nothing lets nobody "
        "in (S4).",
    ),
    "nobody who is hot comes in without a word": (
        f'{RESIDENT}if.hot = {{ then = "admit" }}\n',
        "site.toml:5: entry of resident, hot: who is above the limit may come in only as "
        "admit_and_report.",
    ),
    "nobody from outside comes in without a code": (
        '[[entry]]\nwho = ["visitor"]\nmay = "admit"\nchecks = ["temperature"]\n',
        "site.toml:1: entry of visitor: lets in somebody from outside without the check "
        "health_code (R033).",
    ),
    "nobody from outside comes in with a red or yellow code": (
        f'{VISITOR}if.coded_tested = {{ then = "admit_and_report" }}\n',
        "site.toml:5: entry of visitor, coded_tested: nobody from outside comes in with a red or "
        "yellow code (R004).",
    ),
    "nobody goes out unasked whether they must stay": (
        '[[exit]]\nwho = ["resident"]\nmay = "admit"\n',
        "site.toml:1: exit of resident: lets out without the check isolation (R114).",
    ),
    "nobody goes out who must stay": (
        f'{LEAVING}if.isolated = {{ then = "admit_and_report" }}\n',
        "site.toml:5: exit of resident, isolated: who must stay at home is not let out "
        "(R114 R124).",
    ),
    "nobody is worse off with a test": (
        f'{VISITOR}if.coded = {{ then = "refer" }}\nif.coded_tested = {{ then = "deny" }}\n',
        "site.toml:6: entry of visitor, coded_tested: is stricter than coded: a test makes nobody "
        "worse off (R038).",
    ),
    "an if that no check of the row can find": (
        f'{LEAVING}if.over_quota = {{ then = "deny" }}\n',
        "site.toml:5: [[exit]] if.over_quota: no check of this row finds that; add the check, or "
        "take the line out.",
    ),
}


def told(tmp_path, site, regime="normal"):
    path = tmp_path / "site.toml"
    path.write_text(site, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load(regime, path)
    return [problem.replace(f"{tmp_path}/", "") for problem in caught.value.problems]


@pytest.mark.parametrize("what", FLAWS)
def test_a_site_cannot_undo_what_no_order_may(what, tmp_path):
    site, sentence = FLAWS[what]
    assert told(tmp_path, site) == [sentence]


def test_a_word_that_nobody_can_say_is_told_with_the_choice_of_words(tmp_path):
    (problem,) = told(tmp_path, f'{LEAVING}say = ["go_away"]\n')
    assert problem.startswith(
        "site.toml:1: exit of resident: says go_away; there are: show_pass, hold_still, once_more, "
    )


@pytest.mark.parametrize(
    ("lines", "gate", "is_open"),
    [
        ("", "north-1", True),
        ("", None, True),
        ('[entrances]\nopen = ["north-1", "south-1"]\n', "south-1", True),
        ('[entrances]\nopen = ["north-1"]\n', "south-1", False),
        ('[entrances]\nopen = ["north-1"]\n', None, True),  # judged for no gate in particular
    ],
)
def test_a_gate_is_open_where_its_name_or_all_are(lines, gate, is_open, tmp_path):
    path = tmp_path / "site.toml"
    path.write_text(lines, encoding="utf-8")
    assert load("normal", path, gate)["normal"].entrance_open is is_open


def test_a_finding_of_the_whole_order_is_told_by_its_own_line(tmp_path):
    site = '[findings]\nisolated = { then = "admit" }\n'
    problems = told(tmp_path, site)
    why = "who must stay at home is not let out (R114 R124)."
    assert f"site.toml:2: exit of resident, isolated: {why}" in problems
    assert all(problem.startswith("site.toml:2: exit of ") for problem in problems)


def test_a_choice_that_is_to_blame_is_named(tmp_path):
    site = (
        '[choices]\nreturned_resident = "admit"\n'
        f'{VISITOR}if.coded_tested = {{ then = "returned_resident" }}\n'
    )
    assert told(tmp_path, site) == [
        "site.toml:7: entry of visitor, coded_tested (by returned_resident = admit): nobody from "
        "outside comes in with a red or yellow code (R004)."
    ]


def test_all_flaws_are_told_at_once(tmp_path):
    coming = f'{VISITOR}if.coded_tested = {{ then = "admit" }}\n'
    site = f'{LEAVING}if.isolated = {{ then = "admit" }}\n{coming}'
    assert [problem.partition(" ")[0] for problem in told(tmp_path, site)] == [
        "site.toml:10:",
        "site.toml:5:",
    ]


def test_a_flaw_of_the_regime_that_follows_is_told_before_it_is_in_force(tmp_path, monkeypatch):
    text = path_of("normal").read_text(encoding="utf-8")
    dated = '[window]\nend = 2022-04-05T00:00:00\nthen = "after"\n#'
    lines = text.replace('regime = "normal"', 'regime = "after"').splitlines()
    number = next(number for number, line in enumerate(lines) if line.startswith("isolated ="))
    lines[number] = 'isolated = { then = "admit" }'
    (tmp_path / "normal.toml").write_text(text.replace("[window]", dated), encoding="utf-8")
    (tmp_path / "after.toml").write_text("\n".join(lines), encoding="utf-8")
    monkeypatch.setattr(regimes, "_FOLDERS", (tmp_path,))
    problems = told(tmp_path, "")
    assert problems
    assert all(problem.startswith(f"after.toml:{number + 1}: exit of ") for problem in problems)
