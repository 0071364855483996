"""`gatepost regime` as somebody at a terminal sees it: list, check, explain."""

import re

import pytest

from gatepost.cli.main import main
from gatepost_config.catalogue import catalogue
from gatepost_config.choices import CHOICES
from gatepost_config.regimes import load_regime, path_of, shipped

SITE = """\
timezone = "Asia/Urumqi"
[limits]
index_c = 37.1
[choices]
visitors = "escort"
[window]
start = 2022-04-01T00:00:00
end = 2022-04-05T00:00:00
then = "medium-risk"
[[exit]]
who = ["works"]
may = "refer"
rules = ["R083"]
tell = ["property_office daily"]
say = ["works_stopped"]
"""


@pytest.fixture
def site(tmp_path):
    path = tmp_path / "site.toml"
    path.write_text(SITE, encoding="utf-8")
    return str(path)


@pytest.fixture
def gatepost(capsys):
    """Run a command; return its status, and what it printed."""

    def run(*words):
        status = main(["regime", *words])
        return status, *capsys.readouterr()

    return run


@pytest.fixture
def explained(gatepost):
    """Return what is explained, and the same as one line: words without the line ends."""

    def run(*words):
        status, out, err = gatepost("explain", *words)
        assert (status, err) == (0, "")
        return out, " ".join(out.split())

    return run


# ------------------------------------------------------------------------------------------- list


def test_the_shipped_regimes_are_listed_with_title_and_sources(gatepost):
    status, out, err = gatepost("list")
    assert (status, err) == (0, "")
    assert [re.split(r" {2,}", line) for line in out.splitlines()] == [
        ["case", "A case: sealed building or unit", "000, 002/9, 002/6"],
        ["control-window", "Control window", "002/8"],
        ["lockdown", "Lock-down: exempt roles only", "004"],
        ["medium-risk", "Medium risk: closed management", "002/6"],
        ["normal", "Normal control", "000, 001, 003/4"],
    ]


# ------------------------------------------------------------------------------------------ check


@pytest.mark.parametrize("name", ["normal", "medium-risk", "control-window", "case", "lockdown"])
def test_each_shipped_regime_is_ok(name, gatepost):
    status, out, err = gatepost("check", name)
    assert (status, err) == (0, "")
    assert re.fullmatch(
        rf"ok: {name}: 18 categories in 2 directions, 15 choices, \d{{2}} rules cited\n", out
    )


def test_the_rules_that_are_counted_are_those_of_the_resolved_rows(gatepost):
    row = load_regime(path_of("normal")).rows["entry", "resident"]
    cited = {rule for _, rules in row.checks for rule in rules}
    _, before, _ = gatepost("check", "normal")
    assert int(re.search(r"(\d+) rules", before)[1]) >= len(cited)


def test_a_file_with_a_sites_lines_is_ok_and_its_window_is_told(site, gatepost):
    status, out, err = gatepost("check", str(path_of("normal")), "--site", site)
    assert (status, err) == (0, "")
    assert out.startswith("ok: normal: 18 categories in 2 directions, 15 choices, ")
    assert out.endswith("; its window leads to medium-risk\n")


def test_all_problems_are_told_with_status_2(tmp_path, gatepost):
    site = tmp_path / "site.toml"
    site.write_text('[choices]\nmask = "maybe"\n[[exit]]\nwho = ["works"]\nmay = "denied"\n')
    status, out, err = gatepost("check", "normal", "--site", str(site))
    assert (status, out) == (2, "")
    assert [line.partition(": ")[::2] for line in err.splitlines()] == [
        (
            "gatepost",
            f"{site}:2: [choices] mask = 'maybe': no such option; there are: prompt, must.",
        ),
        ("gatepost", f"{site}:3: 'denied': no such outcome or choice; did you mean deny?"),
    ]


def test_what_no_regime_may_say_is_told_with_status_2(tmp_path, gatepost):
    site = tmp_path / "site.toml"
    site.write_text('[[exit]]\nwho = ["works"]\nmay = "admit"\n')
    for what in ("check", "explain"):
        assert gatepost(what, "normal", "--site", str(site)) == (
            2,
            "",
            f"gatepost: {site}:1: exit of works: lets out without the check isolation (R114).\n",
        )


def test_an_unknown_regime_is_told_with_status_2(gatepost):
    status, out, err = gatepost("explain", "normall")
    assert (status, out) == (2, "")
    assert err == (
        "gatepost: no regime is called 'normall'; did you mean normal? A file's name ends in "
        ".toml.\n"
    )


# ---------------------------------------------------------------------------------------- explain


@pytest.mark.parametrize("name", sorted(shipped()))
def test_a_regime_is_explained_within_a_hundred_columns(name, explained):
    out, _ = explained(name)
    settings = load_regime(path_of(name))
    assert out.startswith(f"{settings.title} ({name})\n=")
    assert max(map(len, out.splitlines())) <= 100
    headings = re.findall(r"^(.+)\n-+$", out, re.MULTILINE)
    assert headings == [
        *("When and where", "Limits", "Named choices", "Coming in", "Going out"),
        *("How to read it", "Rules cited"),
    ]


@pytest.mark.parametrize("name", sorted(shipped()))
def test_every_category_stands_once_in_each_direction(name, explained):
    out, _ = explained(name)
    for title in ("Coming in", "Going out"):
        part = re.split(r"^-+$", out.partition(f"\n{title}\n")[2], flags=re.MULTILINE)[1]
        rows = re.findall(r"^(\w[^\[]*) \[\w+[-\w]*\.toml:\d+\]$", part, re.MULTILINE)
        named = [category for row in rows for category in " ".join(row.split()).split(", ")]
        assert sorted(named) == sorted(
            {category for _, category in load_regime(path_of(name)).rows}
        )


def test_every_choice_is_told_with_all_sides_and_their_rules(explained):
    _, words = explained("normal")
    for name, choice in CHOICES.items():
        assert choice.question in words
        assert f"{name} = " in words
        for key, option in choice.options.items():
            sides = re.findall(rf"(not taken|taken): {key}: [^()]*\(", words)
            assert sides
            assert f"({' '.join(option.rules)})" in words


def test_a_choice_says_which_side_was_taken_and_in_which_line(explained):
    _, words = explained("normal")
    line = lines_of("normal").index('hot_resident = "home"') + 1
    assert (
        "hot_resident = home: A resident above the limit wants to come home "
        f"[normal.toml:{line}] taken: home: let through, and reported; tells community promptly; "
        'says "Please rest at home; the community will contact you" (R005) not taken: refuse: '
    ) in words


def lines_of(name):
    text = path_of(name).read_text(encoding="utf-8")
    return [line.partition("#")[0].strip() for line in text.splitlines()]


def test_a_finding_is_told_with_outcome_choice_recipients_words_rules_and_line(explained):
    _, words = explained("medium-risk", "--category", "resident", "--direction", "entry")
    line = lines_of("medium-risk").index('if.hot = { then = "hot_resident" }') + 1
    assert (
        "above the limit (hot): waits for staff (choice hot_resident = hospital); tells community "
        f"at once, work_team at once (R011 R287) [medium-risk.toml:{line}]"
    ) in words


def test_a_row_names_its_checks_with_their_rules_in_the_sequence(explained):
    out, _ = explained("control-window", "--category", "resident", "--direction", "entry")
    checks = re.findall(r"^  (\w+) is looked at(?: \(([R0-9 ]+)\))?$", out, re.MULTILINE)
    row = load_regime(path_of("control-window")).rows["entry", "resident"]
    assert checks == [(check, " ".join(rules)) for check, rules in row.checks]
    assert ("test", "R035") in checks


def test_one_category_in_one_direction_is_shown_alone(explained):
    out, _ = explained("normal", "--category", "courier", "--direction", "entry")
    assert "Coming in\n" in out
    assert "Going out\n" not in out
    assert re.search(r"^courier \[normal\.toml:\d+\]\n  always: sent elsewhere ", out, re.MULTILINE)
    assert not re.search(r"^(resident|visitor)\b", out, re.MULTILINE)


def test_a_sites_lines_are_marked(site, explained):
    _, words = explained("normal", "--site", site)
    assert "index_c = 37.1 [site site.toml:3]" in words
    assert re.search(r"test_hours = 48 \[normal\.toml:\d+\]", words)
    asked = "visitors = escort: Somebody who does not live here wants to visit"
    assert f"{asked} [site site.toml:5]" in words
    assert (
        "works [site site.toml:10] always: waits for staff; tells property_office within 1 day; "
        'says "Works are stopped at the moment" (R083)'
    ) in words


def test_a_regime_whose_file_begins_like_the_sites_is_not_taken_for_it(tmp_path, explained):
    regime, site = tmp_path / "site.toml.toml", tmp_path / "site.toml"
    regime.write_text(path_of("normal").read_text(encoding="utf-8"), encoding="utf-8")
    site.write_text("", encoding="utf-8")
    _, words = explained(str(regime), "--site", str(site))
    assert "[site.toml.toml:" in words
    assert "[site site" not in words


def test_a_row_says_what_is_sure_before_anything_is_looked_at(explained):
    def first_line(category):
        out, _ = explained("lockdown", "--category", category, "--direction", "entry")
        return re.search(rf"^{category} \[.*\n  ([^:]+): (.*)$", out, re.MULTILINE).groups()

    assert first_line("medical") == ("if nothing is found", "let through (R012 R161 R107)")
    assert first_line("visitor")[0] == "whatever is found, at the least"
    assert first_line("unknown")[0] == "always"


def test_a_window_is_told_with_its_zone_and_what_follows(site, explained):
    _, words = explained("normal", "--site", site)
    assert (
        "days and times are those of Asia/Urumqi [site site.toml:1] in force from 2022-04-01 "
        "00:00+06:00, until 2022-04-05 00:00+06:00 [site site.toml:6] before that: medium-risk "
        "after it: medium-risk entrances that are open: all (R141)"
    ) in re.sub(r" +", " ", words.replace("    ", " "))


def test_a_regime_that_nobody_dated_is_in_force_until_another_is_set(explained):
    _, words = explained("normal")
    assert "those of Asia/Shanghai [where a site names no other] in force from the moment" in words
    assert "until another is set" in words
    assert "before that" not in words
    assert "after it" not in words


def test_a_window_without_a_start_has_nothing_before_it(tmp_path, explained):
    path = tmp_path / "site.toml"
    path.write_text('[window]\nend = 2022-04-05T00:00:00\nthen = "case"\n', encoding="utf-8")
    _, words = explained("normal", "--site", str(path))
    assert "in force from the moment that it is set, until 2022-04-05 00:00+08:00 [site" in words
    assert "after it: case" in words
    assert "before that" not in words


def test_the_words_of_files_and_events_are_explained(explained):
    _, words = explained("normal")
    assert (
        'admit is "let through", admit_and_report is "let through, and reported", recheck is '
        '"measured once more", refer is "waits for staff", redirect is "sent elsewhere", deny is '
        '"not let through".'
    ) in words


def test_entrances_are_named(tmp_path, explained):
    path = tmp_path / "site.toml"
    path.write_text('[entrances]\nopen = ["north-1", "south-1"]\n[window]\nannounced = true\n')
    _, words = explained("lockdown", "--site", str(path))
    assert "entrances that are open: north-1, south-1 (" in words
    assert "until another is set; its end is told separately (R134) [site site.toml:3]" in words


def test_the_rules_that_are_cited_stand_at_the_end_in_words_and_no_others(explained):
    out, words = explained("medium-risk", "--category", "resident")
    body, _, listed = out.partition("\nRules cited\n")
    ids = re.findall(r"^  (R\d{3}): ", listed, re.MULTILINE)
    assert ids == sorted(set(re.findall(r"\bR\d{3}\b", body)))
    for id_ in ids:
        rule = catalogue()[id_]
        assert f"{id_}: {rule.words} ({rule.source}, {rule.strength})" in words


def test_as_markdown_it_has_headings_and_lists_and_the_same_words(site, explained):
    _, words = explained("normal", "--site", site)
    markdown, _ = explained("normal", "--site", site, "--markdown")
    assert markdown.startswith("# Normal control (normal)\n\n- from 000, 001, 003/4\n")
    assert markdown.endswith(")\n")
    assert "\n## Coming in\n\n### resident, tenant [normal.toml:" in markdown
    assert "\n- temperature is looked at (R001 R017)\n  - no measurement (unmeasured): " in markdown
    plain = re.sub(r"^ *(#+|-) ", "", markdown, flags=re.MULTILINE).replace("\\", "")
    without_lines = re.sub(r"\s[=-]{4,}\s", " ", words)
    assert " ".join(plain.split()) == without_lines


def test_wrong_words_are_wrong_usage(capsys):
    for words in (["--category", "neighbour"], ["--direction", "out"]):
        with pytest.raises(SystemExit) as end:
            main(["regime", "explain", "normal", *words])
        assert end.value.code == 2
        assert "invalid choice" in capsys.readouterr().err
