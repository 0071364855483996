"""Signed texts: one way to write each, and no other one is taken."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from gatepost_services.commands.jws import MOST_BYTES, JwsError, Kind, is_signed_by, parse, sign
from gatepost_services.credentials.signing import key_of_seed, kid_of

from .command_kit import OPERATOR, STRANGER, claims, signed_text

PUBLIC = OPERATOR.public_key()
KID = kid_of(PUBLIC)
LETTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def encoded(data: bytes) -> bytes:
    return urlsafe_b64encode(data).rstrip(b"=")


def decoded(text: bytes) -> bytes:
    return urlsafe_b64decode(text + b"=" * (-len(text) % 4))


def with_header(header: str | bytes, key=OPERATOR) -> bytes:
    """Return a text whose signature is good, under any header."""
    raw = header.encode() if isinstance(header, str) else header
    signed = encoded(raw) + b"." + encoded(b"{}")
    return signed + b"." + encoded(key.sign(signed))


def header(**changed: object) -> str:
    made = {"alg": "EdDSA", "kid": KID.hex(), "typ": Kind.COMMAND.value, **changed}
    return json.dumps({name: value for name, value in made.items() if value is not None})


# ---------------------------------------------------------------------------------- other makers


def test_the_example_of_rfc_8037_appendix_a_4():
    key = key_of_seed(decoded(b"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"))
    signed = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc"
    signature = (
        b"hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
    )
    assert encoded(key.public_key().public_bytes_raw()) == (
        b"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
    )
    assert encoded(key.sign(signed)) == signature
    shown = parse(signed_text())._replace(signed=signed, signature=decoded(signature))
    assert is_signed_by(shown, [key.public_key()])
    assert not is_signed_by(shown, [PUBLIC])
    with pytest.raises(JwsError, match="header"):  # good, and of no kind of ours
        parse(signed + b"." + signature)


def test_another_library_reads_what_is_signed_here():
    content = claims()
    text = signed_text().decode()
    read = jwt.decode(
        text,
        PUBLIC,
        algorithms=["EdDSA"],
        audience=content["aud"],
        options={"verify_exp": False, "verify_nbf": False, "verify_iat": False},
    )
    assert read == content
    assert jwt.get_unverified_header(text) == json.loads(header())


def test_what_another_library_signs_is_read_here():
    headers = {"kid": KID.hex(), "typ": Kind.COMMAND.value}
    text = jwt.encode(claims(), OPERATOR, algorithm="EdDSA", headers=headers)
    signed = parse(text.encode())
    assert (signed.kind, signed.kid) == (Kind.COMMAND, KID)
    assert json.loads(signed.payload) == claims()
    assert is_signed_by(signed, [PUBLIC])


@pytest.mark.parametrize("kind", Kind)
def test_each_kind_is_read_as_what_it_is(kind):
    signed = parse(sign(kind, b"{}", OPERATOR, KID))
    assert signed.kind is kind
    assert is_signed_by(signed, [STRANGER.public_key(), PUBLIC])
    assert not is_signed_by(signed, [STRANGER.public_key()])
    assert not is_signed_by(signed, [])


def test_a_key_of_another_kind_signs_nothing():
    other = ec.generate_private_key(ec.SECP256R1()).public_key()
    signed = parse(signed_text())
    assert not is_signed_by(signed, [other])
    assert is_signed_by(signed, [other, PUBLIC])


# ------------------------------------------------------------------------------------- hostile


def test_no_bit_can_be_flipped():
    text = signed_text()
    for index in range(len(text)):
        for bit in range(8):
            flipped = bytearray(text)
            flipped[index] ^= 1 << bit
            try:
                signed = parse(bytes(flipped))
            except JwsError:
                continue
            assert not is_signed_by(signed, [PUBLIC]), (index, bit)


def test_no_letter_can_be_another_one():
    # The last letter of a part has bits that decode to nothing: they must be zero.
    text = signed_text()
    ends = [index - 1 for index in range(len(text)) if text[index : index + 1] == b"."]
    for index in (*ends, len(text) - 1):
        for letter in LETTERS:
            if letter != text[index]:
                changed = text[:index] + bytes([letter]) + text[index + 1 :]
                try:
                    signed = parse(changed)
                except JwsError:
                    continue
                assert not is_signed_by(signed, [PUBLIC])


@pytest.mark.parametrize("part", [0, 1, 2])
@pytest.mark.parametrize("extra", [b"=", b"==", b" ", b"\n", b"\r\n", b"\t", b"\x00", b"+", b"/"])
@pytest.mark.parametrize("at", [0, 5, None])
def test_nothing_can_be_put_in(part, extra, at):
    parts = signed_text().split(b".")
    where = len(parts[part]) if at is None else at
    parts[part] = parts[part][:where] + extra + parts[part][where:]
    with pytest.raises(JwsError):
        parse(b".".join(parts))


@pytest.mark.parametrize("part", [0, 1, 2])
def test_no_part_can_be_cut_or_be_missing(part):
    parts = signed_text().split(b".")
    for cut in (b"", parts[part][:1], parts[part][:-4]):
        changed = [*parts[:part], cut, *parts[part + 1 :]]
        try:
            signed = parse(b".".join(changed))
        except JwsError:
            continue
        assert not is_signed_by(signed, [PUBLIC])
    with pytest.raises(JwsError, match="three parts"):
        parse(b".".join(parts[:2]))
    with pytest.raises(JwsError, match="three parts"):
        parse(b".".join([*parts, parts[part]]))


HEADERS = {
    "none": header(alg="none"),
    "NONE": header(alg="None"),
    "HS256": header(alg="HS256"),
    "ES256": header(alg="ES256"),
    "Ed25519": header(alg="Ed25519"),
    "eddsa": header(alg="eddsa"),
    "no alg": header(alg=None),
    "alg of another type": header(alg=1),
    "no kid": header(kid=None),
    "empty kid": header(kid=""),
    "capital kid": header(kid=KID.hex().upper()),
    "kid with blanks": header(kid=" ".join(KID.hex())),
    "kid with a prefix": header(kid="0x" + KID.hex()),
    "kid too long": header(kid="ab" * 65),
    "odd kid": header(kid="abc"),
    "kid of other letters": header(kid="xyz1"),
    "null kid": '{"alg":"EdDSA","kid":null,"typ":"gatepost-command+jwt"}',
    "no typ": header(typ=None),
    "JWT": header(typ="JWT"),
    "typ with the prefix": header(typ="application/gatepost-command+jwt"),
    "capital typ": header(typ="GATEPOST-COMMAND+JWT"),
    "crit": header(crit=["exp"]),
    "empty crit": header(crit=[]),
    "b64": header(b64=False),
    "jwk": header(jwk={"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS"}),
    "jku": header(jku="https://example.org/keys"),
    "cty": header(cty="json"),
    "zip": header(zip="DEF"),
    "alg twice": '{"alg":"none",' + header()[1:],
    "typ twice": '{"typ":"gatepost-head+jwt",' + header()[1:],
    "kid twice, escaped": '{"\\u006bid":"00",' + header()[1:],
    "a list": "[]",
    "a text": '"EdDSA"',
    "null": "null",
    "no JSON": "alg: EdDSA",
    "two objects": header() * 2,
    "deep": "[" * 6000,
    "deep inside": '{"alg":' + "[" * 6000,
    "no text": header().encode().replace(b"EdDSA", b"Ed\xff\xfe"),
    "no text in a name": header().encode().replace(b"alg", b"\xff\xfe"),
    "a lone surrogate": header().replace("EdDSA", "\\ud800"),
    "UTF-16": header().encode("utf-16"),
    "byte order mark": b"\xef\xbb\xbf" + header().encode(),
}


@pytest.mark.parametrize("text", HEADERS.values(), ids=HEADERS)
def test_another_header_is_refused_though_its_signature_is_good(text):
    with pytest.raises(JwsError):
        parse(with_header(text))


def test_the_order_and_the_blanks_of_the_header_are_the_makers():
    spaced = header().replace(":", " : ").replace(",", " ,\n")
    turned = json.dumps(dict(reversed(json.loads(header()).items())))
    for text in (spaced, turned):
        assert is_signed_by(parse(with_header(text)), [PUBLIC])


@pytest.mark.parametrize("size", [0, 1, 32, 63, 65, 128])
def test_a_signature_has_64_bytes(size):
    head, payload, _ = signed_text().split(b".")
    with pytest.raises(JwsError, match=r"signature|base64"):
        parse(b".".join((head, payload, encoded(b"x" * size))))


def test_a_signature_of_an_algorithm_with_a_shared_secret_is_none():
    # The classic: the public key taken as the secret of an HMAC.
    text = jwt.encode(
        claims(),
        PUBLIC.public_bytes_raw(),
        algorithm="HS256",
        headers={"kid": KID.hex(), "typ": Kind.COMMAND.value},
    )
    with pytest.raises(JwsError, match="EdDSA"):
        parse(text.encode())


def test_what_is_too_long_is_neither_read_nor_made():
    whole = sign(Kind.COMMAND, b"x" * 9000, OPERATOR, KID)
    room = (MOST_BYTES - len(whole)) * 3 // 4
    longest = sign(Kind.COMMAND, b"x" * (9000 + room), OPERATOR, KID)
    assert MOST_BYTES - 4 < len(longest) <= MOST_BYTES
    assert is_signed_by(parse(longest), [PUBLIC])
    with pytest.raises(JwsError, match=str(MOST_BYTES)):
        sign(Kind.COMMAND, b"x" * (9000 + room + 4), OPERATOR, KID)
    with pytest.raises(JwsError, match=str(MOST_BYTES)):
        parse(b"x" * (MOST_BYTES + 1))


def test_the_errors_quote_nothing():
    for text in (b"secret", b"secret.secret.secret", with_header('{"secret":1}')):
        with pytest.raises(JwsError) as caught:
            parse(text)
        assert "secret" not in str(caught.value)


@given(st.binary(max_size=400))
def test_any_bytes_are_refused_in_words(data):
    with pytest.raises(JwsError):
        parse(data)


@given(st.binary(min_size=1, max_size=400), st.sampled_from(Kind))
def test_any_payload_comes_back(payload, kind):
    signed = parse(sign(kind, payload, OPERATOR, KID))
    assert (signed.kind, signed.kid, signed.payload) == (kind, KID, payload)
    assert is_signed_by(signed, [PUBLIC])
