"""Letters and contents: forms, bounds, succession; and that the guide says what the code does."""

from pathlib import Path

import msgspec
import pytest

from gatepost_services.sync.content import read_content
from gatepost_services.sync.documents import (
    MOST_BYTES,
    Desired,
    DocumentError,
    Held,
    Why,
    chunk_of,
    decode,
    is_for,
    objection,
)

from .sync_rig import desired

GUIDE = Path(__file__).parents[2] / "services" / "DOCUMENTS.md"
HELD = Held(5, "ab")


@pytest.mark.packaging
def test_every_reason_stands_in_the_guide():
    text = GUIDE.read_text(encoding="utf-8")
    for why in Why:
        assert f"\n| `{why.value}` |" in text, why


def test_a_payload_comes_back_as_it_was():
    made = desired("roster", 7, b"x", mode="delta", base_version=6)
    assert decode(msgspec.json.encode(made)) == made
    plain = desired("trust", 1, b"x")
    assert b"mode" not in msgspec.json.encode(plain)
    assert decode(msgspec.json.encode(plain)) == plain


@pytest.mark.parametrize(
    "change",
    [
        {"version": 0},
        {"version": 2**53},
        {"version": 1.5},
        {"version": "1"},
        {"version": True},
        {"bytes": 0},
        {"iat": -1},
        {"aud": ""},
        {"document": "settings"},
        {"mode": "part"},
        {"mode": "delta"},
        {"base_version": 1},
        {"digest": "a" * 63},
        {"digest": "a" * 64 + "\n"},
        {"more": 1},
    ],
)
def test_what_is_no_payload_is_refused(change):
    raw = {**msgspec.to_builtins(desired("roster", 1, b"x")), **change}
    with pytest.raises(DocumentError) as caught:
        decode(msgspec.json.encode(raw))
    assert caught.value.why is Why.MALFORMED


@pytest.mark.parametrize("payload", [b"", b"[]", b"null", b"{" * 100_000, b"\xff"])
def test_what_is_no_json_of_ours_is_refused(payload):
    with pytest.raises(DocumentError):
        decode(payload)


@pytest.mark.parametrize(
    ("version", "more", "held", "why"),
    [
        (6, {}, HELD, None),
        (1, {}, None, None),
        (2**53 - 1, {}, HELD, None),
        (5, {}, HELD, Why.NOT_NEWER),
        (4, {}, HELD, Why.NOT_NEWER),
        (9, {"mode": "delta", "base_version": 5}, HELD, None),
        (9, {"mode": "delta", "base_version": 4}, HELD, Why.WRONG_BASE),
        (9, {"mode": "delta", "base_version": 6}, HELD, Why.WRONG_BASE),
        (9, {"mode": "delta", "base_version": 1}, None, Why.WRONG_BASE),
        (9, {"bytes": MOST_BYTES["roster"]}, HELD, None),
        (9, {"bytes": MOST_BYTES["roster"] + 1}, HELD, Why.TOO_LARGE),
    ],
)
def test_what_may_follow_what_is_held(version, more, held, why):
    assert objection(desired("roster", version, b"x", **more), held) is why


@pytest.mark.parametrize(
    ("aud", "is_ours"),
    [
        ("/gatepost/north/gate-1", True),
        ("/gatepost/north", True),
        ("/gatepost/north/", False),
        ("/gatepost/north/gate-2", False),
        ("/gatepost/south", False),
        ("/gatepost", False),
        ("gatepost/north/gate-1", False),
    ],
)
def test_a_document_is_for_a_gate_or_for_its_site(aud, is_ours):
    assert is_for(desired("roster", 1, b"x", aud=aud), "north", "gate-1") is is_ours


def test_a_content_is_believed_by_its_digest_alone(tmp_path):
    path, wanted = tmp_path / "content", desired("regime", 1, b"right")
    for content, why in [(None, Why.MISSING), (b"wrong", Why.DIGEST), (b"righter", Why.DIGEST)]:
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(DocumentError) as caught:
            read_content(path, wanted)
        assert caught.value.why is why
    path.write_bytes(b"right")
    assert read_content(path, wanted) == b"right"
    with pytest.raises(DocumentError) as caught:
        read_content(tmp_path, wanted)
    assert caught.value.why is Why.MISSING


@pytest.mark.parametrize("topic", ["", "chunk", "a/chunk/b", "a/chunks/b/1", "a/chunk/b/+1", "x/y"])
def test_what_is_no_topic_of_a_chunk(topic):
    assert chunk_of(topic) is None


def test_a_letter_names_what_it_is_about():
    assert desired("roster", 7, b"x").name == "roster document, version 7"
    assert isinstance(desired("roster", 7, b"x"), Desired)
