import sqlite3
import subprocess
import sys

import pytest

from gatepost_services.uplink.position import PositionError, PositionStore, read_acknowledged


@pytest.fixture
def path(tmp_path):
    return tmp_path / "uplink.db"


def test_the_position_survives_and_never_moves_backwards(path):
    with PositionStore(path) as position:
        assert position.acknowledged == 0
        position.advance(7)
        position.advance(3)
        assert position.acknowledged == 7
        assert read_acknowledged(path) == 7
    with PositionStore(path) as position:
        assert position.acknowledged == 7


@pytest.mark.parametrize("content", [None, b"", b"no database " * 1000])
def test_the_gate_reads_zero_where_there_is_nothing_to_read(path, content):
    if content is not None:
        path.write_bytes(content)
    assert read_acknowledged(path) == 0
    assert path.exists() == (content is not None)


def test_a_damaged_or_foreign_file_is_refused_with_the_remedy(path):
    path.write_bytes(b"no database " * 1000)
    with pytest.raises(PositionError, match=r"uplink\.db.*move it away"):
        PositionStore(path)
    path.unlink()
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE precious (x)")
    other.close()
    with pytest.raises(PositionError, match=r"uplink\.db.*not the link's file"):
        PositionStore(path)


def test_a_step_that_cannot_be_stored_is_not_taken(path):
    position = PositionStore(path)
    position.close()
    with pytest.raises(PositionError, match="cannot write"):
        position.advance(5)
    assert position.acknowledged == 0


def test_the_gates_imports_load_no_mqtt_client():
    code = (
        "import sys, gatepost_services.journal, gatepost_services.doorbell, "
        "gatepost_services.roster, gatepost_services.uplink.position; "
        "sys.exit('paho' in sys.modules)"
    )
    path = ":".join(filter(None, sys.path))
    subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": path}, check=True)
