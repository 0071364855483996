"""`gatepost run` and `gatepost uplink` as a technician meets them on the wrong machine."""

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from gatepost_services.contract.events import decode
from gatepost_services.journal import JournalReader
from gatepost_services.journal.schema import APPLICATION_ID

LIMIT_S = 60


def gatepost(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "gatepost", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )


@pytest.mark.skipif(Path("/dev/gpiochip0").exists(), reason="this machine has GPIO lines")
def test_without_gpio_the_gate_says_so_and_what_to_do(config):
    result = gatepost("run", "--config", config)
    assert result.returncode == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith("gatepost: ")
    assert "lgpio" in line or "run on a Pi" in line


def test_the_simulation_is_no_setting(config):
    # Nothing in a file or in the environment can turn the relay of a gate into a simulated one.
    config.write_text(config.read_text() + "[hardware]\nsimulated = true\n")
    result = gatepost("run", "--config", config)
    assert result.returncode == 2
    assert "[hardware]: no such section" in result.stderr


def test_a_link_without_its_folder_names_it(config, tmp_path):
    (tmp_path / "link").rmdir()
    result = gatepost("uplink", "--config", config)
    assert result.returncode == 1
    assert f"{tmp_path}/link" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.processes
def test_a_link_without_broker_and_journal_waits_and_ends_when_told(config):
    with subprocess.Popen(
        [sys.executable, "-m", "gatepost", "uplink", "--config", str(config)],
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert "NOT secured" in process.stderr.readline()  # as the settings say
            assert "trying again for ever" in process.stderr.readline()
        finally:
            process.terminate()
        process.communicate(timeout=LIMIT_S)
    assert process.returncode == 0


def test_a_journal_that_fails_is_told_in_the_log_of_the_service(config, tmp_path):
    with closing(sqlite3.connect(tmp_path / "gate" / "journal.db")) as newer:
        newer.execute("CREATE TABLE t (x)")
        newer.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        newer.execute("PRAGMA user_version = 99")
    result = gatepost("simulate", "--config", config, "--people", 1, "--speed", 100)
    (told,) = [line for line in result.stderr.splitlines() if "journal.db" in line]
    assert "install the newer Gatepost again" in told
    assert "entry is refused until it works" in told


def test_a_journal_that_is_broken_is_set_aside_and_the_gate_works(config, tmp_path):
    (tmp_path / "gate" / "journal.db").write_bytes(b"no database " * 1000)
    result = gatepost("simulate", "--config", config, "--people", 1, "--speed", 100)
    assert result.returncode == 0, result.stderr
    with JournalReader(tmp_path / "gate" / "journal.db") as journal:
        types = [decode(record.body).type for record in journal.read(0, 100).records]
    assert "gatepost.controller.started" in types
    assert "gatepost.store.corrupt" in types
