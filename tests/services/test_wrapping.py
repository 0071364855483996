"""Base45 around zlib: what comes out is what went in, and nothing is larger than it may be."""

import tracemalloc
import zlib

import base45
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost_services.credentials import wrapping
from gatepost_services.credentials.errors import CredentialError, Refusal
from gatepost_services.credentials.wrapping import MAX_BYTES, MAX_TEXT

from .hcert_kit import UNHURRIED

PREFIX = "GP1:"


def refusal(step, *arguments):
    with pytest.raises(CredentialError) as caught:
        step(*arguments)
    assert caught.value.__cause__ is None
    return caught.value.refusal


def packed(data):
    return base45.b45encode(data).decode()


@UNHURRIED
@given(st.binary(max_size=500))
def test_what_was_wrapped_comes_out(data):
    text = wrapping.wrap(data, PREFIX)
    assert text.startswith(PREFIX)
    assert wrapping.unwrap(text, PREFIX) == data


@UNHURRIED
@given(st.text(max_size=80))
def test_any_text_is_bytes_or_the_one_error(text):
    assert refusal(wrapping.unwrap, PREFIX + text, PREFIX) in {Refusal.FORMAT, Refusal.SIZE}


@pytest.mark.parametrize("text", ["", "GP1", "gp1:6BF", " GP1:6BF", "HC1:6BF", "GP2:6BF"])
def test_the_prefix_is_taken_as_it_stands(text):
    assert refusal(wrapping.strip, text, PREFIX) is Refusal.FORMAT


def test_a_text_is_at_most_what_a_qr_code_holds():
    assert wrapping.strip(PREFIX + "0" * (MAX_TEXT - 4), PREFIX) == "0" * (MAX_TEXT - 4)
    assert refusal(wrapping.strip, PREFIX + "0" * (MAX_TEXT - 3), PREFIX) is Refusal.SIZE


# The examples of RFC 9285, 4.3 and 4.4, and what its section 6 wants refused.
@pytest.mark.parametrize(
    ("text", "data"),
    [("BB8", b"AB"), ("%69 VD92EX0", b"Hello!!"), ("QED8WEX0", b"ietf!"), ("", b"")],
)
def test_base45_is_that_of_the_rfc(text, data):
    assert wrapping.decode(text) == data


@pytest.mark.parametrize(
    "text", ["::", ":::", "GGW", "A", "BB8A", "bb8", "BB8\n", "BB8\r\n", "BB,", "é", "\ud800"]
)
def test_what_is_not_base45_is_refused(text):
    assert refusal(wrapping.decode, text) is Refusal.FORMAT


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x78",
        b"no zlib at all",
        zlib.compress(b"whole")[:-1],
        zlib.compress(b"whole")[:-4] + b"\0\0\0\0",  # another checksum
        zlib.compress(b"whole") + b"!",
        zlib.compress(b"whole") * 2,
        zlib.compress(b"whole", wbits=-15),  # without its header
        zlib.compress(b"whole", wbits=31),  # gzip
        bytes.fromhex("78bb00000000"),  # with a dictionary that nobody gave
    ],
)
def test_what_is_not_one_whole_zlib_stream_is_refused(data):
    assert refusal(wrapping.inflate, data) is Refusal.FORMAT


def test_the_largest_that_may_be_unpacked_is_unpacked():
    whole = bytes(MAX_BYTES)
    assert wrapping.inflate(zlib.compress(whole[:-1])) == whole[:-1]
    assert refusal(wrapping.inflate, zlib.compress(whole + b"\0")) is Refusal.SIZE


@pytest.mark.parametrize("level", [1, 9])
def test_a_bomb_takes_no_memory(level):
    # As large as fits into a code: 2.8 kB that unpack to 2.7 MB.
    bomb = zlib.compress(bytes(2_700_000), level)[: MAX_TEXT // 3 * 2]
    text = PREFIX + packed(bomb)
    tracemalloc.start()
    try:
        assert refusal(wrapping.unwrap, text[:MAX_TEXT], PREFIX) is Refusal.SIZE
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 40 * MAX_BYTES


def test_a_refusal_quotes_nothing_of_the_code():
    for text in ("SECRET", "SECRET%%%", packed(b"SECRET"), packed(zlib.compress(b"S")[:-1])):
        with pytest.raises(CredentialError) as caught:
            wrapping.unwrap(PREFIX + text, PREFIX)
        assert "SECRET" not in str(caught.value)
