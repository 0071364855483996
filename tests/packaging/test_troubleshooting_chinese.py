"""firmware/TROUBLESHOOTING.zh-CN.md: the doctor's findings in Chinese, and the page around them.

LC_ALL=zh_CN.UTF-8 gatepost doctor --list --markdown firmware/TROUBLESHOOTING.zh-CN.md

writes its table anew, after firmware/words/translate.py.
"""

import re
from pathlib import Path

import pytest

from gatepost.cli import words
from gatepost.cli.doctor import renewed
from gatepost.doctor.report import MARKERS

pytestmark = pytest.mark.packaging
FIRMWARE = Path(__file__).parents[2] / "firmware"
ENGLISH, CHINESE = (FIRMWARE / name for name in ("TROUBLESHOOTING.md", "TROUBLESHOOTING.zh-CN.md"))
WHAT_A_ROW_IS = r"(?m)^\|.*?\| `([^`]+)`"


IN_CHINESE = re.compile(r"[\u4e00-\u9fff]")


@pytest.fixture
def in_chinese(monkeypatch):
    monkeypatch.setattr(words, "_can_be_shown", lambda _text: True)  # a page is no terminal
    words.begin("doctor", {"LC_ALL": "zh_CN.UTF-8"})
    yield
    words.begin("run", {})


def parts(path):
    """Return what stands before the table, the table, and what stands after it."""
    before, _, rest = path.read_text(encoding="utf-8").partition(MARKERS[0])
    table, _, after = rest.partition(MARKERS[1])
    return before, table, after


@pytest.mark.usefixtures("in_chinese")
def test_the_table_is_what_the_doctor_says_in_chinese():
    text = CHINESE.read_text(encoding="utf-8")
    assert renewed(text) == text, __doc__


def test_the_table_has_the_rows_of_the_english_one_and_nothing_in_english():
    tables = [parts(path)[1] for path in (ENGLISH, CHINESE)]
    english, chinese = (re.findall(WHAT_A_ROW_IS, table) for table in tables)
    assert chinese == english
    assert len(chinese) > 80
    for row in tables[1].strip().splitlines()[2:]:
        cells = re.split(r"(?<!\\) \| ", row.strip("| "))
        assert len(cells) == 3, row
        for cell in cells[:2]:
            is_filled_in = not re.search("[A-Za-z]", re.sub(r"`[^`]*`|\*\w+\*", "", cell))
            assert is_filled_in or IN_CHINESE.search(cell), row


def test_the_rest_of_the_page_is_that_of_the_english_one():
    for english, chinese in zip(parts(ENGLISH)[::2], parts(CHINESE)[::2], strict=True):
        assert headings(chinese) == headings(english)
        for what in (r"(?m)^\| ", r"(?m)^    [^#\n]+(?<! )", r"`([^`]+)`"):
            assert re.findall(what, chinese) == re.findall(what, english), what


def headings(text):
    return re.findall(r"(?m)^#+ ", text)


@pytest.mark.parametrize("path", [ENGLISH, CHINESE])
def test_every_link_leads_somewhere(path):
    links = re.findall(r"\]\(([^)]+)\)", path.read_text(encoding="utf-8"))
    assert {ENGLISH, CHINESE} - {path} <= {FIRMWARE / link for link in links}
    for link in links:
        name, _, anchor = link.partition("#")
        text = (FIRMWARE / name).read_text(encoding="utf-8")
        assert not anchor or re.search(rf"(?mi)^#+ {anchor}$", text), link
