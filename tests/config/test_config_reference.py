"""The reference has every setting, and says of each what the code does with it."""

import ast
import errno
import inspect
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from msgspec import NODEFAULT
from msgspec.structs import fields

import gatepost.wiring.link
import gatepost.wiring.security
from gatepost.cli.config_text import reference_markdown, reference_text, renewed_reference
from gatepost.cli.main import main
from gatepost.wiring.thermometer import part_problems
from gatepost_config.commented import example
from gatepost_config.paths import Paths
from gatepost_config.reference import entries, sections
from gatepost_config.settings import Settings

CONFIG = Path(__file__).parents[2] / "config"
NAMES = [
    f"{section.name}.{each.name}" for section in fields(Settings) for each in fields(section.type)
]
# Numbers without a unit: they count something, or number it.
COUNTS = {
    *("lane.measure_attempts", "screening.samples", "sensor.emissivity", "sensor.i2c_bus"),
    *("sensor.address", "link.broker_port", "link.window", "journal.max_events"),
}


def test_every_setting_is_in_the_reference_and_nothing_else():
    assert sorted(entries()) == sorted(NAMES)


def test_the_text_file_has_no_key_that_the_settings_do_not_have():
    text = (Path(inspect.getfile(sections.__wrapped__)).parent / "reference.toml").read_text()
    found, section = [], ""
    for line in text.splitlines():
        if head := re.match(r"\[(\w+)\]", line):
            section = head[1]
        elif key := re.match(r"keys\.(\w+) = ", line):
            found.append(f"{section}.{key[1]}")
    assert sorted(found) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_every_setting_says_what_it_does_and_what_it_may_be(name):
    entry = entries()[name]
    assert len(entry.text) >= 8
    assert entry.text.endswith(".")
    assert entry.allowed
    assert entry.restart
    assert bool(entry.example) == (entry.default is NODEFAULT)


@pytest.mark.parametrize("name", NAMES)
def test_a_number_has_a_unit_or_is_a_count_or_a_line(name):
    entry = entries()[name]
    is_bare = "number" not in entry.kind or entry.is_line or name in COUNTS
    assert bool(entry.unit) != (is_bare and name != "reader.baud")


@pytest.mark.parametrize(
    "name",
    [
        *("screening.limit_c", "screening.guard_c", "screening.offset_c", "screening.learns"),
        *("turnstile.release_hold_s", "turnstile.release", "turnstile.pulse_s"),
        *("turnstile.relay_active", "turnstile.test_s", "turnstile.passage"),
        *("sensor.supply_v", "sensor.emissivity", "sensor.part", "sensor.calibration"),
        *("regime.name", "regime.site", "regime.exits", "lane.exit_in_lockdown"),
        *("watchdog.device", "watchdog.timeout_s", "pins.debounce_s"),
        *(name for name in NAMES if name.startswith("pins.") and name != "pins.tamper"),
        *("reader.d0", "reader.d1", "reader.exit_d0", "reader.exit_d1"),
    ],
)
def test_limits_fire_pins_polarity_and_release_times_are_marked(name):
    assert entries()[name].matters == "safety"


@pytest.mark.parametrize(
    "name",
    ["passes.root_key", "tls.ca", "tls.key", "link.transport", "paths.roster_key", "gate.site"],
)
def test_whom_the_gate_believes_is_marked(name):
    assert entries()[name].matters == "security"


# ------------------------------------------------------------- what is checked together with others

HARD = ("passback", "mode", "hard")
BY_PASS = ("regime", "exits", "by_pass")
LONG_PULSE = ("turnstile", "release", "pulse"), ("turnstile", "pulse_s", 5.0)
PINS = [entry.key for entry in entries().values() if entry.section == "pins" and entry.is_line]


def wiegand(way, d0, d1):
    return [
        ("reader", f"{way}kind", "wiegand26"),
        ("reader", f"{way}device", "/dev/gpiochip0"),
        ("reader", f"{way}d0", d0),
        ("reader", f"{way}d1", d1),
    ]


JOINT = [
    [HARD],
    [BY_PASS],
    [BY_PASS, ("regime", "name", "normal")],
    [("turnstile", "passage", "per_direction")],
    [("turnstile", "relay_active", "low")],
    [*LONG_PULSE, ("turnstile", "release_hold_s", 1.0)],
    [("journal", "keep_delivered_days", 91.0)],
    [("paths", "run_dir", "/" + "x" * 100)],
    [("screening", "guard_c", 1.0)],
    [("reader", "kind", "wiegand26")],
    [("reader", "exit_kind", "keyboard"), ("reader", "exit_device", "/dev/stdin")],
    [("reader", "d0", 4)],
    [("pins", "fire", 17)],
    *([("pins", key, 16)] for key in PINS if key != "fire"),
    *(wiegand(way, d0, d1) for way in ("", "exit_") for d0, d1 in ((16, 4), (4, 16))),
]


@pytest.mark.parametrize("changes", JOINT, ids=str)
def test_what_the_loader_refuses_together_is_said_of_each_setting(changes, problems_with):
    for problem in problems_with(*changes):
        named = re.match(r"gate\.toml: \[(\w+)\] (\w+) = ", problem)
        name = f"{named[1]}.{named[2]}"
        assert entries()[name].joint, name


@pytest.mark.parametrize(
    "changes",
    [
        [("sensor", "distance_cm", 60.0)],
        [("screening", "samples", 25), ("lane", "measure_timeout_s", 2.0)],
        [("sensor", "deadline_s", 2.0)],
    ],
    ids=str,
)
def test_what_config_check_refuses_of_the_part_is_said_too(changes, settings_with):
    problems = part_problems(settings_with(*changes))
    assert problems
    for problem in problems:
        section, key = re.match(r"\[(\w+)\] (\w+) = ", problem).groups()
        assert "gatepost config check" in entries()[f"{section}.{key}"].joint


# -------------------------------------------------------------------------------- who must restart


def read_by_the_link():
    """Return the settings that the link's code reads, as `section.key` or `section`."""
    found = set()
    for module in (gatepost.wiring.link, gatepost.wiring.security):
        for node in ast.walk(ast.parse(inspect.getsource(module))):
            if isinstance(node, ast.Attribute):
                words = ast.unparse(node).replace("self._", "").split(".")
                if words[0] == "settings" and len(words) > 1:
                    found.add(".".join(words[1:3]))
    # A part of `settings.gate.site` is `settings.gate`, which does not count by itself.
    return {each for each in found if not any(other.startswith(f"{each}.") for other in found)}


def test_the_link_restarts_for_what_it_reads_and_for_nothing_else():
    read = read_by_the_link()
    assert {"link.broker_host", "journal.min_free_megabytes", "tls"} <= read
    for name, entry in entries().items():
        is_read = name in read or entry.section in read
        if entry.section == "paths":
            continue  # what it reads of these are paths below them
        if entry.section in ("link", "home_assistant"):
            is_read = True
        assert ("link" in entry.restart) == is_read, name


def test_both_restart_for_a_folder_that_both_look_into():
    links = {Paths().journal, Paths().inbox, Paths().doorbell, Paths().commands, Paths().board}
    for key in ("gate_dir", "link_dir", "run_dir"):
        folder = getattr(Paths(), key)
        assert any(folder in path.parents for path in links)
        assert entries()[f"paths.{key}"].restart == ("gate", "link")


def test_the_gate_restarts_for_all_but_the_way_to_the_server():
    others = {name for name, entry in entries().items() if "gate" not in entry.restart}
    assert {name.partition(".")[0] for name in others} == {"link", "tls", "home_assistant"}


# ------------------------------------------------------------------------------------ the documents


@pytest.mark.packaging
def test_the_document_is_up_to_date():
    text = (CONFIG / "REFERENCE.md").read_text(encoding="utf-8")
    assert renewed_reference(text) == text, (
        "gatepost config reference --markdown config/REFERENCE.md"
    )


def test_the_example_is_up_to_date():
    text = (CONFIG / "gatepost.example.toml").read_text(encoding="utf-8")
    assert example() == text, "gatepost config example --force --write config/gatepost.example.toml"


def test_every_row_of_a_table_has_all_cells():
    rows = [line for line in reference_markdown().splitlines() if line.startswith("|")]
    assert {row.count("|") for row in rows} == {8}
    assert len(rows) == len(NAMES) + 2 * len(sections())


@pytest.fixture
def folder(tmp_path, monkeypatch, least_text):
    """A folder with the files that the pages speak of."""
    (tmp_path / "old.toml").write_text(least_text)
    (tmp_path / "config").mkdir()
    shutil.copy(CONFIG / "REFERENCE.md", tmp_path / "config")
    monkeypatch.chdir(tmp_path)


@pytest.mark.packaging
@pytest.mark.parametrize(("page", "number"), [("README.md", 8), ("REFERENCE.md", 2)])
@pytest.mark.usefixtures("folder")
def test_each_command_of_a_page_runs(page, number, capsys):
    text = (CONFIG / page).read_text(encoding="utf-8")
    commands = re.findall(
        r"^ {4}gatepost (config .*)$|`gatepost (config [^`]* [^`]*)`", text, re.MULTILINE
    )
    typed = [shlex.split(one or other, comments=True) for one, other in commands]
    # What puts settings in force is run by tests/scenario/test_config_apply.py.
    shown = [words for words in typed if words[1] not in ("apply", "rollback")]
    assert len(shown) == number
    for words in shown:
        assert main(words) == ("diff" in words), words
        assert capsys.readouterr().err == ""


def test_a_document_without_markers_is_left_alone(tmp_path, capsys):
    path = tmp_path / "table.md"
    path.write_text("nothing\n")
    with pytest.raises(SystemExit) as caught:
        main(["config", "reference", "--markdown", str(path)])
    assert caught.value.code == 1
    assert "begin: gatepost config reference" in capsys.readouterr().err
    assert path.read_text() == "nothing\n"


def test_a_setting_is_explained_by_a_word_of_its_name():
    told = reference_text(["release_hold"])
    assert told.startswith(
        "[turnstile] release_hold_s: number, 0.1 to 30 s; default 5.0; safety\n    The way is free "
    )
    assert told.split()[-2:] == ["restart", "gatepost-gate."]
    assert told.count("\n[") == 0


def test_without_a_word_all_are_explained(capsys):
    assert main(["config", "reference"]) == 0
    told = re.findall(r"^\[(\w+)\] (\w+): ", capsys.readouterr().out, re.MULTILINE)
    assert [f"{section}.{key}" for section, key in told] == list(entries())


def test_a_word_that_no_setting_has_is_told(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["config", "reference", "limti"])
    assert caught.value.code == 1
    assert "no setting has limti in its name" in capsys.readouterr().err


def test_words_and_a_document_do_not_go_together(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["config", "reference", "relay", "--markdown"])
    assert caught.value.code == 2
    assert "--markdown is for all of them" in capsys.readouterr().err


def test_the_example_is_printed_and_written(tmp_path, capsys):
    path = tmp_path / "gatepost.toml"
    assert main(["config", "example", "--write", str(path)]) == 0
    assert capsys.readouterr().out == f"{path}: written\n"
    assert main(["config", "example"]) == 0
    assert path.read_text(encoding="utf-8") == capsys.readouterr().out == example()


def test_the_example_does_not_replace_a_file_unasked(tmp_path, capsys):
    path = tmp_path / "gatepost.toml"
    path.write_text("the gate's own")
    refused(capsys, f"{path}: exists; --force replaces it", "--write", str(path))
    assert path.read_text() == "the gate's own"
    path.chmod(0o640)
    assert main(["config", "example", "--force", "--write", str(path)]) == 0
    assert path.read_text(encoding="utf-8") == example()
    assert path.stat().st_mode & 0o777 == 0o640
    refused(capsys, f"{tmp_path}: is no file", "--force", "--write", str(tmp_path))
    refused(capsys, "cannot be written: No such file", "--write", str(tmp_path / "no" / "folder"))


def test_an_example_that_the_disk_refuses_leaves_the_file_as_it_was(tmp_path, capsys, monkeypatch):
    path = tmp_path / "gatepost.toml"
    path.write_text("the gate's own")

    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    refused(capsys, "cannot be written: No space left", "--force", "--write", str(path))
    assert [(each.name, each.read_text()) for each in tmp_path.iterdir()] == [
        ("gatepost.toml", "the gate's own")
    ]


def refused(capsys, said, *words):
    capsys.readouterr()
    with pytest.raises(SystemExit) as caught:
        main(["config", "example", *words])
    assert caught.value.code == 1
    assert said in capsys.readouterr().err


def test_the_two_processes_do_not_load_the_reference():
    code = (
        "import sys, gatepost.cli.run, gatepost.cli.uplink, gatepost.wiring.lane, "
        "gatepost.wiring.link; print('gatepost_config.reference' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
