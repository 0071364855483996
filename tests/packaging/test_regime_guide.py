"""The page on regimes says what is so: snippets load, commands run, tables are whole."""

import re
import shlex
from pathlib import Path

import pytest

from gatepost.cli.main import main
from gatepost.wiring.regimes import load
from gatepost_config.regime_file import TABLES
from gatepost_config.regimes import shipped

pytestmark = pytest.mark.packaging
CONFIG = Path(__file__).parents[2] / "config"
README = CONFIG.parent / "README.md"
TEXT = (CONFIG / "README.md").read_text(encoding="utf-8")
SNIPPETS = re.findall(r"^```toml\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
(FACTS,) = re.findall(r"^```json\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)


def commands(text):
    return re.findall(r"^    gatepost ((?:regime|decide|rules) .*)$", text, re.MULTILINE)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with the files that the page speaks of."""
    (tmp_path / "site.toml").write_text(SNIPPETS[0], encoding="utf-8")
    (tmp_path / "facts.jsonl").write_text(FACTS, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("number", range(3))
@pytest.mark.parametrize("name", ["control-window", "case", "lockdown"])
def test_each_snippet_is_a_site_file_that_can_be_used(name, number, tmp_path):
    path = tmp_path / "site.toml"
    path.write_text(SNIPPETS[number], encoding="utf-8")
    assert next(iter(load(name, path))) == name


def test_there_are_three_snippets():
    assert len(SNIPPETS) == 3


@pytest.mark.parametrize("command", [*commands(TEXT), *commands(README.read_text("utf-8"))])
def test_each_command_runs(command, folder, capsys):
    words = shlex.split(command, comments=True)
    assert main(words) == 0
    assert folder.is_dir()
    out, err = capsys.readouterr()
    assert out
    assert err == ""


def test_there_are_commands_to_run():
    assert len(commands(TEXT)) == 8
    assert len(commands(README.read_text("utf-8"))) == 4


def test_the_facts_are_decided_as_the_page_leads_one_to_expect(folder, capsys):
    assert main(["decide", "--regime", "normal", str(folder / "facts.jsonl")]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert '"outcome": "admit"' in first
    assert '"outcome": "deny"' in second


def test_the_page_names_every_shipped_regime_and_links_its_file():
    named = re.findall(r"^\| \[`([\w-]+)`\]\((regimes/[\w-]+\.toml)\)", TEXT, re.MULTILINE)
    assert sorted(name for name, _ in named) == sorted(shipped())
    assert [link for _, link in named] == [f"regimes/{name}.toml" for name, _ in named]


def test_the_page_names_every_part_of_a_file():
    table = TEXT[TEXT.index("| part |") : TEXT.index("A row has")]
    assert {name for name in TABLES if not re.search(rf"`\[?{name}\]?`", table)} == set()


def test_every_link_leads_somewhere():
    links = re.findall(r"\]\(([^)#]+)\)", TEXT)
    assert links
    assert [link for link in links if not (CONFIG / link).exists()] == []
