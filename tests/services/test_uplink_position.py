import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost_services.uplink.position import PositionError, PositionStore, read_acknowledged


@pytest.fixture
def path(tmp_path):
    return tmp_path / "acknowledged"


def test_the_position_survives_and_never_moves_backwards(path):
    position = PositionStore(path)
    assert position.acknowledged == 0
    position.advance(7)
    position.advance(3)
    assert position.acknowledged == 7
    assert read_acknowledged(path) == 7
    position = PositionStore(path)
    assert position.acknowledged == 7


def test_only_one_file_is_left(path):
    position = PositionStore(path)
    position.advance(7)
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize(
    "content", [b"", b"\n", b"-1\n", b"1e9\n", b" 7\n", b"7", b"7\n\n", b"9" * 19 + b"\n", b"\xff"]
)
def test_what_is_no_number_is_zero_for_the_gate_and_begun_anew_by_the_link(path, content, caplog):
    path.write_bytes(content)
    assert read_acknowledged(path) == 0
    position = PositionStore(path)
    assert position.acknowledged == 0
    assert "holds no number" in caplog.text
    assert path.read_bytes() == b"0\n"


@given(st.binary(max_size=40))
def test_the_gate_reads_any_content_without_an_error(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "any"
    path.write_bytes(content)
    assert 0 <= read_acknowledged(path) < 10**18


def test_what_a_taken_over_link_may_leave_there_neither_blocks_nor_misleads_the_gate(path):
    number = path.with_name("number")
    number.write_bytes(b"99\n")
    assert read_acknowledged(path) == 0  # nothing there
    path.symlink_to(number)
    assert read_acknowledged(path) == 0
    path.unlink()
    path.mkdir()
    assert read_acknowledged(path) == 0
    path.rmdir()
    os.mkfifo(path)
    assert read_acknowledged(path) == 0


def test_a_folder_that_is_missing_is_named_at_once(tmp_path):
    with pytest.raises(PositionError, match=r"missing/acknowledged: cannot write.*folder exists"):
        PositionStore(tmp_path / "missing" / "acknowledged")


def test_a_step_that_cannot_be_stored_is_not_taken(path):
    position = PositionStore(path)
    path.unlink()
    path.mkdir()
    with pytest.raises(PositionError, match="cannot write"):
        position.advance(5)
    assert position.acknowledged == 0
    path.rmdir()
    position.advance(6)
    assert read_acknowledged(path) == 6


def test_the_gates_imports_load_no_mqtt_client():
    code = (
        "import sys, gatepost_services.journal, gatepost_services.doorbell, "
        "gatepost_services.roster, gatepost_services.uplink.position; "
        "sys.exit('paho' in sys.modules)"
    )
    path = ":".join(filter(None, sys.path))
    subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": path}, check=True)


def test_a_full_disk_does_not_stop_a_position_that_exists(path):
    PositionStore(path).advance(9)
    path.with_name(path.name + ".new").symlink_to("/dev/full")
    position = PositionStore(path)
    position.advance(10)
    assert read_acknowledged(path) == 10
