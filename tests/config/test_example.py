"""The example file is the reference of all settings: what it states must be so."""

import re
import tomllib
from pathlib import Path

import pytest
from msgspec import inspect as mi
from msgspec.structs import fields

from gatepost_config.load import load
from gatepost_config.settings import Settings

EXAMPLE = Path(__file__).parents[2] / "config" / "gatepost.example.toml"
TEXT = EXAMPLE.read_text(encoding="utf-8")
# A commented-out setting begins at the margin, without a space: "#key = value".
COMPLETE = re.sub(r"^#(?=[a-z_0-9]+ = )", "", TEXT, flags=re.MULTILINE)

SETTINGS = {
    (section.name, field.name): field
    for section in fields(Settings)
    for field in fields(section.type)
}


def stated_range(section: str, key: str) -> list[float]:
    """Return the numbers of "A to B" in the comment of a setting or of its section."""
    within = COMPLETE.partition(f"[{section}]")[2].partition("\n[")[0]
    lines = within.splitlines()
    at = next(n for n, line in enumerate(lines) if line.startswith(f"{key} = "))
    comments = [lines[at].partition("#")[2]]
    while at and lines[at - 1].startswith("# "):
        at -= 1
        comments.append(lines[at])
    comments.append(lines[0].partition("#")[2])
    found = [re.findall(r"(?<![\w.])(-?[\d.]+) to (-?[\d.]+)", comment) for comment in comments]
    return [float(number) for number in next((pairs[-1] for pairs in found if pairs), ())]


def test_the_example_loads_as_it_is():
    settings = load(EXAMPLE)
    assert (settings.gate.site, settings.gate.name) == ("example-court", "north-1")


def test_what_is_commented_out_in_the_example_is_the_default(write):
    assert COMPLETE != TEXT
    assert load(write(COMPLETE)) == load(EXAMPLE)


def test_the_example_states_every_setting_and_no_other():
    document = tomllib.loads(COMPLETE)
    stated = {(section, key) for section, content in document.items() for key in content}
    assert stated == set(SETTINGS)


def test_only_what_has_no_default_is_set_in_the_example():
    document = tomllib.loads(TEXT)
    stated = {(section, key) for section, content in document.items() for key in content}
    assert stated == {name for name, field in SETTINGS.items() if field.required}


NUMBERS = {
    name: kind
    for name, field in SETTINGS.items()
    if isinstance(kind := mi.type_info(field.type), mi.IntType | mi.FloatType)
}


@pytest.mark.parametrize(("section", "key"), NUMBERS)
def test_the_example_states_the_range_of_every_number(section, key):
    kind = NUMBERS[section, key]
    assert stated_range(section, key) == [kind.ge, kind.le]


def test_every_number_has_a_range_and_every_default_is_inside_it():
    unlimited = [name for name, kind in NUMBERS.items() if None in (kind.ge, kind.le)]
    outside = [
        name
        for name, kind in NUMBERS.items()
        if not SETTINGS[name].required and not kind.ge <= SETTINGS[name].default <= kind.le
    ]
    assert (unlimited, outside) == ([], [])
