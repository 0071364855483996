"""Every text that is marked in the code has its translation, and nothing else has one."""

import gettext
import importlib.util
import io
import re
import shutil
import string
import subprocess
import sys
from pathlib import Path

import pytest

from gatepost.cli.main import COMMANDS
from gatepost.cli.words import TRANSLATED

pytestmark = pytest.mark.packaging
ROOT = Path(__file__).parents[2]
TOOL = ROOT / "firmware" / "words" / "translate.py"
FILES = sorted((ROOT / "firmware" / "gatepost" / "locale").glob("*/*/gatepost.po"))
# Whoever adds a command here says that every text of it is marked.
WHOLE = {
    "",
    "calibrate",
    "config",
    "doctor",
    "enrol",
    "erase",
    "factory-reset",
    "first-boot",
    "journal",
    "lane",
    "measure",
    "provision",
    "roster",
}


@pytest.fixture(scope="module")
def translate():
    spec = importlib.util.spec_from_file_location(TOOL.stem, TOOL)
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, TOOL.stem, module)
        spec.loader.exec_module(module)
        yield module


@pytest.fixture(params=FILES, ids=lambda path: path.parts[-3])
def catalogue(request, translate):
    return translate.read(request.param)


def placeholders(text):
    """Return what is filled in, the braces of format and the signs of argparse."""
    braces = [] if "%(" in text else [name for _, name, _, _ in string.Formatter().parse(text)]
    return sorted(filter(None, braces)), sorted(re.findall(r"%\(\w+\)[a-z]|%[sr]", text))


def test_there_is_chinese():
    assert [path.parts[-3] for path in FILES] == ["zh_CN"]


def test_the_commands_that_are_translated_are_whole():
    assert TRANSLATED == WHOLE
    assert COMMANDS.keys() | {""} >= TRANSLATED


def test_the_gate_and_the_link_stay_english():
    assert not {"run", "uplink", "simulate"} & TRANSLATED


def test_every_text_has_a_translation(translate, catalogue):
    missing = [each.text for each in translate.wanted() if not catalogue.told.get(each)]
    assert missing == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.parts[-3])
def test_there_is_no_translation_of_a_text_that_nobody_says(translate, catalogue, path):
    known = {each for each in catalogue.told if each.text}
    unknown = known - translate.wanted().keys()
    # Another Python's argparse has other words.
    assert [each.text for each in unknown if not translate.is_of_argparse(path, each)] == []


def test_what_is_filled_in_is_the_same_on_both_sides(catalogue):
    for message, text in catalogue.told.items():
        if message.text:
            assert placeholders(text) == placeholders(message.text), message.text


def test_what_is_typed_stays_as_it_is(catalogue):
    """Commands, options, names of settings: a text that names one names it in Chinese, too."""
    option, command = r"(?<!\w)--[a-z][\w-]+", r"sudo [\w-]+ [\w-]+"
    setting = r"\[\w+\](?: \w*_\w+| \w+ = \S+)?"
    typed = re.compile(f"{option}|{command}|{setting}")
    for message, text in catalogue.told.items():
        for each in typed.findall(message.text):
            assert each.rstrip(",.:;)") in text, message.text


def test_a_text_ends_as_it_does_in_english(catalogue):
    """A line's end, and the room before an answer; a Chinese colon has its own."""
    for message, text in catalogue.told.items():
        for end in ("\n", "] ") if message.text else ():
            assert message.text.endswith(end) == text.endswith(end), message.text


def test_the_compiled_file_is_that_of_the_readable_one(translate):
    for path in FILES:
        told = translate.read(path).told
        assert path.with_suffix(".mo").read_bytes() == translate.compiled(told), (
            "python firmware/words/translate.py"
        )


def test_the_readable_file_is_as_the_tool_writes_it(translate, tmp_path):
    for path in FILES:
        copy = tmp_path / path.name
        shutil.copy(path, copy)
        assert translate.main([copy]) == 0
        assert copy.read_text(encoding="utf-8") == path.read_text(encoding="utf-8")


def test_gettext_reads_what_is_compiled(translate):
    told = {
        translate.Message(""): "Content-Type: text/plain; charset=UTF-8\nPlural-Forms: nplurals=1; "
        "plural=0;\n",
        translate.Message("one", "many"): "几个",
        translate.Message('a "b"\\\n'): "甲",
        translate.Message("not yet"): "",
    }
    read = gettext.GNUTranslations(io.BytesIO(translate.compiled(told)))
    assert read.gettext('a "b"\\\n') == "甲"
    assert read.ngettext("one", "many", 5) == "几个"
    assert read.gettext("not yet") == "not yet"


def test_a_missing_translation_is_named(translate, tmp_path, capsys):
    path = tmp_path / "gatepost.po"
    text = FILES[0].read_text(encoding="utf-8")
    path.write_text(re.sub(r'msgid "nothing"\nmsgstr ".+"', 'msgid "nothing"\nmsgstr ""', text))
    assert translate.main([path]) == 1
    assert f"{path}: no translation: nothing\n" in capsys.readouterr().err


def test_only_marked_texts_are_found(translate):
    source = """
from gatepost.cli.words import say
from elsewhere import mark
say("one", path=1)
say(other)
mark("not ours")
print("nor this")
"""
    assert list(translate.marked(source)) == ["one"]
    assert list(translate.marked('class Fine: ...\nFine("a")\nText("b")')) == ["a"]


@pytest.mark.skipif(shutil.which("msgfmt") is None, reason="no gettext tools here")
def test_the_tools_of_gettext_accept_it(tmp_path):
    for path in FILES:
        told = subprocess.run(
            ["msgfmt", "--check-format", "--check-header", "-o", tmp_path / "x.mo", path],
            capture_output=True,
            text=True,
            check=False,
        )
        errors = [line for line in told.stderr.splitlines() if "header field" not in line]
        assert [each for each in errors if "error" in each] == []
