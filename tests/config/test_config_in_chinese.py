"""What `gatepost config` says of settings and wiring to somebody who reads Chinese."""

# ruff: noqa: RUF001 - Chinese punctuation is what is meant

import re
import tomllib
from pathlib import Path

import pytest
from msgspec import NODEFAULT

from gatepost.cli import words
from gatepost.cli.config_text import diff_text, reference_text, renewed_reference
from gatepost.cli.config_words import tongue
from gatepost.cli.wiring_table import wiring_of
from gatepost.cli.wiring_text import as_markdown, as_text
from gatepost.doctor.columns import width
from gatepost_config.commented import commented, example
from gatepost_config.difference import differences
from gatepost_config.load import parse
from gatepost_config.reference import entries, sections, values
from gatepost_config.toml_text import written

DOCUMENT = Path(__file__).parents[2] / "config" / "REFERENCE.zh-CN.md"
STATEMENT = re.compile(r"^#?\w+ = .*?(?=  )", re.MULTILINE)
GPIO = "/dev/gpiochip0"
ALL_WIRED = (
    *(("turnstile", "passage", "per_direction"), ("pins", "passage_exit", 22)),
    *(("pins", "staff_release", 26), ("pins", "maintenance_key", 20)),
    *(("pins", "emergency", 21), ("pins", "tamper", 19)),
)
LOW = (
    *(("turnstile", "relay_active", "low"), ("turnstile", "release", "pulse")),
    *(("pins", "entry_relay", 4), ("pins", "exit_relay", 7)),
)
READERS = (
    *(("reader", "kind", "wiegand26"), ("reader", "device", GPIO)),
    *(("reader", "d0", 9), ("reader", "d1", 26)),
    *(("reader", "exit_kind", "wiegand34"), ("reader", "exit_device", GPIO)),
    *(("reader", "exit_d0", 10), ("reader", "exit_d1", 22)),
)
OTHERWISE = (
    *(("reader", "device", "/dev/serial0"), ("turnstile", "passage", "none")),
    *(("sensor", "i2c_bus", 0), ("sensor", "supply_v", 3.0), ("pins", "green_lamp", 2)),
)


@pytest.fixture(autouse=True)
def in_chinese():
    words.begin("config", {"LANG": "zh_CN.UTF-8"})
    assert not words.is_english()
    yield
    words.begin("config", {})


def without_marks(text):
    return " ".join(line.strip().lstrip("# ") for line in text.splitlines())


# ---------------------------------------------------------------------------------------- settings


@pytest.fixture(scope="module")
def explained():
    """Return what the reference says of each setting, by `[section] key`."""
    words.begin("config", {"LANG": "zh_CN.UTF-8"})
    blocks = re.split(r"\n(?=\[)", reference_text([]).rstrip())
    return {block.partition("：")[0]: block for block in blocks}


@pytest.mark.parametrize("name", list(entries()))
def test_a_setting_is_explained(name, explained):
    entry = entries()[name]
    first, *rest = explained[f"[{entry.section}] {entry.key}"].splitlines()
    default = "必须设定" if entry.default is NODEFAULT else f"默认 {written(entry.default)}"
    assert f"；{default}" in first
    assert first.endswith({"": default, "safety": "；安全", "security": "；安防"}[entry.matters])
    told = " ".join(rest)
    assert re.search(r"改动\s*后\s*重\s*新\s*启\s*动\s*gatepost-\w+", told)
    assert ("检查：" in told.replace(" ", "")) == bool(entry.joint)
    for english in filter(None, (entry.text, entry.joint, "Checked", "After")):
        assert english not in told
    assert max(map(width, rest)) <= 100


@pytest.mark.packaging
def test_the_document_is_up_to_date():
    text = DOCUMENT.read_text(encoding="utf-8")
    again = "LC_ALL=zh_CN.UTF-8 gatepost config reference --markdown config/REFERENCE.zh-CN.md"
    assert again in text
    assert renewed_reference(text) == text, again
    keys = [entry.key for entry in entries().values()]
    assert re.findall(r"^\| `(\w+)`", text, re.MULTILINE) == keys


def test_the_settings_of_a_gate_are_a_file_with_the_same_settings(least_text):
    those = parse(tomllib.loads(least_text), path=Path("gate.toml"))
    lines = dict.fromkeys(entries(), 7)
    for origins in (lines, {}):
        text = commented(those, origins, heading=("一句。",), tongue=tongue())
        assert parse(tomllib.loads(text), path=Path("shown.toml")) == those
        told = without_marks(text)
        assert told.count("在第 7 行设定") == len(origins)
        assert [each.name for each in entries().values() if each.text in told] == []
        assert [each.name for each in sections() if each.text in told] == []
        whole = told.replace(" ", "")  # a text may go on in the next line
        for text_in_english in (each.text for each in (*sections(), *entries().values())):
            assert words.say(text_in_english).replace(" ", "") in whole
        assert [line for line in text.splitlines() if width(line) > 100] == []
        for name, value in values(those).items():
            assert f"\n{entries()[name].key} = {written(value)} " in text


def test_the_example_states_the_same():
    text = example(tongue())
    assert tomllib.loads(text) == tomllib.loads(example())
    assert STATEMENT.findall(text) == STATEMENT.findall(example())
    assert text.startswith("# Gatepost：一个闸口的配置。")
    told = without_marks(text)
    assert [each.name for each in sections() if each.text in told] == []


def test_a_change_is_told(settings_with):
    changes = differences(
        settings_with(),
        settings_with(("turnstile", "held_s", 12.5), ("link", "transport", "plain")),
    )
    assert diff_text(changes).splitlines() == [
        "[turnstile] held_s: 10.0 -> 12.5 秒  （重新启动：gatepost-gate）",
        '[link] transport: "tls" -> "plain"  ! 安防  （重新启动：gatepost-uplink）',
        "2 项配置不同，1 项涉及安防；执行后生效：systemctl restart gatepost-gate gatepost-uplink",
    ]
    assert diff_text([]) == "配置相同：不需要重新启动\n"


# ------------------------------------------------------------------------------------------ wiring


@pytest.mark.parametrize("changes", [(), ALL_WIRED, LOW, READERS, OTHERWISE], ids=str)
def test_nothing_of_the_wiring_stays_english(changes, settings_with):
    settings = settings_with(*changes)
    wiring = wiring_of(settings)
    text, markdown = as_text(wiring, settings), as_markdown(wiring)
    # What is typed, and names: of settings, files, programs, makers.
    typed = r"\w+_\w+|\w+ = \S+|/\S+|dt\w+=\S+|gatepost lane|wiegand\d+|\bfire\b|\bpassage\b"
    for line in (text + markdown).splitlines():
        english = re.sub(typed, "", line)
        assert not re.search(r"[a-z]{3,} [a-z]{2,}", english), line
        assert not re.search(r"\b(up|down|high|low|input|output|bus|open|closed)\b", english), line
    assert [line for line in text.splitlines() if width(line) > 100] == []


def test_the_columns_of_the_wiring_stand_below_one_another(settings_with):
    settings = settings_with()
    head, *rows = as_text(wiring_of(settings), settings).split("\n\n")[1].splitlines()
    expected = starts(head)
    assert len(expected) == 7
    assert [row for row in rows if starts(row) != expected] == []


def starts(row):
    """Return in which columns of the screen the cells of a row begin."""
    return [width(row[: cell.start()]) for cell in re.finditer(r"\S+(?: \S+)*", row)]
