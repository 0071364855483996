"""A first gate, from a blank card to reporting, as the manual has it: the page is replayed."""

import re
import shutil
from pathlib import Path

import pytest

from gatepost.demo.broker import SEARCH_PATH, free_port

from .transcript import Block, Shell, blocks, fits

pytestmark = [pytest.mark.packaging, pytest.mark.processes]
ROOT = Path(__file__).parents[2]
PAGE = ROOT / "firmware" / "manual" / "en" / "first-gate.md"
ACL = ROOT / "services" / "acl" / "mosquitto.acl"
FOLDER, PORTS = "/tmp/lesson", ("8085", "8883")  # noqa: S108 - a word of the page
MOST_S = 15 * 60.0


@pytest.fixture
def shell(tmp_path_factory):
    # A short name: sockets lie below it, and the path of one has at most 107 bytes.
    made = Shell(tmp_path_factory.mktemp("l"))
    yield made
    made.close()


@pytest.mark.skipif(shutil.which("mosquitto", path=SEARCH_PATH) is None, reason="needs mosquitto")
def test_the_page_from_a_blank_card_to_a_gate_that_reports(shell):
    ports = {port: str(free_port()) for port in PORTS}
    steps = blocks(PAGE.read_text(encoding="utf-8"), {FOLDER: str(shell.folder), **ports})
    assert len(steps) == 21
    said = [shell.play(step) for step in steps]
    assert "admitted" in "".join(said)
    last = next(each for each in reversed(said) if "faults: 0, warnings:" in each)
    # Of the computer, not of the gate: whether a time server keeps its clock.
    warned = [line for line in last.splitlines() if line.startswith("WARN  ")]
    assert [line.split()[1] for line in warned] in ([], ["clock.source"])
    assert shell.took_s < MOST_S
    print(f"{len(steps)} blocks of commands in {shell.took_s:.1f} s")


def test_the_brokers_list_is_the_one_that_is_shipped():
    # But for the central server and Home Assistant, which the lesson has not.
    (shown,) = re.findall(
        r"^cat > mosquitto.acl <<'END'\n(.*?)^END$",
        PAGE.read_text("utf-8"),
        re.MULTILINE | re.DOTALL,
    )
    gates, centre, watch = re.split(r"^(?=user )", ACL.read_text("utf-8"), flags=re.MULTILINE)
    assert centre.startswith("user centre\n")
    lines = [line for line in (gates + watch).splitlines() if line and line[0] != "#"]
    assert shown.splitlines() == [line for line in lines if "homeassistant" not in line]


@pytest.mark.parametrize(
    ("shows", "got", "does"),
    [
        (("a", "b"), "a\nb\n", True),
        (("a",), "a\nb\n", False),
        (("a", "b"), "a\n", False),
        ((), "", True),
        ((), "a\n", False),
        (("...",), "", True),
        (("a", "...", "c"), "a\nb\nc\n", True),
        (("a", "...", "c"), "a\nb\n", False),
        (("...", "b", "..."), "a\nb\nc\n", True),
        (("until ... UTC",), "until 2026 UTC\n", True),
        (("until ... UTC",), "until 2026\n", False),
        (("faults: 0, ...",), "faults: 10, \n", False),
        (("a.c",), "abc\n", False),
        (("a",), "ab\n", False),
    ],
)
def test_what_a_page_shows_is_held_against_what_comes(shows, got, does):
    assert fits(shows, got) is does


def test_blocks_of_a_page_are_found_with_what_they_show():
    page = "x\n```sh\nls /a\n```\n\n```text\nb\n```\n\n```sh again\nc 80\n```\n```toml\nd\n```\n"
    assert blocks(page, {"/a": "/z", "80": "1"}) == [
        Block("ls /z\n", ("b",), is_repeated=False),
        Block("c 1\n", None, is_repeated=True),
    ]


def test_a_block_fails_that_fails_or_shows_something_else(shell):
    shell.play(Block("cd /\nx=1\n", (), is_repeated=False))
    assert shell.play(Block("echo $PWD $x\n", ("/ 1",), is_repeated=False)) == "/ 1\n"
    for script, shows in (
        *(("false\n", ("...",)), ("false; true\n", None), ("exit_3() { return 3; }; exit_3\n", ())),
        *(("echo a\n", ("b",)), ("echo a\n", ())),
    ):
        with pytest.raises(AssertionError, match="and should"):
            shell.play(Block(script, shows, is_repeated=False))


def test_a_block_is_repeated_until_it_fits(shell):
    script = "echo >> lines\nwc -l < lines\n"
    shell.play(Block(script, ("3",), is_repeated=True))
    with pytest.raises(AssertionError, match="and should"):
        shell.play(Block(script, ("5",), is_repeated=False))


def test_what_is_typed_is_shown_as_on_a_terminal(shell):
    shows = ("Write? [y/N] y", "took y")
    script = "printf 'Write? [y/N] '; read answer; echo took $answer\n"
    shell.play(Block(script, shows, is_repeated=False))
