"""`gatepost watch` with certificates, before the access list that we hand out."""

import pytest
from tests.services.tls_rig import Rig, TlsBroker
from tests.services.watch_kit import SpeakingGate

from gatepost.cli import watch as command
from gatepost.cli.main import main
from gatepost_services.hub.messages import Broker, Outgoing
from gatepost_services.hub.mqtt import HubClient

from .wire_rig import ACL

DEADLINE_S = 30.0
pytestmark = [pytest.mark.packaging, pytest.mark.processes]


@pytest.fixture
def rig(tmp_path):
    return Rig(tmp_path / "site")


@pytest.fixture
def broker(rig):
    with TlsBroker(rig, acl=ACL) as running:
        gate = SpeakingGate()
        with HubClient(Broker(running.host, running.port, tls=rig.gate().context)) as client:
            for each in (gate.presence("online"), gate.reported()):
                post = Outgoing(each.topic, each.payload, is_retained=True)
                assert client.publish(post).wait(DEADLINE_S)
        yield running


@pytest.fixture
def config(tmp_path, rig, broker):
    files, path = rig.gate(), tmp_path / "gatepost.toml"
    path.write_text(
        '[gate]\nsite = "north"\nname = "gate-1"\n[screening]\noffset_c = 2.4\n'
        f'[link]\nbroker_host = "{broker.host}"\nbroker_port = {broker.port}\n'
        f'[tls]\nca = "{files.ca}"\ncertificate = "{files.certificate}"\nkey = "{files.key}"\n'
    )
    return str(path)


class StoppedError(Exception):
    """The view has seen what it waited for."""


@pytest.fixture
def until(monkeypatch):
    """Have the command stop once a text is printed."""

    def stop_at(text, capsys):
        told = []

        class View(command.TextLines):
            def show(self, site, trouble):
                super().show(site, trouble)
                told.append(capsys.readouterr().out)
                if text in told[-1]:
                    raise StoppedError

        monkeypatch.setattr(command, "TextLines", View)
        return told

    return stop_at


def test_with_the_certificate_of_a_watch_the_gates_of_the_site_are_seen(config, rig, until, capsys):
    until("presence online", capsys)
    files = rig.client("watch")
    own = ["--cert", str(files.certificate), "--key", str(files.key)]
    with pytest.raises(StoppedError):
        main(["watch", "--config", config, *own])


def test_the_same_without_settings(rig, broker, until, capsys):
    until("lane idle", capsys)
    files = rig.client("watch")
    place = ["--host", broker.host, "--port", str(broker.port), "--ca", str(files.ca)]
    own = ["--cert", str(files.certificate), "--key", str(files.key)]
    with pytest.raises(StoppedError):
        main(["watch", *place, *own])


def test_a_gates_own_certificate_may_read_nothing_and_that_is_said(
    config, until, capsys, monkeypatch
):
    monkeypatch.setattr(command, "_SILENT_S", 0.0)
    until("nothing comes", capsys)
    with pytest.raises(StoppedError):
        main(["watch", "--config", config])


def test_another_authority_than_the_sites_is_refused(config, rig, tmp_path, capsys):
    files, other = rig.client("watch"), Rig(tmp_path / "other")
    own = ["--cert", str(files.certificate), "--key", str(files.key)]
    with pytest.raises(SystemExit) as ending:
        main(["watch", "--config", config, "--ca", str(other.ca), *own])
    assert ending.value.code == 1
    assert "certificate does not hold" in capsys.readouterr().err


def test_a_key_that_is_not_there_is_named(config, rig, capsys):
    files = rig.client("watch")
    with pytest.raises(SystemExit) as ending:
        main(["watch", "--config", config, "--cert", str(files.certificate), "--key", "/no/key"])
    assert ending.value.code == 1
    assert "/no/key" in capsys.readouterr().err
