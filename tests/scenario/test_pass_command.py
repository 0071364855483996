"""`gatepost pass`, as a technician or an operator of a server sees it."""

import json
import stat
import subprocess
import sys

import pytest
import segno

from gatepost.cli.main import main

DAY = "2026-11-23"
ISSUED, NOON, END = f"{DAY}T00:00:00+00:00", f"{DAY}T12:00:00+00:00", f"{DAY}T18:00:00+00:00"
LEAST = ["--subject", "s-17", "--site", "north", "--category", "visitor"]


@pytest.fixture
def key(tmp_path, capsys):
    path = tmp_path / "pass-key.pem"
    assert main(["pass", "keygen", str(path)]) == 0
    kid, public = capsys.readouterr().out.splitlines()
    return Key(path, kid.removeprefix("kid:    "), public.removeprefix("public: "), capsys)


class Key:
    def __init__(self, path, kid, public, capsys):
        self.path, self.kid, self.public, self._capsys = path, kid, public, capsys

    def issue(self, *options, issued=ISSUED):
        claims = self.path.with_name("claims.json")
        claims.write_text(json.dumps({"issued_utc": issued}), encoding="utf-8")
        arguments = ["pass", "issue", "--key", str(self.path), "--claims", str(claims), *options]
        assert main(arguments) == 0
        return self._capsys.readouterr().out.rstrip("\n")


def refused(arguments, capsys, *, status):
    with pytest.raises(SystemExit) as end:
        main(["pass", *arguments])
    out, err = capsys.readouterr()
    assert (end.value.code, out) == (status, "")
    return err


def inspected(arguments, capsys, *, status=0):
    assert main(["pass", "inspect", *arguments]) == status
    return capsys.readouterr().out


# -------------------------------------------------------------------------------- keys


def test_a_private_key_is_its_owners_alone_and_never_shown_nor_overwritten(key, capsys):
    assert stat.S_IMODE(key.path.stat().st_mode) == 0o600
    pem = key.path.read_text(encoding="ascii")
    assert pem.startswith("-----BEGIN PRIVATE KEY-----")
    assert (len(key.kid), len(key.public)) == (16, 64)
    assert "exists" in refused(["keygen", str(key.path)], capsys, status=1)
    assert key.path.read_text(encoding="ascii") == pem


def test_a_secret_for_steps_is_its_owners_alone_and_not_shown(tmp_path, capsys):
    path = tmp_path / "steps"
    assert main(["pass", "keygen", "--step", str(path)]) == 0
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    secret = path.read_text(encoding="ascii").strip()
    assert len(bytes.fromhex(secret)) == 32
    assert secret not in capsys.readouterr().out


def test_a_key_that_others_can_read_does_not_sign(key, capsys):
    key.path.chmod(0o640)
    err = refused(["issue", "--key", str(key.path), *LEAST], capsys, status=1)
    assert "others may use it (mode 0640); chmod 600" in err


@pytest.mark.parametrize("content", ["", "junk", "-----BEGIN PRIVATE KEY-----\nAAAA\n"])
def test_what_is_no_key_is_told_and_not_quoted(tmp_path, capsys, content):
    path = tmp_path / "key.pem"
    path.touch(0o600)
    path.write_text(content, encoding="ascii")
    err = refused(["issue", "--key", str(path), *LEAST], capsys, status=1)
    assert f"{path}: no Ed25519 private key" in err
    assert not content or content not in err


def test_a_key_that_is_not_there_is_told(tmp_path, capsys):
    err = refused(["issue", "--key", str(tmp_path / "none"), *LEAST], capsys, status=1)
    assert "none: cannot be read: No such file or directory" in err


# -------------------------------------------------------------------------------- issue, inspect


def test_what_was_issued_is_said_in_plain_words_and_judged(key, capsys):
    text = key.issue(
        *LEAST, "--gate", "gate-1", "--uses", "2", "--expires", END, "--household", "h-5",
        "--escort", "--direction", "entry", "--issuer", "server",
    )  # fmt: skip
    assert text.startswith("GP1:")
    out = inspected([text, "--public", key.public, "--at", NOON], capsys)
    for words in (
        "s-17, a visitor",
        "h-5",
        "gate-1 of site north; entry",
        f"from        {ISSUED.replace('T', ' ')}",
        f"until       {END.replace('T', ' ')}",
        "2, one way once each",
        "somebody who may must bring",
        "by server",
        f"key {key.kid}",
    ):
        assert words in out
    assert out.splitlines()[-1].startswith("good for entry at gate-1, if its uses are left")


def test_without_a_key_it_says_what_it_holds_and_that_nobody_verified_it(key, capsys):
    out = inspected([key.issue(*LEAST)], capsys)
    assert "s-17" in out
    assert "not verified: name --public" in out.splitlines()[-1]
    assert "every gate of site north; entry and exit" in out
    assert "until       its key ends" in out


@pytest.mark.parametrize(
    ("issued", "judged", "why"),
    [
        (["--expires", NOON], [], "expired: it has ended"),
        (["--not-before", END], [], "not_yet: it begins later"),
        (["--gate", "gate-1"], ["--gate", "gate-2"], "elsewhere: for other gates"),
        (["--direction", "exit"], ["--direction", "entry"], "elsewhere: not for entry"),
        ([], ["--site", "south"], "elsewhere: for another site"),
        ([], ["--public", "00" * 31 + "01"], "unknown_key: no key of the trust list"),
    ],
)
def test_why_it_is_not_good_is_said_with_status_1(key, capsys, issued, judged, why):
    text = key.issue(*LEAST, *issued)
    arguments = [text, "--public", key.public, "--at", NOON, *judged]
    out = inspected(arguments, capsys, status=1)
    assert out.splitlines()[-1].startswith(f"REFUSED: {why}")


def test_in_json_too(key, capsys):
    text = key.issue(*LEAST, "--expires", END)
    arguments = [text, "--json", "--public", key.public, "--at", NOON]
    said = json.loads(inspected(arguments, capsys))
    assert (said["verified"], said["kid"], said["step"]) == (True, key.kid, None)
    assert said["claims"]["subject"] == "s-17"
    unverified = json.loads(inspected([text, "--json"], capsys))
    assert unverified["verified"] is None


def test_a_code_may_come_on_the_input(key, capsys, monkeypatch, tmp_path):
    path = tmp_path / "code"
    path.write_text(key.issue(*LEAST) + "\n", encoding="ascii")
    with path.open(encoding="ascii") as file:
        monkeypatch.setattr(sys, "stdin", file)
        assert "s-17" in inspected(["-"], capsys)


@pytest.mark.parametrize("text", ["", "GP1:", "HC1:6BF", "GPT:00", "hello"])
def test_what_is_no_pass_is_told_with_status_1(text, capsys):
    assert "no pass: " in refused(["inspect", text], capsys, status=1)


def test_claims_may_come_from_a_file_and_options_have_the_last_word(key, tmp_path, capsys):
    claims = {
        "id": "00112233445566778899aabbccddeeff",
        "subject": "s-1",
        "site": "north",
        "category": "resident",
        "health_code": {"code": "green", "as_of_utc": NOON},
        "test": {"kind": "negative", "taken_utc": ISSUED},
        "registered": True,
    }
    path = tmp_path / "pass.json"
    path.write_text(json.dumps(claims), encoding="utf-8")
    arguments = ["--key", str(key.path), "--claims", str(path), "--subject", "s-2", "--json"]
    assert main(["pass", "issue", *arguments]) == 0
    made = json.loads(capsys.readouterr().out)["claims"]
    assert made["subject"] == "s-2"
    assert made["health_code"]["code"] == "green"
    assert (made["id"], made["registered"]) == (claims["id"], True)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--category", "astronaut"], "astronaut"),
        (["--category", "unknown"], "category"),
        (["--uses", "2"], "uses: a counted pass must expire"),
        (["--uses", "0", "--hours", "1"], "uses"),
        (["--site", "North"], "site"),
        (["--expires", "tomorrow"], "expires_utc"),
        (["--expires", "2026-11-23T18:00:00"], "expires_utc"),
        (["--step-s", "5"], "step_s"),
        (["--subject", "two words"], "subject"),
    ],
)
def test_what_no_gate_would_take_is_not_issued(key, capsys, options, why):
    err = refused(["issue", "--key", str(key.path), *LEAST, *options], capsys, status=2)
    assert err.startswith("gatepost: no pass: ")
    assert why in err


@pytest.mark.parametrize("content", ["[]", "{", "\udcff", '{"colour": "red"}', '{"id": "zz"}'])
def test_a_file_of_claims_that_is_none_is_told(key, tmp_path, capsys, content):
    path = tmp_path / "claims.json"
    path.write_bytes(content.encode("utf-8", "surrogateescape"))
    arguments = ["issue", "--key", str(key.path), *LEAST, "--claims", str(path)]
    assert refused(arguments, capsys, status=2).startswith("gatepost: ")


def test_a_counted_pass_for_several_gates_is_issued_with_a_word_of_warning(key, capsys):
    arguments = ["pass", "issue", "--key", str(key.path), *LEAST, "--uses", "1", "--hours", "1"]
    assert main(arguments) == 0
    assert "each gate counts by itself; name one with --gate" in capsys.readouterr().err
    assert main([*arguments, "--gate", "gate-1"]) == 0
    assert capsys.readouterr().err == ""


# -------------------------------------------------------------------------------- steps, pictures


def test_a_pass_with_steps_is_shown_with_one_and_judged_with_the_secret(key, tmp_path, capsys):
    secret = tmp_path / "steps"
    main(["pass", "keygen", "--step", str(secret)])
    capsys.readouterr()
    text = key.issue(*LEAST, "--gate", "gate-1", "--step-s", "30", "--expires", END)
    assert main(["pass", "step", text, "--step-secret", str(secret), "--at", NOON]) == 0
    shown = capsys.readouterr().out.rstrip("\n")
    assert shown.startswith("GPT:")
    judged = ["--public", key.public, "--step-secret", str(secret)]
    out = inspected([shown, *judged, "--at", NOON], capsys)
    assert "good for entry at gate-1" in out
    assert "a shown code counts for 30 s; this is step 59847840" in out
    late = f"{DAY}T12:01:00+00:00"
    out = inspected([shown, *judged, "--at", late], capsys, status=1)
    assert "REFUSED: step: a step of another moment" in out
    assert "good, shown with its step" in inspected([text, *judged, "--at", NOON], capsys)
    plain = key.issue(*LEAST)
    err = refused(["step", plain, "--step-secret", str(secret)], capsys, status=1)
    assert "has no steps" in err


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["inspect", "GP1:", "--at", "2026-11-23T12:00:00"], "has no time zone"),
        (["inspect", "GP1:", "--at", "noon"], "is no time"),
        (["issue", "--hours", "nan"], "is no number of hours up to 87600"),
        (["issue", "--hours=-1"], "is no number of hours"),
        (["issue", "--hours", "1e300"], "is no number of hours"),
        (["issue", "--kid", "zz"], "is not 1 to 64 bytes in hexadecimal"),
        (["issue", "--kid", ""], "is not 1 to 64 bytes"),
        (["issue", "--kid", "00" * 65], "is not 1 to 64 bytes"),
    ],
)
def test_what_is_no_time_number_or_id_is_wrong_usage(capsys, arguments, why):
    assert why in refused(arguments, capsys, status=2)


@pytest.mark.parametrize("ending", [".svg", ".png"])
def test_the_picture_is_drawn(key, tmp_path, ending):
    picture = tmp_path / f"pass{ending}"
    key.issue(*LEAST, "--picture", str(picture))
    begins = {".svg": b"<?xml", ".png": b"\x89PNG"}[ending]
    assert picture.read_bytes().startswith(begins)


def test_the_picture_holds_the_code_at_level_q(key, tmp_path, monkeypatch):
    drawn = []
    make = segno.make

    def making(text, **how):
        drawn.append((text, make(text, **how).designator))
        return make(text, **how)

    monkeypatch.setattr(segno, "make", making)
    text = key.issue(*LEAST, "--picture", str(tmp_path / "pass.svg"))
    assert drawn == [(text, drawn[0][1])]
    assert drawn[0][1].endswith("-Q")


def test_a_picture_of_another_kind_or_place_is_told(key, tmp_path, capsys):
    issue = ["issue", "--key", str(key.path), *LEAST, "--picture"]
    assert ".svg or .png" in refused([*issue, "pass.gif"], capsys, status=2)
    missing = str(tmp_path / "missing" / "pass.svg")
    assert "cannot be written" in refused([*issue, missing], capsys, status=1)


def test_without_segno_it_says_how_to_get_it(key, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "segno", None)
    issue = ["issue", "--key", str(key.path), *LEAST, "--picture", str(tmp_path / "pass.svg")]
    assert "pip install 'gatepost[tools]'" in refused(issue, capsys, status=1)


def test_the_commands_need_segno_for_a_picture_alone():
    code = "import sys; sys.modules['segno'] = None; import gatepost.cli.passes"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
