"""`gatepost provision`: a list of gates becomes a folder a gate, or nothing."""

import errno
import json
import os
import tomllib

import pytest

from gatepost_config.load import load
from gatepost_services.pki.authority import Authority
from gatepost_services.pki.tokens import Token, waiting

from .provision_rig import ROW, SITE, Desk, tree

WIFI = {**ROW, "gate": "gate-2", "network": "wifi:North court", "wifi_country": "CN"}
PASSWORD = "correct horse battery"
# IEEE 802.11-2016, J.4.2: the standard's own example.
KNOWN_NAME, KNOWN_PASSWORD = "IEEE", "password"
KNOWN_KEY = "f42c6fc52df0ebef9ebb4b90b38a5f902e83fe1b135a70e23aed762e9710a12e"
ENROL = ("--enrol", "https://pki.example.org:8085")


@pytest.fixture
def desk(tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("GATEPOST_WIFI_PASSWORD", raising=False)
    return Desk(tmp_path, capsys)


@pytest.fixture
def site(desk):
    desk.run("pki", "init", SITE, "--dir", desk.pki)
    return desk


def passwords(desk, text, mode=0o600):
    path = desk.folder / "wifi.toml"
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return ("--wifi-passwords", path)


def json_of(text):
    first, _, rest = text.partition("\n")
    assert first.startswith("#")
    return json.loads(rest)


def test_a_folder_a_gate_with_what_the_gate_needs(site):
    said = site.provision(
        {**ROW, "sensor": "BCC", "pins": "entry_relay=22 exit_relay=26"},
        {**ROW, "gate": "gate-2", "sensor.distance_cm": "6.0", "lane.exit_in_lockdown": "false"},
        words=("--pki", site.pki, *ENROL),
    )
    assert f"{site.out}/north-gate-1: north/gate-1, enrols by its token" in said
    assert {path.name for path in site.out.iterdir()} == {"north-gate-1", "north-gate-2"}
    first, second = (load(site.out / f"north-gate-{n}" / "gatepost.toml") for n in (1, 2))
    assert (first.gate.name, first.sensor.part, first.pins.entry_relay) == ("gate-1", "BCC", 22)
    assert first.sensor.distance_cm == second.sensor.distance_cm - 1.0
    assert second.lane.exit_in_lockdown is False
    names = {path.name for path in (site.out / "north-gate-1").iterdir()}
    assert names == {
        *("gatepost.toml", "enrolment-token", "site-ca.pem", "LABEL.txt"),
        *("user-data", "network-config", "meta-data"),
    }


def test_the_settings_say_what_row_and_template_say_and_no_more(desk):
    template = desk.folder / "all.toml"
    template.write_text('[link]\nbroker_host = "b"\nwindow = 100\n[journal]\nmax_age_days = 30\n')
    row = {"site": SITE, "gate": "g", "network": "wired", "broker_port": "1883"}
    desk.provision(row, words=("--template", template))
    text = desk.file("north-g", "gatepost.toml")
    assert tomllib.loads(text) == {
        "gate": {"site": "north", "name": "g"},
        "link": {"broker_host": "b", "window": 100, "broker_port": 1883},
        "journal": {"max_age_days": 30},
    }
    assert "from sites.csv, line 2" in text


def test_a_row_counts_more_than_the_template(desk):
    template = desk.folder / "all.toml"
    template.write_text('[link]\nbroker_host = "b"\n[pins]\nentry_relay = 22\ntamper = 19\n')
    desk.provision({**ROW, "pins": "entry_relay=26"}, words=("--template", template))
    settings = load(desk.out / "north-gate-1" / "gatepost.toml")
    assert (settings.pins.entry_relay, settings.pins.tamper) == (26, 19)
    assert settings.link.broker_host == "mqtt.example.org"


def test_each_gate_has_a_token_of_its_own_that_the_authority_knows(site):
    words = ("--pki", site.pki, *ENROL, "--hours", "72")
    site.provision(ROW, {**ROW, "gate": "gate-2"}, words=words)
    found = {}
    for gate in ("gate-1", "gate-2"):
        word, url = site.file(f"north-{gate}", "enrolment-token").splitlines()
        assert url == "https://pki.example.org:8085"
        found[Token.parse(word).id] = gate
    authority = Authority.open(site.pki)
    assert {each.id: each.gate for each in waiting(authority)} == found
    assert all(
        71 < (each.expires_utc - authority.now_utc()).total_seconds() / 3600 <= 72
        for each in waiting(authority)
    )
    assert site.file("north-gate-1", "site-ca.pem") == authority.pem.decode()


def test_only_their_owner_reads_the_folders(site):
    site.provision(ROW, words=("--pki", site.pki, *ENROL))
    assert all(path.stat().st_mode & 0o077 == 0 for path in (site.out, *site.out.rglob("*")))


def test_the_network_is_as_cloud_init_takes_it(desk):
    desk.provision(ROW, WIFI, words=passwords(desk, f'"North court" = "{PASSWORD}"\n'))
    wired = json_of(desk.file("north-gate-1", "network-config"))
    assert wired == {
        "network": {"version": 2, "ethernets": {"eth0": {"dhcp4": True, "optional": True}}}
    }
    (radio,) = json_of(desk.file("north-gate-2", "network-config"))["network"]["wifis"].values()
    assert radio["regulatory-domain"] == "CN"
    ((name, access),) = radio["access-points"].items()
    assert name == "North court"
    assert len(access["password"]) == 64
    assert PASSWORD not in desk.file("north-gate-2", "network-config")


def test_the_key_of_a_wifi_is_the_standards(desk):
    words = passwords(desk, f'{KNOWN_NAME} = "{KNOWN_PASSWORD}"\n')
    desk.provision({**WIFI, "network": f"wifi:{KNOWN_NAME}"}, words=words)
    assert KNOWN_KEY in desk.file("north-gate-2", "network-config")


def test_a_key_may_be_given_in_place_of_a_password(desk, monkeypatch):
    monkeypatch.setenv("GATEPOST_WIFI_PASSWORD", KNOWN_KEY.upper())
    desk.provision({**WIFI, "network": "wifi:other"})
    assert KNOWN_KEY in desk.file("north-gate-2", "network-config")


def test_a_network_may_have_any_name(desk, monkeypatch):
    monkeypatch.setenv("GATEPOST_WIFI_PASSWORD", PASSWORD)
    for number, name in enumerate(("no", "北门", '" : {', "1e5", "😀")):
        desk.provision(
            {**WIFI, "network": f"wifi:{name}", "gate": f"g{number}"}, words=("--force",)
        )
        text = desk.file(f"north-g{number}", "network-config")
        network = json_of(text)["network"]
        assert list(network["wifis"]["wlan0"]["access-points"]) == [name]
        # YAML does not join the two escapes that JSON may write for one sign.
        assert "\\u" not in text


def test_cloud_init_does_its_work_once_for_each_time_a_card_is_made(desk):
    seen = set()
    for _ in range(2):
        desk.provision(ROW, words=("--force",))
        key, _, value = desk.file("north-gate-1", "meta-data").strip().partition(": ")
        assert key == "instance-id"
        seen.add(value)
    assert len(seen) == 2


def test_nobody_logs_in_but_with_the_key_that_is_given(desk):
    desk.provision(ROW)
    assert json_of(desk.file("north-gate-1", "user-data")) == {
        "hostname": "north-gate-1",
        "manage_etc_hosts": True,
        "ssh_pwauth": False,
    }
    key = desk.folder / "id.pub"
    key.write_text("ssh-ed25519 AAAAC3Nza technician@desk\n")
    desk.provision(ROW, words=("--ssh-key", key, "--force"))
    text = desk.file("north-gate-1", "user-data")
    assert text.startswith("#cloud-config\n")
    (user,) = json_of(text)["users"]
    assert user["ssh_authorized_keys"] == ["ssh-ed25519 AAAAC3Nza technician@desk"]
    assert user["lock_passwd"] is True


def test_a_private_key_is_not_taken_for_a_public_one(desk):
    key = desk.folder / "id"
    key.write_text("-----BEGIN OPENSSH PRIVATE KEY-----\nsecretsecret\n")
    (said,) = desk.problems(ROW, words=("--ssh-key", key))
    assert "no public key in one line" in said
    assert "secretsecret" not in said


def test_the_label_says_what_to_write_and_to_do(site):
    words = ("--pki", site.pki, *ENROL)
    site.provision({**ROW, "passage": "per_direction", "pins": "passage_exit=22"}, words=words)
    text = site.file("north-gate-1", "LABEL.txt")
    for part in (
        *('Write "north / gate-1" on the box', "mqtt.example.org:8883", "by token, good until"),
        *("MLX90614 DCC", "a contact for each way", "passage_exit      22", "entry_relay       17"),
        *("gatepost-first-boot.txt", "i2c-gpio,bus=3", "Secret here: the token."),
    ):
        assert part in text, part
    assert all(len(line) <= 80 for line in text.splitlines())
    assert len(text.splitlines()) <= 60
    assert "tamper" not in text  # it is not wired


def test_a_label_without_secrets_does_not_speak_of_them(desk):
    desk.provision(ROW)
    text = desk.file("north-gate-1", "LABEL.txt")
    assert "Secret" not in text
    assert "gatepost pki issue gate gate-1 --out FOLDER" in text


def test_what_is_there_is_replaced_only_when_asked_for(desk):
    desk.provision(ROW)
    (desk.out / "north-gate-1" / "mine").touch()
    before = tree(desk.out)
    row = {**ROW, "broker": "other.example.org"}
    said = desk.provision(row, status=2)
    assert "is not empty (it has north-gate-1)" in said
    assert tree(desk.out) == before
    desk.provision({**row, "gate": "gate-2"}, words=("--force",))
    assert set(before) < set(tree(desk.out))
    desk.provision(row, words=("--force",))
    assert "other.example.org" in desk.file("north-gate-1", "gatepost.toml")
    assert "north-gate-1/mine" not in tree(desk.out)
    assert {path.name for path in desk.out.iterdir()} == {"north-gate-1", "north-gate-2"}


@pytest.mark.parametrize("words", [(), ("--force",)])
def test_what_a_killed_run_left_goes_with_the_next(desk, words):
    left = desk.out / ".new-abc"
    (left / "north-gate-1").mkdir(parents=True)
    (left / "north-gate-1" / "enrolment-token").write_text("secret")
    desk.provision(ROW, words=words)
    assert [path.name for path in desk.out.iterdir()] == ["north-gate-1"]


def test_a_folder_that_a_killed_run_was_replacing_is_back(desk):
    desk.provision(ROW)
    left = desk.out / ".new-abc"
    left.mkdir()
    (desk.out / "north-gate-1").rename(left / "north-gate-1.old")
    desk.provision({**ROW, "gate": "gate-2"}, words=("--force",))
    assert {path.name for path in desk.out.iterdir()} == {"north-gate-1", "north-gate-2"}
    assert "mqtt.example.org" in desk.file("north-gate-1", "gatepost.toml")


@pytest.mark.parametrize("number", range(1, 16))
def test_a_disk_that_fills_up_leaves_no_folder_and_no_token(site, monkeypatch, number):
    opened = []

    def full(path, flags, *args, real=os.open, **keywords):
        if ".new-" in str(path) and flags & os.O_CREAT:
            opened.append(path)
            if len(opened) == number:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(path, flags, *args, **keywords)

    monkeypatch.setattr(os, "open", full)
    words = ("--pki", site.pki, *ENROL)
    rows = (ROW, {**ROW, "gate": "gate-2"})
    # Two folders of six files, then two tokens.
    if number > 14:
        site.provision(*rows, words=words)
        return
    assert "No space left on device" in site.provision(*rows, words=words, status=1)
    assert not site.out.exists()
    made = len(waiting(Authority.open(site.pki)))
    assert made == max(0, number - 12)
