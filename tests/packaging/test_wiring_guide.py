"""The wiring guide says what the settings say, and its pictures are those that the script draws."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from gpiozero.pins.pi import PiBoardInfo

from gatepost_config.settings import Pins

pytestmark = pytest.mark.packaging
HAL = Path(__file__).parents[2] / "hal"
GUIDE = HAL / "WIRING.md"
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


def test_the_guide_shows_every_picture_and_no_other():
    shown = re.findall(r"\]\((pictures/[\w.-]+\.svg)\)", GUIDE.read_text())
    assert sorted(shown) == sorted(f"pictures/{path.name}" for path in PICTURES.glob("*.svg"))


def test_every_link_of_the_guide_leads_somewhere():
    text = GUIDE.read_text()
    titles = re.findall(r"^## (.+)$", text, re.MULTILINE)
    anchors = {title.lower().replace(",", "").replace(" ", "-") for title in titles}
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
