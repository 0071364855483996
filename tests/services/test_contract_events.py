import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost_services.contract.events import (
    MAX_EVENT_BYTES,
    WireError,
    decode,
    encode,
    event_source,
    event_topic,
)
from gatepost_services.journal import Entry, Journal, JournalReader, Record
from gatepost_services.record import MAX_DATA_BYTES, MAX_TYPE_LENGTH

GOLDEN = Path(__file__).parent / "golden"
RECORDS = {
    "passage-admitted": Record(
        seq=4711,
        boot_id="0d1c7f0e-5a52-4a3e-9b0f-0f0f5d1b8a11",
        type="passage.admitted",
        uptime_s=86_412.0675,
        utc_s=1_795_285_805.250,
        data='{"subject":"s-17","direction":"entry","index_c":36.6,"rules":["R-001","R-017"]}',
    ),
    "first-of-all": Record(
        seq=1, boot_id="b", type="gate.started", uptime_s=0.0, utc_s=0.0, data="{}"
    ),
}
GOOD = json.loads(encode(RECORDS["passage-admitted"], site="north", gate="gate-1"))

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
)
names = st.from_regex(re.compile(r"[a-z0-9][a-z0-9-]{0,62}"), fullmatch=True)


@pytest.mark.parametrize("name", RECORDS)
def test_the_bytes_on_the_wire_are_these(name):
    payload = encode(RECORDS[name], site="north", gate="gate-1")
    assert payload + b"\n" == (GOLDEN / f"{name}.json").read_bytes()


def test_attribute_names_are_what_cloudevents_allows():
    assert all(re.fullmatch("[a-z0-9]{1,20}", name) for name in GOOD)
    assert all(isinstance(value, str) for name, value in GOOD.items() if name != "data")


@given(
    site=names,
    gate=names,
    seq=st.integers(1, 2**63 - 1),
    uptime_s=st.floats(0, 1e11),
    utc_s=st.floats(0, 253_402_300_799),
    data=st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), scalars),
)
def test_what_is_encoded_is_decoded(*, site, gate, seq, uptime_s, utc_s, data):
    record = Record(seq, "boot-1", "test.happened", uptime_s, utc_s, json.dumps(data))
    event = decode(encode(record, site=site, gate=gate))
    assert (event.seq, event.type, event.boot_id) == (seq, "gatepost.test.happened", "boot-1")
    assert event.source == event_source(site, gate)
    assert event.id == f"{site}/{gate}/{seq}"
    assert event.data == data
    assert event.uptime_s == pytest.approx(uptime_s, abs=0.0006)
    assert event.utc_s == pytest.approx(utc_s, abs=0.0011)


@given(st.lists(st.integers(1, 2**63 - 1), min_size=2))
def test_sequences_sort_as_text_as_they_sort_as_numbers(seqs):
    texts = {
        seq: json.loads(encode(Record(seq, "b", "a", 0.0, 0.0, "{}"), site="s", gate="g"))[
            "sequence"
        ]
        for seq in seqs
    }
    assert sorted(texts, key=texts.__getitem__) == sorted(texts)


@given(st.binary())
def test_no_bytes_make_the_decoder_stumble(payload):
    with pytest.raises(WireError):
        decode(payload)


@pytest.mark.parametrize("name", [name for name in GOOD if name != "time"] + ["time"])
@pytest.mark.parametrize("value", [None, 7, "", "\u0000 nonsense", [], "missing"])
def test_an_attribute_that_is_missing_or_of_another_kind_is_refused(name, value):
    changed = {key: text for key, text in GOOD.items() if key != name}
    if value != "missing":
        changed[name] = value
    if name == "bootid" and isinstance(value, str) and value.endswith("nonsense"):
        return  # any text is a boot id
    with pytest.raises(WireError):
        decode(json.dumps(changed).encode())


@pytest.mark.parametrize(
    "payload",
    [
        json.dumps(GOOD | {"id": "north/gate-1/4712"}).encode(),
        json.dumps(GOOD | {"source": "/gatepost/north/gate-2"}).encode(),
        json.dumps(GOOD | {"sequence": "0" * 19}).encode(),
        json.dumps(GOOD | {"sequence": "9" * 19}).encode(),
        json.dumps(GOOD | {"time": "2026-02-30T00:00:00.000Z"}).encode(),
        json.dumps(GOOD | {"type": "other.kind"}).encode(),
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
    assert decode(json.dumps(GOOD | {"traceparent": "00-1-2-3"}).encode()).seq == 4711


def test_the_largest_event_that_the_journal_takes_fits_on_the_wire(tmp_path):
    event_type = "t" * MAX_TYPE_LENGTH
    pad = "\u0000" * ((MAX_DATA_BYTES - 10) // 6)
    with (
        Journal(tmp_path / "j", "\N{CAT}" * 64) as journal,
        JournalReader(tmp_path / "j") as reader,
    ):
        journal.append([Entry(event_type, 9e11, 1e9, {"n": pad})])
        (record,) = reader.read_after(0, 1)
    assert decode(encode(record, site="s" * 63, gate="g" * 63)).data == {"n": pad}


def test_topic_and_source_of_a_gate():
    assert event_topic("north", "gate-1") == "gatepost/north/gate-1/event"
    assert event_source("north", "gate-1") == "/gatepost/north/gate-1"


@pytest.mark.parametrize("name", ["", "-a", "A", "a/b", "+", "#", "a b", "ä", "a" * 64, "a\n"])
def test_a_name_that_would_change_the_topic_is_refused(name):
    for site, gate in ((name, "gate-1"), ("north", name)):
        with pytest.raises(ValueError, match="use 1 to 63"):
            event_topic(site, gate)
        with pytest.raises(ValueError, match="use 1 to 63"):
            encode(RECORDS["first-of-all"], site=site, gate=gate)
