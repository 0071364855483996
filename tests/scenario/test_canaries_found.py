"""The search for canaries finds them: in each form, in each wrapping, and nothing else."""

import base64
import io
import tarfile
from pathlib import Path

import pytest

from gatepost_config.load import ConfigError, decode

from .canary_forms import Canary, leaks, search

TOKEN = Canary("token", b"kanarienvogel-4711")
CARD = Canary("card", bytes.fromhex("04a1b2c3d4e5f6"), is_number=True)
SHORT = Canary("number", bytes.fromhex("cafebabe"), is_number=True)


def written(folder, content, name="log"):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    "text",
    [
        "INFO token kanarienvogel-4711 came",
        b"kanarienvogel-4711".hex(),
        b"kanarienvogel-4711".hex().upper(),
        b"kanarienvogel-4711".hex(":"),
        "%6b%61%6e%61%72%69%65%6e%76%6f%67%65%6c%2d%34%37%31%31",
        *(
            encode(b"x" * before + b"kanarienvogel-4711" + b"xyz").decode()
            for before in range(5)
            for encode in (base64.b64encode, base64.urlsafe_b64encode)
        ),
        base64.encodebytes(b"x" * 50 + b"kanarienvogel-4711" + b"x" * 50).decode(),
    ],
)
def test_a_text_is_found(tmp_path, text):
    written(tmp_path, b"before " + text.encode() + b" after")
    assert leaks(search(tmp_path, [TOKEN]))


@pytest.mark.parametrize(
    "text",
    [
        *("04a1b2c3d4e5f6", "04A1B2C3D4E5F6", "f6e5d4c3b2a104", "F6:E5:D4:C3:B2:A1:04"),
        *("04-A1-B2-C3-D4-E5-F6", str(0x04A1B2C3D4E5F6), str(0xF6E5D4C3B2A104)),
        base64.b64encode(bytes.fromhex("04a1b2c3d4e5f6")).decode(),
        base64.b64encode(bytes.fromhex("f6e5d4c3b2a104")).decode(),
    ],
)
def test_a_card_is_found_in_either_order(tmp_path, text):
    written(tmp_path, f"pass {text!r} unknown".encode())
    assert leaks(search(tmp_path, [CARD]))


def test_bytes_of_a_card_are_found(tmp_path):
    written(tmp_path, b"\0\1" + CARD.secret + b"\2")
    written(tmp_path, b"\0\1" + CARD.secret[::-1] + b"\2", "other")
    assert len(leaks(search(tmp_path, [CARD]))) == 2


def test_a_short_number_counts_alone_and_not_in_a_hash(tmp_path):
    written(tmp_path, b"sha256 00cafebabe11223344556677")
    assert leaks(search(tmp_path, [SHORT])) == []
    written(tmp_path, b"card cafebabe, 3405691582")
    assert [each.partition(", ")[2] for each in leaks(search(tmp_path, [SHORT]))] == [
        "hex",
        "decimal",
    ]


def test_a_packed_one_is_found_and_one_in_a_name(tmp_path):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        member = tarfile.TarInfo("log.txt")
        member.size = len(TOKEN.secret)
        archive.addfile(member, io.BytesIO(TOKEN.secret))
    written(tmp_path, packed.getvalue(), "bundle.tar.gz")
    written(tmp_path, b"", f"{TOKEN.secret.decode()}.txt")
    assert leaks(search(tmp_path, [TOKEN])) == [
        "token in bundle.tar.gz, as it is",
        "token in kanarienvogel-4711.txt, as it is",
    ]


def test_where_it_lives_it_may_be(tmp_path):
    written(tmp_path, TOKEN.secret, "card/enrolment-token")
    canary = Canary(TOKEN.name, TOKEN.secret, ("card/*",))
    assert leaks(search(tmp_path, [canary])) == []
    assert [each.file for each in search(tmp_path, [canary])] == ["card/enrolment-token"]
    assert leaks(search(tmp_path, [TOKEN])) == ["token in card/enrolment-token, as it is"]


@pytest.mark.parametrize(
    "line",
    [
        '[link]\npassword = "kanarienvogel-4711"',
        '[link]\nwifi = "kanarienvogel-4711"',
        '[link]\nlogins = [{ anna = "kanarienvogel-4711" }]',
        '[passes]\nstep_secret = "kanarienvogel-4711"',
        '[paths]\nroster_key = "kanarienvogel-4711"',
        '[tls]\nkey = "kanarienvogel-4711"',
        'passes = "kanarienvogel-4711"',
        'password = "kanarienvogel-4711"',
        '[wifi]\npassword = "kanarienvogel-4711"',
    ],
)
def test_a_secret_in_the_settings_by_mistake_is_in_no_message(line):
    with pytest.raises(ConfigError) as refused:
        decode(line.encode(), path=Path("gate.toml"))
    assert "kanarienvogel" not in str(refused.value)


def test_what_may_be_seen_of_wrong_settings_is_shown():
    text = b'[link]\nbroker_port = "kanarienvogel"\nlimit_f = 99\n'
    with pytest.raises(ConfigError) as refused:
        decode(text, path=Path("gate.toml"))
    told = str(refused.value)
    assert "broker_port = 'kanarienvogel': must be a whole number" in told
    assert "limit_f = 99: no such setting" in told
