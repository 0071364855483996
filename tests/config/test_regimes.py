"""Each kind of wrong regime: refused with file, line, reason and remedy."""

import os

import pytest

from gatepost_config.load import ConfigError
from gatepost_config.regimes import load_regime, path_of, shipped

from .regime_files import TEXT, problems, settings, written

DEGREES = "must be a number of degrees Celsius from 36 to 42, without quotes or a unit."
WHOLE_DAYS = "must be a whole number of days from 1 to 30, without quotes or a unit."
DATE = "must be a date and time such as 2022-04-01T00:00:00, without quotes."
OUTCOME = "must be an outcome or a named choice, in quotes."
TABLES = (
    "regime, title, sources, sequence, window, entrances, limits, choices, checks, findings, "
    "areas, entry, exit"
)
CHECKS = (
    "isolation, mask, temperature, health_code, trip_card, risk_area, test, pass, registered, "
    "escort, quota, works, capacity"
)


def test_the_regime_of_these_tests_is_right(tmp_path):
    assert settings(tmp_path).name == "mine"


@pytest.mark.parametrize("name", ["normal", "medium-risk", "control-window", "case", "lockdown"])
def test_each_shipped_regime_is_right_and_has_the_name_of_its_file(name):
    assert load_regime(path_of(name)).name == name
    assert name in shipped()


SHAPE = {
    "an unknown table": (
        ("[window]", "[lamps]\n[window]"),
        f"mine.toml:5: lamps: no such table; there are: {TABLES}.",
    ),
    "a table that was nearly right": (
        ("[window]", "[window]\n[choice]"),
        "mine.toml:6: choice: no such table; did you mean choices?",
    ),
    "an unknown key of a row": (
        ('may = "going_out"', 'may = "going_out"\ntells = []'),
        "mine.toml:79: [[exit]] tells: no such key; did you mean tell?",
    ),
    "an unknown key of the window": (
        ("[window]", "[window]\nwhen = 3"),
        "mine.toml:6: [window] when: no such key; did you mean then?",
    ),
    "an unknown key of a finding": (
        ('isolated = { then = "deny" }', 'isolated = { then = "deny", says = [] }'),
        "mine.toml:40: [findings] isolated.says: no such key; did you mean say?",
    ),
    "an unknown category": (
        ('who = ["resident", "tenant"]', 'who = ["resident", "tenants"]'),
        "mine.toml:64: [[entry]] who: 'tenants': no such category; did you mean tenant?",
    ),
    "no category at all": (
        ('who = ["resident", "tenant"]', "who = []"),
        "mine.toml:64: [[entry]] who = []: must be a list in [ ] with something in it.",
    ),
    "an unknown check of a row": (
        ('checks = ["isolation", "temperature"]', 'checks = ["isolation", "temprature"]'),
        "mine.toml:66: [[entry]] checks: 'temprature': no such check; did you mean temperature?",
    ),
    "an unknown check in the sequence": (
        ('"health_code"]', '"health_code", "xyz"]'),
        f"mine.toml:4: sequence: 'xyz': no such check; there are: {CHECKS}.",
    ),
    "an unknown check among the rules of checks": (
        ('health_code = ["R033"]', 'health_code = ["R033"]\nescorts = []'),
        "mine.toml:39: [checks] escorts: no such check; did you mean escort?",
    ),
    "an unknown finding": (
        ('no_test = { then = "refer" }', 'no_test = { then = "refer" }\nno_tests = {}'),
        "mine.toml:53: [findings] no_tests: no such finding; did you mean no_test?",
    ),
    "an unknown finding of a row": (
        ('if.hot = { then = "hot_resident" }', 'if.hots = { then = "hot_resident" }'),
        "mine.toml:68: [[entry]] if.hots: no such finding; did you mean hot?",
    ),
    "a finding that leads to nothing": (
        ('no_test = { then = "refer" }', "no_test = {}"),
        f"mine.toml:52: [findings] no_test.then is missing; it {OUTCOME}",
    ),
    "a finding that is no table": (
        ('no_test = { then = "refer" }', 'no_test = "refer"'),
        "mine.toml:52: [findings] no_test must be a table.",
    ),
    "an outcome that is no text": (
        ('may = "going_out"', "may = true"),
        f"mine.toml:78: [[exit]] may = True: {OUTCOME}",
    ),
    "a rule that has not the form of one": (
        ('rules = ["R001"]\nif', 'rules = ["R1"]\nif'),
        'mine.toml:67: [[entry]] rules: \'R1\': must be a rule such as "R001", or "ours".',
    ),
    "words where the key of a prompt belongs": (
        ('say = ["see_doctor"]', 'say = ["See a doctor"]'),
        "mine.toml:45: [findings] hot.say: 'See a doctor': must be the key of a prompt, such as "
        '"see_doctor".',
    ),
    "a limit below its range": (
        ("index_c = 37.3", "index_c = 35.9"),
        f"mine.toml:9: [limits] index_c = 35.9: {DEGREES}",
    ),
    "a limit above its range": (
        ("quota_days = 2", "quota_days = 31"),
        f"mine.toml:13: [limits] quota_days = 31: {WHOLE_DAYS}",
    ),
    "a limit that must be more than nothing": (
        ("test_hours = 48", "test_hours = 0"),
        "mine.toml:10: [limits] test_hours = 0: must be a number of hours above 0 to 720, without "
        "quotes or a unit.",
    ),
    "a limit that is no number": (
        ("index_c = 37.3", "index_c = nan"),
        f"mine.toml:9: [limits] index_c = nan: {DEGREES}",
    ),
    "a limit in quotes": (
        ("index_c = 37.3", 'index_c = "37.3"'),
        f"mine.toml:9: [limits] index_c = '37.3': {DEGREES}",
    ),
    "part of a day": (
        ("quota_days = 2", "quota_days = 1.5"),
        f"mine.toml:13: [limits] quota_days = 1.5: {WHOLE_DAYS}",
    ),
    "days of observation that no document has": (
        ("observation_days = 14", "observation_days = 10"),
        "mine.toml:17: [limits] observation_days = 10: must be one of 7, 14, 28.",
    ),
    "a missing limit": (
        ("index_c = 37.3\n", ""),
        f"mine.toml:8: [limits] index_c is missing; it {DEGREES}",
    ),
    "a choice that is no text": (
        ('mask = "prompt"', "mask = 1"),
        "mine.toml:31: [choices] mask = 1: must be a text in quotes.",
    ),
    "a date without a time": (
        ("[window]", "[window]\nend = 2022-04-01"),
        f"mine.toml:6: [window] end = 2022-04-01: {DATE}",
    ),
    "a date in quotes": (
        ("[window]", '[window]\nend = "soon"'),
        f"mine.toml:6: [window] end = 'soon': {DATE}",
    ),
    "yes instead of true": (
        ("[window]", '[window]\nannounced = "yes"'),
        "mine.toml:6: [window] announced = 'yes': must be true or false.",
    ),
    "a table that is a number": (
        ('[entrances]\nopen = ["*"]\n', "[entrances]\nopen = 3\n"),
        "mine.toml:7: [entrances] open = 3: must be a list in [ ] with something in it.",
    ),
    "a name with a capital letter": (
        ('regime = "mine"', 'regime = "Mine"'),
        "mine.toml:1: regime = 'Mine': must be a name of a-z, 0-9 and '-', in quotes.",
    ),
    "an empty title": (
        ('title = "An order of our own"', 'title = ""'),
        "mine.toml:2: title = '': must be a text of 1 to 200 characters, in quotes.",
    ),
    "one source that is no list": (
        ('sources = ["000"]', 'sources = "000"'),
        "mine.toml:3: sources = '000': must be a list in [ ] with something in it.",
    ),
    "a missing title": (('title = "An order of our own"\n', ""), "mine.toml: title is missing."),
    "a site's key": (
        ("[window]", 'timezone = "Asia/Shanghai"\n[window]'),
        f"mine.toml:5: timezone: no such table; there are: {TABLES}.",
    ),
}


@pytest.mark.parametrize("what", SHAPE)
def test_what_cannot_stand_there_is_refused(what, tmp_path):
    change, told = SHAPE[what]
    assert problems(tmp_path, change) == [told]


def test_a_row_that_is_one_table_is_told_how_to_write_it(tmp_path):
    change = ('[[exit]]\nwho = ["resident"', '[exit]\nwho = ["resident"')
    assert problems(tmp_path, change) == ["mine.toml:74: exit: write [[exit]], once for each row."]


def test_a_misspelt_key_is_told_together_with_the_one_that_is_missing(tmp_path):
    assert problems(tmp_path, ('who = ["resident", "tenant"]', 'whom = ["resident"]')) == [
        "mine.toml:64: [[entry]] whom: no such key; did you mean who?",
        "mine.toml:63: [[entry]] who is missing; it must be a list in [ ] with something in it.",
    ]


def test_all_problems_of_shape_are_told_at_once(tmp_path):
    changes = [
        ("index_c = 37.3", "index_c = 99"),
        ("quota_days = 2", "quota_days = 0"),
        ("[window]", "[windows]"),
        ('mask = "prompt"', "mask = 3"),
        ('who = ["resident", "tenant"]', 'who = ["neighbour", "tenants"]'),
        ('may = "going_out"', "may = 3"),
    ]
    told = problems(tmp_path, *changes)
    assert [problem.split(": ")[0] for problem in told] == [
        *("mine.toml:5", "mine.toml:9", "mine.toml:13", "mine.toml:31"),
        *("mine.toml:64", "mine.toml:64", "mine.toml:78", "mine.toml"),
    ]


# -------------------------------------------------------------------------------------- the file


def told_of(path):
    with pytest.raises(ConfigError) as caught:
        load_regime(path)
    return list(caught.value.problems)


def test_what_is_not_toml_is_told_with_its_place(tmp_path):
    path = written(tmp_path, ("index_c = 37.3", "index_c = 37,3"))
    (told,) = told_of(path)
    assert told.startswith(f"{path}: not TOML: ")
    assert "(at line 9, column 13)" in told


def test_what_is_not_utf8_is_told_with_its_place(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_bytes(b'title = "\xe9"\n')
    assert told_of(path) == [f"{path}: not UTF-8 text (byte 9)."]


def test_a_missing_file_is_told(tmp_path):
    path = tmp_path / "mine.toml"
    assert told_of(path) == [f"{path}: there is no such file."]


def test_a_directory_is_no_regime(tmp_path):
    assert told_of(tmp_path) == [f"{tmp_path}: cannot be read: Is a directory."]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_told(tmp_path):
    path = written(tmp_path)
    path.chmod(0)
    assert told_of(path) == [f"{path}: cannot be read: Permission denied."]


def test_nesting_beyond_reason_is_told(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(f"x = {'[' * 20000}", encoding="utf-8")
    (told,) = told_of(path)
    assert told.startswith(f"{path}: not TOML: ")


def test_an_empty_file_is_told_all_that_it_lacks(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("# nothing yet\n", encoding="utf-8")
    assert told_of(path) == [
        f"{path}: {name} is missing." for name in TABLES.replace("areas, ", "").split(", ")
    ]


def test_a_regime_that_is_not_shipped_is_told_with_the_nearest():
    with pytest.raises(ConfigError) as caught:
        path_of("lock-down")
    assert caught.value.problems == (
        "no regime is called 'lock-down'; did you mean lockdown? A file's name ends in .toml.",
    )


def test_a_regime_that_is_like_no_other_is_told_all_of_them():
    with pytest.raises(ConfigError) as caught:
        path_of("xyz")
    assert caught.value.problems == (
        "no regime is called 'xyz'; there are: case, control-window, lockdown, medium-risk, "
        "normal. A file's name ends in .toml.",
    )


def test_lines_are_found_however_the_tables_are_written(tmp_path):
    path = tmp_path / "mine.toml"
    sub = 'isolated = { then = "deny" }\n'
    text = TEXT.replace(sub, "").replace(
        "[[entry]]", '[findings.isolated]\nthen = "x"\n[[entry]]', 1
    )
    path.write_text(text, encoding="utf-8")
    (told,) = told_of(path)
    assert told.startswith(f"{path}:62: 'x': no such outcome or choice; ")


def test_a_table_in_one_line_is_told_by_its_file_and_line(tmp_path):
    entrances = ('[entrances]\nopen = ["*"]\n', "")
    inline = ('sources = ["000"]', 'sources = ["000"]\nentrances = { open = [] }')
    assert problems(tmp_path, entrances, inline) == [
        "mine.toml:4: [entrances] open = []: must be a list in [ ] with something in it.",
    ]
