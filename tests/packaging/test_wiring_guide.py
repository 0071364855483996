"""The wiring guide says what the settings say, in both languages; its pictures are the script's."""

import re
import subprocess
import sys
import tomllib
from html import unescape
from pathlib import Path

import pytest
from gpiozero.pins.pi import PiBoardInfo

from gatepost_config.settings import Pins

pytestmark = pytest.mark.packaging
HAL = Path(__file__).parents[2] / "hal"
GUIDE, CHINESE = HAL / "WIRING.md", HAL / "WIRING.zh-CN.md"
GUIDES = pytest.mark.parametrize("guide", [GUIDE, CHINESE], ids=["en", "zh-CN"])
PICTURES = HAL / "pictures"
PI_4 = 0xC03111  # a revision code; the 40 pins are the same on every Pi that has 40


def pin_table():
    rows = re.findall(r"^\| `(\w+)` \| (\d+) \| (\d+) \|", GUIDE.read_text(), re.MULTILINE)
    return {name: (int(bcm), int(pin)) for name, bcm, pin in rows}


def test_the_pictures_are_those_that_the_script_draws(tmp_path):
    script = PICTURES / "make_wiring_pictures.py"
    subprocess.run([sys.executable, "-B", script, tmp_path], check=True)
    drawn = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert drawn == {path.name: path.read_text() for path in PICTURES.glob("*.svg")}


def test_every_label_is_in_a_picture():
    # One that is missing ends the script.
    labels = tomllib.loads((PICTURES / "labels.zh-CN.toml").read_text(encoding="utf-8"))
    drawn = "".join(path.read_text() for path in PICTURES.glob("*.zh-CN.svg"))
    said = {numbered(unescape(each)) for each in re.findall(r"<text [^>]*>([^<]*)</text>", drawn)}
    told = labels.values()
    assert [each for each in told if numbered(each.replace("{n}", "0")) not in said] == []


def numbered(label):
    """Return a label whatever its numbers are."""
    return re.sub(r"\d+", "0", label)


@GUIDES
def test_the_guide_shows_every_picture_and_no_other(guide):
    shown = re.findall(r"\]\((pictures/[\w.-]+\.svg)\)", guide.read_text())
    drawn = {
        path for path in PICTURES.glob("*.svg") if (".zh-CN." in path.name) is (guide == CHINESE)
    }
    assert sorted(shown) == sorted(f"pictures/{path.name}" for path in drawn)


@GUIDES
def test_every_link_of_the_guide_leads_somewhere(guide):
    text = guide.read_text()
    titles = re.findall(r"^## (.+)$", text, re.MULTILINE)
    anchors = {
        title.lower().replace(",", "").replace("\uff0c", "").replace(" ", "-") for title in titles
    }
    links = re.findall(r"\]\(([^)]+)\)", text)
    lost = [link for link in links if link[0] == "#" and link[1:] not in anchors]
    lost += [link for link in links if link[0] != "#" and not (HAL / link).exists()]
    assert lost == []


def test_the_pins_are_the_defaults_of_the_settings():
    table = pin_table()
    defaults = {
        name: bcm
        for name, bcm in zip(Pins.__struct_fields__, Pins.__struct_defaults__, strict=True)
        if isinstance(bcm, int) and bcm  # 0 is not wired, and the debounce time is no line
    }
    assert defaults
    assert {name: table[name][0] for name in defaults} == defaults


def test_no_line_is_used_twice():
    lines = [bcm for bcm, _ in pin_table().values()]
    assert len(set(lines)) == len(lines)


def test_the_header_pins_are_those_of_a_pi():
    header = PiBoardInfo.from_revision(PI_4).headers["J8"]
    names = {name: header.pins[pin].name for name, (_, pin) in pin_table().items()}
    assert names == {name: f"GPIO{bcm}" for name, (bcm, _) in pin_table().items()}


@pytest.mark.parametrize("name", ["entry_relay", "exit_relay"])
def test_a_relay_sits_on_a_line_that_is_pulled_down_at_power_on(name):
    # Active-high is the default; lines 0 to 8 are pulled up until the gate starts.
    bcm, _ = pin_table()[name]
    assert bcm > 8


def pieces(path):
    """Return the paragraphs of a guide, its rows, and the items of its lists."""
    found = []
    for block in path.read_text(encoding="utf-8").split("\n\n"):
        rows = block.splitlines()
        found += rows if re.match(r"[|!]|\d+\. ", rows[0]) else [" ".join(rows)]
    return found


# Names, figures, sources, what stands out, and where a link leads.
@pytest.mark.parametrize(
    "what",
    [
        r"^(?:#+|\||\d+\.|!)",
        r"`[^`]*`",
        r"\d[\d.,-]*\d|\d",
        r"\*\*",
        r"\|",
        r"\(\*\)",
        r"\]\([^#)]*",
    ],
)
def test_both_languages_have_the_same(what):
    for english, chinese in zip(pieces(GUIDE), pieces(CHINESE), strict=True):
        had, has = (sorted(re.findall(what, alike(each), re.ASCII)) for each in (english, chinese))
        assert has == had, chinese


def alike(text):
    """Return a text without what one language alone has."""
    text = re.sub(r" ?\[(?:中文|English)\]\([^)]*\)", "", text)
    return text.replace(".zh-CN", "").replace("\uff08*\uff09", "(*)")


# What would be dangerous to mix up.
@pytest.mark.parametrize(
    ("english", "chinese"),
    [
        (r"\bNC\b|[Nn]ormally closed", "常闭"),
        (r"\bNO\b|normally open", "常开"),
        ("[Ff]ail-safe", "断电放开"),
        ("[Ff]ail-secure", "断电锁闭"),
        (r"^\| `\w+` \| \d+ .* down", r"^\| `\w+` \| \d+ .* 下拉"),
        (r"^\| `\w+` \| \d+ .*\bup\b", r"^\| `\w+` \| \d+ .*上拉"),
        (r"^\| `\w+` \| \d+ .*\*closed", r"^\| `\w+` \| \d+ .*\*闭合"),
    ],
)
def test_both_languages_connect_the_same(english, chinese):
    found = [
        [len(re.findall(what, re.sub(r"\]\([^)]*\)", "]", each))) for each in pieces(guide)]
        for guide, what in ((GUIDE, english), (CHINESE, chinese))
    ]
    assert found[0] == found[1]
    assert sum(found[0]) > 1


def test_the_chinese_guide_is_in_chinese():
    for each in pieces(CHINESE)[:-20]:  # the last are sources, with their own titles
        prose = re.sub(r"`[^`]*`|\]\([^)]*\)", "", each)
        letters = len(re.findall(r"[A-Za-z]", prose))
        assert letters < 60 or len(re.findall(r"[\u4e00-\u9fff]", prose)) > letters, each
