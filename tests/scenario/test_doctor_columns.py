"""The doctor's lines in a terminal: no wider than it is, and with every figure in them."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.services.tls_rig import Rig

from gatepost.doctor.columns import fitted, width, wrapped
from gatepost.doctor.model import Level, Result
from gatepost.doctor.report import line_of

from .doctor_bench import Bench, NoBroker

FOLDER = "/var/lib/gatepost/a-folder-of-quite-a-long-name"
WRITTEN = f"{FOLDER}/gate: written and on the disk in 4 ms"


def test_a_path_loses_its_middle_and_the_figures_stay():
    (line,) = fitted(WRITTEN, 54)
    assert line.startswith("/var/")
    assert "..." in line
    assert line.endswith("/gate: written and on the disk in 4 ms")
    assert width(line) == 54
    assert fitted(WRITTEN, 200) == [WRITTEN]
    assert len(fitted(WRITTEN, width(WRITTEN) - 1)) == 1


def test_where_it_does_not_fit_it_goes_on_in_another_line():
    lines = fitted(WRITTEN, 34)
    assert lines[0].startswith("/var/lib/")
    assert lines[0].endswith("/gate:")
    assert lines[1:] == ["written and on the disk in 4 ms"]


def test_the_longest_of_several_paths_goes_first():
    (line,) = fitted(f"{FOLDER}/a.toml replaces /etc/gatepost/b.toml", 60)
    assert line.endswith("a.toml replaces /etc/gatepost/b.toml")


@pytest.mark.parametrize("text", ["5/s", "1.0 km/h", "https://example.org/a/b", "read/write", "/x"])
def test_what_is_no_path_stays(text):
    assert fitted(text, 40) == [text]
    assert "".join(fitted(f"{text} {'word ' * 20}", 40)).count("...") == 0


def test_chinese_takes_two_columns_and_a_path_in_it_is_found():
    text = f"{FOLDER}/gatepost.toml\uff1a闸口 gate-1\uff0c站点 north\uff0c共 45,056 字节"
    for columns in (34, 54):
        lines = fitted(text, columns)
        assert max(map(width, lines)) <= columns
        assert "45,056" in "".join(lines)
        assert "gatepost.toml\uff1a" in lines[0]


def test_what_has_no_gap_is_broken_anywhere():
    word = "dtoverlay=i2c-gpio,bus=3,i2c_gpio_sda=2,i2c_gpio_scl=3"
    assert fitted(word, 34) == [word[:34], word[34:]]


PIECES = st.one_of(
    st.from_regex(r"/[a-z]{1,30}(/[a-z]{1,30}){1,4}", fullmatch=True),
    st.from_regex(r"[0-9]{1,9}", fullmatch=True),
    st.from_regex(r"[a-z]{1,12}[,;:.]?", fullmatch=True),
    st.sampled_from(["字节", "磁盘\uff0c", "写入\uff1a"]),
)


@given(st.lists(PIECES, min_size=1, max_size=20).map(" ".join), st.integers(20, 100))
def test_no_line_is_too_wide_and_no_figure_is_lost(text, columns):
    lines = fitted(text, columns)
    assert max(map(width, lines)) <= columns
    assert re.findall(r"[0-9]+", " ".join(lines)) == re.findall(r"[0-9]+", text)
    if not re.search(r"/[a-z]+/", text):
        assert lines == [text] or lines == wrapped(text, columns)


@pytest.mark.parametrize("columns", [80, 60])
def test_every_line_of_a_good_gate_fits_and_shows_its_figures(tmp_path, columns):
    rig = Rig(tmp_path / "site")
    folder = tmp_path / "a-folder-of-quite-a-long-name"
    bench = Bench(folder, rig, NoBroker(), rig.gate())
    results = bench.examine()
    assert any(len(each.says) > columns for each in results)
    for result in results:
        shown = line_of(result, in_colour=False, columns=columns)
        assert max(map(width, shown.splitlines())) <= columns
        unbroken = re.sub(r"\s+", "", shown)
        for figure in re.findall(r"[0-9]+", result.says.replace(str(folder), "")):
            assert figure in unbroken, result.id


def test_a_second_line_begins_below_the_first():
    result = Result("disk.write", "", Level.OK, "", WRITTEN)
    first, second = line_of(result, in_colour=True, columns=60).splitlines()
    assert first.startswith("\x1b[32mok    \x1b[0mdisk.write")
    assert second == " " * 26 + "written and on the disk in 4 ms"
