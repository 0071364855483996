"""`gatepost config schema`: as strict as the loader about each setting by itself."""

import json
import math
import tomllib
from copy import deepcopy
from pathlib import Path

import jsonschema
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatepost.cli.main import main
from gatepost_config.reference import entries
from gatepost_config.schema import settings_schema
from gatepost_config.settings import OptionalPin, Settings, decode_path

from .any_settings import documents

EXAMPLE = Path(__file__).parents[2] / "config" / "gatepost.example.toml"
NAMES = list(entries())


@pytest.fixture(scope="module")
def schema():
    return settings_schema()


@pytest.fixture(scope="module")
def is_valid(schema):
    return jsonschema.Draft202012Validator(schema).is_valid


def changed(text, section, key, value):
    document = deepcopy(tomllib.loads(text))
    document.setdefault(section, {})[key] = value
    return document


def test_it_is_a_schema(schema):
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_the_command_prints_it(schema, capsys):
    assert main(["config", "schema"]) == 0
    assert json.loads(capsys.readouterr().out) == schema


def test_the_example_is_valid_and_so_is_the_least_file(is_valid, least_text):
    assert is_valid(tomllib.loads(EXAMPLE.read_text(encoding="utf-8")))
    assert is_valid(tomllib.loads(least_text))


@settings(max_examples=60, deadline=None)
@given(documents)
def test_what_the_types_allow_is_valid(document):
    # Line 1 is no type's business: the schema refuses it, as the loader does.
    names = [
        (entry.section, entry.key)
        for entry in entries().values()
        if entry.field.type == OptionalPin
    ]
    has_1 = any(document.get(section, {}).get(key) == 1 for section, key in names)
    assert VALID(document) != has_1


VALID = jsonschema.Draft202012Validator(settings_schema()).is_valid


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("turnstile", "release_hold_s", "5"),
        ("turnstile", "release_hold_s", True),
        ("turnstile", "release_hold_s", None),
        ("turnstile", "release_hold_s", [5.0]),
        ("turnstile", "release_hold_s", 0.09),
        ("turnstile", "release_hold_s", 30.1),
        ("screening", "samples", 4),
        ("screening", "samples", 5.5),
        ("screening", "samples", True),
        ("screening", "learns", 1),
        ("screening", "learns", "true"),
        ("turnstile", "relay_active", "LOW"),
        ("turnstile", "relay_active", None),
        ("reader", "baud", 9601),
        ("reader", "baud", "9600"),
        ("link", "mqtt_version", 5),
        ("gate", "site", ""),
        ("gate", "site", "North"),
        ("gate", "site", "north\n"),
        ("gate", "site", "a" * 64),
        ("link", "broker_host", ""),
        ("link", "broker_host", "x" * 254),
        ("link", "broker_host", 7),
        ("paths", "run_dir", "run"),
        ("paths", "run_dir", ""),
        ("paths", "run_dir", "/run/\0"),
        ("paths", "run_dir", 7),
        ("signals", "quiet_hours", "22-6"),
        ("passes", "root_key", "ab"),
        ("regime", "name", "Normal"),
        ("pins", "fire", 1),
        ("pins", "fire", 0),
        ("pins", "tamper", 1),
        ("pins", "tamper", 28),
        ("lane", "limit_c", 37.3),
        ("lanes", "order", "pass_first"),
        ("gate", "password", "x"),
    ],
)
def test_a_bad_file_of_each_kind_is_not_valid(section, key, value, is_valid, least_text):
    assert not is_valid(changed(least_text, section, key, value))


@pytest.mark.parametrize("name", ["gate.site", "gate.name", "link.broker_host"])
def test_what_must_be_there_must_be_there(name, is_valid, least_text):
    section, key = name.split(".")
    document = tomllib.loads(least_text)
    del document[section][key]
    assert not is_valid(document)
    del document[section]
    assert not is_valid(document)


scalars = (
    st.booleans()
    | st.integers()
    | st.integers(0, 60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.floats(0, 60)
    | st.text(max_size=8)
    | st.sampled_from(["north-1", "/run", "/a\n", "/\0", "a\n", "22:00-06:00", "ab" * 32, "low"])
)


@settings(max_examples=400, deadline=None)
@given(name=st.sampled_from(NAMES), value=scalars)
def test_schema_and_loader_agree_about_any_value(name, value, least_text):
    entry = entries()[name]
    document = changed(least_text, entry.section, entry.key, value)
    try:
        msgspec.convert(document, Settings, dec_hook=decode_path)
        is_taken = not (entry.field.type == OptionalPin and value == 1)
    except msgspec.ValidationError:
        is_taken = False
    if isinstance(value, float) and value.is_integer():
        return  # a whole number to JSON, and none to the loader: the schema says so
    assert VALID(document) == is_taken


@pytest.mark.parametrize("name", NAMES)
def test_every_setting_has_description_default_and_unit(name, schema):
    entry = entries()[name]
    found = schema["properties"][entry.section]["properties"][entry.key]
    assert found["description"].startswith(entry.text)
    assert entry.joint in found["description"]
    assert found.get("x-unit", "") == entry.unit
    assert ("default" in found) != (name in ("gate.site", "gate.name", "link.broker_host"))
    if "default" in found:
        assert jsonschema.Draft202012Validator(found).is_valid(found["default"])


@pytest.mark.parametrize("name", NAMES)
def test_a_number_just_outside_its_range_is_not_valid(name, schema):
    entry = entries()[name]
    found = schema["properties"][entry.section]["properties"][entry.key]
    if "minimum" not in found:
        return
    check = jsonschema.Draft202012Validator(found).is_valid
    least, most = found["minimum"], found["maximum"]
    assert (check(least), check(most)) == (True, True)
    if found["type"] == "integer":
        below, above = least - 1, most + 1
    else:
        below, above = math.nextafter(least, -math.inf), math.nextafter(most, math.inf)
    assert (check(below), check(above)) == (False, False)
