"""`gatepost command` and the roles of `gatepost trust`, as who commands sees them."""

import json
from datetime import UTC, datetime

import jwt
import pytest

from gatepost.cli.main import main
from gatepost_services.commands.command import MAX_WINDOW_S, CommandFormError, ServerVerb
from gatepost_services.commands.jws import Kind, is_signed_by, parse
from gatepost_services.credentials import signing
from gatepost_services.hub.commanding import CommandingError, Order, next_counter, signed
from gatepost_services.hub.messages import Broker

KEY = signing.key_of_seed(bytes([51]) * 32)
ORDER = Order("s", "g", ServerVerb.LOCK, "anna", 30)
NOW_S = 1_800_000_000.5


@pytest.fixture
def key(tmp_path):
    path = tmp_path / "operator.pem"
    signing.write_key(path, KEY)
    return path


@pytest.fixture
def run(capsys):
    def run(*arguments):
        try:
            status = main([*map(str, arguments)])
        except SystemExit as ended:
            status = ended.code
        said = capsys.readouterr()
        return status, said.out, said.err

    return run


def claims_of(text):
    return jwt.decode(text, KEY.public_key(), ["EdDSA"], audience="/gatepost/s/g")


# -------------------------------------------------------------------------------------- signing


def test_a_signed_command_is_one_that_another_library_reads(run, key):
    status, text, _ = run(
        *("command", "sign", "g", "release-entry", "--key", key, "--by", "anna", "--site", "s")
    )
    assert status == 0
    found = claims_of(text.strip())
    assert (found["verb"], found["by"], found["exp"] - found["nbf"]) == (
        "release_entry",
        "anna",
        30,
    )
    assert found["args"] == {}
    header = jwt.get_unverified_header(text.strip())
    assert header == {
        "alg": "EdDSA",
        "kid": signing.kid_of(KEY.public_key()).hex(),
        "typ": "gatepost-command+jwt",
    }


@pytest.mark.parametrize(
    ("given", "args"),
    [
        (("erase", "--subject", "s-9"), {"subject": "s-9"}),
        (("replay", "--first", "3", "--last", "9"), {"first": 3, "last": 9}),
    ],
)
def test_what_a_verb_needs_is_in_it(run, key, given, args):
    common = ("--key", key, "--by", "anna", "--site", "s", "--valid", "600")
    status, text, _ = run("command", "sign", "g", *given, *common)
    assert status == 0
    assert claims_of(text.strip())["args"] == args


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (("erase",), "erase needs --subject"),
        (("replay", "--first", "1"), "replay needs --first and --last"),
        (("lock", "--subject", "s-9"), "lock needs nothing more"),
        (("lock", "--valid", "601"), f"lock counts for 1 to {MAX_WINDOW_S} s"),
        (("lock", "--valid", "0"), "must be whole seconds"),
        (("lock", "--valid", "1.5"), "must be whole seconds"),
        (("lock", "--by", "anna\n"), "no command"),
        (("replay", "--first", "9", "--last", "1"), "1 to 10000 events"),
        (("open-door",), "invalid choice"),
    ],
)
def test_what_no_gate_would_take_is_not_signed(run, key, given, told):
    status, out, err = run(
        "command", "sign", "g", "--key", key, "--by", "anna", "--site", "s", *given
    )
    assert (status, out) == (2, "")
    assert told in err


def test_a_key_that_others_may_read_is_not_used(run, key):
    key.chmod(0o644)
    status, _, err = run("command", "sign", "g", "lock", "--key", key, "--by", "a", "--site", "s")
    assert status == 1
    assert "chmod 600" in err


def test_the_site_is_that_of_the_settings(run, key, config):
    common = ("--key", key, "--by", "anna", "--config", config)
    status, text, _ = run("command", "sign", "g", "lock", *common)
    assert status == 0
    assert claims_of(text.strip())["aud"] == "/gatepost/s/g"


def test_every_command_has_an_id_and_a_counter_of_its_own():
    made = [signed(ORDER, KEY, n, NOW_S) for n in (1, 2)]
    assert made[0].id != made[1].id
    assert made[0].exp == int(NOW_S) + 30
    assert all(is_signed_by(parse(each.text), [KEY.public_key()]) for each in made)
    assert parse(made[0].text).kind is Kind.COMMAND
    with pytest.raises(CommandFormError):
        signed(ORDER._replace(valid_s=0), KEY, 1, NOW_S)


# ------------------------------------------------------------------------------------- counters


def test_a_counter_is_the_time_and_always_higher(key):
    first = next_counter(key, NOW_S)
    assert first == int(NOW_S * 1000)
    assert next_counter(key, NOW_S) == first + 1
    assert next_counter(key, NOW_S - 86_400) == first + 2  # the clock was set back
    assert next_counter(key, NOW_S + 1) == first + 1000
    assert key.with_name("operator.pem.counter").read_text() == f"{first + 1000}\n"


def test_a_counter_that_was_lost_goes_on_from_the_time(key):
    before = next_counter(key, NOW_S)
    key.with_name("operator.pem.counter").unlink()
    assert next_counter(key, NOW_S + 1) > before


def test_what_is_no_counter_is_told(key):
    key.with_name("operator.pem.counter").write_text("many\n")
    with pytest.raises(CommandingError, match="write a number"):
        next_counter(key, NOW_S)


# -------------------------------------------------------------------------------------- sending


@pytest.mark.parametrize(
    ("given", "status", "told"),
    [
        (("--host", "127.0.0.1"), 2, "TLS needs the certificate"),
        (("--host", "127.0.0.1", "--plain", "--ca", "x"), 2, "--plain goes without"),
        (("--host", "127.0.0.1", "--plain", "--port", "1", "--wait", "5"), 1, "127.0.0.1:1: "),
    ],
)
def test_a_broker_that_cannot_be_had_is_told(run, key, given, status, told):
    common = ("--key", key, "--by", "anna", "--site", "s")
    found, out, err = run("command", "send", "g", "lock", *common, *given)
    assert (found, out) == (status, "")
    assert told in err
    assert "Traceback" not in err


def test_the_broker_of_a_gate_that_is_secured_needs_files_of_who_commands(run, key, config):
    config.write_text(config.read_text().replace('transport = "plain"\n', ""))
    common = ("--key", key, "--by", "anna", "--config", config)
    status, _, err = run("command", "send", "g", "lock", *common)
    assert status == 2
    assert "a gate's own certificate does not do" in err


def test_a_broker_has_a_name_for_messages():
    assert str(Broker("centre", 8883)) == "centre:8883"


# ---------------------------------------------------------------------------------------- roles


@pytest.mark.parametrize("use", ["operator", "administrator", "auditor"])
def test_a_trust_list_gives_a_key_its_role(run, config, tmp_path, use):
    root_key, root = tmp_path / "root.pem", signing.key_of_seed(bytes([52]) * 32)
    signing.write_key(root_key, root)
    half = datetime(2020, 1, 1, tzinfo=UTC).isoformat()
    entry = {
        "public": signing.hex_of(KEY.public_key()),
        "use": [use],
        "not_before": half,
        "not_after": half.replace("2020", "2099"),
    }
    described = tmp_path / "list.json"
    described.write_text(json.dumps({"site": "s", "version": 1, "keys": [entry]}))
    config.write_text(
        f'{config.read_text()}[passes]\nroot_key = "{signing.hex_of(root.public_key())}"\n'
    )
    out = tmp_path / "list.cose"
    issue = ("trust", "issue", described, "--key", root_key, "--out", out)
    assert run(*issue)[0] == 0
    assert run("trust", "install", out, "--config", config)[0] == 0
    status, shown, _ = run("trust", "show", "--config", config)
    assert status == 0
    assert f"for {use}," in shown
    described.write_text(
        json.dumps({"site": "s", "version": 2, "keys": [{**entry, "use": ["admin"]}]})
    )
    assert run(*issue)[0] == 2
