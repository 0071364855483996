"""Who asks the gate is told what is wrong, and what to do."""

import json
import math
import os
import socket
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gatepost_services.control import MAX_REQUEST_BYTES, ControlError, ControlSocket, ask
from gatepost_services.unix_socket import MAX_PATH_BYTES

DEADLINE_S = 30.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "control"


def test_who_asks_no_gate_is_told_so(path):
    with pytest.raises(ControlError) as caught:
        ask(path, {}, 1.0)
    assert str(caught.value) == (
        f"{path}: no such socket; is the gate running (systemctl status gatepost-gate)?"
    )
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as dead:
        dead.bind(str(path))
    with pytest.raises(ControlError, match=r"nobody listens there any more; is the gate running"):
        ask(path, {}, 1.0)


def test_a_gate_that_does_not_answer_is_not_waited_for_longer_than_asked(path):
    with ControlSocket(path) as control:
        with pytest.raises(ControlError, match=r"no answer within 0\.05 s; the gate hangs"):
            ask(path, {}, 0.05)
        (call,) = control.take(0.0)
        assert (call.request, call.is_waiting()) == ({}, False)


def test_who_asks_waits_until_they_hang_up_or_have_their_answer(path):
    with ControlSocket(path) as control:
        for end in ("hangs up", "is answered"):
            with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as caller:
                caller.connect(str(path))
                caller.send(b"{}")
                (call,) = control.take(0.0)
                assert call.is_waiting()
                if end == "is answered":
                    call.reply({})
                    assert caller.recv(100) == b"{}"
            assert not call.is_waiting()


def test_something_else_that_answers_there_is_told(path):
    with (
        socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as other,
        ThreadPoolExecutor() as pool,
    ):
        other.bind(str(path))
        other.listen()
        answer = pool.submit(ask, path, {}, DEADLINE_S)
        connection, _ = other.accept()
        with connection:
            assert json.loads(connection.recv(100)) == {}
            connection.send(b"[1]")
            with pytest.raises(ControlError, match="what answers there is no gate"):
                answer.result(DEADLINE_S)


def test_a_path_that_no_unix_socket_can_have_is_refused(tmp_path):
    with pytest.raises(ValueError, match="too long for a Unix socket"):
        ask(tmp_path / ("x" * MAX_PATH_BYTES), {}, 1.0)


@pytest.mark.parametrize("request_", [{"x": math.nan}, {"x": "a" * MAX_REQUEST_BYTES}])
def test_a_request_that_cannot_be_sent_is_refused_before_it_is(path, request_):
    with pytest.raises(ValueError, match=r"at most 4096 fit|not JSON"):
        ask(path, request_, 1.0)


@pytest.mark.processes
@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_another_user_is_told_to_use_sudo(run_python):
    # Not pytest's folder: it keeps the folders above that one closed to other users.
    with tempfile.TemporaryDirectory(prefix="gatepost-") as name:
        Path(name).chmod(0o755)
        path = Path(name) / "control"
        with ControlSocket(path):
            process = run_python(
                f"""
import os
import urllib.parse  # pathlib needs it later, when this user may not read Python's own folder
from pathlib import Path
from gatepost_services.control import ControlError, ask
os.setgroups([]); os.setgid(65534); os.setuid(65534)
try:
    ask(Path({str(path)!r}), {{}}, 5.0)
except ControlError as error:
    print(error)
"""
            )
            said, _ = process.communicate(timeout=DEADLINE_S)
    assert said == f"{path}: this user may not ask the gate; use sudo\n"
