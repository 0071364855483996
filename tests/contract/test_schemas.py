"""Every type of event has one schema, which says what the code says, and an example that is whole.

That what a gate really tells is of its schema is looked at in every test: tests/conftest.py.
"""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from gatepost.core import events as core
from gatepost.core.regime import Outcome
from gatepost.core.screening import Zone
from gatepost.core.session import Need
from gatepost.core.states import Standing, State
from gatepost_hal.ports import Direction
from gatepost_services.commands.command import LAWS, ServerCommand, ServerVerb
from gatepost_services.contract import events as wire
from gatepost_services.contract import json_schemas, messages, words
from gatepost_services.contract.asyncapi import document, examples, sealed_example
from gatepost_services.contract.classes import CLASS_OF, schema_urn, version_of
from gatepost_services.contract.schemas import Data, SchemaError, check, event, schemas
from gatepost_services.record import NO_HASH, TIME_QUALITIES, Entry, EventClass
from gatepost_services.sync import documents as sync
from gatepost_services.uplink.presence import PresenceDesk

GOLDEN = Path(__file__).parents[1] / "data/contract"
TYPES = sorted(CLASS_OF)
COMMAND = {
    "jti": "c-1",
    "aud": "/gatepost/north/gate-1",
    "iat": 1_795_285_805,
    "nbf": 1_795_285_805,
    "exp": 1_795_285_865,
    "counter": 7,
    "verb": "release_entry",
    "by": "duty officer",
}
DESIRED = {
    "document": "roster",
    "version": 12,
    "digest": "9f" * 32,
    "bytes": 4711,
    "aud": "/gatepost/north",
    "iat": 1_795_285_805,
    "mode": "delta",
    "base_version": 11,
}
FETCH = {"digest": "9f" * 32, "offset": 8192, "bytes": 65_536}


def test_every_classed_type_has_a_schema_and_a_version_and_no_other_has():
    assert list(schemas()) == list(CLASS_OF)
    for type_, schema in schemas().items():
        assert schema.event_class is CLASS_OF[type_]
        assert schema.urn == f"urn:gatepost:schema:{type_}:{version_of(type_)}"
        assert schema.version >= 1


@pytest.mark.parametrize("type_", TYPES)
def test_a_type_is_described_by_sentences_and_of_its_own_name(type_):
    schema = schemas()[type_]
    assert schema.description.endswith(".")
    assert len(schema.description) < 160
    assert schema.data.__doc__ != Data.__doc__
    expected = "".join(word.capitalize() for word in re.split(r"[._]", type_))
    assert schema.data.__name__ == expected


def test_a_type_is_defined_once_and_must_be_known():
    for wrong in ("visit.admitted", "nobody.knows"):
        with pytest.raises(ValueError, match="defined twice, or without a class"):
            event(wrong)(type("Again", (Data,), {}))


@pytest.mark.parametrize(
    ("word", "said"),
    [
        (words.Direction, {each.value for each in Direction}),
        (words.Outcome, {each.word for each in Outcome}),
        (words.Zone, {each.value for each in Zone}),
        (words.Need, {each.value for each in Need}),
        (words.Tested, {each.value for each in core.Tested}),
        (words.Standing, {each.name.lower() for each in Standing}),
        (words.State, {each.name.lower() for each in State}),
        (words.Quality, set(TIME_QUALITIES)),
        (words.ClassLabel, {each.label for each in EventClass}),
    ],
)
def test_the_words_of_the_contract_are_those_of_the_code(word, said):
    assert set(get_args(word)) == said


def test_each_decision_has_the_outcomes_that_lead_to_it():
    releases = {each.word for each in Outcome if each.releases}
    expected = {
        "visit.admitted": releases,
        "visit.rechecked": {"recheck"},
        "visit.referred": {"refer"},
        "visit.denied": {"redirect", "deny"},
    }
    for type_, outcomes in expected.items():
        fields = msgspec.structs.fields(schemas()[type_].data)
        assert set(get_args(next(f.type for f in fields if f.name == "outcome"))) == outcomes
    assert set.union(*expected.values()) == {each.word for each in Outcome}


def test_a_command_is_what_the_gate_takes():
    claims = msgspec.structs.fields(messages.CommandClaims)
    gates = msgspec.structs.fields(ServerCommand)
    assert {(each.name, each.required) for each in claims} == {
        (each.name, each.required) for each in gates
    }
    verbs = next(each.type for each in claims if each.name == "verb")
    assert set(get_args(verbs)) == {each.value for each in ServerVerb}
    for law in LAWS.values():
        named = getattr(messages, law.arguments.__name__)
        assert set(named.__struct_fields__) == set(law.arguments.__struct_fields__)


@pytest.mark.parametrize(
    ("contract", "code", "example"),
    [
        (messages.CommandClaims, ServerCommand, COMMAND),
        (messages.DesiredClaims, sync.Desired, DESIRED),
        (messages.Fetch, sync.Fetch, FETCH),
    ],
)
def test_what_a_server_sends_is_read_alike_by_the_contract_and_by_the_code(contract, code, example):
    for kind in (contract, code):
        msgspec.json.decode(json.dumps(example).encode(), type=kind)
        for wrong in ({**example, "more": 1}, {**example, next(iter(example)): None}):
            with pytest.raises(msgspec.ValidationError):
                msgspec.json.decode(json.dumps(wrong).encode(), type=kind)
    coded = {each.encode_name: each.required for each in msgspec.structs.fields(code)}
    said = {each.encode_name: each.required for each in msgspec.structs.fields(contract)}
    assert said == coded


# ------------------------------------------------------------------------------------- validation


@pytest.mark.parametrize("type_", TYPES)
def test_the_example_of_a_type_is_of_its_schema_and_nothing_may_be_missing_or_more(type_):
    example, data = examples()[type_], schemas()[type_].data
    check(type_, example)
    with pytest.raises(SchemaError, match=rf"^{type_}: .*`more`"):
        check(type_, {**example, "more": 1})
    for each in msgspec.structs.fields(data):
        if each.required:
            with pytest.raises(SchemaError, match=f"`{each.encode_name}`"):
                check(type_, {k: v for k, v in example.items() if k != each.encode_name})


def test_data_are_looked_at_as_they_are_written():
    check("passage.forced", b'{"state":"idle"}')
    with pytest.raises(SchemaError, match="state"):
        check("passage.forced", {"state": "asleep"})
    with pytest.raises(SchemaError, match="no type of the contract"):
        check("nobody.knows", {})
    with pytest.raises(SchemaError, match=r"journal\.gap"):
        check("journal.gap", {**examples()["journal.gap"], "ranges": []})


# ----------------------------------------------------------------------------------- on the wire


@pytest.mark.parametrize("type_", TYPES)
def test_the_bytes_of_an_event_of_each_type_are_these(type_):
    assert sealed_example(type_) + b"\n" == (GOLDEN / f"{type_}.json").read_bytes()


def test_no_golden_file_is_of_a_type_that_is_gone():
    assert {path.stem for path in GOLDEN.glob("*.json")} == set(TYPES)


@pytest.mark.parametrize("type_", TYPES)
def test_an_event_says_by_which_schema_it_is_read(type_):
    read = wire.decode(sealed_example(type_))
    assert (read.type, read.schema) == (f"gatepost.{type_}", schema_urn(type_))
    msgspec.json.decode(sealed_example(type_), type=messages.Event)
    check(type_, msgspec.json.encode(read.data))


def test_a_type_of_nobodys_names_no_schema_and_an_older_event_has_none():
    body = wire.Envelope("s", "g", "b").seal(Entry("some.thing", 0.0, 0.0, {}), 1, NO_HASH)
    assert b"dataschema" not in body
    assert wire.decode(body).schema is None
    assert schema_urn("some.thing") is None


def test_the_gate_loads_no_schema():
    loaded = "[name for name in sys.modules if name.startswith('gatepost_services.contract.')]"
    code = f"import sys, gatepost.cli.run, gatepost.cli.uplink; print(*{loaded})"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(said.stdout.split()) <= {
        "gatepost_services.contract.classes",
        "gatepost_services.contract.events",
    }


# -------------------------------------------------------------------------------------- documents


def test_every_class_of_the_contract_has_a_name_of_its_own():
    components = json_schemas.components()
    assert not [name for name in components if "." in name]
    assert {each.data.__name__ for each in schemas().values()} <= components.keys()


def test_every_member_of_a_number_says_its_unit():
    """A number is a count, a position, or ends in its unit."""
    units = re.compile(r".*_(c|s|mb|utc|1m|ms)$")
    counts = {
        *("visit", "attempt", "count", "again", "from", "through", "bytes", "people", "left"),
        *("threads", "version", "saved", "emissivity", "config"),
    }
    for schema in schemas().values():
        for name, said in json_schemas.data_schema(schema).get("properties", {}).items():
            kinds = {each.get("type") for each in said.get("anyOf", [said])}
            if kinds & {"number", "integer"}:
                assert units.match(name) or name in counts, f"{schema.name}: {name}"


def test_the_document_has_every_type_on_the_topic_of_its_class():
    made = document()
    for name, classes in {
        "eventAlarm": {"alarm"},
        "eventLive": {"live", "bookkeeping", "telemetry"},
        "eventBacklog": {"live", "bookkeeping", "telemetry"},
    }.items():
        listed = set(made["channels"][name]["messages"]) - {"journal.withheld"}
        assert {schemas()[type_].event_class.label for type_ in listed} == classes
    assert set(made["channels"]["eventReplay"]["messages"]) == set(TYPES)


def test_the_document_names_the_topics_that_the_code_uses():
    addresses = {each["address"] for each in document()["channels"].values()}
    for stream in ("alarm", "live", "backlog", "replay"):
        topic = wire.event_topic("north", "gate-1", stream)
        assert topic.replace("north/gate-1", "{site}/{gate}") in addresses
    for topic in (
        wire.status_topic("s", "g"),
        wire.watermark_topic("s", "g"),
        sync.fetch_topic("s", "g"),
        sync.desired_topic("s", "g", "+").replace("+", "{document}"),
        sync.chunks_topic("s", "g").replace("+/+", "{digest}/{offset}"),
        PresenceDesk("s", "g", {}).will.topic,
    ):
        assert topic.replace("s/g", "{site}/{gate}") in addresses


def test_the_document_says_that_the_data_are_of_the_version_of_the_type():
    for type_, message in document()["components"]["messages"].items():
        if type_ not in CLASS_OF:
            continue
        said = message["payload"]["allOf"][1]["properties"]
        assert said["dataschema"] == {"const": schema_urn(type_)}
        assert said["type"] == {"const": f"gatepost.{type_}"}
        assert ("class" in said) is (type_ != "journal.withheld")
