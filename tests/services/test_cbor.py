"""CBOR of strangers: plain data, or the one error, in little memory."""

import math
import tracemalloc

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost_services.credentials import cbor
from gatepost_services.credentials.errors import CredentialError, Refusal
from gatepost_services.credentials.wrapping import MAX_BYTES

from .hcert_kit import UNHURRIED

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
    | st.binary(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.integers(-300, 300) | st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=20,
)


def refusal(data, **more):
    with pytest.raises(CredentialError) as caught:
        cbor.decode(data, **more)
    assert caught.value.__cause__ is None  # the library's errors quote the data
    return caught.value.refusal


@UNHURRIED
@given(PLAIN)
def test_plain_data_comes_back_as_it_was(value):
    assert cbor.decode(cbor.encode(value)) == value


@UNHURRIED
@given(PLAIN)
def test_the_same_claims_are_the_same_bytes(value):
    assert cbor.encode(cbor.decode(cbor.encode(value))) == cbor.encode(value)


def test_keys_are_put_in_order():
    assert cbor.encode({"b": 1, -260: 2, 4: 3, "aa": 4, 1: 5}) == cbor.encode(
        {1: 5, 4: 3, -260: 2, "b": 1, "aa": 4}
    )


@UNHURRIED
@given(st.binary(max_size=64), st.sampled_from([cbor.NO_TAGS, cbor.DATE_TAGS]))
def test_any_bytes_are_plain_data_or_the_one_error(data, tags):
    try:
        value = cbor.decode(data, tags=tags)
    except CredentialError:
        return
    assert cbor2.loads(cbor.encode(value)) == value


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",  # an end without a beginning
        b"\x1c",  # a length that is reserved
        b"\x61\xff",  # no UTF-8
        b"\x82\x01",  # cut off
        b"\xa1\x01",
        b"\x01\x02",  # bytes after it
        b"\xa2\x01\x02\x01\x03",  # a key twice
        b"\xbf\x01\x02\x01\x03\xff",
        b"\xf7",  # undefined
        b"\xf0",  # a simple value that means nothing
        b"\xf9\x7e\x00",  # not a number
        b"\xf9\x7c\x00",  # infinite
        b"\x81\xfb\xff\xf0\x00\x00\x00\x00\x00\x00",
        b"\xa1\xa1\x01\x02\x03",  # a map as a key
        b"\x7f\x61\x61\x41\x61\xff",  # bytes in a text
        b"\x5f\x5f\x41\x61\xff\xff",  # chunks in chunks
    ],
)
def test_what_is_no_plain_data_is_refused(data):
    assert refusal(data) is Refusal.FORMAT
    assert refusal(data, tags=cbor.DATE_TAGS) is Refusal.FORMAT


@pytest.mark.parametrize("number", [2**53 + 1, -(2**53) - 1, 2**64 - 1, -(2**64)])
def test_integers_have_a_bound(number):
    assert refusal(cbor2.dumps(number)) is Refusal.SIZE
    assert refusal(cbor2.dumps({"deep": [number]})) is Refusal.SIZE
    assert refusal(cbor2.dumps({number: 1})) is Refusal.SIZE
    assert cbor.decode(cbor2.dumps(math.copysign(2**53, number))) == math.copysign(2**53, number)


@pytest.mark.parametrize("tag", [0, 1, 2, 3, 4, 24, 25, 28, 29, 35, 36, 37, 258, 1004, 55799])
def test_no_tag_is_read_unless_it_is_asked_for(tag):
    data = cbor2.dumps(cbor2.CBORTag(tag, "2021-05-31T12:00:00Z"))
    assert refusal(data) is Refusal.FORMAT
    if tag in cbor.DATE_TAGS:
        assert cbor.decode(data, tags=cbor.DATE_TAGS) == "2021-05-31T12:00:00Z"
    else:
        assert refusal(data, tags=cbor.DATE_TAGS) is Refusal.FORMAT


@pytest.mark.parametrize("inside", ["no date", 17, [1, 2], {"a": None}])
def test_what_is_in_a_tag_is_returned_as_it_is(inside):
    data = cbor2.dumps({"sc": cbor2.CBORTag(0, inside)})
    assert cbor.decode(data, tags=cbor.DATE_TAGS) == {"sc": inside}


def test_a_big_number_in_a_date_is_refused():
    assert refusal(cbor2.dumps(cbor2.CBORTag(1, 2**70)), tags=cbor.DATE_TAGS) is Refusal.FORMAT


@pytest.mark.parametrize(
    "layer", [b"\x81", b"\xa1\x01", b"\x9f", b"\xbf\x01", b"\xc0", b"\xa1"], ids=bytes.hex
)
def test_nesting_has_a_bound(layer):
    deep = layer * (MAX_BYTES // len(layer))
    assert refusal(deep, tags=cbor.DATE_TAGS) is Refusal.SIZE


def test_what_is_as_deep_as_allowed_is_read():
    def nested(depth):
        return b"\x81" * depth + b"\x01"

    assert cbor.decode(nested(cbor.MAX_DEPTH))
    assert refusal(nested(cbor.MAX_DEPTH + 1)) is Refusal.SIZE


LONG = [
    bytes((major << 5 | 26,)) + b"\xff\xff\xff\xff" for major in (2, 3, 4, 5)
]  # 4 GiB of bytes, text, values, pairs; and nothing of it
LONG += [bytes((major << 5 | 27,)) + b"\xff" * 8 for major in (2, 3, 4, 5)]
LONG += [b"\xc2\x59\x3f\x00" + b"\xff" * 0x3F00]  # a number of 16,128 bytes
LONG += [b"\x81" + data for data in LONG]


@pytest.mark.parametrize("data", LONG, ids=lambda data: data[:10].hex())
def test_a_length_that_lies_takes_no_memory(data):
    tracemalloc.start()
    try:
        refusal(data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 200_000


@pytest.mark.parametrize("item", [b"\x80", b"\xa0", b"\x60", b"\x40", b"\xf4", b"\x18\x64"])
def test_as_many_values_as_fit_into_a_code_take_a_bounded_memory(item):
    count = (MAX_BYTES - 3) // len(item)
    data = b"\x99" + count.to_bytes(2) + item * count
    tracemalloc.start()
    try:
        assert len(cbor.decode(data)) == count
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 150 * MAX_BYTES
