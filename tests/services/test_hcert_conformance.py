"""The public test data of the EU DCC: each file comes to what it expects, and only it does."""

import base64
import copy
import json
import unicodedata
from pathlib import Path

import pytest

from gatepost_services.credentials import cbor, cose, hcert, wrapping
from gatepost_services.credentials.hcert_conformance import (
    NotATestFileError,
    expected_results,
    results,
)

DATA = Path(__file__).resolve().parents[1] / "data" / "hcert"
FILES = sorted(DATA.rglob("*.json"))
PICTURE = "EXPECTEDPICTUREDECODE"
TRUE = [
    "EXPECTEDVALIDOBJECT",
    "EXPECTEDENCODE",
    PICTURE,
    "EXPECTEDUNPREFIX",
    "EXPECTEDB45DECODE",
    "EXPECTEDCOMPRESSION",
    "EXPECTEDVERIFY",
    "EXPECTEDDECODE",
    "EXPECTEDVALIDJSON",
    "EXPECTEDSCHEMAVALIDATION",
    "EXPECTEDKEYUSAGE",
    "EXPECTEDEXPIRATIONCHECK",
]


def load(path):
    return json.loads(path.read_bytes())


def test_the_data_is_there():
    assert len(FILES) == 67


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(DATA)))
def test_a_file_comes_to_what_it_expects(path):
    document = load(path)
    expected = expected_results(document)
    pictured = "2DCODE" in document
    found = results(document)
    # Without a reader of pictures that step is left out, and no other.
    assert found == {
        name: result for name, result in expected.items() if not (name == PICTURE and pictured)
    }


# What is wrong in the others is wrong in a stage that is not the text.
SAME = [path for path in FILES if path.name not in {"DGC1.json", "CBO1.json", "Q1.json"}]


@pytest.mark.parametrize("path", SAME, ids=lambda path: str(path.relative_to(DATA)))
def test_the_text_alone_comes_to_the_same(path):
    document = load(path)
    alone = {name: document[name] for name in ("PREFIX", "TESTCTX", "EXPECTEDRESULTS")}
    left_out = {"EXPECTEDVALIDOBJECT", "EXPECTEDENCODE"}  # without JSON
    found, whole = results(alone), results(document)
    for name in set(found) & set(whole) - left_out - {PICTURE}:
        assert found[name] == whole[name], name


@pytest.fixture
def whole():
    """A file with every stage, and every result expected to be true."""
    document = load(DATA / "CH/2DCode/raw/2.json")
    document["EXPECTEDRESULTS"] = dict.fromkeys(TRUE, True)
    return document


def read_picture(document):
    return lambda data: [document["PREFIX"]] if data.startswith(b"\x89PNG") else []


def failed(document, read=None):
    return {name for name, result in results(document, read).items() if not result}


def test_a_right_file_fails_no_step(whole):
    found = results(whole, read_picture(whole))
    assert found == dict.fromkeys(TRUE, True)
    assert list(found) == TRUE  # in the order that the file has


def change_hex(document, stage):
    data = bytearray.fromhex(document[stage])
    data[len(data) // 2] ^= 1
    document[stage] = data.hex()


def change_json(document):
    document["JSON"]["t"][0]["tr"] = "260373001"


def break_json(document):
    document["JSON"]["t"][0].pop("tr")


def change_signature(document):
    document["COSE"] = document["COSE"][:-2] + ("00" if document["COSE"][-2:] != "00" else "01")


def late(document):
    document["TESTCTX"]["VALIDATIONCLOCK"] = "2099-01-01T00:00:00Z"


def early(document):
    document["TESTCTX"]["VALIDATIONCLOCK"] = "2001-01-01T00:00:00Z"


def other_signer(document):
    document["TESTCTX"]["CERTIFICATE"] = load(DATA / "common/2DCode/raw/CO13.json")["TESTCTX"][
        "CERTIFICATE"
    ]


def cut_prefix(document):
    document["PREFIX"] = document["PREFIX"][:-3]


def wrong_prefix(document):
    document["PREFIX"] = "HC2:" + document["PREFIX"][4:]


def strange_cbor(document):
    other = cbor.decode(bytes.fromhex(document["CBOR"]))
    other["t"][0]["sc"] = "2021-01-01T00:00:00Z"
    document["CBOR"] = cbor.encode(other).hex()


def wrong_cbor(document):
    other = cbor.decode(bytes.fromhex(document["CBOR"]))
    other["t"][0]["co"] = "XY"
    document["CBOR"] = cbor.encode(other).hex()


@pytest.mark.parametrize(
    ("change", "fails"),
    [
        (lambda document: change_hex(document, "COMPRESSED"), {"B45DECODE", "COMPRESSION"}),
        (change_signature, {"COMPRESSION", "VERIFY"}),
        (change_json, {"ENCODE"}),
        (break_json, {"ENCODE", "VALIDOBJECT"}),
        (late, {"EXPIRATIONCHECK"}),
        (early, {"EXPIRATIONCHECK"}),
        (other_signer, {"VERIFY", "KEYUSAGE"}),
        (cut_prefix, {"PICTUREDECODE", "UNPREFIX", "VALIDJSON"}),
        (wrong_prefix, {"PICTUREDECODE", "UNPREFIX", "VALIDJSON"}),
        (strange_cbor, {"ENCODE", "DECODE"}),
        (wrong_cbor, {"ENCODE", "DECODE", "SCHEMAVALIDATION"}),
    ],
)
def test_a_change_fails_the_steps_that_see_it_and_no_others(whole, change, fails):
    document = copy.deepcopy(whole)
    change(document)
    assert failed(document, read_picture(whole)) == {f"EXPECTED{name}" for name in fails}


def test_a_picture_without_the_code_and_one_that_cannot_be_read_fail(whole):
    assert failed(whole, lambda _: []) == {PICTURE}
    assert failed(whole, lambda _: ["HC1:ANOTHER"]) == {PICTURE}
    assert not failed(whole, lambda _: ["HC1:ANOTHER", whole["PREFIX"] + "\r\n"])
    whole["2DCODE"] = base64.b64encode(b"GIF89a").decode()
    assert failed(whole, read_picture(whole)) == {PICTURE}
    whole["2DCODE"] = "no base64!"
    assert failed(whole, read_picture(whole)) == {PICTURE}


def test_without_a_picture_the_text_must_fit_into_one(whole):
    del whole["2DCODE"]
    assert not failed(whole)
    whole["PREFIX"] += "0" * 4300
    assert PICTURE in failed(whole)


def test_every_misspelt_name_that_there_is_stands_for_its_step(whole):
    whole["EXPECTEDRESULTS"] = {
        "EXPTECTEDEXPIRED": True,
        " expectedverify ": "TRUE",
        "EXPECTEDRESULTS": {"EXPECTEDDECODE": True, "EXPECTEDUNPREFIX": None},
        "EXPECTEDNOTHING": True,
        "EXPECTEDKEYUSAGE": "perhaps",
    }
    assert results(whole) == {
        "EXPTECTEDEXPIRED": True,
        " expectedverify ": True,
        "EXPECTEDDECODE": True,
    }
    late(whole)
    assert failed(whole) == {"EXPTECTEDEXPIRED"}


def test_a_result_of_results_is_that_of_all_others(whole):
    whole["EXPECTEDRESULTS"] = {
        "EXPECTEDRESULTS": True,
        "EXPECTEDVERIFY": True,
        "EXPECTEDEXPIRATIONCHECK": True,
    }
    assert results(whole)["EXPECTEDRESULTS"] is True
    late(whole)
    assert failed(whole) == {"EXPECTEDRESULTS", "EXPECTEDEXPIRATIONCHECK"}


def test_stages_are_read_in_every_form_that_they_are_found_in(whole):
    for stage in ("CBOR", "COSE", "COMPRESSED"):
        data = bytes.fromhex(whole[stage])
        for form in (data.hex().upper(), data.hex(" "), base64.b64encode(data).decode()):
            assert not failed(whole | {stage: form}, read_picture(whole)), (stage, form[:20])
    text = json.dumps(whole["JSON"])
    assert not failed(whole | {"JSON": text}, read_picture(whole))
    assert "EXPECTEDENCODE" in failed(whole | {"JSON": "{"}, read_picture(whole))
    lines = whole["PREFIX"] + "\r\n"
    assert not failed(whole | {"PREFIX": lines}, read_picture(whole))


def test_cbor_may_be_the_claims_that_the_certificate_is_in(whole):
    claims = cbor.encode({1: "CH", -260: {1: cbor.decode(bytes.fromhex(whole["CBOR"]))}})
    assert not failed(whole | {"CBOR": claims.hex()}, read_picture(whole))


def test_what_says_the_same_is_the_same(whole):
    stated = copy.deepcopy(whole["JSON"])
    stated["nam"]["gn"] = unicodedata.normalize("NFD", stated["nam"]["gn"])
    assert stated["nam"]["gn"] != whole["JSON"]["nam"]["gn"]  # Céline, in two ways
    stated["t"][0]["nothing"] = stated["v"] = None
    assert not failed(whole | {"JSON": stated}, read_picture(whole))


def test_a_certificate_of_nothing_may_be_signed_by_nobody(whole):
    claims = cbor.encode({-260: {1: {"ver": "1.3.0", "t": []}}})
    whole["COSE"] = cbor.encode([b"\xa1\x01\x26", {}, claims, b"\x00" * 64]).hex()
    assert "EXPECTEDKEYUSAGE" in failed(whole, read_picture(whole))


def test_a_signer_is_read_in_every_form_that_it_is_found_in(whole):
    bare = whole["TESTCTX"]["CERTIFICATE"]
    lines = "\n".join(bare[n : n + 64] for n in range(0, len(bare), 64))
    pem = f"-----BEGIN CERTIFICATE-----\n{lines}\n-----END CERTIFICATE-----\n"
    for form in (lines, pem, pem.replace("\n", ""), base64.b64encode(pem.encode()).decode()):
        whole["TESTCTX"]["CERTIFICATE"] = form
        assert not failed(whole, read_picture(whole)), form[:40]
    whole["TESTCTX"]["CERTIFICATE"] = bare[:100]
    assert failed(whole, read_picture(whole)) == {"EXPECTEDVERIFY", "EXPECTEDKEYUSAGE"}


def test_a_certificate_outlives_its_key_only_if_it_is_another_s():
    # 6.json says that another key signed it, and expects its time to be right all the same.
    document = load(DATA / "PL/1.3.0/2DCode/raw/6.json")
    assert results(document)["EXPECTEDEXPIRATIONCHECK"] is True
    document = load(DATA / "ES/2DCode/raw/1501.json")
    assert results(document)["EXPECTEDEXPIRATIONCHECK"] is True
    claims = cbor.decode(cose.parse(bytes.fromhex(document["COSE"])).payload)
    parts = cbor.decode(bytes.fromhex(document["COSE"]).removeprefix(b"\xd2"))
    for claim, by in ((4, 1), (6, -1e8)):
        parts[2] = cbor.encode(claims | {claim: claims[claim] + by})
        document["COSE"] = cbor.encode(parts).hex()
        assert results(document)["EXPECTEDEXPIRATIONCHECK"] is False
    document["TESTCTX"]["CERTIFICATE"] = ""
    assert results(document)["EXPECTEDEXPIRATIONCHECK"] is True


def test_a_step_that_has_nothing_to_start_from_is_left_out(whole):
    del whole["JSON"]
    whole["TESTCTX"] = {"VALIDATIONCLOCK": "some day"}
    found = results(whole, read_picture(whole))
    assert set(TRUE) - set(found) == {
        "EXPECTEDVALIDOBJECT",
        "EXPECTEDENCODE",
        "EXPECTEDVERIFY",
        "EXPECTEDKEYUSAGE",
        "EXPECTEDEXPIRATIONCHECK",
    }
    whole["TESTCTX"] = None
    assert results(whole, read_picture(whole)) == found


def test_a_clock_without_a_zone_is_utc_and_may_stand_under_another_name(whole):
    for name in ("VALIDATIONCLOCK", "validationClockInstant"):
        for text in ("2021-08-18T16:36:53", "2021-08-18T18:36:53+0200"):
            whole["TESTCTX"] = {name: text}
            assert results(whole)["EXPECTEDEXPIRATIONCHECK"] is True


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        "text",
        {},
        {"EXPECTEDRESULTS": None},
        {"EXPECTEDRESULTS": {}},
        {"EXPECTEDRESULTS": {"EXPECTEDVERIFY": None}},
        {"EXPECTEDRESULTS": [True]},
    ],
)
def test_what_expects_nothing_is_no_test_file(document):
    with pytest.raises(NotATestFileError, match="EXPECTEDRESULTS"):
        results(document)


def test_a_certificate_that_json_cannot_say_is_not_valid_json(whole):
    claims = cbor.encode({-260: {1: {"t": [b"bytes"]}}})
    message = cbor.encode([b"\xa1\x01\x26", {}, claims, b"\x00" * 64])
    whole["PREFIX"] = wrapping.wrap(message, hcert.PREFIX)
    assert "EXPECTEDVALIDJSON" in failed(whole, read_picture(whole))
