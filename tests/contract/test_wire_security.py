"""Who is who on the wire: the real link before a real mosquitto with TLS."""

import pytest
from tests.services.tls_rig import Rig, TlsBroker

from .wire_rig import ACL, Server, Wire

pytestmark = [pytest.mark.packaging, pytest.mark.processes]


@pytest.fixture
def rig(tmp_path):
    return Rig(tmp_path / "site")


def stays_out(tmp_path, broker, files, told: str) -> None:
    """The link does not get in, says why and what to do, and nothing of it is seen."""
    with Server(broker, broker.rig.client("centre"), "gatepost/#") as centre:
        with Wire(tmp_path / "wire", broker, files) as wire:
            said = wire.wait_told(told)
            assert "secured by TLS 1.3" in said or "cannot be secured" in said
            assert centre.publish("command", b"{}").reason in (0, 0x10)
            assert wire.letters() == []
        assert {each.topic.rpartition("/")[2] for each in centre.came} <= {"command"}


def test_a_broker_of_another_authority_is_refused(tmp_path, rig):
    other = Rig(tmp_path / "other").gate()
    files = rig.gate()
    with TlsBroker(rig, acl=ACL) as broker:
        mixed = type(files)(other.ca, files.certificate, files.key)
        stays_out(tmp_path, broker, mixed, "not from the site's authority")


def test_a_gate_of_another_authority_stays_out(tmp_path, rig):
    other = Rig(tmp_path / "other").gate()
    with TlsBroker(rig, acl=ACL) as broker:
        mixed = type(other)(rig.ca, other.certificate, other.key)
        stays_out(tmp_path, broker, mixed, "does not know who issued")


def test_a_certificate_that_has_ended_stays_out(tmp_path, rig):
    with TlsBroker(rig, acl=ACL) as broker:
        stays_out(tmp_path, broker, rig.gate(ended=True), "has ended")


def test_a_revoked_gate_stays_out(tmp_path, rig):
    files = rig.gate()
    rig.revoke(files)
    with TlsBroker(rig, acl=ACL) as broker:
        stays_out(tmp_path, broker, files, "this gate is revoked")


def test_a_broker_of_another_name_is_refused(tmp_path, rig):
    with TlsBroker(rig, acl=ACL, server=rig.server("broker.example")) as broker:
        with Wire(tmp_path / "wire", broker, rig.gate()) as wire:
            wire.wait_told("is for another name")
        assert wire.letters() == []


def test_files_that_are_missing_are_named_with_what_to_do(tmp_path, rig):
    files = rig.gate()
    with (
        TlsBroker(rig, acl=ACL) as broker,
        Server(broker, rig.client("centre"), "gatepost/+/+/presence") as centre,
    ):
        key = files.key.read_bytes()
        files.key.unlink()
        with Wire(tmp_path / "wire", broker, files) as wire:
            said = wire.wait_told("trying again for ever")
            assert f"{files.key}: there is no such file" in said
            assert "gatepost enrol - --url" in said
            files.key.touch(mode=0o600)
            files.key.write_bytes(key)
            centre.wait_for(1, "presence")


def test_the_certificate_of_another_gate_says_nothing_for_this_one(tmp_path, rig):
    with (
        TlsBroker(rig, acl=ACL) as broker,
        Server(broker, rig.client("centre"), "gatepost/#") as centre,
        Wire(tmp_path / "wire", broker, rig.gate("gate-2")) as wire,
    ):
        wire.wait_told("takes nothing on gatepost/north/gate-1/presence: refused (0x87)")
        assert centre.publish("command", b"{}").reason in (0, 0x10)
        centre.wait_for(1, "command")
        assert wire.letters() == []
        assert {each.topic.rpartition("/")[2] for each in centre.came} == {"command"}


def test_new_certificates_count_without_a_restart_and_without_being_lost(tmp_path, rig):
    old, new = rig.gate(), rig.gate()
    with (
        TlsBroker(rig, acl=ACL) as broker,
        Server(broker, rig.client("centre"), "gatepost/+/+/presence") as centre,
        Wire(tmp_path / "wire", broker, old, will_delay_s=30, session_expiry_s=60) as wire,
    ):
        centre.wait_for(1, "presence")
        rig.revoke(old)
        broker.reload()  # who is connected stays so
        # The key of one and the certificate of the other fit not: the link stays as it is.
        old.certificate.write_bytes(new.certificate.read_bytes())
        wire.wait_told("secured by TLS 1.3")
        old.key.write_bytes(new.key.read_bytes())
        wire.wait_told("new certificates: connecting with them")
        came = centre.wait_for(2, "presence")
        assert [b'"online"' in each.payload for each in came] == [True, True]


def test_in_the_clear_is_told_in_as_many_words(tmp_path, rig):
    with TlsBroker(rig, acl=ACL) as broker:
        with Wire(tmp_path / "wire", broker, rig.gate(), transport="plain") as wire:
            said = wire.wait_told("connection lost")
        assert "NOT secured: everything goes to localhost" in said
        assert '[link] transport = "plain"' in said
