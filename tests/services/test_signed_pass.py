"""Signed passes: what goes in comes out, and nothing else does."""

import zlib
from datetime import UTC, datetime, timedelta

import base45
import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from gatepost.core.facts import Category, Code, ProofKind
from gatepost_services.credentials import cbor, cose, signed_pass, wrapping
from gatepost_services.credentials.claims import (
    CATEGORIES,
    DatedCode,
    DatedTest,
    SignedPass,
    of_cwt,
    to_cwt,
)
from gatepost_services.credentials.errors import CredentialError, Refusal
from gatepost_services.credentials.keys import Use
from gatepost_services.credentials.signing import kid_of

from .pass_kit import GATE, HOUR, ID, KEY, NOW, OTHER, claims, code, trusted, verified

SECOND = timedelta(seconds=1)
KID = kid_of(KEY.public_key())
FULL = {
    "issuer": "north-server",
    "not_before_utc": NOW,
    "household": "3栋-502",
    "gates": (GATE, "gate-2"),
    "direction": "entry",
    "uses": 3,
    "escort": "s-18",
    "health_code": DatedCode("green", NOW - HOUR),
    "trip_card": DatedCode("yellow", NOW - 2 * HOUR),
    "test": DatedTest("sampled", NOW - 3 * HOUR),
    "registered": False,
    "risk_area_utc": NOW - 500 * HOUR,
}


def refusal(text, **changed):
    with pytest.raises(CredentialError) as caught:
        verified(text, **changed)
    return caught.value.refusal


def signed(payload, key=KEY, kid=KID):
    """Return the code of any payload, signed as a pass is."""
    return wrapping.wrap(cose.sign(payload, key, kid), signed_pass.PREFIX)


def cwt(own=None, **registered):
    """Return the map of a good pass, changed: registered claims as `c4`, None to leave it out."""
    document = cbor.decode(to_cwt(claims()))
    document[-65537] |= own or {}
    document |= {int(name[1:]): value for name, value in registered.items()}
    return cbor2.dumps({key: value for key, value in document.items() if value is not Ellipsis})


def repacked(text, change):
    data = signed_pass.unwrapped(text, signed_pass.PREFIX)
    return wrapping.wrap(change(data), signed_pass.PREFIX)


# -------------------------------------------------------------------------------- what it says


def test_the_least_and_the_most_that_a_pass_says_come_out_as_they_went_in():
    assert verified(code()) == claims()
    assert verified(code(**FULL)) == claims(**FULL)


def test_its_words_are_those_of_the_core():
    assert tuple(category.value for category in Category) == CATEGORIES
    assert {code.value for code in Code} == set(DatedCode.__annotations__["code"].__args__)
    assert {kind.value for kind in ProofKind} == set(DatedTest.__annotations__["kind"].__args__)


instants = st.integers(0, 253402300799).map(lambda at_s: datetime.fromtimestamp(at_s, UTC))
names = st.from_regex(r"[a-z0-9][a-z0-9-]{0,62}", fullmatch=True)
texts = st.text(st.characters(categories=("L", "N", "P", "S")), min_size=1, max_size=64).filter(
    str.isprintable
)
maybe = {
    "issuer": texts,
    "household": texts,
    "gates": st.lists(names, max_size=32).map(tuple),
    "direction": st.sampled_from(["entry", "exit"]),
    "uses": st.integers(1, 1000),
    "escort": st.booleans() | texts,
    "health_code": st.builds(
        DatedCode, st.sampled_from(["green", "yellow", "red", "unknown"]), instants
    ),
    "test": st.builds(DatedTest, st.sampled_from(["negative", "sampled"]), instants),
    "registered": st.booleans(),
    "risk_area_utc": instants,
    "step_s": st.integers(10, 300),
}
any_claims = st.fixed_dictionaries(
    {
        "id": st.binary(min_size=16, max_size=16),
        "subject": texts,
        "site": names,
        "category": st.sampled_from(CATEGORIES),
    },
    optional=maybe,
)


@given(any_claims)
def test_every_pass_comes_out_of_its_bytes_as_it_went_in(given_claims):
    made = claims(**given_claims)
    data = to_cwt(made)
    assert of_cwt(data) == made
    assert to_cwt(of_cwt(data)) == data


def test_what_an_issuer_calls_by_a_word_of_tomorrow_is_unknown_here():
    own = {1: "astronaut", 7: ["purple", 0], 8: ["red", 5]}
    taken = verified(signed(cwt(own)))
    assert (taken.category, taken.health_code.code, taken.trip_card.code) == (
        "unknown",
        "unknown",
        "red",
    )


def test_claims_of_others_and_remarks_of_ours_are_ignored():
    assert verified(signed(cwt({100: "remark"}, c38=b"nonce"))) == claims()


@pytest.mark.parametrize("key", [13, 99, 0, -1, "category", 1.0, True, b""])
def test_a_restriction_that_this_gate_does_not_know_refuses_the_pass(key):
    document = cbor.decode(to_cwt(claims()))
    own = document[-65537]
    del own[1]
    own[key] = "visitor"
    assert refusal(signed(cbor2.dumps(document))) is Refusal.FORMAT


@pytest.mark.parametrize(
    ("own", "registered"),
    [
        ({}, {"c7": ...}),
        ({}, {"c2": ...}),
        ({}, {"c3": ...}),
        ({}, {"c6": ...}),
        ({}, {"c4": None}),
        ({}, {"c4": "2026-11-23T13:00:00Z"}),
        ({}, {"c4": 1795500000.5}),
        ({}, {"c4": True}),
        ({}, {"c4": -1}),
        ({}, {"c4": 253402300800}),
        ({}, {"c4": 1}),
        ({}, {"c5": 2**40}),
        ({}, {"c7": b"short"}),
        ({}, {"c7": "AAAAAAAAAAAAAAAAAAAAAA=="}),
        ({}, {"c2": "two words"}),
        ({}, {"c2": "a\u202eb"}),
        ({}, {"c2": ""}),
        ({}, {"c2": "x" * 65}),
        ({}, {"c3": ["north"]}),
        ({1: 7}, {}),
        ({3: "gate-1"}, {}),
        ({3: ["Gate 1"]}, {}),
        ({3: ["g"] * 33}, {}),
        ({4: "sideways"}, {}),
        ({5: 0}, {}),
        ({5: 1001}, {}),
        ({5: True}, {}),
        ({5: None}, {}),
        ({5: 1}, {"c4": ...}),
        ({6: 1}, {}),
        ({7: []}, {}),
        ({7: ["green"]}, {}),
        ({7: ["green", 1, 2]}, {}),
        ({7: ["green", "now"]}, {}),
        ({7: {"code": "green", "as_of_utc": 1}}, {}),
        ({9: ["positive", 0]}, {}),
        ({7: ["green", True]}, {}),
        ({10: 1}, {}),
        ({11: True}, {}),
        ({12: 9}, {}),
        ({12: 301}, {}),
    ],
)
def test_claims_of_the_wrong_kind_are_refused_and_not_quoted(own, registered):
    with pytest.raises(CredentialError) as caught:
        verified(signed(cwt(own, **registered)))
    assert caught.value.refusal is Refusal.FORMAT
    for told in ("s-17", "two words", "Gate 1", "sideways", "positive", "\u202e"):
        assert told not in str(caught.value)


@pytest.mark.parametrize("payload", [b"", b"\xf6", b"\x80", b"\xa0", cbor2.dumps({-65537: 1})])
def test_what_is_no_claims_is_refused(payload):
    assert refusal(signed(payload)) is Refusal.FORMAT


# -------------------------------------------------------------------------------- whether it counts


def test_it_counts_from_its_first_second_until_before_its_last():
    text = code(not_before_utc=NOW, expires_utc=NOW + HOUR)
    assert verified(text, now_utc=NOW)
    assert verified(text, now_utc=NOW + HOUR - SECOND)
    assert refusal(text, now_utc=NOW - SECOND) is Refusal.NOT_YET
    assert refusal(text, now_utc=NOW + HOUR) is Refusal.EXPIRED


def test_without_a_clock_a_pass_with_times_counts_only_where_an_order_says_so():
    assert refusal(code(), now_utc=None) is Refusal.NO_CLOCK
    assert refusal(code(expires_utc=None, not_before_utc=NOW), now_utc=None) is Refusal.NO_CLOCK
    assert verified(code(), now_utc=None, needs_clock=False)
    assert verified(code(expires_utc=None), now_utc=None)


def test_it_counts_at_its_site_its_gates_and_its_way():
    assert verified(code(gates=("gate-0", GATE), direction="entry"))
    assert verified(code(direction="exit"), direction="exit")
    assert refusal(code(), site="south") is Refusal.ELSEWHERE
    assert refusal(code(gates=("gate-0", "gate-10"))) is Refusal.ELSEWHERE
    assert refusal(code(direction="exit")) is Refusal.ELSEWHERE
    assert refusal(code(direction="entry"), direction="exit") is Refusal.ELSEWHERE


def test_a_revoked_pass_is_told_before_anything_else_of_it():
    assert refusal(code(), revoked={ID}, now_utc=None, site="south") is Refusal.REVOKED
    assert verified(code(), revoked={bytes(16)})


def test_a_pass_with_steps_does_not_count_as_it_is():
    assert refusal(code(step_s=30)) is Refusal.STEP


def test_all_keys_of_a_kid_are_tried_and_no_other():
    twin = trusted(OTHER, kid=KID)
    assert verified(code(), [twin, trusted()])
    assert refusal(code(), keys=[twin]) is Refusal.SIGNATURE
    assert refusal(code(), keys=[trusted(kid=b"other")]) is Refusal.UNKNOWN_KEY
    no_kid = signed(to_cwt(claims()), kid=b"")
    assert refusal(no_kid) is Refusal.UNKNOWN_KEY


def test_a_key_counts_in_its_time_for_its_use():
    assert refusal(code(), keys=[trusted(uses=frozenset({Use.TEST}))]) is Refusal.KEY_USE
    key = trusted(not_before_utc=NOW, not_after_utc=NOW)
    assert verified(code(), [key])
    assert refusal(code(), keys=[key], now_utc=NOW - SECOND) is Refusal.NOT_YET
    assert refusal(code(), keys=[key], now_utc=NOW + SECOND) is Refusal.EXPIRED


# -------------------------------------------------------------------------------- one form


def test_only_eddsa_signs_a_pass():
    key = ec.generate_private_key(ec.SECP256R1())
    protected = cbor.encode({1: -7, 4: KID})
    data = b"\xd2" + cbor.encode([protected, {}, to_cwt(claims()), bytes(64)])
    keys = [trusted(key=key.public_key())]
    assert refusal(wrapping.wrap(data, "GP1:"), keys=keys) is Refusal.ALGORITHM


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data[1:],  # no tag
        lambda data: b"\xd8\x3d" + data,  # 61 around it
        lambda data: b"\xd8\x12" + data[1:],  # the tag written longer
        lambda data: b"\xd2\x98\x04" + data[2:],  # the array, too
        lambda data: data + b"\xf6",
        lambda data: cbor2.dumps(
            cbor2.CBORTag(18, [*cbor2.loads(data[1:])[:1], {5: b"iv"}, *cbor2.loads(data[1:])[2:]])
        ),
    ],
)
def test_the_same_message_in_other_bytes_is_refused(change):
    assert refusal(repacked(code(), change)) is Refusal.FORMAT
    assert verified(repacked(code(), lambda data: data))


@pytest.mark.parametrize("level", range(10))
def test_any_encoder_may_pack_it_and_no_bit_of_that_can_be_changed(level):
    data = signed_pass.unwrapped(code(**FULL), signed_pass.PREFIX)
    packed = zlib.compress(data, level)
    assert verified("GP1:" + base45.b45encode(packed).decode()) == claims(**FULL)
    for bit in range(8 * len(packed)):
        changed = bytearray(packed)
        changed[bit // 8] ^= 1 << bit % 8
        refusal("GP1:" + base45.b45encode(bytes(changed)).decode())


def test_a_stream_of_another_window_is_another_form():
    data = signed_pass.unwrapped(code(), signed_pass.PREFIX)
    packing = zlib.compressobj(wbits=13)
    packed = packing.compress(data) + packing.flush()
    assert packed[0] == 0x58
    assert refusal("GP1:" + base45.b45encode(packed).decode()) is Refusal.FORMAT


@pytest.mark.parametrize("text", ["", "GP1:", "gp1:", "GP2:", "GP1:A", "GP1:^", "HC1:6BF"])
def test_what_is_no_code_is_refused(text):
    assert refusal(text) in (Refusal.FORMAT, Refusal.SIZE)


@pytest.mark.parametrize("prefix", ["gp1:", "GP1", " GP1:", "GPT:", "HC1:"])
def test_a_code_of_another_prefix_is_refused(prefix):
    assert refusal(prefix + code().removeprefix("GP1:")) is Refusal.FORMAT


def test_nothing_of_a_code_is_in_what_is_raised_of_it():
    for text in (code(expires_utc=NOW - SECOND, not_before_utc=None), code(direction="exit")):
        with pytest.raises(CredentialError) as caught:
            verified(text)
        assert "s-17" not in str(caught.value)
        assert caught.value.__cause__ is None


# -------------------------------------------------------------------------------- issuing


def test_what_no_gate_would_take_is_not_issued():
    with pytest.raises(ValueError, match="category"):
        code(category="unknown")
    with pytest.raises(ValueError, match="uses: a counted pass must expire"):
        claims(uses=1, expires_utc=None)
    with pytest.raises(ValueError, match="expires_utc: not after"):
        claims(expires_utc=NOW, not_before_utc=NOW)
    with pytest.raises(ValueError, match="subject: must be printable"):
        SignedPass(id=ID, subject="a\u202eb", site="north", issued_utc=NOW, category="resident")


def test_the_same_pass_is_the_same_code():
    assert code(**FULL) == code(**FULL)
    assert len({code(), code(uses=1), code(id=bytes(16)), code(OTHER)}) == 4
