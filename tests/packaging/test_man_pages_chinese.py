"""The manual pages in Chinese: of every command that speaks it, and all of each page."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gatepost.cli import words
from gatepost.cli.main import COMMANDS, make_parser
from gatepost.cli.words import TRANSLATED

pytestmark = pytest.mark.packaging
ROOT = Path(__file__).parents[2]
TOOL = ROOT / "systemd" / "man_pages.py"
SETTINGS = "gatepost.toml.zh_CN.5"
WIDTH = 78  # columns; groff's own
_CHARACTER = re.compile(r"[\u4e00-\u9fff]")  # and no mark of punctuation
_WIDE = re.compile(r"[\u3000-\u30ff\u4e00-\u9fff\uff00-\uffef]")


@pytest.fixture(scope="module")
def man_pages():
    spec = importlib.util.spec_from_file_location(TOOL.stem, TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def every_page(man_pages):
    return man_pages.pages()


@pytest.fixture(scope="module")
def chinese(every_page):
    return {name: page for name, page in every_page.items() if ".zh_CN." in name}


def english_name(name):
    return name.replace(".zh_CN.", ".")


def name_of(command):
    return f"gatepost-{command}.zh_CN.1" if command else "gatepost.zh_CN.1"


def plain(page):
    """Return a page's words, without what is for the printer."""
    return re.sub(r"\\f.|\\[&:]", "", page).replace("\\-", "-").replace("\\e", "\\")


def told_lines(page):
    """Return the lines that tell something: no request, no usage, no label of a list."""
    page = re.sub(r"^\.nf\n.*?^\.fi\n", "", page, flags=re.MULTILINE | re.DOTALL)
    page = re.sub(r"^\.TP\n.*\n", "", page, flags=re.MULTILINE)
    page = re.sub(r"^\.SH 概述\n[^.].*\n", "", page, flags=re.MULTILINE)
    return [plain(line) for line in page.splitlines() if not line.startswith(".")]


def test_every_command_that_speaks_chinese_has_a_page(chinese):
    assert chinese.keys() == {SETTINGS, *map(name_of, TRANSLATED)}


def test_nothing_of_a_page_is_left_in_english(man_pages, chinese):
    assert man_pages.missing() == [], "systemd/man.zh_CN.toml"
    for name, page in chinese.items():
        references = re.compile(r"gatepost[\w.-]*\(\d\)(, gatepost[\w.-]*\(\d\))*")
        english = [
            line
            for line in told_lines(page)
            if not _CHARACTER.search(line) and not references.fullmatch(line)
        ]
        headings = re.findall(r"^\.SH ([^[].*)$", page, re.MULTILINE)
        english += [each for each in headings if not _CHARACTER.search(each)]
        assert (name, english) == (name, [])


def test_no_text_is_kept_that_no_page_says(man_pages):
    asked = man_pages.asked()
    documents = {
        " ".join(text.split())
        for module, _ in COMMANDS.values()
        for text in man_pages._document(module)
    }
    known = set(man_pages.own_texts("zh_CN"))
    # A command that does not speak Chinese yet may have its text already; and no command with
    # notes (an epilog) need be among those that do.
    assert known - asked - documents <= {"NOTES"}


def test_a_page_has_the_options_and_sections_of_the_english_one(every_page, chinese):
    def shape(page):
        labels = re.findall(r"^\.TP\n(.*)$", page, re.MULTILINE)
        usages = re.findall(r"^\.nf\n(.*?)^\.fi$", page, re.MULTILINE | re.DOTALL)
        return labels, usages, re.findall(r"^\.SS .*$", page, re.MULTILINE), page.count("\n.SH ")

    for name, page in chinese.items():
        assert shape(page) == shape(every_page[english_name(name)]), name


def test_the_help_of_every_option_stands_in_the_page(man_pages, chinese):
    for name in sorted(TRANSLATED - {""}):
        words_of_page = "".join(plain(chinese[name_of(name)]).split())
        with man_pages.speaking(name, "zh_CN"):
            parser = man_pages.subparsers_of(make_parser([name]))[name]
            helps = [each.help for each in man_pages.actions_of(parser) if each.dest != "help"]
            told = [words.say(each) for each in helps if each]
        for each in told:
            assert "".join(re.split(r"%\(\w+\)\w", each)[0].split()) in words_of_page


def test_the_states_of_an_end_have_the_numbers_of_the_english_ones(every_page, chinese):
    def numbers(page, heading):
        (told,) = re.findall(rf"^\.SH {heading}\n(.*)$", page, re.MULTILINE)
        return re.findall(r"(?<!\w)[0-9](?!\w)", plain(told))

    for name, page in chinese.items():
        if name == SETTINGS:
            continue
        english = numbers(every_page[english_name(name)], "EXIT STATUS")
        found = numbers(page, "退出状态")
        assert [each for each in english if each not in found] == [], name
        assert set(found) == set(english), name


def test_a_text_without_a_translation_is_named_and_stays_english(man_pages, monkeypatch):
    texts = dict(man_pages.own_texts("zh_CN"))
    del texts["FILES"]
    monkeypatch.setattr(man_pages, "own_texts", lambda _language: texts)
    made = man_pages.pages()
    assert man_pages.missing() == ["FILES"]
    assert "\n.SH FILES\n" in made[name_of("lane")]


def test_a_text_that_stands_twice_is_refused(man_pages, tmp_path, monkeypatch):
    row = '[[text]]\nen = "NAME"\ntold = "名称"\n'
    (tmp_path / "man.zh_CN.toml").write_text(row * 2, encoding="utf-8")
    monkeypatch.setattr(man_pages, "_HERE", tmp_path)
    with pytest.raises(ValueError, match="stands there twice"):
        man_pages.own_texts("zh_CN")


def test_a_build_whose_output_has_no_chinese_is_told(tmp_path):
    told = subprocess.run(
        [sys.executable, TOOL, tmp_path],
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 1
    assert "PYTHONUTF8=1" in told.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(shutil.which("groff") is None, reason="no groff here")
def test_the_printer_has_nothing_to_say_and_breaks_chinese_lines(chinese):
    for name, page in chinese.items():
        ran = subprocess.run(
            ["groff", "-man", "-ww", "-Tutf8", "-Kutf8", "-P-cbou", f"-rLL={WIDTH}n"],
            input=page,
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=True,
        )
        assert (name, ran.stderr) == (name, "")
        # Its width: a Chinese character has two columns.
        wide = [
            line for line in ran.stdout.splitlines() if len(line) + len(_WIDE.findall(line)) > WIDTH
        ]
        assert (name, wide) == (name, [])


@pytest.mark.skipif(shutil.which("lexgrog") is None, reason="no man-db here")
def test_whatis_finds_the_line_of_a_page(man_pages, tmp_path):
    for path in man_pages.write(tmp_path):
        told = subprocess.run(["lexgrog", path], capture_output=True, text=True, check=False)
        title = english_name(path.name)[:-2]
        assert f': "{title} - ' in told.stdout, told
