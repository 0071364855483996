"""`gatepost screen`, and what the bench and the README say that it finds in real people."""

import json
import runpy
from pathlib import Path

import pytest

from gatepost.cli.main import main

BENCH = Path(__file__).parents[1] / "bench" / "thermometry.py"
README = Path(__file__).parents[2] / "README.md"
HEADER = "person,object_c,ambient_c\n"


@pytest.fixture(scope="module")
def bench():
    return runpy.run_path(str(BENCH))


@pytest.fixture(scope="module")
def cameras(bench):
    return {camera: bench["people"](path) for camera, path in bench["CAMERAS"].items()}


@pytest.fixture
def screen(tmp_path, capsys):
    """Runs the command on a text; returns its lines, or its status and complaint."""

    def run(text, *arguments):
        path = tmp_path / "readings.csv"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        try:
            status = main(["screen", *arguments, str(path)])
        except SystemExit as end:
            return end.code, capsys.readouterr().err.replace(str(path), "FILE")
        assert status == 0
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    return run


def rows(name, objects_c, ambient_c=24.0):
    return "".join(f"{name},{object_c},{ambient_c}\n" for object_c in objects_c)


@pytest.mark.parametrize("camera", ["FLIR", "ICI"])
def test_real_people_are_told_apart_better_than_the_issue_asks(bench, cameras, camera):
    seen = cameras[camera]
    is_hot = [person.oral_c > 37.3 for person in seen]
    assert bench["score"]([person.index_c for person in seen], is_hot).youden >= 0.45
    assert bench["shares"](bench["_feverish"](seen))["pass"] <= 0.12
    assert bench["shares"](bench["_healthy"](seen))["refer"] <= 0.08


@pytest.mark.packaging
def test_the_readme_states_what_the_bench_finds(bench, cameras):
    assert bench["readme_table"](cameras) in README.read_text(encoding="utf-8")


@pytest.mark.packaging
def test_the_plot_is_the_one_of_these_figures(bench, cameras):
    assert bench["PLOT"].read_text(encoding="utf-8") == bench["plot"](cameras)


def test_a_line_says_all_that_was_asked_for(screen):
    (line,) = screen(HEADER + rows("a", [34.0, 34.2, 34.1]), "--k", "2.5")
    assert line == {
        "person": "a",
        "index_c": 36.6,
        "zone": "pass",
        "reason": "below_limit",
        "samples": 3,
        "k": 2.5,
    }


def test_limit_and_guard_are_those_of_the_arguments(screen):
    text = HEADER + rows("a", [34.0, 34.2])
    for arguments, zone in [
        (("--limit", "36.7"), "recheck"),
        (("--limit", "36.7", "--guard-c", "0.05"), "pass"),
        (("--limit", "36.0"), "refer"),
    ]:
        assert screen(text, *arguments)[0]["zone"] == zone


def test_one_sample_is_no_information(screen):
    (line,) = screen(HEADER + rows("a", [34.0]))
    assert (line["zone"], line["reason"]) == ("no_information", "too_few_samples")


def test_the_first_people_teach_k_and_the_others_do_not(screen):
    first = "".join(rows(f"a{n}", [33.0 + n / 20, 33.1 + n / 20]) for n in range(21))
    others = "".join(rows(f"b{n}", [36.0, 36.1]) for n in range(100))
    lines = screen(HEADER + first + others, "--learn", "21")
    assert {round(line["k"], 3) for line in lines} == {3.25}


def test_too_few_to_learn_from_widen_the_guard_band_and_are_told(tmp_path, capsys):
    path = tmp_path / "few.csv"
    path.write_text(HEADER + rows("a", [34.4, 34.5]))
    assert main(["screen", "--learn", "50", str(path)]) == 0
    told = capsys.readouterr()
    line = json.loads(told.out)
    assert (line["k"], line["zone"]) == (2.5, "recheck")  # 36.95 is within 0.5 of 37.3
    assert "1 people to learn from, and 20 are needed" in told.err


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "FILE:1: no column person, object_c, ambient_c; name it in the header"),
        ("person,object_c\n", "FILE:1: no column ambient_c"),
        (HEADER + "a,34.1,24\na,warm,24\n", "FILE:3: object_c = 'warm': must be a number"),
        (HEADER + "a,34.1\n", "FILE:2: ambient_c = None: must be a number"),
        (HEADER + "a,nan,24\n", "FILE:2: object_c = 'nan': must be a number"),
        (HEADER + "a,34.1,inf\n", "FILE:2: ambient_c = 'inf': must be a number"),
        (HEADER + ",34.1,24\n", "FILE:2: person is empty"),
        (HEADER + "a,34,24\nb,34,24\na,34,24\n", "FILE:4: 'a' was here before"),
        (b"\xff\xfe\x00", "FILE: not UTF-8 text"),
        (HEADER + '"' + "a" * 200_000, "FILE: not CSV"),
    ],
)
def test_what_is_no_file_of_readings_is_refused_and_nothing_is_printed(screen, text, complaint):
    status, said = screen(text)
    assert status == 1
    assert complaint in said


def test_a_file_that_is_not_there_is_said_so(tmp_path, capsys):
    with pytest.raises(SystemExit) as end:
        main(["screen", str(tmp_path / "none.csv")])
    assert end.value.code == 1
    assert "none.csv" in capsys.readouterr().err


def test_a_byte_order_mark_and_further_columns_are_no_matter(screen):
    text = "\ufeffperson,object_c,oral_c,ambient_c\r\na,34.0,36.6,24\r\na,34.1,36.6,24\r\n"
    assert screen(text)[0]["samples"] == 2
