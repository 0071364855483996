"""`gatepost calibrate` as it is typed: what is asked, written and said, and the exit status."""

import io

import pytest

from gatepost.cli.calibrate import months_later
from gatepost.cli.main import main
from gatepost_config.calibration import load_calibration

BY = ["--by", "A. Smith", "--reference", "Testo 350, no. 7, certificate 2026-11"]


@pytest.fixture
def file(tmp_path):
    """A settings file whose calibrations and bus are not those of this machine."""
    path = tmp_path / "gatepost.toml"
    path.write_text(
        '[gate]\nsite = "s"\nname = "g"\n[screening]\n[link]\nbroker_host = "h"\n[paths]\n'
        f'gate_dir = "{tmp_path}"\ncalibration_dir = "{tmp_path}/calibration"\n'
        "[sensor]\ni2c_bus = 250\n"
    )
    return path


@pytest.fixture
def type_(monkeypatch):
    return lambda text: monkeypatch.setattr("sys.stdin", io.StringIO(text))


def calibrate(file, *more, by=BY):
    return main(["calibrate", "--config", str(file), *by, *more])


def written(tmp_path):
    return list(tmp_path.glob("calibration/*"))


def test_the_simulated_run_finds_the_error_of_its_sensor(file, tmp_path, type_, capsys):
    type_("33\n38\ny\n")
    assert calibrate(file, "--simulated") == 0
    (path,) = written(tmp_path)
    record = load_calibration(path)
    assert record.low.measured_c == pytest.approx(33.3, abs=0.15)
    assert record.high.measured_c == pytest.approx(38.3, abs=0.15)
    out = capsys.readouterr().out
    assert "SIMULATED" in out
    assert "Written:" in out
    assert all(len(line) < 80 for line in out.splitlines() if str(tmp_path) not in line)


@pytest.mark.parametrize("answer", ["", "\n", "n\n", "maybe\n"])
def test_without_a_yes_nothing_is_written(file, tmp_path, type_, answer, capsys):
    type_(f"33\n38\n{answer}")
    with pytest.raises(SystemExit) as ended:
        calibrate(file, "--simulated")
    assert ended.value.code == 1
    assert "Nothing was written" in capsys.readouterr().err
    assert written(tmp_path) == []


def test_yes_asks_nothing(file, tmp_path, type_):
    type_("33\n38\n")
    assert calibrate(file, "--simulated", "--yes", "--months", "6") == 0
    record = load_calibration(written(tmp_path)[0])
    assert record.due == months_later(record.on, 6)


def test_the_end_of_the_input_has_status_1(file, tmp_path, type_, capsys):
    type_("33\n")
    with pytest.raises(SystemExit) as ended:
        calibrate(file, "--simulated")
    assert ended.value.code == 1
    assert "The input ended. Nothing was written." in capsys.readouterr().err
    assert written(tmp_path) == []


def test_ctrl_c_says_that_nothing_was_written(file, tmp_path, monkeypatch, capsys):
    def interrupt(_prompt):
        raise KeyboardInterrupt

    monkeypatch.setattr("builtins.input", interrupt)
    assert calibrate(file, "--simulated") == 130
    assert "Nothing was written" in capsys.readouterr().out
    assert written(tmp_path) == []


def test_a_bus_that_is_not_there_has_status_1_and_a_remedy(file, type_, capsys):
    type_("33\n38\ny\n")
    with pytest.raises(SystemExit) as ended:
        calibrate(file)
    assert ended.value.code == 1
    assert "/dev/i2c-250'. Check the sensor's plug" in capsys.readouterr().err


def test_a_gate_that_holds_the_bus_is_to_be_stopped(file, monkeypatch, capsys):
    def busy(_number):
        raise BlockingIOError(11, "in use; stop the gate first: systemctl stop gatepost-gate")

    monkeypatch.setattr("gatepost_hal.mlx90614.open_linux_bus", busy)
    with pytest.raises(SystemExit) as ended:
        calibrate(file)
    assert ended.value.code == 1
    error = capsys.readouterr().err
    assert error.count("systemctl stop gatepost-gate") == 1
    assert "Start it again when you are done." in error


@pytest.mark.parametrize("text", ["", " ", 'a "b"', "a\\b", "a\nb", "\x7f", "x" * 81, "\udcff"])
@pytest.mark.parametrize("option", ["--by", "--reference"])
def test_a_text_that_no_file_can_hold_has_status_2(file, text, option, capsys):
    by = [word if BY[i - 1] != option else text for i, word in enumerate(BY)]
    with pytest.raises(SystemExit) as ended:
        calibrate(file, "--simulated", by=by)
    assert ended.value.code == 2
    assert f"argument {option}: must be 1 to 80 characters" in " ".join(
        capsys.readouterr().err.split()
    )


@pytest.mark.parametrize("months", ["0", "25", "x"])
def test_months_that_make_no_sense_have_status_2(file, months):
    with pytest.raises(SystemExit) as ended:
        calibrate(file, "--simulated", "--months", months)
    assert ended.value.code == 2


def test_a_part_that_cannot_be_simulated_has_status_2(file, capsys):
    file.write_text(file.read_text() + 'part = "BCH"\n[lane]\nmeasure_timeout_s = 8\n')
    with pytest.raises(SystemExit) as ended:
        calibrate(file, "--simulated")
    assert ended.value.code == 2
    assert 'part = "DCC"' in capsys.readouterr().err
