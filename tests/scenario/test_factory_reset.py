"""`gatepost factory-reset`: nothing of people and keys is left, and it comes through any cut."""

import errno
import fcntl
import io
import itertools
import os
import socket
from pathlib import Path

import pytest

from gatepost.cli import factory_reset, going_over
from gatepost.wiring import resetting
from gatepost.wiring.resetting import ResetError
from gatepost_config.load import load
from gatepost_services.pki.identity import Identity

from .going_over_rig import gatepost
from .rosters import import_roster
from .test_provision_power_cut import Disk, PowerCut

CANARY = b"CANARY-7f3a"
PERSON = CANARY.decode()
# What the two processes and the technician's commands leave, by folder.
PLANTED = {
    "gate": (
        *("journal.db", "journal.db-wal", "journal.db-shm", "journal.db-head"),
        *("journal.db.broken-1", "whereabouts.db", "credentials.db-wal", "commands.db"),
        *("device.key", "offset.json", "standing.json", "ledger.json", "settings.json"),
        *("settings.digest", "trust.cose", "regime.json", "clock.json", "documents/part.new"),
    ),
    "link": ("inbox.db", "inbox.db-wal", "uplink.db", "acknowledged", "incoming/roster.part"),
    "run/board": ("reported", "head"),
    "run/gate": (".lgd-nfy0",),
    "calibration": ("MLX-0001.toml",),
    "boot": ("enrolment-token", "gatepost.used.toml", "gatepost-first-boot.txt"),
    ".": (
        *("gatepost.toml.before", "gatepost.toml.new", "step.secret", "tls/first-boot.json"),
        *("roster.db-wal", "roster.db.broken-2", "roster.key.ab12.new", "site.toml"),
    ),
}
OTHERS = ("boot/cmdline.txt", "tls/readme.txt", "other.toml")


class Gate:
    """A gate after years, in a folder; `links` holds a second name of each of its files."""

    def __init__(self, folder, links):
        self.folder, self.config = folder, folder / "gatepost.toml"
        for name in ("gate", "link", "run/gate", "run/link", "run/board", "calibration", "boot"):
            (folder / name).mkdir(parents=True)
        self.config.write_text(
            '[gate]\nsite = "s"\nname = "g"\n[link]\nbroker_host = "b"\n'
            f'[tls]\nca = "{folder}/tls/ca.pem"\ncertificate = "{folder}/tls/device.pem"\n'
            f'key = "{folder}/tls/device.key"\n[regime]\nsite = "{folder}/site.toml"\n'
            f'[passes]\nstep_secret = "{folder}/step.secret"\n'
            f'[paths]\ngate_dir = "{folder}/gate"\nlink_dir = "{folder}/link"\n'
            f'run_dir = "{folder}/run"\nroster = "{folder}/roster.db"\n'
            f'roster_key = "{folder}/roster.key"\ncalibration_dir = "{folder}/calibration"\n'
            f"# {PERSON}\n"
        )
        # The second list removes people of the first: they stand in free pages.
        for names in (range(200), range(5)):
            rows = "".join(f"P{n},{PERSON}-{n},resident\n" for n in names)
            import_roster(folder, f"credential,subject,category\n{rows}")
        for where, names in PLANTED.items():
            for name in names:
                self.plant(f"{where}/{name}")
        (folder / "tls").mkdir(exist_ok=True)
        for number in (1, 2):
            names = ("ca.pem", "device.pem", "device.key", "crl.pem", "server")
            Identity(folder / "tls").install(dict.fromkeys(names, CANARY + b"%d" % number))
        self.plant("tls/pending.key")
        for name in OTHERS:
            (folder / name).write_bytes(b"not the gate's")
        self.links = links
        links.mkdir()
        for number, path in enumerate(self.files()):
            if path.name not in {Path(name).name for name in OTHERS}:
                os.link(path, links / f"{number}-{path.name}")

    def plant(self, name):
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        if not path.exists():
            path.write_bytes(os.urandom(500) + CANARY * 700)

    def files(self):
        found = sorted(self.folder.rglob("*"))
        return [path for path in found if path.is_file() and not path.is_symlink()]

    def names(self):
        found = self.folder.rglob("*")
        return {str(p.relative_to(self.folder)) for p in found if p.is_symlink() or p.is_file()}


def holders(folder):
    return [p for p in folder.rglob("*") if p.is_file() and CANARY in p.read_bytes()]


@pytest.fixture
def new_gate(tmp_path):
    numbers = itertools.count()

    def make():
        name = f"gate-{next(numbers)}"
        return Gate(tmp_path / name, tmp_path / f"{name}-links")

    return make


@pytest.fixture
def gate(new_gate):
    return new_gate()


@pytest.fixture(autouse=True)
def units(monkeypatch):
    """What systemd was told; there is none."""
    told = []

    def systemctl(words):
        told.append(list(words))
        return False

    monkeypatch.setattr(going_over, "systemctl", systemctl)
    return told


@pytest.fixture
def reset(capsys):
    def run(gate, *words):
        told = ("--config", gate.config, "--boot", gate.folder / "boot")
        return gatepost(capsys, "factory-reset", *told, *words)

    return run


# ------------------------------------------------------------------------------------------- erased


def test_nothing_of_people_and_keys_is_left(gate, reset, units):
    assert len(holders(gate.folder)) > 40
    status, out, err = reset(gate, "--yes", "g")
    assert (status, err) == (0, "")
    assert gate.names() == set(OTHERS)
    assert holders(gate.folder) == []
    assert units == [["stop", *factory_reset._UNITS]]
    assert "wear levelling" in out
    assert "Next: to set it up again" in out


def test_each_file_is_written_over_where_it_lies(gate, reset):
    """A second name of it shows the blocks that the removal alone would have left."""
    assert reset(gate, "--yes", "g")[0] == 0
    linked = list(gate.links.iterdir())
    assert len(linked) > 40
    for path in linked:
        content = path.read_bytes()
        assert content == bytes(len(content)), path.name


def test_what_goes_is_told_by_count_before_and_after(gate, reset):
    status, out, _ = reset(gate, "--dry-run")
    assert status == 0
    assert "Of gate g of site s this is erased for good:\n" in out
    told = [line for line in out.splitlines() if line.startswith("  ")]
    assert [line.partition(":")[0].strip() for line in told] == [
        *("keys and certificates", "roster", "journal", "what the server sent"),
        *("what the gate has learnt and counted", "calibration"),
        *("what the two processes said", "settings"),
    ]
    assert "  journal: 5 files," in out
    assert len(holders(gate.folder)) > 40
    count = sum(int(line.partition(": ")[2].split()[0]) for line in told)
    assert f"erased: {count} files, " in reset(gate, "--yes", "g")[1]


def test_the_calibration_may_stay(gate, reset):
    assert reset(gate, "--yes", "g", "--keep-calibration")[0] == 0
    assert gate.names() == {*OTHERS, "calibration/MLX-0001.toml"}


def test_a_token_beside_settings_that_wait_stays_theirs(gate, reset):
    (gate.folder / "boot/gatepost.toml").write_text("the next gate")
    assert reset(gate, "--yes", "g")[0] == 0
    assert gate.names() == {*OTHERS, "boot/gatepost.toml", "boot/enrolment-token"}


def test_a_link_is_removed_and_what_a_key_links_to_is_erased(gate, reset, tmp_path):
    elsewhere, foreign = tmp_path / "usb.key", tmp_path / "foreign"
    (gate.folder / "step.secret").rename(elsewhere)
    (gate.folder / "step.secret").symlink_to(elsewhere)
    foreign.mkdir()
    (foreign / "file").write_bytes(b"somebody else's")
    (gate.folder / "gate/link").symlink_to(foreign)
    (gate.folder / "gate/file").symlink_to(foreign / "file")
    assert reset(gate, "--yes", "g")[0] == 0
    assert not elsewhere.exists()
    assert (foreign / "file").read_bytes() == b"somebody else's"
    assert gate.names() == set(OTHERS)


def test_certificates_put_there_by_hand_go_and_their_neighbours_stay(gate, reset):
    tls = gate.folder / "tls"
    for name in ("current", "pending.key"):
        (tls / name).unlink()
    status, _, _ = reset(gate, "--yes", "g")
    assert status == 0
    assert not {"tls/device.key", "tls/device.pem", "tls/ca.pem"} & gate.names()
    assert "tls/readme.txt" in gate.names()


# ------------------------------------------------------------------------------------------ refused


@pytest.mark.parametrize("words", [(), ("--yes", "h"), ("--yes", "")], ids=str)
def test_without_the_gates_name_nothing_happens(gate, reset, units, words):
    before = gate.names()
    status, _, err = reset(gate, *words)
    assert status == 2
    assert "--yes g" in err or "is not the name of this gate; nothing was erased" in err
    assert (gate.names(), units) == (before, [])


@pytest.mark.parametrize(("typed", "status"), [(" g ", 0), ("yes", 2), ("", 2)])
def test_whoever_sits_there_types_the_name(gate, reset, monkeypatch, typed, status):
    terminal = io.StringIO()
    terminal.isatty = lambda: True
    monkeypatch.setattr("sys.stdin", terminal)
    monkeypatch.setattr("builtins.input", lambda _question: typed)
    assert reset(gate)[0] == status
    assert gate.config.exists() is (status != 0)


def _listen(path, kind):
    path.unlink(missing_ok=True)
    made = socket.socket(socket.AF_UNIX, kind)
    made.bind(str(path))
    if kind == socket.SOCK_SEQPACKET:
        made.listen(1)
    return made


SOCKETS = {
    "gate": ("run/gate/control.sock", socket.SOCK_SEQPACKET),
    "link": ("run/link/link.sock", socket.SOCK_DGRAM),
}


@pytest.mark.parametrize("process", SOCKETS)
def test_a_process_that_runs_is_not_robbed(gate, reset, monkeypatch, process):
    name, kind = SOCKETS[process]
    monkeypatch.setattr(factory_reset, "_ANSWER_S", 0.01)
    before = gate.names()
    path = gate.folder / name
    with _listen(path, kind):
        status, _, err = reset(gate, "--yes", "g")
        assert status == 2
        assert f"the {process} still runs" in err
        assert gate.names() == before
    # Its socket outlives it.
    assert reset(gate, "--yes", "g")[0] == 0


def test_a_gate_without_a_socket_has_its_journal_locked(gate, reset):
    with (gate.folder / "gate/journal.db-head").open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        status, _, err = reset(gate, "--yes", "g")
    assert status == 2
    assert "the gate still runs, and systemd cannot stop it" in err


@pytest.mark.parametrize("state", ["measuring", "released", "fire", "testing"])
def test_nobody_is_dropped_for_it(gate, reset, monkeypatch, units, state):
    monkeypatch.setattr(factory_reset, "ask", lambda *_words: {"state": state})
    status, _, err = reset(gate, "--yes", "g")
    assert status == 2
    assert "say it again later; nothing was erased" in err
    assert units == []
    monkeypatch.setattr(factory_reset, "ask", lambda *_words: {"state": "maintenance"})
    assert reset(gate, "--yes", "g")[0] == 0


@pytest.mark.parametrize(
    "folder", ["/", "/etc", "/var/lib", "/home/somebody", "/usr/lib", "/var/lib/../lib"]
)
def test_a_folder_of_the_system_is_not_the_gates(gate, folder):
    with pytest.raises(ResetError, match="no folder of the gate's alone"):
        resetting._all_below(Path(folder), gate.config)


def test_a_folder_that_holds_the_settings_is_not_walked(gate, reset):
    text = gate.config.read_text().replace(f"{gate.folder}/link", f"{gate.folder}")
    gate.config.write_text(text)
    status, _, err = reset(gate, "--yes", "g")
    assert status == 2
    assert "all in it would be erased; correct the settings" in err


# ------------------------------------------------------------------------------- cuts and bad disks


def _steps(disk, gate, reset):
    disk.fail_at(None)
    assert reset(gate, "--yes", "g")[0] == 0
    return len(disk.log)


def test_a_cut_at_each_step_leaves_it_to_be_said_again(new_gate, reset, monkeypatch):
    gates = [new_gate()]
    with monkeypatch.context() as patch:
        steps = _steps(Disk(patch), gates[0], reset)
    assert steps > 100
    for number in [*range(0, steps - 8, 3), *range(steps - 8, steps)]:
        gate = new_gate()
        with monkeypatch.context() as patch:
            Disk(patch).fail_at(number)
            with pytest.raises(PowerCut):
                reset(gate, "--yes", "g")
        if gate.config.exists():
            assert load(gate.config).gate.name == "g"
            assert reset(gate, "--yes", "g")[0] == 0, number
        elif gate.names() != set(OTHERS):
            assert gate.names() == {*OTHERS, "gatepost.toml.erasing"}, number
            assert reset(gate, "--yes", "g")[0] == 0, number
        assert gate.names() == set(OTHERS), number


def test_settings_that_somebody_broke_are_not_taken_for_that(gate, reset):
    (gate.folder / "gate/settings.json").unlink()
    gate.config.write_text(gate.config.read_text() + "[lane\n")
    before = gate.names()
    status, _, err = reset(gate, "--yes", "g")
    assert status == 2
    assert "not TOML" in err
    assert gate.names() == before


def test_keys_go_first_and_the_settings_last(gate, reset, monkeypatch):
    disk = Disk(monkeypatch)
    disk.fail_at(None)
    assert reset(gate, "--yes", "g")[0] == 0
    removed = [each[-1].relative_to(gate.folder) for each in disk.log if each[0] == "unlink"]
    keys = [Path("tls/device.key"), Path("gate/device.key"), Path("roster.key")]
    people = removed.index(Path("roster.db"))
    assert max(removed.index(each) for each in keys) < people
    assert removed[-1] == Path("gatepost.toml.erasing")
    # Written over, for good, before it is removed.
    flushed = [each[-1] for each in disk.log if each[0] == "fsync"]
    for name in ("roster.key", "gate/journal.db-wal", "link/inbox.db"):
        assert gate.folder / name in flushed


@pytest.mark.parametrize("code", [errno.EIO, errno.EROFS, errno.ENOSPC])
def test_what_cannot_be_written_over_is_told_and_the_settings_stay(gate, reset, monkeypatch, code):
    real = os.open

    def refuse(path, flags, *more, **words):
        if str(path).endswith("journal.db") and flags & os.O_WRONLY:
            raise OSError(code, os.strerror(code), str(path))
        return real(path, flags, *more, **words)

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", refuse)
        status, _, err = reset(gate, "--yes", "g")
    assert status == 1
    assert f"journal.db: cannot be written over: {os.strerror(code)}" in err
    assert f"{gate.config} is kept, so that this can be said again" in err
    assert "gate/journal.db" not in gate.names()  # removed all the same
    assert reset(gate, "--yes", "g")[0] == 0
    assert gate.names() == set(OTHERS)


def test_a_long_one_shows_how_far_it_is(gate, reset, monkeypatch):
    monkeypatch.setattr(resetting, "_CHUNK_BYTES", 1000)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    _, _, err = reset(gate, "--yes", "g")
    bars = [line for line in err.replace("\r", "\n").splitlines() if line.startswith("journal ")]
    assert len(bars) > 10
    assert bars[-1].endswith("[##############################] 100%")
