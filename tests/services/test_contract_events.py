import json
import re
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost_services.contract.events import (
    MAX_EVENT_BYTES,
    Envelope,
    WireError,
    decode,
    event_source,
    event_topic,
    status_topic,
    watermark_topic,
    withheld_body,
)
from gatepost_services.journal import Entry, Record
from gatepost_services.journal.snapshot import said_of
from gatepost_services.record import (
    HASH_BYTES,
    MAX_DATA_BYTES,
    MAX_TYPE_LENGTH,
    NO_HASH,
    TIME_QUALITIES,
    EventClass,
)

GOLDEN = Path(__file__).parent / "golden"
MEMBERS = [
    *("specversion", "id", "source", "type", "dataschema", "time", "sequence", "bootid"),
    *("uptimes", "timequality", "class", "previoushash", "data"),
]
BODIES = {
    "visit-admitted": Envelope("north", "gate-1", "0d1c7f0e-5a52-4a3e-9b0f-0f0f5d1b8a11").seal(
        Entry(
            "visit.admitted",
            at_s=86_412.0675,
            utc_s=1_795_285_805.250,
            data={
                "subject": "s-17",
                "direction": "entry",
                "index_c": 36.6,
                "rules": ["R-001", "R-017"],
            },
            quality="ntp",
        ),
        4711,
        bytes(range(HASH_BYTES)),
    ),
    "first-of-all": Envelope("north", "gate-1", "b").seal(
        Entry("controller.started", at_s=0.0, utc_s=0.0, data={}), 1, NO_HASH
    ),
}
BODY = BODIES["visit-admitted"]
GOOD = json.loads(BODY)

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
)
names = st.from_regex(re.compile(r"[a-z0-9][a-z0-9-]{0,62}"), fullmatch=True)
hashes = st.binary(min_size=HASH_BYTES, max_size=HASH_BYTES)


@pytest.mark.parametrize("name", BODIES)
def test_the_bytes_on_the_wire_are_these(name):
    assert BODIES[name] + b"\n" == (GOLDEN / f"{name}.json").read_bytes()


def test_attribute_names_are_what_cloudevents_allows_and_in_one_order():
    assert list(GOOD) == MEMBERS
    assert all(re.fullmatch("[a-z0-9]{1,20}", name) for name in GOOD)
    assert all(isinstance(value, str) for name, value in GOOD.items() if name != "data")


@given(
    site=names,
    gate=names,
    seq=st.integers(1, 2**63 - 1),
    at_s=st.floats(-1e11, 1e11),
    utc_s=st.floats(0, 253_402_300_799),
    quality=st.sampled_from(TIME_QUALITIES),
    data=st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), scalars),
    previous=hashes,
)
def test_what_is_sealed_is_decoded(*, site, gate, seq, at_s, utc_s, quality, data, previous):
    entry = Entry("fire.raised", at_s, utc_s, data, quality)
    body = Envelope(site, gate, "boot-1").seal(entry, seq, previous)
    event = decode(body)
    assert (event.seq, event.type, event.boot_id) == (seq, "gatepost.fire.raised", "boot-1")
    assert (event.event_class, event.time_quality) == (EventClass.ALARM, quality)
    assert event.source == event_source(site, gate)
    assert event.id == f"{site}/{gate}/{seq}"
    assert event.previous_hash == previous
    assert event.data == data
    assert event.uptime_s == pytest.approx(at_s, abs=0.0006)
    assert event.utc_s == pytest.approx(utc_s, abs=0.0011)
    assert body == Envelope(site, gate, "boot-1").seal(entry, seq, previous)


@given(utc_s=st.floats(0, 4e9), later_s=st.floats(0, 10))
def test_no_event_is_dated_before_an_earlier_one(utc_s, later_s):
    envelope = Envelope("s", "g", "b")
    dates = [
        json.loads(envelope.seal(Entry("a.b", 0.0, at, {}), 1, NO_HASH))["time"]
        for at in (utc_s, utc_s + later_s)
    ]
    assert dates == sorted(dates)


@given(st.lists(st.integers(1, 2**63 - 1), min_size=2))
def test_sequences_sort_as_text_as_they_sort_as_numbers(seqs):
    envelope = Envelope("s", "g", "b")
    texts = {
        seq: json.loads(envelope.seal(Entry("a", 0.0, 0.0, {}), seq, NO_HASH))["sequence"]
        for seq in seqs
    }
    assert sorted(texts, key=texts.__getitem__) == sorted(texts)


@given(st.binary())
def test_no_bytes_make_the_decoder_stumble(payload):
    with pytest.raises(WireError):
        decode(payload)


@pytest.mark.parametrize("name", MEMBERS)
@pytest.mark.parametrize("value", [None, 7, "", "\u0000 nonsense", [], "missing"])
def test_an_attribute_that_is_missing_or_of_another_kind_is_refused(name, value):
    changed = {key: text for key, text in GOOD.items() if key != name}
    if value != "missing":
        changed[name] = value
    if name == "bootid" and isinstance(value, str) and value.endswith("nonsense"):
        return  # any text is a boot id
    if name == "dataschema" and (value == "missing" or str(value).endswith("nonsense")):
        return  # older gates had none, and nobody here reads it
    with pytest.raises(WireError):
        decode(json.dumps(changed).encode())


def test_an_event_from_before_there_were_schemas_is_an_event_still():
    older = (GOLDEN / "before-schemas.json").read_bytes().rstrip()
    assert b"dataschema" not in older
    assert decode(older) == replace(decode(BODY), schema=None)
    assert said_of(older) == said_of(BODY)
    assert said_of(older) is not None


@pytest.mark.parametrize(
    "payload",
    [
        json.dumps(GOOD | {"id": "north/gate-1/4712"}).encode(),
        json.dumps(GOOD | {"source": "/gatepost/north/gate-2"}).encode(),
        json.dumps(GOOD | {"sequence": "0" * 19}).encode(),
        json.dumps(GOOD | {"sequence": "9" * 19}).encode(),
        json.dumps(GOOD | {"time": "2026-02-30T00:00:00.000Z"}).encode(),
        json.dumps(GOOD | {"time": "0000-01-01T00:00:00.000Z"}).encode(),
        json.dumps(GOOD | {"type": "other.kind"}).encode(),
        json.dumps(GOOD | {"class": "urgent"}).encode(),
        json.dumps(GOOD | {"timequality": "gps"}).encode(),
        json.dumps(GOOD | {"previoushash": "A" * 64}).encode(),
        json.dumps(GOOD | {"previoushash": "0" * 63}).encode(),
        json.dumps(GOOD | {"datacontenttype": "text/plain"}).encode(),
        json.dumps(GOOD | {"data": {"x": float("nan")}}).encode(),
        json.dumps(GOOD).replace("36.6", "1e999").encode(),
        json.dumps(GOOD).replace('"direction"', '"subject"').encode(),
        json.dumps(GOOD).encode("utf-16"),
        json.dumps(GOOD | {"data": {"x": "a" * MAX_EVENT_BYTES}}).encode(),
        b"[" * 60_000,
        b"9" * 5_000,
        b"{}",
        b"[]",
    ],
)
def test_a_payload_that_contradicts_itself_or_is_no_json_is_refused(payload):
    with pytest.raises(WireError):
        decode(payload)


def test_attributes_that_others_add_are_ignored():
    added = {"traceparent": "00-1-2-3", "datacontenttype": "application/json"}
    assert decode(json.dumps(GOOD | added).encode()).seq == 4711


def test_the_largest_event_that_can_be_sealed_fits_on_the_wire():
    entry_type = "t" * MAX_TYPE_LENGTH
    pad = "\u0000" * ((MAX_DATA_BYTES - 10) // 6)
    envelope = Envelope("s" * 63, "g" * 63, "\N{CAT}" * 64)
    body = envelope.seal(Entry(entry_type, 9e11, 1e9, {"n": pad}, "restored"), 2**63 - 1, NO_HASH)
    assert decode(body).data == {"n": pad}


@pytest.mark.parametrize("size", [MAX_DATA_BYTES, MAX_DATA_BYTES + 1])
def test_data_is_refused_from_one_byte_too_many(size):
    entry = Entry("a.b", 0.0, 0.0, {"n": "a" * (size - len('{"n":""}'))})
    envelope = Envelope("s", "g", "b")
    if size <= MAX_DATA_BYTES:
        assert decode(envelope.seal(entry, 1, NO_HASH)).data == entry.data
    else:
        with pytest.raises(ValueError, match=rf"a\.b: data of {size} bytes; at most"):
            envelope.seal(entry, 1, NO_HASH)


def test_topics_and_source_of_a_gate():
    assert event_topic("north", "gate-1", "alarm") == "gatepost/north/gate-1/event/alarm"
    assert event_topic("north", "gate-1", "replay") == "gatepost/north/gate-1/event/replay"
    assert watermark_topic("north", "gate-1") == "gatepost/north/gate-1/watermark"
    assert status_topic("north", "gate-1") == "gatepost/north/gate-1/status"
    assert event_source("north", "gate-1") == "/gatepost/north/gate-1"


@pytest.mark.parametrize("name", ["", "-a", "A", "a/b", "+", "#", "a b", "ä", "a" * 64, "a\n"])
def test_a_name_that_would_change_the_topic_is_refused(name):
    for site, gate in ((name, "gate-1"), ("north", name)):
        for topic in (watermark_topic, status_topic, event_source):
            with pytest.raises(ValueError, match="use 1 to 63"):
                topic(site, gate)
        with pytest.raises(ValueError, match="use 1 to 63"):
            event_topic(site, gate, "live")
        with pytest.raises(ValueError, match="use 1 to 63"):
            Envelope(site, gate, "b")


@pytest.mark.parametrize("boot_id", ["", "x" * 65, "a\nb"])
def test_a_boot_id_that_cannot_cross_the_wire_is_refused(boot_id):
    with pytest.raises(ValueError, match="boot_id"):
        Envelope("north", "gate-1", boot_id)


# ----------------------------------------------------------------------------------- withheld


def record_of(body: bytes, event_class: EventClass = EventClass.LIVE) -> Record:
    return Record(4711, event_class, sha256(body).digest(), body)


@pytest.mark.parametrize("why", ["too_large", "refused"])
def test_what_is_withheld_leaves_its_number_date_and_hash_to_the_server(why):
    record = record_of(BODY)
    stand_in, original = decode(withheld_body("north", "gate-1", record, why)), decode(BODY)
    data = {"why": why, "hash": record.hash.hex(), "bytes": len(BODY)}
    kind = {
        "type": "gatepost.journal.withheld",
        "schema": "urn:gatepost:schema:journal.withheld:1",
    }
    assert stand_in == replace(original, data=data, **kind)


@given(body=st.binary(max_size=200), event_class=st.sampled_from(EventClass), digest=hashes)
def test_what_cannot_even_be_read_is_withheld_under_its_number(body, event_class, digest):
    record = Record(4711, event_class, digest, body)
    stand_in = decode(withheld_body("north", "gate-1", record, "damaged"))
    assert (stand_in.seq, stand_in.event_class) == (4711, event_class)
    assert (stand_in.utc_s, stand_in.boot_id) == (0.0, "unknown")
    assert stand_in.data == {"why": "damaged", "hash": digest.hex(), "bytes": len(body)}


@pytest.mark.parametrize(
    "body", [b"no json", b"[]", b'{"time":7,"bootid":[],"uptimes":null}', b"{}"]
)
def test_what_was_written_and_is_no_event_is_withheld_too(body):
    stand_in = decode(withheld_body("north", "gate-1", record_of(body), "refused"))
    assert (stand_in.seq, stand_in.type) == (4711, "gatepost.journal.withheld")


def test_no_damaged_text_gets_into_what_stands_in_for_it():
    damaged = BODY.replace(b"2026-11-21", b"2027-11-21")
    record = Record(4711, EventClass.LIVE, sha256(BODY).digest(), damaged)
    stand_in = decode(withheld_body("north", "gate-1", record, "damaged"))
    assert stand_in.utc_s == 0.0
    assert stand_in.data["hash"] == record.hash.hex()
