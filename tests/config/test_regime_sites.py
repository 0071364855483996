"""A site's file: what it changes, line by line, and what it cannot."""

from zoneinfo import ZoneInfoNotFoundError

import pytest

from gatepost_config import regimes
from gatepost_config.load import ConfigError
from gatepost_config.regimes import load_regime, path_of

from .regime_files import problems, settings, written, written_site

ALLOWED = (
    "timezone, sequence, window, entrances, limits, choices, checks, findings, areas, entry, exit"
)
ZONE_REMEDY = "not a zone of this machine; write one such as 'Asia/Shanghai', or install tzdata."
WRONG = {
    "an unknown table": ("[lamps]\n", f"site.toml:1: lamps: no such table; there are: {ALLOWED}."),
    "a table that is nearly right": (
        "[limit]\n",
        "site.toml:1: limit: no such table; did you mean limits?",
    ),
    "the regime's name": (
        'regime = "ours"\n',
        "site.toml:1: regime: belongs to the regime's own file; take it out.",
    ),
    "the regime's title": (
        'title = "ours"\n',
        "site.toml:1: title: belongs to the regime's own file; take it out.",
    ),
    "a limit that there is not": (
        "[limits]\n\nindex = 37.3\n",
        "site.toml:3: [limits] index: no such key; did you mean index_c?",
    ),
    "a limit out of its range": (
        "[limits]\ncapacity = -1\n",
        "site.toml:2: [limits] capacity = -1: must be a whole number of people from 0 to 1000000, "
        "without quotes or a unit.",
    ),
    "a table that is none": ("limits = 3\n", "site.toml:1: [limits] must be a table."),
    "choices that are none": ("choices = 3\n", "site.toml:1: [choices] must be a table."),
    "entrances without any": (
        "[entrances]\nopen = []\n",
        "site.toml:2: [entrances] open = []: must be a list in [ ] with something in it.",
    ),
    "a choice that there is not": (
        '[choices]\nhot_residents = "home"\n',
        "site.toml:2: [choices] hot_residents: no such choice; did you mean hot_resident?",
    ),
    "an option that there is not": (
        '[choices]\nhot_resident = "homes"\n',
        "site.toml:2: [choices] hot_resident = 'homes': no such option; did you mean home?",
    ),
    "a zone that is no text": (
        "timezone = 8\n",
        "site.toml:1: timezone = 8: must be a name such as 'Asia/Shanghai'.",
    ),
    "an unknown zone": (
        '# ours\ntimezone = "Mars/Olympus"\n',
        f"site.toml:2: timezone = 'Mars/Olympus': {ZONE_REMEDY}",
    ),
    "a file that is no zone": (
        'timezone = "../zone.tab"\n',
        f"site.toml:1: timezone = '../zone.tab': {ZONE_REMEDY}",
    ),
    "a folder of zones": ('timezone = "Asia"\n', f"site.toml:1: timezone = 'Asia': {ZONE_REMEDY}"),
    "no zone": ('timezone = ""\n', f"site.toml:1: timezone = '': {ZONE_REMEDY}"),
    "two rows of one category": (
        '[[exit]]\nwho = ["works", "tenant"]\nmay = "deny"\n'
        '[[exit]]\nwho = ["works"]\nmay = "refer"\n',
        "site.toml:4: [[exit]] works has a row already, at site.toml:1; take it out of one.",
    ),
    "a row without an outcome": (
        '[[exit]]\nwho = ["works"]\n',
        "site.toml:1: [[exit]] may is missing; it must be an outcome or a named choice, in quotes.",
    ),
    "rows that are none": (
        "exit = 3\n",
        "site.toml:1: exit: write [[exit]], once for each row.",
    ),
    "a sequence without a check that is asked for": (
        'sequence = ["isolation", "health_code"]\n',
        "site.toml:1: sequence lacks temperature, for which mine.toml:63 asks; add it.",
    ),
    "a check without rules": (
        'sequence = ["isolation", "temperature", "health_code", "escort"]\n',
        "mine.toml:35: [checks] does not say by which rules: escort.",
    ),
    "a rule that there is not": (
        '[checks]\ntemperature = ["R400"]\n',
        "site.toml:2: no such rule: R400; the catalogue has R001 to R303.",
    ),
    "a rule of the entrances that there is not": (
        '[entrances]\nrules = ["R400"]\n',
        "site.toml:2: no such rule: R400; the catalogue has R001 to R303.",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_line_of_a_site_is_refused_in_the_sites_file(what, tmp_path):
    text, told = WRONG[what]
    assert problems(tmp_path, site=text) == [told]


def test_problems_of_both_files_are_told_together(tmp_path):
    told = problems(tmp_path, ("index_c = 37.3", "index_c = 99"), site="[limits]\nindex_c = 99\n")
    assert [problem.partition(": ")[0] for problem in told] == ["mine.toml:9", "site.toml:2"]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"[limits\n", "not TOML: Expected ']' at the end of a table declaration"),
        (b"\xff", "not UTF-8 text (byte 0)."),
    ],
)
def test_a_site_file_that_cannot_be_read_is_told(content, told, tmp_path):
    site = tmp_path / "site.toml"
    site.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load_regime(written(tmp_path), site)
    (problem,) = caught.value.problems
    assert problem.startswith(f"{site}: {told}")


def test_a_site_file_that_is_missing_is_told(tmp_path):
    with pytest.raises(ConfigError) as caught:
        load_regime(written(tmp_path), tmp_path / "site.toml")
    assert caught.value.problems == (f"{tmp_path}/site.toml: there is no such file.",)


# -------------------------------------------------------------------------------- what it changes

PARTS = ("window", "entrances", "limits", "choices", "rows", "zone")


def differences(one, other):
    return {part for part in PARTS if getattr(one, part) != getattr(other, part)}


def test_an_empty_site_file_changes_nothing(tmp_path):
    assert differences(settings(tmp_path), settings(tmp_path, site="")) == set()


def test_one_limit_is_changed_and_no_other(tmp_path):
    plain, changed = settings(tmp_path), settings(tmp_path, site="[limits]\nindex_c = 37.0\n")
    assert differences(plain, changed) == {"limits"}
    keys = plain.limits.__struct_fields__
    changes = {key for key in keys if getattr(plain.limits, key) != getattr(changed.limits, key)}
    assert changes == {"index_c"}
    assert changed.limits.index_c == 37.0


def test_one_choice_is_changed_wherever_it_is_used_and_nowhere_else(tmp_path):
    site = '[choices]\nhot_resident = "hospital"\n'
    plain, changed = settings(tmp_path), settings(tmp_path, site=site)
    assert differences(plain, changed) == {"choices", "rows"}
    assert changed.choices == {**plain.choices, "hot_resident": "hospital"}
    rows = {key for key, row in plain.rows.items() if row != changed.rows[key]}
    assert rows == {("entry", "resident"), ("entry", "tenant")}
    hot = changed.rows["entry", "resident"].treatments["hot"]
    assert (hot.outcome, hot.rules, hot.by) == (
        "refer",
        ("R011", "R287"),
        "hot_resident = hospital",
    )


@pytest.mark.parametrize(
    ("findings", "outcome", "by"),
    [
        ("", "refer", "going_out = quota"),  # a pass that nobody could verify is none by quota
        ('[findings]\nno_pass = { then = "deny" }\n', "deny", None),
    ],
)
def test_what_a_choice_asks_for_is_asked_at_least(findings, outcome, by, tmp_path):
    site = written_site(tmp_path, f'[choices]\ngoing_out = "quota"\n{findings}')
    row = load_regime(path_of("normal"), site).rows["exit", "resident"]
    assert (row.treatments["no_pass"].outcome, row.treatments["no_pass"].by) == (outcome, by)


def test_one_finding_is_changed_where_no_row_says_otherwise(tmp_path):
    site = '[findings]\nhot = { then = "refer", rules = ["R011"] }\n'
    changed = settings(tmp_path, site=site)
    hot = changed.rows["exit", "resident"].treatments["hot"]
    assert (hot.outcome, hot.rules, hot.tell) == ("refer", ("R011",), ())
    assert hot.place == f"{tmp_path}/site.toml:2"
    assert changed.rows["entry", "resident"].treatments["hot"].by == "hot_resident = home"


def test_a_row_takes_the_place_of_the_whole_row_of_its_categories_alone(tmp_path):
    site = '[[entry]]\nwho = ["tenant", "works"]\nmay = "deny"\nrules = ["R084"]\n'
    plain, changed = settings(tmp_path), settings(tmp_path, site=site)
    assert differences(plain, changed) == {"rows"}
    rows = {key for key, row in plain.rows.items() if row != changed.rows[key]}
    assert rows == {("entry", "tenant"), ("entry", "works")}
    tenant = changed.rows["entry", "tenant"]
    assert (tenant.base.outcome, tenant.base.rules, tenant.checks) == ("deny", ("R084",), ())
    assert tenant.treatments["hot"].outcome == "deny"  # no longer the row's own
    assert tenant.place == f"{tmp_path}/site.toml:1"


def test_the_sequence_is_changed_as_a_whole(tmp_path):
    site = 'sequence = ["temperature", "isolation", "health_code"]\n'
    row = settings(tmp_path, site=site).rows["entry", "resident"]
    assert row.checks == (("temperature", ("R001",)), ("isolation", ()))


def test_the_rules_of_a_check_are_changed_by_its_key(tmp_path):
    row = settings(tmp_path, site='[checks]\nisolation = ["R114"]\n').rows["entry", "resident"]
    assert row.checks == (("isolation", ("R114",)), ("temperature", ("R001",)))


def test_open_entrances_are_changed_and_their_rules_are_kept(tmp_path):
    change = ('open = ["*"]', 'open = ["*"]\nrules = ["R141"]')
    entrances = settings(tmp_path, change, site='[entrances]\nopen = ["north-1"]\n').entrances
    assert (entrances.open, entrances.rules) == (["north-1"], ["R141"])


def test_the_zone_is_changed(tmp_path):
    changed = settings(tmp_path, site='timezone = "Asia/Urumqi"\n')
    assert differences(settings(tmp_path), changed) == {"zone"}
    assert str(changed.zone) == "Asia/Urumqi"


def test_a_machine_without_zones_is_told_what_to_install(tmp_path, monkeypatch):
    def none_here(name):
        raise ZoneInfoNotFoundError(name)

    monkeypatch.setattr(regimes, "ZoneInfo", none_here)
    assert problems(tmp_path) == [f"mine.toml: timezone = 'Asia/Shanghai': {ZONE_REMEDY}"]


def test_a_regime_says_of_each_key_in_which_file_and_line_it_stands(tmp_path):
    changed = settings(tmp_path, site='timezone = "UTC"\n[limits]\n\ncapacity = 9\n[window]\n')
    places = {key: place.replace(f"{tmp_path}/", "") for key, place in changed.places.items()}
    assert places["limits.capacity"] == "site.toml:4"
    assert places["limits.index_c"] == "mine.toml:9"
    assert places["choices.mask"] == "mine.toml:31"
    assert places["findings.hot"] == "mine.toml:45"
    assert places["window"] == "site.toml:5"
    assert places["timezone"] == "site.toml:1"
    assert changed.rows["entry", "resident"].treatments["hot"].place == f"{tmp_path}/mine.toml:68"
