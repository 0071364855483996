"""The bundle for whoever is to help: what is in it, and that no secret and no person is."""

import errno
import json
import os
import tarfile

import pytest
from tests.services.journal_files import opened, stamp
from tests.services.tls_rig import Rig

from gatepost.cli import doctor as command
from gatepost.cli.main import main

from .doctor_bench import Bench, NoBroker

# In a form that whatever strikes words out could overlook.
SECRETS = {
    "roster.key": "c0ffee" * 10 + "cafe",
    "gate/device.key": "-----BEGIN CANARYDEVICEKEY-----",
    "steps.key": "canarystepsecret",
    "gate/roster.db": "canary-roster-content",
    "gate/trust.cose": "canary-trust-content",
    "link/inbox.db": "canary-inbox-content",
}
PASS_CODES = ("HC1:6BFCANARY+PASS", "W26:17:54321", "CANARY-CARD-0815-4711", "8800112233445566")
NAMES = ("Canary Zhang", "resident-canary")
PERSONAL = (
    ("visit.admitted", {"subject": "resident-canary", "credential": "8800112233445566"}),
    ("visit.denied", {"name": "Canary Zhang", "why": "unknown"}),
    ("duress.shown", {"subject": "resident-canary"}),
)
OF_THE_MACHINE = (
    ("fault.raised", {"fault": "reader", "detail": "pass 'CANARY-CARD-0815-4711' is no pass"}),
    ("store.corrupt", {"file": "journal", "why": "HC1:6BFCANARY+PASS"}),
)
LOG = (
    "2026-11-22T10:00:00+0800 gate gatepost[7]: WARNING pass 'CANARY-CARD-0815-4711' unknown\n"
    '2026-11-22T10:00:01+0800 gate gatepost[7]: WARNING card W26:17:54321 of "Canary Zhang"\n'
    "2026-11-22T10:00:02+0800 gate gatepost[7]: ERROR HC1:6BFCANARY+PASS 8800112233445566\n"
    "2026-11-22T10:00:03+0800 gate gatepost[7]: ERROR /dev/i2c-3 does not answer\n"
)


@pytest.fixture
def bench(tmp_path):
    rig = Rig(tmp_path / "site")
    made = Bench(tmp_path / "gate", rig, NoBroker(), rig.gate())
    for name, content in SECRETS.items():
        path = made.folder / name
        path.write_text(content + "\n")
        path.chmod(0o600)
    made.settings["passes"] = {"step_secret": made.folder / "steps.key"}
    made.commands["journalctl -u"] = LOG
    journal = opened(made.journal)
    journal.append([stamp(*event) for event in (*PERSONAL, *OF_THE_MACHINE)])
    journal.close()
    return made


@pytest.fixture
def bundle(bench, tmp_path, monkeypatch, capsys):
    """Make one; return its files by name, and all that was printed."""

    def make(*words):
        monkeypatch.setattr(command, "machine", lambda _config, _operator: bench.site())
        path = tmp_path / "help.tar.gz"
        main(["doctor", "--config", str(bench.config), "--bundle", str(path), *words])
        with tarfile.open(path) as archive:
            files = {
                member.name.partition("/")[2]: archive.extractfile(member).read().decode()
                for member in archive.getmembers()
            }
        printed = capsys.readouterr()
        return files, printed.out + printed.err

    return make


def test_what_is_in_it(bundle, bench):
    files, _ = bundle()
    assert list(files) == [
        *("doctor.json", "versions.json", "machine.json", "settings.json", "events.json"),
        "log.txt",
    ]
    assert json.loads(files["doctor.json"])["status"] == 2  # there is no broker
    assert json.loads(files["settings.json"])["gate"] == {"site": "north", "name": "gate-1"}
    assert json.loads(files["settings.json"])["passes"]["step_secret"] == "(not in the bundle)"
    types = [event["type"] for event in json.loads(files["events.json"])]
    assert types == ["gatepost.fault.raised", "gatepost.store.corrupt"]
    assert "/dev/i2c-3 does not answer" in files["log.txt"]
    assert files["log.txt"].startswith("2026-11-22T10:00:00+0800 gate ")
    assert json.loads(files["versions.json"])["model"].startswith("Raspberry Pi 4")
    assert (bench.folder.parent / "help.tar.gz").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("words", [(), ("--json",)])
def test_no_secret_no_pass_no_name_is_in_it_or_on_the_terminal(bundle, bench, words):
    private = bench.key.read_text().splitlines()[1]
    files, printed = bundle(*words)
    told = "\n".join([*files.values(), printed])
    for canary in (*SECRETS.values(), *PASS_CODES, *NAMES, private):
        assert canary not in told, canary


def test_a_password_by_mistake_in_the_settings_is_not_shown(bundle, bench):
    bench.settings["link"]["password"] = "canary-hunter2"
    bench.settings["gate"]["api_token"] = "canary tok'en"
    files, printed = bundle()
    assert "settings.json" not in files  # what was not understood is not passed on
    told = "\n".join([*files.values(), printed])
    assert "password = (not shown)" in told
    assert "canary" not in told


@pytest.mark.parametrize(
    ("key", "value", "must"),
    [
        ("broker_host", "bob:canary@broker", "must be the name or the address of a host"),
        ("broker_port", "canary: must be 8883", "must be a whole number from 1 to 65535"),
        ("transport", "ca\"na'ry = canary", 'must be one of "plain", "tls"'),
    ],
)
def test_a_wrong_text_is_not_passed_on(key, value, must, bundle, bench):
    bench.settings["link"][key] = value.replace('"', '\\"')
    files, printed = bundle()
    says = json.loads(files["doctor.json"])["checks"][0]["says"]
    assert f"[link] {key} = (not shown): {must}" in says
    assert "canary" not in "\n".join([*files.values(), printed])


def test_a_wrong_number_is_shown(bundle, bench):
    bench.settings["link"]["broker_port"] = 88830
    assert "[link] broker_port = 88830: must be" in bundle()[0]["doctor.json"]


def test_a_file_that_is_there_is_not_replaced(bundle, bench, tmp_path):
    began_s = bench.world.now_s()
    (tmp_path / "help.tar.gz").write_text("mine")
    with pytest.raises(SystemExit) as ended:
        bundle()
    assert bench.world.now_s() == began_s  # said at once, not after all the checks
    assert ended.value.code == 2
    assert (tmp_path / "help.tar.gz").read_text() == "mine"


def test_a_full_disk_leaves_none(bundle, tmp_path, monkeypatch, capsys):
    def full(descriptor, *_words, real=os.fdopen):
        real(descriptor, "wb").close()
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(os, "fdopen", full)
        with pytest.raises(SystemExit) as ended:
            bundle()
    assert ended.value.code == 2
    assert "help.tar.gz: cannot be written: No space left" in capsys.readouterr().err
    assert not (tmp_path / "help.tar.gz").exists()
    assert bundle()[0]
