import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost_services.uplink.position import (
    PositionError,
    read_acknowledged,
    write_acknowledged,
)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "acknowledged"


def test_the_number_is_replaced_whole_and_may_fall(path):
    for seq in (0, 7, 3, 10**17):
        write_acknowledged(path, seq)
        assert read_acknowledged(path) == seq
        assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize(
    "content", [b"", b"\n", b"-1\n", b"1e9\n", b" 7\n", b"7", b"7\n\n", b"9" * 19 + b"\n", b"\xff"]
)
def test_what_is_no_number_is_zero_for_the_gate(path, content):
    path.write_bytes(content)
    assert read_acknowledged(path) == 0


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


def test_a_folder_that_is_missing_is_named(tmp_path):
    with pytest.raises(PositionError, match=r"missing/acknowledged: cannot write.*folder exists"):
        write_acknowledged(tmp_path / "missing" / "acknowledged", 1)


def test_a_full_disk_does_not_stop_a_number_that_exists(path):
    write_acknowledged(path, 9)
    path.with_name(path.name + ".new").symlink_to("/dev/full")
    write_acknowledged(path, 10)
    assert read_acknowledged(path) == 10


def test_the_gates_imports_load_no_mqtt_client():
    code = (
        "import sys, gatepost_services.journal, gatepost_services.doorbell, "
        "gatepost_services.roster, gatepost_services.uplink.position; "
        "sys.exit('paho' in sys.modules)"
    )
    path = ":".join(filter(None, sys.path))
    subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": path}, check=True)
