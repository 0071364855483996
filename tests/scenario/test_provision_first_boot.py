"""`gatepost first-boot`: the card's settings come into force, the token becomes a certificate."""

import os
from datetime import timedelta

import pytest

from gatepost.provision.card import Card
from gatepost.provision.first_boot import FirstBoot
from gatepost_config.load import load
from gatepost_services.pki import tokens
from gatepost_services.pki.identity import Identity
from gatepost_services.pki.tokens import make_token
from gatepost_services.uplink.tls import certificate_state

from .provision_rig import ROW, Desk, Gate, Office, new_token, tree

USED, REPORT = "gatepost.used.toml", "gatepost-first-boot.txt"


@pytest.fixture(scope="module")
def office(tmp_path_factory):
    made = Office(tmp_path_factory.mktemp("office") / "ca")
    yield made
    made.close()


@pytest.fixture
def desk(tmp_path, capsys):
    return Desk(tmp_path, capsys)


@pytest.fixture
def gate(tmp_path):
    return Gate(tmp_path / "gate")


@pytest.fixture
def boot(desk, gate):
    """Run a first boot; return what it says, which stands on the card as well."""

    def run(*words, status=0):
        said = desk.run(*gate.words(*words), status=status)
        if not said.startswith("nothing to do"):
            assert gate.report == said
        return said

    return run


def test_from_the_list_to_the_certificate(desk, gate, office, boot):
    paths = {f"tls.{key}": f"{gate.tls}/{file}" for key, file in _FILES}
    words = ("--pki", office.authority.folder, "--enrol", office.url)
    desk.provision({**ROW, "gate": "from-list", "sensor": "BCC", **paths}, words=words)
    gate.insert_folder(desk.out / "north-from-list")
    said = boot()
    assert said.startswith("ok: north/from-list has its settings, and its certificate, which")
    assert load(gate.config).sensor.part == "BCC"
    (issued,) = office.issued("from-list")
    assert certificate_state(gate.tls / "device.pem").expires_utc == issued.expires_utc
    assert {USED, REPORT, "site-ca.pem", "user-data"} <= gate.names()
    assert not {"gatepost.toml", "enrolment-token"} & gate.names()


_FILES = (("ca", "ca.pem"), ("certificate", "device.pem"), ("key", "device.key"))


def test_a_second_boot_does_nothing(gate, office, boot):
    gate.insert(gate.settings("twice"), new_token(office, "twice"), office.url)
    boot()
    before = tree(gate.boot.parent)
    assert boot().startswith("nothing to do")
    assert tree(gate.boot.parent) == before
    assert len(office.issued("twice")) == 1


def test_settings_alone_need_no_network_and_no_token(gate, boot):
    gate.insert(gate.settings())
    assert boot("--no-enrol") == "ok: north/gate-1 has its settings.\n"
    assert gate.config.read_text() == gate.settings()
    assert gate.config.stat().st_mode & 0o777 == 0o640
    assert not gate.tls.exists()


def test_the_token_waits_on_the_card_until_it_is_used(gate, office, boot):
    token = new_token(office, "waits")
    gate.insert(gate.settings("waits"), token, office.url)
    assert "Its certificate is fetched as soon as" in boot("--no-enrol")
    assert gate.names() == {USED, REPORT, "enrolment-token"}
    assert "and its certificate" in boot()
    assert gate.names() == {USED, REPORT}


def test_a_network_that_is_away_costs_no_token(gate, office, boot):
    token = new_token(office, "away")
    gate.insert(gate.settings("away"), token, "https://localhost:1")
    for _ in range(2):
        said = boot(status=1)
        assert said.startswith("error: north/away has its settings and no certificate yet: ")
        assert "It goes on trying by itself" in said
        assert token.split(".")[1] not in said
        assert "enrolment-token" in gate.names()
    gate.insert_token(token, office.url)
    assert boot().startswith("ok: ")
    assert len(office.issued("away")) == 1


def test_a_token_that_does_not_count_is_kept_and_told(gate, office, boot):
    token = new_token(office, "forgotten")
    gate.insert(gate.settings("forgotten"), token, office.url)
    tokens.forget(office.authority, "forgotten")
    said = boot(status=2)
    assert said.startswith("error: enrolment-token on this card cannot be used: ")
    assert "the token does not count" in said
    assert "make a new one with gatepost provision" in said
    assert "enrolment-token" in gate.names()


def test_a_token_that_has_ended_is_told_and_not_tried_for_ever(gate, office, boot):
    token = make_token(office.authority, "ended", lifetime=timedelta(seconds=-1))
    gate.insert(gate.settings("ended"), str(token), office.url)
    said = boot(status=2)
    assert "has expired on" in said
    assert "trying" not in said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('site = "north"', "not TOML|[gate]"),
        ('[gate]\nsite = "North"\nname = "g"\n', ":2: [gate] site = 'North': must be"),
        ('[gate]\nsite = "s"\nname = "g"\n[link]\nbroker_host = "b"\n[sensr]\n', "Did you mean"),
        ('[gate]\nsite = "s"\nname = "g"\n[link]\nbroker_host = "b"\n[regime]\nname = "x"', "'x'"),
        ("\0", "not TOML"),
    ],
)
@pytest.mark.parametrize("is_in_service", [False, True])
def test_settings_that_cannot_be_used_change_nothing(gate, boot, text, said, is_in_service):
    held = gate.settings() if is_in_service else None
    if held:
        gate.config.write_text(held)
    gate.insert(text, "x", "y")
    told = boot(status=2)
    assert told.startswith("error: gatepost.toml on this card cannot be used, and nothing was")
    assert any(each in told for each in said.split("|")), told
    assert ("goes on with the settings that it has" in told) == is_in_service
    assert (gate.config.read_text() if gate.config.exists() else None) == held
    assert {"gatepost.toml", "enrolment-token"} <= gate.names()


def test_a_corrected_card_is_taken(gate, boot):
    gate.insert("[gate]\n")
    boot(status=2)
    gate.insert(gate.settings())
    assert boot().startswith("ok: ")


def test_a_file_as_windows_writes_it_is_taken(gate, boot):
    gate.boot.joinpath("gatepost.toml").write_bytes(
        b"\xef\xbb\xbf" + gate.settings().replace("\n", "\r\n").encode()
    )
    boot()
    assert load(gate.config).gate.name == "gate-1"


def test_new_settings_of_the_same_gate_are_taken_and_the_last_good_kept(gate, boot):
    for more in ("", "[journal]\nmax_age_days = 30\n", "[journal]\nmax_age_days = 31\n"):
        gate.insert(gate.settings(more=more))
        boot()
    assert gate.config.read_text() == gate.settings(more="[journal]\nmax_age_days = 31\n")
    before = gate.etc / "gatepost.toml.before"
    assert before.read_text() == gate.settings(more="[journal]\nmax_age_days = 30\n")
    assert {path.name for path in gate.etc.iterdir()} == {"gatepost.toml", before.name}


def test_the_same_file_again_keeps_the_last_good(gate, boot):
    for more in ("", "[journal]\nmax_age_days = 30\n", "[journal]\nmax_age_days = 30\n"):
        gate.insert(gate.settings(more=more))
        boot()
    assert (gate.etc / "gatepost.toml.before").read_text() == gate.settings()


def test_the_card_of_another_gate_is_refused_unless_it_is_meant(gate, office, boot):
    gate.insert(gate.settings("first"), new_token(office, "first"), office.url)
    boot()
    held, certificate = gate.config.read_text(), (gate.tls / "device.pem").read_bytes()
    token = new_token(office, "other")
    gate.insert(gate.settings("other"), token, office.url)
    said = boot(status=2)
    assert said.startswith("error: this gate is north/first, and gatepost.toml on this card is of")
    assert "sudo gatepost first-boot --again" in said
    assert gate.config.read_text() == held
    assert (gate.tls / "device.pem").read_bytes() == certificate
    assert token in (gate.boot / "enrolment-token").read_text()
    assert boot("--again").startswith("ok: north/other has its settings, and its certificate")
    assert (gate.tls / "device.pem").read_bytes() != certificate
    assert (gate.etc / "gatepost.toml.before").read_text() == held


def test_another_name_without_a_token_is_told_of(gate, boot):
    for name in ("first", "other"):
        gate.insert(gate.settings(name))
        said = boot("--again")
    assert "it was north/first. Its certificate is not for it yet" in said


def test_a_gate_whose_settings_are_damaged_takes_the_cards(gate, boot):
    for wreck in (b"\xff", b"[gate", b'gate = "x"', b"[gate]\nsite = 1\n"):
        gate.config.write_bytes(wreck)
        gate.insert(gate.settings())
        boot()
        assert load(gate.config).gate.name == "gate-1"
        assert (gate.etc / "gatepost.toml.before").read_bytes() == wreck


def test_a_damaged_file_still_says_whose_gate_it_is(gate, boot):
    gate.config.write_text(gate.settings("other") + "[nonsense]\n")
    gate.insert(gate.settings())
    assert "this gate is north/other" in boot(status=2)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "this is no token"),
        ("a.b.c\nhttps://x\n", "this is no token"),
        ("{token}\n", "its second line does not say where to enrol"),
        ("{token}\nhttp://x\n", "its second line does not say where to enrol"),
        ("\0" * 100, "the file is damaged"),
    ],
)
def test_a_token_that_is_none_is_told_of(gate, office, boot, content, said):
    token = new_token(office)
    gate.insert(gate.settings())
    (gate.boot / "enrolment-token").write_text(content.format(token=token))
    told = boot(status=2)
    assert told.startswith("error: enrolment-token on this card cannot be used: ")
    assert said in told
    assert token.split(".")[1] not in told
    assert "enrolment-token" in gate.names()


def test_the_folder_of_another_site_is_told_before_the_token_is_sent(gate, office, boot, desk):
    desk.run("pki", "init", "south", "--dir", desk.pki)
    gate.insert(gate.settings(), new_token(office), office.url)
    for content in ((desk.pki / "ca.pem").read_bytes(), b"\xff", b""):
        (gate.boot / "site-ca.pem").write_bytes(content)
        assert "it is of another authority than site-ca.pem" in boot(status=2)
    (gate.boot / "site-ca.pem").write_bytes(office.authority.pem)
    boot()


def test_a_token_and_no_settings(gate, office, boot):
    gate.insert_token(new_token(office), office.url)
    assert "this gate has no settings: " in boot(status=2)


def test_a_gate_with_a_certificate_gets_another_by_another_token(gate, office, boot):
    gate.insert(gate.settings("again"), new_token(office, "again"), office.url)
    boot()
    first = (gate.tls / "device.pem").read_bytes()
    gate.insert_token(new_token(office, "again"), office.url)
    boot()
    assert (gate.tls / "device.pem").read_bytes() != first
    assert len(office.issued("again")) == 2


def test_a_token_that_waits_is_used_over_the_certificate_of_before(gate, office, boot):
    gate.insert(gate.settings("over"), new_token(office, "over"), office.url)
    boot()
    token = new_token(office, "over")
    gate.insert_token(token, "https://localhost:1")
    boot(status=1)
    gate.insert_token(token, office.url)
    boot()
    assert len(office.issued("over")) == 2


def test_a_certificate_by_hand_is_not_taken_for_that_of_another_token(gate, office, boot, desk):
    gate.insert(gate.settings("hand"), new_token(office, "hand"), "https://localhost:1")
    boot(status=1)
    by_hand = new_token(office, "hand")
    desk.run("enrol", by_hand, "--url", office.url, "--config", gate.config)
    gate.insert_token(new_token(office, "hand"), office.url)
    boot()
    assert len(office.issued("hand")) == 2


def test_a_wiped_token_leaves_nothing_in_its_place(gate, office):
    gate.insert(gate.settings("wiped"), new_token(office, "wiped"), office.url)
    length = (gate.boot / "enrolment-token").stat().st_size
    # Another name for the same blocks.
    os.link(gate.boot / "enrolment-token", gate.boot.parent / "blocks")
    assert FirstBoot(Card(gate.boot), gate.config).run().status == 0
    assert (gate.boot.parent / "blocks").read_bytes() == b"\0" * length
    Card(gate.boot).wipe_token()  # one that is gone is no error


def test_files_of_certificates_that_are_not_in_one_folder(gate, office, boot):
    text = gate.settings().replace(f'"{gate.tls}/device.key"', '"/elsewhere/device.key"')
    gate.insert(text, new_token(office), office.url)
    said = boot(status=2)
    assert f"[tls] key = '/elsewhere/device.key': it must be {gate.tls}/device.key" in said
    assert not Identity(gate.tls).certificate.exists()


def test_the_authority_names_the_gate_that_a_token_is_for(gate, office, boot):
    gate.insert(gate.settings("mine"), new_token(office, "yours"), office.url)
    assert "enrolment-token on this card cannot be used: " in boot(status=2)
    assert not office.issued("yours")
