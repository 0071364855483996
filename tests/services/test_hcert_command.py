"""`gatepost credential check` as it is typed: a line of JSON for each test file."""

import base64
import io
import json
import sys
from datetime import datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from gatepost.cli import credential
from gatepost.cli.main import main
from gatepost_services.credentials import hcert, signing, trust
from gatepost_services.credentials.hcert_signer import trusted_key
from gatepost_services.credentials.keys import public_key

DATA = Path(__file__).resolve().parents[1] / "data" / "hcert"
RIGHT = DATA / "CH/2DCode/raw/2.json"
PICTURE = "EXPECTEDPICTUREDECODE"


@pytest.fixture
def check(capsys):
    """Check some files; return the status, the lines of the answer, and the complaints."""

    def run(*paths):
        status = main(["credential", "check", *map(str, paths)])
        printed = capsys.readouterr()
        return status, [json.loads(line) for line in printed.out.splitlines()], printed.err

    return run


@pytest.fixture
def changed(tmp_path):
    def write(**results):
        document = json.loads(RIGHT.read_bytes())
        document["EXPECTEDRESULTS"] |= results
        path = tmp_path / "changed.json"
        path.write_text(json.dumps(document), encoding="utf-8")
        return path

    return write


def test_every_file_of_the_test_data_agrees(check):
    pytest.importorskip("zxingcpp")
    paths = sorted(DATA.rglob("*.json"))
    status, lines, complaints = check(*paths)
    assert (status, complaints) == (0, "")
    assert [line["file"] for line in lines] == [str(path) for path in paths]
    for path, line in zip(paths, lines, strict=True):
        assert list(line) == ["file", "results", "agrees"]
        assert set(line["results"]) == set(json.loads(path.read_bytes())["EXPECTEDRESULTS"])
        assert line["agrees"] is True


def test_one_that_disagrees_is_told_and_the_others_are_run(check, changed):
    status, lines, _ = check(changed(EXPECTEDVERIFY=False), RIGHT)
    assert status == 1
    assert [line["agrees"] for line in lines] == [False, True]
    assert lines[0]["results"]["EXPECTEDVERIFY"] is True


def test_a_file_that_cannot_be_read_is_told_and_the_others_are_run(check, tmp_path, changed):
    files = {
        "no.json": b"{",
        "list.json": b"[]",
        "nothing.json": b"{}",
        "deep.json": b"[" * 100_000,
        "latin.json": '{"a": "é"}'.encode("latin-1"),
        "large.json": b" " * (credential._MOST_BYTES + 1),
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    missing = tmp_path / "missing.json"
    wrong = [missing, tmp_path, *(tmp_path / name for name in files)]
    status, lines, complaints = check(*wrong, changed(EXPECTEDVERIFY=False), RIGHT)
    assert status == 2
    assert [line["agrees"] for line in lines] == [False, True]
    # Where nothing here reads pictures, that is told as well.
    complaints = [line for line in complaints.splitlines() if "zxing-cpp" not in line]
    assert len(complaints) == len(wrong)
    for path, complaint in zip(wrong, complaints, strict=True):
        assert complaint.startswith(f"gatepost: {path}: ")
    assert "No such file" in complaints[0]
    assert "EXPECTEDRESULTS" in complaints[4]
    assert "larger than" in complaints[-1]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_byte_order_mark_is_no_obstacle(check, changed, encoding):
    path = changed()
    path.write_text(path.read_text(encoding="utf-8"), encoding=encoding)
    status, lines, _ = check(path)
    assert (status, lines[0]["agrees"]) == (0, True)


def test_without_the_libraries_the_picture_is_left_out_and_that_is_told(check, monkeypatch):
    monkeypatch.setitem(sys.modules, "zxingcpp", None)
    status, lines, complaints = check(RIGHT)
    assert status == 0
    assert PICTURE not in lines[0]["results"]
    assert "EXPECTEDVERIFY" in lines[0]["results"]
    assert "zxing-cpp" in complaints


def test_a_picture_is_read_and_what_is_none_holds_no_code(monkeypatch):
    pytest.importorskip("zxingcpp")
    image = pytest.importorskip("PIL.Image")
    document = json.loads(RIGHT.read_bytes())
    read = credential._picture_reader()
    picture = base64.b64decode(document["2DCODE"])
    assert read(picture) == [document["PREFIX"]]
    with image.open(io.BytesIO(picture)) as opaque:
        box = opaque.convert("L").point(lambda value: 255 - value).getbbox()
        shape = opaque.convert("L").crop(box)
    clear = image.new("RGBA", shape.size, (0, 0, 0, 0))  # black, and seen through
    clear.putalpha(shape.point(lambda value: 255 - value))
    for bare in (shape, clear):  # without a margin
        data = io.BytesIO()
        bare.save(data, "PNG")
        assert read(data.getvalue()) == [document["PREFIX"]]
    blank = io.BytesIO()
    image.new("L", (50, 50), 255).save(blank, "PNG")
    for data in (b"", b"no picture", picture[:200], blank.getvalue()):
        assert read(data) == []
    monkeypatch.setattr(image, "MAX_IMAGE_PIXELS", 100)
    assert read(picture) == []  # a bomb


def test_no_file_at_all_is_wrong_usage(check):
    with pytest.raises(SystemExit) as ended:
        check()
    assert ended.value.code == 2


def test_a_signer_is_shown_as_a_key_of_a_trust_list(capsys, tmp_path):
    path = tmp_path / "signer.pem"
    der = base64.b64decode(json.loads(RIGHT.read_bytes())["TESTCTX"]["CERTIFICATE"])
    key = trusted_key(der)
    pem = x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM)
    for data in (der, pem, base64.b64encode(der)):
        path.write_bytes(data)
        assert main(["credential", "signer", str(path)]) == 0
        entry = json.loads(capsys.readouterr().out)
        assert bytes.fromhex(entry["kid"]) == key.kid
        assert public_key(base64.b64decode(entry["spki"])) == key.key
        assert set(entry["use"]) == key.uses
        assert datetime.fromisoformat(entry["not_before"]) == key.not_before_utc
        assert datetime.fromisoformat(entry["not_after"]) == key.not_after_utc


def test_a_list_with_a_signer_verifies_a_certificate(capsys, tmp_path):
    document = json.loads(RIGHT.read_bytes())
    (tmp_path / "signer").write_text(document["TESTCTX"]["CERTIFICATE"], encoding="ascii")
    assert main(["credential", "signer", str(tmp_path / "signer")]) == 0
    entry = json.loads(capsys.readouterr().out)
    description = tmp_path / "list.json"
    description.write_text(json.dumps({"site": "north", "version": 1, "keys": [entry]}))
    root, out = tmp_path / "root.pem", tmp_path / "trust.cose"
    assert main(["pass", "keygen", str(root)]) == 0
    assert main(["trust", "issue", str(description), "--key", str(root), "--out", str(out)]) == 0
    listed = trust.read(out.read_bytes(), roots=[signing.read_key(root).public_key()], site="north")
    clock = datetime.fromisoformat(document["TESTCTX"]["VALIDATIONCLOCK"])
    read = hcert.read(document["PREFIX"], trusted=listed.believed(), now_utc=clock)
    assert (read.issuer_country, read.entries[0].is_covid) == ("CH", True)


@pytest.mark.parametrize("data", [b"", b"no certificate", b"\x30\x03\x02\x01\x01"])
def test_what_is_no_certificate_is_told(capsys, tmp_path, data):
    path = tmp_path / "signer.pem"
    path.write_bytes(data)
    with pytest.raises(SystemExit) as ended:
        main(["credential", "signer", str(path)])
    assert ended.value.code == 2
    assert f"{path}: a certificate" in capsys.readouterr().err
