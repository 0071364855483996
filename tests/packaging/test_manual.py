"""The technician's manual: its commands run, its links lead somewhere, both languages say the same.

The pages are played on the gate that the first of them makes, beside which it goes on running. What
a folder has not is put in its place: /etc/gatepost and the card are folders, sudo runs what it is
given, a loop starts the gate anew as systemd does, systemctl and journalctl do nothing, sensor and
lane are simulated; what asks whether it is meant is told yes.
"""

import inspect
import re
import shlex
import shutil
import sys
from importlib import import_module
from pathlib import Path

import pytest
from tests.scenario.transcript import Block, Shell, blocks

from gatepost.cli import calibrate, calibration_point
from gatepost.cli.main import COMMANDS, main
from gatepost.demo.broker import SEARCH_PATH, free_port
from gatepost.doctor.table import CHECKS

pytestmark = pytest.mark.packaging
MANUAL = Path(__file__).parents[2] / "firmware" / "manual"
LANGUAGES = ("en", "zh-CN")
FIRST = "first-gate"
# In the order in which they are played.
PAGES = (
    *("README", "phone", "flashing", "wiring", "configuration", "calibration", "faults"),
    *("security", "data-protection"),
)
LESSON, PORTS = "/tmp/lesson", ("8085", "8883")  # noqa: S108 - words of the page
# The list that the office brings; whoever is erased later is on it.
PEOPLE = ("people.csv", "credential,subject,category\nDEMO-PASS-0006,person-0006,resident\n")
ETC, CARD = "/etc/gatepost", ("/media/bootfs", "/boot/firmware")
# The gate's own file is the default; a doctor that found something was asked well.
GATEPOST = """\
import sys
from pathlib import Path
from gatepost_config import load
load.DEFAULT_PATH = Path("{config}")
from gatepost.cli.main import main
words = sys.argv[1:]
simulated = {{"calibrate": ["--simulated"], "measure": ["--simulated", "36.5"]}}
words += simulated.get(words[0], [])
words += ["--dir", "{ca}"] if words[0] == "pki" else []
words += ["--yes"] if "--change" in words else []
words += ["--yes"] if {{"apply", "rollback", "erase"}} & set(words[:2]) else []
status = main(words)
sys.exit(0 if words[0] == "doctor" else status)
"""


def text_of(language, page):
    return (MANUAL / language / f"{page}.md").read_text(encoding="utf-8")


def in_line(text):
    """Return the commands within sentences and tables."""
    return re.findall(r"`(?:sudo )?gatepost ([a-z][^`]*)`", re.sub(r"(?ms)^```.*?^```$", "", text))


def anchors(path):
    titles = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.fixture
def gate(tmp_path_factory):
    """The gate of the first page, in service."""
    shell = Shell(tmp_path_factory.mktemp("m"))
    ports = {port: str(free_port()) for port in PORTS}
    *steps, _ = blocks(text_of("en", FIRST), {LESSON: str(shell.folder), **ports})
    try:
        for step in steps:
            shell.play(step)
        *_, (in_service, _, _), status, _ = steps
        start = in_service.strip().removesuffix("&")
        again = f"kill $!; wait $!; while true; do {start}; done &"
        shell.play(Block(again, None, is_repeated=False))
        shell.play(status)
        config = shell.folder / "etc" / "gatepost.toml"
        program = shell.folder / "gatepost.py"
        program.write_text(GATEPOST.format(config=config, ca=shell.folder / "ca"), "utf-8")
        shell.add_program("gatepost", f'exec "{sys.executable}" -P "{program}" "$@"')
        shell.add_program("sudo", 'exec "$@"')
        for name in ("systemctl", "journalctl"):
            shell.add_program(name, "exit 0")
        yield shell
    finally:
        shell.close()


@pytest.mark.processes
@pytest.mark.skipif(shutil.which("mosquitto", path=SEARCH_PATH) is None, reason="needs mosquitto")
def test_the_pages_are_played_at_a_gate_that_runs(gate):
    places = {ETC: f"{gate.folder}/etc", **dict.fromkeys(CARD, f"{gate.folder}/boot")}
    for page in PAGES:
        steps = blocks(text_of("en", page), places)
        assert steps, page
        if page == "configuration":
            # A lane that is shut is at rest: a new start waits for nobody.
            gate.play(Block("gatepost lane close\n", None, is_repeated=True))
        if page == "security":
            (gate.folder / PEOPLE[0]).write_text(PEOPLE[1], encoding="utf-8")
        for step in steps:
            said = gate.play(step)
            assert "usage: " not in said or "--help" in step.script
    assert "strict_gpiod" in (gate.folder / "boot" / "config.txt").read_text()


def test_the_pages_are_those_that_the_first_one_names():
    for language in LANGUAGES:
        there = {path.stem for path in (MANUAL / language).iterdir()}
        assert there == {FIRST, *PAGES}
        named = re.findall(r"\]\(([\w-]+)\.md\)", text_of(language, "README"))
        assert {*named, "README"} == there


@pytest.mark.parametrize("page", [FIRST, *PAGES])
def test_both_languages_have_the_same(page):
    english, chinese = (text_of(language, page) for language in LANGUAGES)
    assert blocks(chinese) == blocks(english)
    assert in_line(chinese) == in_line(english)
    for what in (r"^#+ ", r"^\| ", r"^\d+\. ", r"^```"):
        found = [re.findall(what, text, re.MULTILINE) for text in (english, chinese)]
        assert found[0] == found[1], what
    prose = re.sub(r"(?ms)^```.*?^```$|`[^`]*`|\[[^\]]*\]\([^)]*\)", "", chinese)
    assert all(re.search(r"[\u4e00-\u9fff]", title) for title in re.findall(r"^# .*", prose))
    # Names and units are all that is left of Latin letters.
    assert len(re.findall(r"[\u4e00-\u9fff]", prose)) > 2 * len(re.findall(r"[A-Za-z]", prose))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("page", [FIRST, *PAGES])
def test_every_link_leads_somewhere(language, page):
    folder = MANUAL / language
    for link in re.findall(r"\]\(([^)]+)\)", text_of(language, page)):
        path, _, anchor = link.partition("#")
        assert (folder / path).exists(), link
        assert not anchor or anchor in anchors(folder / path), link


@pytest.mark.parametrize("page", [FIRST, *PAGES])
def test_every_command_within_a_sentence_is_one(page, monkeypatch):
    for command in in_line(text_of("en", page)):
        words = shlex.split(command)
        monkeypatch.setattr(import_module(COMMANDS[words[0]][0]), "run", lambda _args: 0)
        assert main(words) == 0, command
        if "--only" in words:
            names = [word for word in words[words.index("--only") + 1 :] if word[0] != "-"]
            for name in names:
                assert any(f"{check.id}.".startswith(f"{name}.") for check in CHECKS), command


def test_what_the_calibration_is_said_to_say_it_says():
    table = text_of("en", "calibration").rpartition("| it says |")[2]
    said = re.findall(r"^\| `([^`]+)`", table, re.MULTILINE)
    assert len(said) == 5
    sources = "".join(inspect.getsource(module) for module in (calibrate, calibration_point))
    texts = re.sub(r'"\s+f?"', "", sources)
    assert [each for each in said if each not in texts] == []


@pytest.mark.parametrize("page", [FIRST, *PAGES])
def test_no_line_is_wider_than_a_screen(page):
    # A paragraph in Chinese is one line: a line end would become a space in the middle of it.
    lines = [line for line in text_of("en", page).splitlines() if line[:1] != "|"]
    assert max(map(len, lines)) <= 145
