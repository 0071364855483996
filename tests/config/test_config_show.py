"""`gatepost config show`: the settings in force, as a file that says the same."""

import json
import re
import tomllib
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatepost.cli.main import main
from gatepost.wiring.news import settings_digest
from gatepost_config.commented import commented, example, is_changed, lines_of
from gatepost_config.load import load, parse
from gatepost_config.reference import entries, values
from gatepost_config.settings import Settings, decode_path
from gatepost_config.toml_text import written
from gatepost_services.state_file import write_state

from .any_settings import LETTERS, documents, value_of

DEFAULT_LINE = re.compile(r"^(\w+) = (.*?)  +# (default|set)", re.MULTILINE)


def converted(document):
    """Return settings without what is checked of several together."""
    return msgspec.convert(document, Settings, dec_hook=decode_path)


def shown(path, *options, capsys):
    assert main(["config", "show", "--config", str(path), *options]) == 0
    return capsys.readouterr().out


@settings(max_examples=150, deadline=None)
@given(document=documents, only_changed=st.booleans(), origins=st.booleans())
def test_what_is_shown_is_a_file_with_the_same_settings(document, only_changed, origins):
    those = converted(document)
    lines = lines_of(document, "") if origins else {}
    text = commented(those, lines, heading=("A heading.",), only_changed=only_changed)
    assert converted(tomllib.loads(text)) == those


@settings(max_examples=200, deadline=None)
@given(st.text(LETTERS) | st.floats(allow_nan=False) | st.integers() | st.booleans())
def test_a_written_value_reads_back_as_it_was(value):
    text = written(value)
    read = tomllib.loads(f"x = {text}")["x"]
    assert (read, type(read)) == (value, type(value))
    assert text.isprintable()


def test_what_is_no_setting_cannot_be_written():
    with pytest.raises(TypeError):
        written(None)


@pytest.mark.parametrize("name", list(entries()))
def test_every_setting_is_shown_with_where_it_is_from(name, least_text):
    those = parse(tomllib.loads(least_text), path=Path("gate.toml"))
    entry = entries()[name]
    lines = commented(those, {name: 7}, heading=()).splitlines()
    statement = f"{entry.key} = {written(values(those)[name])}"
    at = lines.index(next(line for line in lines if line.startswith(f"[{entry.section}]")))
    comment = next(line for line in lines[at:] if line.startswith(f"{statement} "))
    told = comment.removeprefix(statement).strip()
    assert told.startswith("# set in line 7")
    whole = " ".join(line.strip().lstrip("# ") for line in lines[at:])
    if entry.unit:
        assert f"{entry.allowed} {entry.unit}." in whole
    assert entry.text.split(". ")[0] in whole


def test_a_default_is_told_from_what_the_file_says(write, least_text, capsys):
    text = shown(write(least_text), capsys=capsys)
    assert '\nsite = "example-court"                  # set in line 2. 1 to 63 of' in text
    assert (
        "\noffset_c = 2.43                         # set in line 6, default 2.5. 0 to 6 °C." in text
    )
    assert "\nlimit_c = 37.3                          # default. 37 to 42 °C." in text
    told = [key for key, _, origin in DEFAULT_LINE.findall(text) if origin == "set"]
    assert told == ["site", "name", "offset_c", "broker_host"]


def test_lines_fit_a_terminal_of_100_columns(write, least_text, capsys):
    text = shown(write(least_text), capsys=capsys) + example()
    assert [line for line in text.splitlines() if len(line) > 100] == []


def test_only_what_is_not_as_the_default(write, least_text, capsys):
    path = write(f"{least_text}[pins]\nfire = 16\nbuzzer = 18\n")
    text = shown(path, "--changed", capsys=capsys)
    document = tomllib.loads(text)
    assert document == {
        "gate": {"site": "example-court", "name": "north-1"},
        "screening": {"offset_c": 2.43},
        "pins": {"buzzer": 18},
        "link": {"broker_host": "mqtt.example.org"},
    }


def test_what_is_written_otherwise_is_set_without_a_line(write, capsys):
    path = write(
        'lane = { measure_attempts = 2 }\ngate.site = "a"\ngate.name = "b"\n'
        '["link"]\n"broker_host" = "x"\n[ sensor ] # here\n  i2c_bus=1\n'
    )
    text = shown(path, capsys=capsys)
    assert "measure_attempts = 2                    # set, default 3." in text
    assert "i2c_bus = 1                             # set in line 7, default 3." in text
    assert 'site = "a"                              # set. ' in text


def test_a_line_within_a_text_is_no_setting():
    text = '[link]\nstatus_s = 30\nbroker_host = """\nstatus_s = 9"""\n'
    assert lines_of(tomllib.loads(text), text) == {"link.status_s": 2, "link.broker_host": 3}


@pytest.mark.parametrize("changed", [False, True])
def test_json_says_the_same(changed, write, least_text, capsys):
    path = write(f"{least_text}[turnstile]\nrelease_hold_s = 8\n")
    told = json.loads(shown(path, "--json", *["--changed"] * changed, capsys=capsys))
    found = {f"{each['section']}.{each['key']}": each for each in told["settings"]}
    those = values(load(path))
    wanted = [name for name in entries() if not changed or is_changed(entries()[name], those[name])]
    assert list(found) == wanted
    assert found["turnstile.release_hold_s"] == {
        "section": "turnstile",
        "key": "release_hold_s",
        "value": 8.0,
        "unit": "s",
        "is_set": True,
        "line": 11,
        "is_changed": True,
        "matters": "safety",
        "restart": ["gatepost-gate"],
    }
    document = {}
    for each in told["settings"]:
        document.setdefault(each["section"], {})[each["key"]] = each["value"]
    assert converted(document) == load(path)


# ------------------------------------------------------------------------------------------ secrets


def test_no_secret_is_looked_into(write, least_text, tmp_path, capsys):
    keys = {
        **{("tls", key): tmp_path / f"{key}.pem" for key in ("ca", "certificate", "key")},
        ("passes", "step_secret"): tmp_path / "step.secret",
        ("paths", "roster_key"): tmp_path / "roster.key",
        ("paths", "calibration_dir"): tmp_path / "calibration",
    }
    text = least_text
    for (section, key), path in keys.items():
        path.write_text("CANARY-7f3a")
        text += f"[{section}]\n" if f"[{section}]" not in text else ""
        text = text.replace(f"[{section}]\n", f'[{section}]\n{key} = "{path}"\n')
    path = write(text)
    for options in ([], ["--json"], ["--changed"]):
        told = shown(path, *options, capsys=capsys)
        assert "CANARY" not in told
        assert str(tmp_path / "roster.key") in told


# ---------------------------------------------------------------- what the gate has, and a bad file


def test_it_is_told_whether_the_gate_started_with_these(write, least_text, tmp_path, capsys):
    path = write(f'{least_text}[paths]\ngate_dir = "{tmp_path}"\n')
    those = load(path)

    def told():
        heading = " ".join(
            line.lstrip("# ") for line in shown(path, capsys=capsys).splitlines() if line[:1] == "#"
        )
        return heading, json.loads(shown(path, "--json", capsys=capsys))["gate_runs_with_it"]

    heading, runs = told()
    assert "is not known here" in heading
    assert runs is None
    write_state(those.paths.settings_digest, settings_digest(those).encode())
    heading, runs = told()
    assert "started last with these settings" in heading
    assert runs is True
    write_state(those.paths.settings_digest, b"\xff" * 64)
    heading, runs = told()
    assert "OTHER settings" in heading
    assert runs is False


def test_a_bad_file_is_not_shown(write, capsys):
    path = write('[gate]\nsite = "North"\n')
    assert main(["config", "show", "--config", str(path)]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert "[gate] site = 'North'" in told.err


def test_a_path_cannot_end_its_comment(tmp_path, least_text, capsys):
    path = tmp_path / "a\n[lane]\nmeasure_attempts = 9 \x1b[2J"
    path.write_text(least_text)
    text = shown(path, capsys=capsys)
    assert converted(tomllib.loads(text)) == load(path)
    assert "\x1b" not in text


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_the_line_of_a_setting_is_that_of_its_key(data):
    chosen = data.draw(st.lists(st.sampled_from(list(entries())), unique=True, min_size=1))
    text, where = "# a file\n", {}
    for name in chosen:
        entry = entries()[name]
        head = "" if f"\n[{entry.section}]" in text else f"[{entry.section}]\n"
        if not head:
            continue
        value = written(data.draw(value_of(entry)))
        text += f"{head}\n  {entry.key} = {value} # x\n"
        where[name] = text.count("\n")
    assert lines_of(tomllib.loads(text), text) == where
