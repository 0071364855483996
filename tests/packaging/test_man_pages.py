"""The manual pages, made from the commands' own help and the settings' own texts."""

import importlib.util
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from gatepost.cli import words
from gatepost.cli.main import COMMANDS, main, make_parser
from gatepost_config.reference import entries

pytestmark = pytest.mark.packaging
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def man_pages():
    path = ROOT / "systemd" / "man_pages.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def every_page(man_pages):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", "40")  # that of a build has no say; restored afterwards
        return man_pages.pages()


@pytest.fixture(scope="module")
def pages(every_page):
    """Return those in English; test_man_pages_chinese.py has the others."""
    return {name: page for name, page in every_page.items() if ".zh_CN." not in name}


def plain(page):
    """Return a page's words, without what is for the printer."""
    return re.sub(r"\\f.|\\&", "", page).replace("\\-", "-").replace("\\e", "\\")


def every_parser(man_pages, parser):
    yield parser
    for each in man_pages.subparsers_of(parser).values():
        yield from every_parser(man_pages, each)


def test_there_is_a_page_for_each_command_and_one_for_the_file(pages):
    expected = {f"gatepost-{name}.1" for name in COMMANDS} | {"gatepost.1", "gatepost.toml.5"}
    assert pages.keys() == expected
    assert all(f"gatepost-{name}(1)" in plain(pages["gatepost.1"]) for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_page_has_every_option_of_its_command_with_its_help(man_pages, pages, name):
    words = " ".join(plain(pages[f"gatepost-{name}.1"]).split())
    parser = man_pages.subparsers_of(make_parser([name]))[name]
    for each in every_parser(man_pages, parser):
        assert each.prog in words
        for action in man_pages.actions_of(each):
            if "--help" in action.option_strings:
                assert "[-h]" in words
                continue
            assert all(option in words for option in action.option_strings)
            if action.help:
                stable = re.split(r"%\(\w+\)\w", action.help.replace("%%", "%"))[0]
                assert " ".join(stable.split()) in words


def test_a_page_says_how_a_command_ends(pages):
    assert "0 all well, 1 warnings, 2 faults" in pages["gatepost-doctor.1"]  # from its epilog
    assert "it may be run again" in pages["gatepost-first-boot.1"]  # from its module
    assert "0 done, 1 failed" in pages["gatepost-config.1"]  # that of all others
    assert all(
        page.count(".SH EXIT STATUS") == (not name.endswith(".5")) for name, page in pages.items()
    )


def test_the_page_of_the_file_has_every_setting(pages):
    page = pages["gatepost.toml.5"]
    for entry in entries().values():
        assert f".SH [{entry.section}]" in page
        assert f"\n.TP\n\\fB{entry.key}\\fR\n" in page
    assert 'choice, "hold", "pulse"; default "hold".' in plain(page)
    assert "number, 0.1 to 30 s; default 5.0." in plain(page)


def test_no_word_of_a_text_is_a_command_of_the_printer(man_pages):
    assert man_pages.safe(".SH a-b\\c\n 'd") == "\\&.SH a\\-b\\ec 'd"
    assert man_pages.safe("'d") == "\\&'d"


def test_the_pages_do_not_depend_on_who_builds_them(man_pages, every_page, pages, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    words.begin("lane")  # as of a command that ran before, in Chinese
    assert man_pages.pages() == every_page
    assert words.is_english()
    assert os.environ["COLUMNS"] == "200"
    assert all(page.replace("°", "").isascii() for page in pages.values())


def test_words_stay_whole_and_the_right_edge_loose(every_page):
    """Requests for groff 1.22; 1.23 begins each paragraph with what these two say."""
    for page in every_page.values():
        head = page.partition(".SH ")[0]
        assert head.startswith(".TH ")
        assert {".nh", ".ad l", ".nr HY 0", ".ds AD l"} <= set(head.splitlines())


def test_the_manual_is_written_file_by_file(man_pages, every_page, tmp_path):
    files = man_pages.write(tmp_path / "new")
    assert {path.name: path.read_text(encoding="utf-8") for path in files} == every_page


def test_a_second_name_of_a_subcommand_is_told_once(pages):
    assert pages["gatepost-roster.1"].count(".SS gatepost roster show") == 1


@pytest.mark.skipif(shutil.which("groff") is None, reason="no groff here")
def test_the_printer_has_nothing_to_say(pages):
    for name, page in pages.items():
        ran = subprocess.run(
            ["groff", "-man", "-ww", "-Tutf8", "-Kutf8"],
            input=page,
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=True,
        )
        assert (name, ran.stderr) == (name, "")
        assert "GATEPOST" in ran.stdout


def test_help_and_page_say_the_same(pages, capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["lane", "--help"])
    words = " ".join(plain(pages["gatepost-lane.1"]).split()).lower()
    for told in re.findall(r"^    \S+ {2,}(.+)$", capsys.readouterr().out, re.MULTILINE):
        assert told.lower() in words
