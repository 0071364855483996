"""`gatepost decide` as it is typed: facts in, one decision a line out."""

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from gatepost.cli.main import main
from gatepost_config import regimes
from gatepost_config.regimes import path_of

RESIDENT = {
    "direction": "entry",
    "category": "resident",
    "zone": "pass",
    "index_c": 36.6,
    "health_code": "green",
    "mask": "worn",
}
HOT = RESIDENT | {"zone": "refer", "index_c": 37.8}
WINDOW = """\
[window]
start = 2022-04-01T00:00:00
end = 2022-04-05T00:00:00
before = "medium-risk"
then = "normal"
"""


@pytest.fixture
def site(tmp_path):
    path = tmp_path / "site.toml"

    def write(text):
        path.write_text(text, encoding="utf-8")
        return str(path)

    return write


@pytest.fixture
def decide(tmp_path, capsys):
    """Decide on some facts; return the status and what was printed, line by line."""

    def run(*facts, regime="normal", more=()):
        path = tmp_path / "facts.jsonl"
        lines = [fact if isinstance(fact, str) else json.dumps(fact) for fact in facts]
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        status = main(["decide", "--regime", str(regime), *more, str(path)])
        return status, [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    return run


def test_a_decision_has_these_keys_in_this_order(decide):
    status, (decision,) = decide(HOT)
    assert status == 0
    assert list(decision) == [
        *("outcome", "release", "rules", "tell", "record", "say", "reason"),
        "regime",
    ]
    assert decision == {
        "outcome": "admit_and_report",
        "release": True,
        "rules": decision["rules"],
        "tell": [{"who": "community", "within_s": 0}],
        "record": True,
        "say": ["go", "rest_at_home"],
        "reason": "hot",
        "regime": "normal",
    }
    assert "R005" in decision["rules"]


def test_a_shipped_regime_is_found_by_its_name(decide):
    _, (decision,) = decide(HOT, regime="medium-risk")
    assert (decision["outcome"], decision["regime"]) == ("refer", "medium-risk")
    assert set(decision["rules"]) >= {"R011", "R287"}


def test_a_regime_is_read_from_a_file(decide, tmp_path):
    path = tmp_path / "tonight.toml"
    text = path_of("normal").read_text(encoding="utf-8")
    path.write_text(
        text.replace('regime = "normal"', 'regime = "tonight"').replace(
            'hot_resident = "home"', 'hot_resident = "refuse"'
        ),
        encoding="utf-8",
    )
    _, (decision,) = decide(HOT, regime=path)
    assert (decision["outcome"], decision["regime"]) == ("deny", "tonight")
    assert "R006" in decision["rules"]


def test_a_line_of_a_site_file_changes_the_regime(decide, site):
    file = site('[choices]\nhot_resident = "hospital"\n')
    _, (decision,) = decide(HOT, more=["--site", file])
    assert (decision["outcome"], decision["release"]) == ("refer", False)
    assert set(decision["rules"]) >= {"R011", "R287"}
    assert [notice["who"] for notice in decision["tell"]] == ["community", "work_team"]


def test_facts_come_from_the_input_where_the_file_is_a_dash(monkeypatch, capsys):
    text = f"{json.dumps(RESIDENT)}\n{json.dumps(HOT)}\n".encode()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text)))
    assert main(["decide", "--regime", "normal", "-"]) == 0
    outcomes = [json.loads(line)["outcome"] for line in capsys.readouterr().out.splitlines()]
    assert outcomes == ["admit", "admit_and_report"]


def test_bad_lines_are_told_by_their_number_and_the_others_are_decided(decide):
    status, answers = decide(
        RESIDENT,
        "no JSON",
        "",
        RESIDENT | {"direction": "out"},
        RESIDENT | {"helth_code": "green"},
        {"direction": "entry"},
        RESIDENT | {"category": "neighbour"},
        HOT,
    )
    assert status == 1
    assert [answer.get("outcome") for answer in answers] == [
        *("admit", None, None, None, None, None, "admit_and_report"),
    ]
    assert [answer.get("line") for answer in answers] == [None, 2, 4, 5, 6, 7, None]
    errors = [answer["error"] for answer in answers if "error" in answer]
    assert errors[1:] == [
        "direction: Invalid enum value 'out'",
        "Object contains unknown field `helth_code`",
        "Object missing required field `category`",
        "category: Invalid enum value 'neighbour'",
    ]


def test_what_is_no_text_is_told_and_the_next_line_is_decided(tmp_path, capsys):
    path = tmp_path / "facts.jsonl"
    path.write_bytes(b'{"direction":"\xff"}\n' + json.dumps(RESIDENT).encode() + b"\n")
    assert main(["decide", "--regime", "normal", str(path)]) == 1
    first, second = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert first["line"] == 1
    assert second["outcome"] == "admit"


def test_two_facts_are_enough_and_everything_else_is_unknown(decide):
    status, (decision,) = decide({"direction": "entry", "category": "resident"})
    assert (status, decision["release"]) == (0, False)


def test_an_empty_file_is_decided_in_no_lines(decide):
    assert decide() == (0, [])


@pytest.mark.parametrize("text", ["", "2022-04-02T12:00:00Z", "2022-04-02T20:00:00+08:00"])
def test_unknown_is_null_and_times_have_any_offset(text, decide):
    facts = {"now_utc": text or None, "test": None, "pass": None, "escort": None, "mask": None}
    status, (decision,) = decide(RESIDENT | facts)
    assert (status, decision["outcome"]) == (0, "admit")


@pytest.mark.parametrize("last_exit_utc", ["0001-01-01T00:00:00Z", "9999-12-31T23:00:00Z"])
@pytest.mark.parametrize("now_utc", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
def test_the_ends_of_the_calendar_are_decided_as_any_other_time(last_exit_utc, now_utc, decide):
    facts = {
        "direction": "exit",
        "category": "resident",
        "pass": {"id": "p1", "household": "h1", "valid": True},
        "household_last_exit_utc": last_exit_utc,
        "now_utc": now_utc,
    }
    status, (decision,) = decide(facts, regime="medium-risk")
    assert (status, decision["regime"]) == (0, "medium-risk")


def test_a_time_beyond_the_calendar_is_no_time(decide):
    status, (answer,) = decide(RESIDENT | {"now_utc": "0001-01-01T00:00:00+14:00"})
    assert (status, [*answer]) == (1, ["line", "error"])


# ---------------------------------------------------------------------------------------- windows


@pytest.mark.parametrize(
    ("now_utc", "regime"),
    [
        ("2022-03-31T15:59:59Z", "medium-risk"),
        ("2022-03-31T16:00:00Z", "control-window"),  # midnight of the site
        ("2022-04-04T15:59:59Z", "control-window"),
        ("2022-04-04T16:00:00Z", "normal"),
        ("2022-03-31T15:59:59", "medium-risk"),  # without an offset it is UTC
        ("2022-03-31T16:00:00", "control-window"),
        # An order stands until somebody who knows the time ends it.
        (None, "control-window"),
    ],
)
def test_a_dated_window_is_in_force_from_its_start_until_its_end(now_utc, regime, decide, site):
    facts = RESIDENT | {"now_utc": now_utc}
    _, (decision,) = decide(facts, regime="control-window", more=["--site", site(WINDOW)])
    assert decision["regime"] == regime


def test_each_line_is_judged_at_its_own_time(decide, site):
    instants = ["2022-04-05T00:00:00Z", "2022-04-02T00:00:00Z", "2022-03-01T00:00:00Z"]
    facts = [RESIDENT | {"now_utc": now_utc} for now_utc in instants]
    _, decisions = decide(*facts, regime="control-window", more=["--site", site(WINDOW)])
    assert [decision["regime"] for decision in decisions] == [
        *("normal", "control-window", "medium-risk"),
    ]
    assert [decision["outcome"] for decision in decisions[:2]] == ["admit", "deny"]


def test_a_shipped_regime_is_in_force_at_any_time(decide):
    facts = [RESIDENT | {"now_utc": f"{year}-01-01T00:00:00Z"} for year in (1980, 2022, 2099)]
    _, decisions = decide(*facts, regime="lockdown")
    assert {decision["regime"] for decision in decisions} == {"lockdown"}


def test_a_sites_lines_change_the_regime_that_follows_as_well(decide, site):
    lines = f'{WINDOW}[choices]\nhot_resident = "refuse"\n'
    facts = HOT | {"now_utc": "2022-06-01T00:00:00Z"}
    _, (decision,) = decide(facts, regime="control-window", more=["--site", site(lines)])
    assert (decision["regime"], decision["outcome"]) == ("normal", "deny")


def test_regimes_that_follow_each_other_in_a_circle_are_told_in_the_line(
    decide, tmp_path, monkeypatch
):
    # No shipped regime is dated, so the folder of the shipped ones is another here.
    text = path_of("normal").read_text(encoding="utf-8")
    dated = '[window]\nend = 2022-04-05T00:00:00\nthen = "{}"\n#'
    for name, follower in (("one", "two"), ("two", "one")):
        changed = text.replace('regime = "normal"', f'regime = "{name}"')
        changed = changed.replace("[window]", dated.format(follower))
        (tmp_path / f"{name}.toml").write_text(changed, encoding="utf-8")
    monkeypatch.setattr(regimes, "_FOLDERS", (tmp_path,))
    during, after = "2022-04-01T00:00:00Z", "2022-05-01T00:00:00Z"
    facts = [RESIDENT | {"now_utc": now_utc} for now_utc in (during, after)]
    status, (decision, error) = decide(*facts, regime="one")
    assert (status, decision["regime"]) == (1, "one")
    assert error == {"line": 2, "error": "no regime is in force: one then two then one"}


# ----------------------------------------------------------------------------------- wrong usage


def gatepost(*arguments, facts=""):
    done = subprocess.run(
        [sys.executable, "-m", "gatepost", *arguments],
        input=facts,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def test_it_runs_as_a_command_of_its_own():
    status, out, err = gatepost("decide", "--regime", "normal", "-", facts=json.dumps(RESIDENT))
    assert (status, err) == (0, "")
    assert json.loads(out)["outcome"] == "admit"


def test_an_unknown_regime_ends_with_status_2_and_a_hint():
    assert gatepost("decide", "--regime", "mediumrisk", "-") == (
        2,
        "",
        "gatepost: no regime is called 'mediumrisk'; did you mean medium-risk? A file's name ends "
        "in .toml.\n",
    )


def test_a_wrong_site_file_ends_with_status_2_before_anything_is_decided(site):
    file = site("[limits]\nindex_c = 50\nquota_days = 0\n")
    command = ("decide", "--regime", "normal", "--site", file, "-")
    status, out, err = gatepost(*command, facts=json.dumps(RESIDENT))
    assert (status, out) == (2, "")
    assert err == (
        f"gatepost: {file}:2: [limits] index_c = 50: must be a number of degrees Celsius from 36 "
        "to 42, without quotes or a unit.\n"
        f"gatepost: {file}:3: [limits] quota_days = 0: must be a whole number of days from 1 to "
        "30, without quotes or a unit.\n"
    )


def test_facts_that_cannot_be_read_end_with_status_1(tmp_path):
    path = Path(tmp_path) / "facts.jsonl"
    told = gatepost("decide", "--regime", "normal", str(path))
    assert told == (1, "", f"gatepost: {path}: cannot be read: No such file or directory\n")


def test_without_a_regime_it_is_wrong_usage():
    status, out, err = gatepost("decide", "-")
    assert (status, out) == (2, "")
    assert err.endswith("the following arguments are required: --regime\n")
