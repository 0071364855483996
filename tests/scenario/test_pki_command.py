"""`gatepost pki` and `gatepost enrol`, as a tired technician meets them."""

import io
import json
import os
import threading
from datetime import timedelta

import pytest

from gatepost.cli.main import main
from gatepost.wiring.good_start import GoodStart
from gatepost_config.load import load
from gatepost_hal.simulated.world import World
from gatepost_services.pki import profiles
from gatepost_services.pki.authority import Authority, utc_now
from gatepost_services.pki.est_server import EstServer
from gatepost_services.pki.identity import Identity
from gatepost_services.uplink.tls import certificate_state

DEADLINE_S = 30.0


class Desk:
    """A technician's desk: an authority, its server, and a gate."""

    def __init__(self, folder, capsys):
        self.folder, self._capsys = folder, capsys
        self.tls = folder / "tls"
        self.config = folder / "gatepost.toml"
        self.configure()
        self._server = None

    def configure(self, **changed):
        paths = {
            "ca": self.tls / "ca.pem",
            "certificate": self.tls / "device.pem",
            "key": self.tls / "device.key",
        } | changed
        self.config.write_text(
            '[gate]\nsite = "north"\nname = "gate-1"\n[link]\nbroker_host = "localhost"\n[tls]\n'
            + "".join(f'{name} = "{path}"\n' for name, path in paths.items())
        )

    def run(self, *words, status=0):
        """Run a command; return what it says, of which nothing goes elsewhere."""
        try:
            got = main([*map(str, words)])
        except SystemExit as error:
            got = error.code
        out, err = self._capsys.readouterr()
        assert got == status, (out, err)
        assert bool(err) == (status != 0) or words[:2] == ("pki", "token")
        return err if status else out

    def pki(self, *words, status=0):
        return self.run("pki", *words, "--dir", self.folder / "ca", status=status)

    def enrol(self, *words, status=0):
        return self.run("enrol", *words, "--config", self.config, status=status)

    def serve(self):
        authority = Authority.open(self.folder / "ca")
        self._server = EstServer(authority, ["localhost"], port=0)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        return f"https://localhost:{self._server.server_port}"

    def close(self):
        if self._server is not None:
            self._server.shutdown()
            self._thread.join(DEADLINE_S)
            self._server.server_close()


@pytest.fixture
def desk(tmp_path, capsys):
    made = Desk(tmp_path, capsys)
    yield made
    made.close()


@pytest.fixture
def site(desk):
    desk.pki("init", "north")
    return desk


def test_without_an_authority_each_command_says_how_to_make_one(desk):
    for words in (["token", "gate-1"], ["list"], ["revoke", "x"], ["serve", "--name", "localhost"]):
        assert "make one with: gatepost pki init" in desk.pki(*words, status=1)


def test_init_says_what_to_do_next_and_never_overwrites(desk):
    said = desk.pki("init", "north")
    assert "Keep a copy" in said
    assert "Next: gatepost pki issue server" in said
    assert "holds an authority already" in desk.pki("init", "north", status=1)
    assert "no name of a site" in desk.run(
        "pki", "init", "North Gate", "--dir", desk.folder / "x", status=1
    )


def test_a_token_stands_alone_on_standard_output(site):
    token = site.pki("token", "gate-1")
    assert len(token.split()) == 1
    assert token.count(".") == 2


def test_enrolled_and_renewed(site, monkeypatch):
    url = site.serve()
    monkeypatch.setattr("sys.stdin", io.StringIO(site.pki("token", "gate-1")))
    said = site.enrol("-", "--url", url)
    assert said.startswith("north/gate-1: enrolled; the certificate counts until ")
    assert f'set [tls] revoked = "{site.tls}/crl.pem"' in said
    before = (site.tls / "device.pem").read_bytes()
    assert "not due yet" in site.enrol("--renew")
    assert (site.tls / "device.pem").read_bytes() == before
    site.configure(revoked=site.tls / "crl.pem")
    said = site.enrol("--renew", "--force")
    assert said.startswith("north/gate-1: renewed; ")
    assert "To refuse" not in said
    assert (site.tls / "device.pem").read_bytes() != before


def test_it_renews_by_itself_when_a_third_is_left(site):
    url = site.serve()
    site.enrol(site.pki("token", "gate-1").strip(), "--url", url)
    key, identity = profiles.new_key(), Identity(site.tls)
    for days_old, word in ((59, "not due yet"), (61, "renewed")):
        past = Authority.open(
            site.folder / "ca", clock_utc=lambda old=days_old: utc_now() - timedelta(days=old)
        )
        made = past.issue_gate("gate-1", key.public_key(), lifetime=timedelta(days=90))
        identity.install(
            identity.held() | {"device.pem": made.pem, "device.key": profiles.key_pem(key)}
        )
        assert word in site.enrol("--renew")
    assert certificate_state(site.tls / "device.pem").days_left(utc_now()) > 360


def test_a_token_that_is_none_is_not_quoted(site):
    said = site.enrol("secretsecret", "--url", "https://localhost:1", status=1)
    assert "this is no token" in said
    assert "secretsecret" not in said


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ([], "say a TOKEN, or --renew"),
        (["x", "--renew"], "say a TOKEN, or --renew"),
        (["x"], "where to enrol is not said: --url https://HOST:PORT"),
    ],
)
def test_wrong_usage(desk, words, text):
    assert text in desk.enrol(*words, status=2)


def test_files_in_two_folders_are_not_guessed_at(desk):
    desk.configure(key="/elsewhere/device.key")
    said = desk.enrol("x", "--url", "https://localhost:1", status=2)
    assert f"[tls] key = '/elsewhere/device.key': this command writes {desk.tls}/device.key" in said


def test_a_file_that_somebody_broke_ends_no_certificate(site, caplog):
    site.enrol(site.pki("token", "gate-1").strip(), "--url", site.serve())
    text = f'{site.config.read_text()}[paths]\ngate_dir = "{site.folder}"\n'
    site.config.write_text(text)
    start = GoodStart(load(site.config), world := World())
    world.advance(20.0)
    start.due()
    site.config.write_text(f"{text}[lane\n")
    before = (site.tls / "device.pem").read_bytes()
    assert site.enrol("--renew", "--force").startswith("north/gate-1: renewed; ")
    assert "goes on with its last good settings" in caplog.text
    assert (site.tls / "device.pem").read_bytes() != before
    # A first enrolment makes a gate, and wants to know which.
    assert "not TOML" in site.enrol("x", "--url", "https://localhost:1", status=2)


def test_nothing_to_renew_says_what_to_do(desk):
    assert "run: sudo gatepost enrol - --url" in desk.enrol("--renew", status=1)
    desk.tls.mkdir()
    assert "gatepost enrol - --url" in desk.enrol("--renew", "--force", status=1)


def test_files_by_hand_are_renewed_where_it_is_said(site):
    site.pki("issue", "gate", "gate-1", "--out", site.tls)
    assert "say it with --url" in site.enrol("--renew", "--force", status=1)
    assert "renewed" in site.enrol("--renew", "--force", "--url", site.serve())
    assert (site.tls / "device.key").is_symlink()
    assert "not due yet" in site.enrol("--renew")  # it knows now


def test_a_pair_for_a_broker_is_never_overwritten(site):
    out = site.folder / "broker"
    said = site.pki("issue", "server", "mqtt.example.org", "10.0.0.7", "--out", out)
    assert said.startswith("server mqtt.example.org, serial ")
    assert {each.name for each in out.iterdir()} == {
        "ca.pem",
        "crl.pem",
        "server.key",
        "server.pem",
    }
    assert all(each.stat().st_mode & 0o077 == 0 for each in out.iterdir())
    again = site.pki("issue", "server", "mqtt.example.org", "--out", out, status=1)
    assert "server.key: exists; a key is never overwritten" in again
    assert "neither a host name" in site.pki(
        "issue", "server", "UPPER", "--out", site.folder / "x", status=1
    )


def test_days_are_as_asked(site):
    site.pki("issue", "client", "centre", "--days", "10", "--out", site.folder / "c")
    state = certificate_state(site.folder / "c" / "centre.pem")
    assert 9.9 < state.days_left(utc_now()) <= 10
    for wrong in ("0", "-1", "36501", "x"):
        site.pki("issue", "client", "b", "--days", wrong, "--out", site.folder / "d", status=2)


def test_revoked_by_name_and_by_serial(site):
    for _ in range(2):
        site.pki("token", "gate-1")
    for number in (1, 2):
        site.pki("issue", "gate", f"gate-{number}", "--out", site.folder / f"g{number}")
    listed = {each["name"]: each for each in lines(site)}
    said = site.pki("revoke", "north/gate-1")
    assert said.startswith("north/gate-1: 1 revoked, 0 were already; tokens forgotten: 2")
    assert "send the broker SIGHUP" in said
    assert "restart the broker" in said
    assert "0 revoked, 1 were already" in site.pki("revoke", "north/gate-1")
    assert "1 revoked" in site.pki("revoke", listed["north/gate-2"]["serial"])
    assert all(each["revoked"] for each in lines(site))
    assert "REVOKED on" in site.pki("list")
    assert "see: gatepost pki list" in site.pki("revoke", "north/gate-3", status=1)


def test_the_list_shows_what_is_waiting_and_what_has_ended(site):
    site.pki("token", "gate-1")
    past = Authority.open(site.folder / "ca", clock_utc=lambda: utc_now() - timedelta(days=3))
    past.issue_gate("gate-2", profiles.new_key().public_key(), lifetime=timedelta(days=1))
    said = site.pki("list")
    assert "ended on" in said
    assert "for gate-1, until" in said
    assert "fingerprint" in said


def test_a_port_that_is_taken_is_said_to_be(site):
    port = site.serve().rpartition(":")[2]
    words = ["serve", "--name", "localhost", "--listen", "127.0.0.1", "--port", port]
    assert "cannot listen: Address already in use; see --listen" in site.pki(*words, status=1)


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_folder_that_cannot_be_made_is_named(desk):
    said = desk.run("pki", "init", "north", "--dir", "/proc/x", status=1)
    assert said.startswith("gatepost: /proc/x: cannot be made")


def lines(site):
    return [json.loads(line) for line in site.pki("list", "--json").splitlines()]
