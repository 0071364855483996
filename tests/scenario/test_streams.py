"""A command whose question, output or file is out of reach says so, and is no traceback."""

import os
import subprocess
import sys

import pytest

from gatepost.cli import main as cli
from gatepost.cli.main import main

SUBJECT = ("erase", "anna")


def gatepost(config, *words, closed=()):
    """Run it as a process of its own, without some of the standard streams."""
    shut = " ".join(f"{number}{'<' if number == 0 else '>'}&-" for number in closed)
    command = f'exec "{sys.executable}" -m gatepost "$@" {shut}'
    return subprocess.run(
        ["sh", "-c", command, "sh", *words, "--config", str(config)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "LC_ALL": "C.UTF-8"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    "words",
    [
        ("erase", "anna"),
        ("lane", "status"),
        ("factory-reset",),
        ("config", "rollback"),
        ("enrol", "-", "--url", "https://localhost:1"),
    ],
    ids=" ".join,
)
def test_without_standard_input_it_is_said_that_nobody_is_there(config, words):
    done = gatepost(config, *words, closed=[0])
    assert done.returncode in (1, 2)
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith("gatepost: ")


@pytest.mark.parametrize(
    "words", [("roster", "show"), ("journal", "stats"), ("config", "show")], ids=" ".join
)
@pytest.mark.parametrize("closed", [[1], [2], [1, 2], [0, 1, 2]], ids=str)
def test_without_output_it_runs_all_the_same(config, words, closed):
    whole = gatepost(config, *words)
    cut = gatepost(config, *words, closed=closed)
    assert cut.returncode == whole.returncode
    assert "Traceback" not in cut.stderr
    for number, told in ((1, cut.stdout), (2, cut.stderr)):
        assert told == ("" if number in closed else (whole.stdout, whole.stderr)[number - 1])


def test_an_end_of_input_at_a_question_ends_it_in_words(config, monkeypatch, capsys):
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)

    def nobody(_question=""):
        raise EOFError

    monkeypatch.setattr("builtins.input", nobody)
    with pytest.raises(SystemExit) as caught:
        main([*SUBJECT, "--config", str(config)])
    assert caught.value.code == 1
    assert capsys.readouterr().err == "gatepost: nobody answers the question; it ends here\n"


def test_a_place_that_nobody_may_look_into_is_named_with_sudo(config, monkeypatch, capsys):
    def refuse(_args):
        raise PermissionError(13, "Permission denied", "/etc/gatepost/tls/ca.pem")

    module = cli.import_module(cli.COMMANDS["erase"][0])
    monkeypatch.setattr(module, "run", refuse)
    with pytest.raises(SystemExit) as caught:
        main([*SUBJECT, "--config", str(config)])
    assert caught.value.code == 1
    said = capsys.readouterr().err
    assert said == "gatepost: /etc/gatepost/tls/ca.pem: not allowed; begin the command with sudo\n"
