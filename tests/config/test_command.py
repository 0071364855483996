"""Every command that reads the file says the same about it, and ends with status 2."""

import subprocess
import sys

import pytest

BAD = '[gate]\nsite = "North"\nname = "north-1"\n[screening]\noffset_c = 2.43\nlimit_f = 99\n'
TOLD = """\
gatepost: {path}:2: [gate] site = 'North': must be 1 to 63 of a-z, 0-9 and '-', beginning with a \
letter or digit.
gatepost: {path}:6: [screening] limit_f = 99: no such setting. Did you mean limit_c, a number of \
degrees Celsius from 37 to 42, without quotes or a unit?
gatepost: {path}: [link] is missing; it must say: broker_host.
"""
COMMANDS = pytest.mark.parametrize("words", ["config check", "run", "uplink"])


def gatepost(*arguments):
    done = subprocess.run(
        [sys.executable, "-m", "gatepost", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


@COMMANDS
def test_a_bad_file_ends_with_status_2_and_all_sentences(words, write):
    path = write(BAD)
    told = gatepost(*words.split(), "--config", str(path))
    assert told == (2, "", TOLD.format(path=path))


@COMMANDS
def test_a_missing_file_ends_with_status_2_and_a_remedy(words, tmp_path):
    path = tmp_path / "gate.toml"
    told = gatepost(*words.split(), "--config", str(path))
    assert told == (
        2,
        "",
        f"gatepost: {path}: there is no such file. Write one (gatepost config example --write "
        "FILE), or name another with --config.\n",
    )


def test_a_good_file_is_said_to_be_good(write, least_text):
    path = write(least_text)
    told = gatepost("config", "check", "--config", str(path))
    assert told == (0, f"{path}: good, for gate north-1 of site example-court\n", "")


def test_an_order_that_cannot_be_used_is_told_with_the_file(write, least_text):
    path = write(f'{least_text}[regime]\nname = "lock-down"\n')
    assert gatepost("config", "check", "--config", str(path)) == (
        2,
        "",
        "gatepost: no regime is called 'lock-down'; did you mean lockdown? "
        "A file's name ends in .toml.\n",
    )


def test_an_order_that_measures_leavers_is_told_where_they_show_a_pass(write, least_text, tmp_path):
    site = tmp_path / "site.toml"
    site.write_text("")
    text = f"""{least_text}[reader]
exit_device = "/dev/exit"
[regime]
name = "lockdown"
site = "{site}"
exits = "by_pass"
"""
    status, _, told = gatepost("config", "check", "--config", str(write(text)))
    assert status == 2
    assert told.startswith("gatepost: [regime] lockdown measures who leaves, and a lane has no ")
    site.write_text('[choices]\nmeasure_on_exit = "when_measured"\n')
    assert gatepost("config", "check", "--config", str(write(text)))[0] == 0
