"""`gatepost journal` as it is typed: what it says, writes and sends, and its exit status."""

import json
import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing

import pytest

from gatepost.cli import journal as journal_command
from gatepost.cli import replay as replaying
from gatepost.cli.main import main
from gatepost.doctor import columns
from gatepost_config.load import load
from gatepost_services.contract.classes import CLASS_OF
from gatepost_services.contract.events import Envelope
from gatepost_services.journal import Entry, Journal, JournalReader
from gatepost_services.record import EventClass
from gatepost_services.uplink.position import write_acknowledged

from .replay_broker import Broker

DEADLINE_S = 30.0
TYPES = [next(name for name, its in CLASS_OF.items() if its is each) for each in EventClass]


def entries(count: int) -> list[Entry]:
    return [Entry(TYPES[n % 4], float(n), 1.7e9 + n, {"n": n}) for n in range(count)]


@pytest.fixture
def path(config):
    return load(config).paths.journal


@pytest.fixture
def journal(path) -> Iterator[Journal]:
    with Journal(path, Envelope("s", "g", "boot-1")) as made:
        made.append(entries(40))
        yield made


@pytest.fixture
def command(config, capsysbinary):
    """Type the command; return its status, its output and what it complains about."""

    def run(*words: object) -> tuple[object, str, str]:
        status: object
        try:
            status = main(["journal", "--config", str(config), *map(str, words)])
        except SystemExit as ended:
            status = ended.code
        said = capsysbinary.readouterr()
        return status, said.out.decode(), said.err.decode()

    return run


def broken(journal: Journal) -> None:
    journal.close()
    with closing(sqlite3.connect(journal.path, isolation_level=None)) as connection:
        connection.execute("UPDATE live SET hash = zeroblob(32) WHERE seq = 22")


# ------------------------------------------------------------------------------ stats, verify


def test_stats_in_words(journal, command, config):
    write_acknowledged(load(config).paths.acknowledged, 33)
    status, out, _ = command("stats")
    assert status == 0
    assert "undelivered    7 events; acknowledged through 33" in out
    assert f"last number    40, hash {journal.state.head.hex()}" in out
    assert "set aside      nothing" in out
    assert out.splitlines()[-1].split() == [
        "telemetry", "10", f"{journal.state.bytes[3]:,}", "0",
    ]  # fmt: skip


@pytest.mark.usefixtures("journal")
def test_people_are_told_in_their_language(command, path, monkeypatch):
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    for words, expected in (
        (["stats"], "未送达         40 个事件；已确认到 0\n"),  # noqa: RUF001
        (["verify"], f"{path}：完整：40 个事件，从 1 到 40，"),  # noqa: RUF001
    ):
        status, out, _ = command(*words)
        assert status == 0
        assert expected in out
    *_, head, alarm, _, _, _ = command("stats")[1].splitlines()
    assert columns.width(head) == columns.width(alarm)
    assert "已导出 40 个事件" in command("export")[2]
    assert json.loads(command("stats", "--json")[1])["undelivered"] == 40


@pytest.mark.usefixtures("journal")
def test_stats_as_json(command, path):
    status, out, _ = command("stats", "--json")
    told = json.loads(out)
    assert status == 0
    assert told["file"] == str(path)
    assert told["events"] == {"alarm": 10, "live": 10, "bookkeeping": 10, "telemetry": 10}
    assert told["undelivered"] == 40
    assert told["oldest_age_s"] > 0


@pytest.mark.parametrize(
    ("age_s", "said"),
    [
        (None, "there is none"),
        (-1.0, "dated in the future: the clock was wrong then, or is now"),
        (0.0, "0 seconds ago"),
        (119.0, "119 seconds ago"),
        (7_190.0, "120 minutes ago"),
        (86_400.0, "24 hours ago"),
        (8_640_000.0, "100 days ago"),
    ],
)
def test_an_age_is_told_in_the_unit_that_fits(age_s, said):
    assert journal_command._span(age_s) == said


def test_verify_says_that_it_is_whole(journal, command, path):
    status, out, _ = command("verify")
    assert (status, out) == (
        0,
        f"{path}: whole: 40 events, from 1 to 40, hash of the last {journal.state.head.hex()}\n",
    )
    status, out, _ = command("verify", "--json")
    assert status == 0
    assert json.loads(out) == {
        "file": str(path), "whole": True, "events": 40, "first_seq": 1, "last_seq": 40,
        "head": journal.state.head.hex(), "broken": 0, "findings": [],
    }  # fmt: skip


def test_verify_names_the_first_break_and_has_status_1(journal, command, path):
    broken(journal)
    status, out, _ = command("verify")
    assert status == 1
    assert out.splitlines() == [
        f"{path}: broken: 40 events, from 1 to 40; findings: 2, the first of them:",
        "  hash: event 22 is not what was written",
        "  chain: event 23 does not name the one before it",
    ]
    status, out, _ = command("verify", "--json")
    assert (status, json.loads(out)["findings"][0]) == (
        1,
        {"seq": 22, "kind": "hash", "text": "event 22 is not what was written"},
    )


@pytest.mark.usefixtures("journal")
def test_verify_holds_the_journal_against_what_was_delivered(command, config):
    write_acknowledged(load(config).paths.acknowledged, 50)
    status, out, _ = command("verify")
    assert status == 1
    assert "end: the journal ends at 40, and a server has 50" in out


def test_a_file_that_was_set_aside_is_looked_at_for_itself(journal, command, config, path):
    journal.close()
    for suffix in ("", "-head"):
        aside = path.with_name(f"{path.name}.broken-1{suffix}")
        path.with_name(path.name + suffix).replace(aside)
    write_acknowledged(load(config).paths.acknowledged, 50)
    aside = path.with_name(f"{path.name}.broken-1")
    assert command("verify", "--file", aside)[0] == 0
    assert len(command("export", "--file", aside)[1].splitlines()) == 40
    assert command("verify")[0] == 2


@pytest.mark.parametrize("what", ["stats", "verify", "export", "replay"])
def test_a_file_that_is_no_journal_is_not_called_a_broken_one(command, tmp_path, what):
    text, empty, other = (tmp_path / name for name in ("gatepost.txt", "empty.db", "roster.db"))
    text.write_text("[gate]\n")
    empty.touch()
    for mark in (0x47505748, 0):
        with closing(sqlite3.connect(other)) as database:
            database.executescript(f"PRAGMA application_id = {mark}; CREATE TABLE t{mark} (a)")
        for wrong in (text, empty, other):
            told = f"gatepost: {wrong}: this is no journal; name another file\n"
            assert command(what, "--file", wrong) == (2, "", told)
    for wrong in (os.devnull, tmp_path):
        assert "broken" not in command(what, "--file", wrong)[2]


def test_what_is_left_of_a_journal_is_a_broken_one(journal, command, path):
    journal.close()
    content = path.read_bytes()
    path.with_name(f"{path.name}-wal").touch()
    for wreck in (b"x" * 4096 + content[4096:], content[:68] + bytes(4) + content[72:]):
        path.write_bytes(wreck)
        assert command("verify", "--file", path)[0] == 1


@pytest.mark.parametrize(
    ("what", "status"), [("stats", 1), ("verify", 2), ("export", 1), ("replay", 1)]
)
def test_without_a_journal_it_is_said_who_makes_it(command, path, what, status):
    assert command(what) == (
        status,
        "",
        f"gatepost: {path}: no journal there; the gate makes it when it first records something\n",
    )


@pytest.mark.usefixtures("journal")
def test_without_permission_sudo_is_said(command, path, monkeypatch):
    opened = type(path).open

    def denied(self, *args, **keywords):
        if self == path:
            raise PermissionError(13, "Permission denied")
        return opened(self, *args, **keywords)

    monkeypatch.setattr(type(path), "open", denied)
    status, _, err = command("verify")
    assert status == 2
    assert err.endswith("begin the command with sudo\n")


def test_of_what_is_no_journal_the_remedy_is_said(command, path):
    path.write_bytes(b"x" * 5000)
    status, _, err = command("stats")
    assert status == 1
    assert "file is not a database" in err
    assert command("verify")[0] == 1


@pytest.mark.parametrize("number", ["0", "-1", "x", "1.5", str(2**63)])
def test_what_is_no_number_of_an_event_is_refused(command, number):
    status, _, err = command("export", "--through", number)
    assert status == 2
    assert "is no number of an event" in err or "expected one argument" in err


# ------------------------------------------------------------------------------------- export


def test_export_to_the_terminal(journal, command, path):
    status, out, err = command("export", "--from", 39)
    with JournalReader(path) as reader:
        bodies = [record.body.decode() for record in reader.read(38, 9).records]
    assert (status, out.splitlines(), err) == (0, bodies, "gatepost: 2 events exported\n")
    assert journal.state.last_seq == 40


@pytest.mark.usefixtures("journal")
def test_export_of_classes_as_a_table(command):
    status, out, _ = command(
        "export", "--format", "csv", "--class", "telemetry", "--class", "alarm", "--through", 8
    )
    assert status == 0
    assert [line.split(",")[0] for line in out.splitlines()] == ["seq", "1", "4", "5", "8"]


@pytest.mark.usefixtures("journal")
def test_export_to_a_file_that_only_its_owner_may_read(command, tmp_path):
    out = tmp_path / "ledger.jsonl"
    assert command("export", "--out", out)[:2] == (0, "")
    assert len(out.read_text().splitlines()) == 40
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert list(tmp_path.glob("*.part")) == []


@pytest.mark.usefixtures("journal")
def test_a_file_is_replaced_only_when_that_is_said(command, tmp_path):
    out = tmp_path / "ledger.jsonl"
    out.write_text("precious")
    out.chmod(0o644)
    status, _, err = command("export", "--out", out)
    assert (status, err) == (1, f"gatepost: {out}: exists; --force replaces it\n")
    assert out.read_text() == "precious"
    assert command("export", "--out", out, "--force")[0] == 0
    assert len(out.read_text().splitlines()) == 40
    assert stat.S_IMODE(out.stat().st_mode) == 0o600


@pytest.mark.usefixtures("journal")
def test_what_is_no_file_is_never_replaced(command, tmp_path):
    out = tmp_path / "pipe"
    os.mkfifo(out)
    status, _, err = command("export", "--out", out, "--force")
    assert (status, err) == (1, f"gatepost: {out}: is no file\n")
    assert stat.S_ISFIFO(out.stat().st_mode)


@pytest.mark.usefixtures("journal")
def test_a_file_that_cannot_be_written_is_told(command, tmp_path):
    status, _, err = command("export", "--out", tmp_path / "no" / "ledger")
    assert (status, err) == (
        1,
        f"gatepost: {tmp_path}/no/ledger: cannot be written: No such file or directory\n",
    )


def test_what_of_a_broken_file_was_not_exported_is_told_at_the_end(journal, command, tmp_path):
    broken(journal)
    out = tmp_path / "ledger.jsonl"
    status, _, err = command("export", "--out", out)
    assert status == 1
    assert err.splitlines() == [
        "gatepost: 39 events exported",
        "gatepost: not exported: event 22 is not what was written",
    ]
    assert len(out.read_text().splitlines()) == 39


# ------------------------------------------------------------------------------------- replay


@pytest.fixture
def make_broker(config):
    made = []

    def make(**settings: int) -> Broker:
        made.append(Broker(**settings))
        text = config.read_text()
        config.write_text(text.replace("broker_port = 1\n", f"broker_port = {made[-1].port}\n"))
        return made[-1]

    yield make
    for broker in made:
        broker.close()


def test_a_range_is_sent_again_on_a_topic_of_its_own(journal, command, config, make_broker):
    broker = make_broker()
    write_acknowledged(load(config).paths.acknowledged, 33)
    before = {each: each.read_bytes() for each in load(config).paths.link_dir.iterdir()}
    status, out, _ = command("replay", "--from", 5, "--through", 36)
    assert (status, out) == (0, "32 events replayed on gatepost/s/g/event/replay\n")
    with JournalReader(journal.path) as reader:
        bodies = [record.body for record in reader.read(4, 32).records]
    assert broker.taken == [("gatepost/s/g/event/replay", 1, body) for body in bodies]
    assert broker.client_id == "gatepost_s_g_replay"
    assert 1 < broker.most_unacked <= replaying.WINDOW
    assert {each: each.read_bytes() for each in load(config).paths.link_dir.iterdir()} == before


@pytest.mark.usefixtures("journal")
def test_without_a_range_all_of_it_is_sent(command, make_broker):
    make_broker()
    assert command("replay")[:2] == (0, "40 events replayed on gatepost/s/g/event/replay\n")


@pytest.mark.usefixtures("journal")
def test_an_empty_range_is_sent_as_nothing(command, make_broker):
    make_broker()
    assert command("replay", "--from", 41)[1].startswith("0 events replayed")


@pytest.mark.usefixtures("journal")
@pytest.mark.parametrize("reason", [0x87, 0x10])
def test_a_broker_that_refuses_ends_it_with_the_reason(command, make_broker, reason):
    make_broker(reason=reason, refuse_from=4)
    status, out, err = command("replay")
    assert (status, out) == (1, "")
    assert "3 events replayed, then no more: the broker does not take event 4 on" in err
    assert f"(reason 0x{reason:02x}); see its access list" in err


@pytest.mark.usefixtures("journal")
def test_a_broker_that_refuses_the_connection_ends_it(command, make_broker):
    make_broker(connack=0x87)
    status, _, err = command("replay")
    assert status == 1
    assert "0 events replayed, then no more: broker 127.0.0.1:" in err
    assert "Not authorized" in err


@pytest.mark.usefixtures("journal")
def test_without_a_broker_it_is_said_where_it_was_sought(command):
    status, _, err = command("replay")
    assert status == 1
    assert "broker 127.0.0.1:1: " in err


def test_what_is_too_large_or_damaged_is_left_out_and_told(journal, command, make_broker):
    journal.append([Entry(TYPES[1], 0.0, 1.7e9, {"pad": "x" * 5000})])
    broken(journal)
    broker = make_broker()
    broker.maximum_packet_bytes = 5000
    status, out, err = command("replay")
    assert (status, len(broker.taken)) == (1, 39)
    assert out.startswith("39 events replayed")
    assert "2 events left out, as too large for the broker or damaged: 22, 41" in err


@pytest.mark.usefixtures("journal")
def test_a_broker_that_falls_silent_ends_it(command, make_broker, monkeypatch):
    make_broker()
    monkeypatch.setattr(replaying, "_ACK_TIMEOUT_S", 0.0)
    monkeypatch.setattr(replaying, "_TICK_S", 0.0)
    status, _, err = command("replay")
    assert status == 1
    assert "the broker has been silent for 0 s" in err
