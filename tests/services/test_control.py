"""The gate's local socket, with real callers: helpful, silent, gone, garbled, and far too many."""

import math
import os
import resource
import select
import signal
import socket
import stat
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from gatepost_services.control import (
    MAX_ANSWER_BYTES,
    MAX_REQUEST_BYTES,
    MOST_CALLERS,
    Call,
    ControlError,
    ControlSocket,
    ask,
)
from gatepost_services.doorbell import DoorbellListener
from gatepost_services.unix_socket import MAX_PATH_BYTES

DEADLINE_S = 30.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "control"


@pytest.fixture
def control(path: Path) -> Iterator[ControlSocket]:
    with ControlSocket(path) as made:
        yield made


@pytest.fixture
def connect(path: Path) -> Iterator[Callable[..., socket.socket]]:
    """A caller of its own making, which never waits."""
    with ExitStack() as opened:

        def connect(*said: bytes) -> socket.socket:
            made = opened.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET))
            made.settimeout(0.0)
            made.connect(str(path))
            for each in said:
                made.send(each)
            return made

        yield connect


@pytest.fixture
def asking(path: Path) -> Iterator[Callable[..., Future]]:
    """Asks from a thread of its own, as the technician's command does from a process."""
    with ThreadPoolExecutor(max_workers=100) as pool:
        yield lambda request: pool.submit(ask, path, request, DEADLINE_S)


def next_calls(control: ControlSocket, now_s: float = 0.0) -> list[Call]:
    while not (calls := control.take(now_s)):
        watched = [control._socket, *(each._connection for each in control._callers)]
        assert select.select(watched, [], [], DEADLINE_S)[0]
    return calls


def is_hung_up_on(caller: socket.socket) -> bool:
    try:
        return caller.recv(1) == b""
    except BlockingIOError:
        return False
    except ConnectionResetError:  # with words of ours unread
        return True


def test_who_asks_is_answered_and_known_by_the_kernels_word(control, asking):
    answer = asking({"ask": "status", "für": ["wen", 1, None]})
    (call,) = next_calls(control)
    assert call.request == {"ask": "status", "für": ["wen", 1, None]}
    assert call.uid == os.getuid()
    call.reply({"state": "idle", "größe": 1.5})
    assert answer.result(DEADLINE_S) == {"state": "idle", "größe": 1.5}
    assert control.take(0.0) == []


def test_an_answer_may_come_turns_later_and_others_are_served_meanwhile(control, connect):
    slow, quick = connect(b'{"n":1}'), connect(b'{"n":2}')
    first, second = control.take(0.0)
    assert control.take(0.5) == []
    second.reply({"n": 2})
    assert control.take(9.9) == []
    first.reply({"n": 1})
    assert (slow.recv(100), quick.recv(100)) == (b'{"n":1}', b'{"n":2}')


def test_a_call_that_the_gate_never_answers_is_given_up(control, connect):
    caller = connect(b"{}")
    (call,) = control.take(5.0)
    assert control.take(14.9) == []
    assert not is_hung_up_on(caller)
    assert control.take(15.0) == []
    assert is_hung_up_on(caller)
    call.reply({"late": True})


def test_the_longest_request_and_the_longest_answer_fit(control, asking):
    request = {"x": "a" * (MAX_REQUEST_BYTES - len('{"x":""}'))}
    longest = {"x": "ä" * ((MAX_ANSWER_BYTES - len('{"x":""}')) // 2)}
    answer = asking(request)
    (call,) = next_calls(control)
    assert call.request == request
    call.reply(longest)
    assert answer.result(DEADLINE_S) == longest


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ({"x": math.nan}, "cannot be JSON"),
        ({"x": object()}, "cannot be JSON"),
        ({"x": "\ud800"}, "cannot be JSON"),
        ({"x": "a" * MAX_ANSWER_BYTES}, f"has {MAX_ANSWER_BYTES + 8} bytes"),
    ],
    ids=["nan", "object", "surrogate", "too long"],
)
def test_an_answer_that_cannot_be_sent_is_told_and_does_not_stop_the_gate(
    control, asking, answer, told
):
    answered = asking({})
    next_calls(control)[0].reply(answer)
    assert told in answered.result(DEADLINE_S)["error"]


def filled(connect: Callable[..., socket.socket]) -> list[socket.socket]:
    """Return as many callers as the kernel queues for a gate that does not listen."""
    callers = []
    with suppress(BlockingIOError):
        while True:
            callers.append(connect())
    return callers


# ------------------------------------------------------------------------------------ bad callers


def test_who_says_nothing_is_hung_up_on_after_a_second(control, connect):
    silent = connect()
    assert control.take(10.0) == []
    assert control.take(10.9) == []
    assert not is_hung_up_on(silent)
    assert control.take(11.0) == []
    assert is_hung_up_on(silent)


def test_who_spoke_in_time_is_heard_however_late_the_gate_listens(control, connect):
    caller = connect()
    assert control.take(10.0) == []
    caller.send(b'{"n":1}')
    (call,) = control.take(15.0)
    call.reply({})
    assert caller.recv(100) == b"{}"


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"garbage",
        b"\x00\xff" * 50,
        b"[]",
        b'"status"',
        b"null",
        b"{} {}",
        b'{"x":NaN}',
        b'{"x":1e999}',
        b'{"x":"\\ud800"}',
        b"[" * MAX_REQUEST_BYTES,
        b'{"x":' * (MAX_REQUEST_BYTES // 5),
        b'{"x":"%s"}' % (b"a" * (MAX_REQUEST_BYTES - 7)),
        b'{"x":"%s"}' % (b"a" * 100_000),
        b'{"x":1}'.ljust(MAX_REQUEST_BYTES + 1),
    ],
    ids=lambda said: said[:12].decode("ascii", "replace"),
)
def test_what_is_no_request_is_hung_up_on_at_once_and_the_next_one_is_served(
    control, connect, said
):
    caller, good = connect(said), connect(b"{}")
    (call,) = control.take(0.0)
    assert is_hung_up_on(caller)
    call.reply({"ok": True})
    assert good.recv(100) == b'{"ok":true}'


def test_who_is_gone_before_the_answer_was_heard_and_does_no_harm(control, connect):
    connect(b'{"command":"release"}').close()
    (call,) = control.take(0.0)
    assert call.request == {"command": "release"}
    call.reply({"done": True})
    call.reply({"done": True})
    assert control.take(0.0) == []
    assert control._callers == []


def test_who_closes_one_way_only_or_says_more_than_one_thing_is_served_once(control, connect):
    half, chatty = connect(b'{"n":1}'), connect(b'{"n":2}', b'{"n":3}')
    half.shutdown(socket.SHUT_RD)
    first, second = control.take(0.0)
    assert control.take(0.1) == []
    first.reply({})  # it does not take it
    second.reply({})
    assert is_hung_up_on(chatty)
    assert control.take(0.2) == []


def test_a_hundred_callers_at_once_are_served_or_told_and_never_more_than_a_few_are_held(
    control, asking, connect
):
    answers, silent, now_s = [asking({"n": n}) for n in range(100)], [], 0.0
    while not all(answer.done() for answer in answers):
        now_s += 0.05
        if len(silent) < 50:
            with suppress(BlockingIOError):  # the kernel's queue is full
                silent.append(connect())
        for call in control.take(now_s):
            call.reply({"n": call.request["n"]})
        assert len(control._callers) <= MOST_CALLERS
    for n, answer in enumerate(answers):
        if answer.exception() is None:
            assert answer.result() == {"n": n}
        else:
            assert isinstance(answer.exception(), ControlError)
            assert "too many ask at the same time" in str(answer.exception())
    for later_s in (0.0, 1.0, 2.0, 3.0, 4.0):  # whoever is silent has had a second
        assert control.take(now_s + later_s) == []
    good = connect(b"{}")
    control.take(now_s + 4.0)[0].reply({"ok": True})
    assert good.recv(100) == b'{"ok":true}'


def test_callers_that_are_silent_leave_no_place_until_their_second_is_over(control, connect):
    silent = [connect() for _ in range(MOST_CALLERS)]
    assert control.take(0.0) == []
    late = connect(b"{}")
    assert control.take(0.5) == []
    assert is_hung_up_on(late)
    assert not any(is_hung_up_on(each) for each in silent)
    assert control.take(1.0) == []
    good = connect(b"{}")
    (call,) = control.take(1.0)
    call.reply({"ok": True})
    assert good.recv(100) == b'{"ok":true}'


def test_one_turn_looks_at_so_many_connections_and_no_more(control, connect):
    callers = filled(connect)
    assert len(callers) == 17  # the 16 that one turn looks at, and one
    control.take(0.0)
    assert sum(map(is_hung_up_on, callers)) == 16 - MOST_CALLERS
    control.take(0.0)
    assert sum(map(is_hung_up_on, callers)) == 17 - MOST_CALLERS


def test_without_a_descriptor_left_nobody_is_lost(control, connect):
    caller = connect(b"{}")
    free = os.dup(0)
    os.close(free)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, hard))
    try:
        assert control.take(0.0) == []
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    (call,) = control.take(0.0)
    call.reply({})
    assert caller.recv(100) == b"{}"


# --------------------------------------------------------------------------------------- the file


def test_only_the_gates_user_may_whatever_the_umask(path):
    before = os.umask(0)
    try:
        with ControlSocket(path):
            found = path.stat()
            assert stat.S_ISSOCK(found.st_mode)
            assert stat.S_IMODE(found.st_mode) == 0o600
    finally:
        os.umask(before)


@pytest.mark.processes
def test_a_killed_gates_socket_is_replaced(path, run_python, asking):
    process = run_python(
        f"""
import sys
from pathlib import Path
from gatepost_services.control import ControlSocket
control = ControlSocket(Path({str(path)!r}))
print("listens", flush=True)
sys.stdin.read()
"""
    )
    assert process.stdout.readline() == "listens\n"
    with pytest.raises(ControlError, match="another gate listens there"):
        ControlSocket(path)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert path.is_socket()
    with ControlSocket(path) as control:
        answer = asking({})
        next_calls(control)[0].reply({"new": True})
        assert answer.result(DEADLINE_S) == {"new": True}


def test_a_second_gate_does_not_take_a_live_ones_place(control, path, asking):
    with pytest.raises(ControlError, match=r"control.*another gate listens there"):
        ControlSocket(path)
    answer = asking({})
    next_calls(control)[0].reply({"still": "here"})
    assert answer.result(DEADLINE_S) == {"still": "here"}


@pytest.mark.usefixtures("control")
def test_nor_one_whose_queue_is_full(path, connect):
    filled(connect)
    with pytest.raises(ControlError, match="another gate listens there"):
        ControlSocket(path)
    with pytest.raises(ControlError, match="too many ask at the same time; try again"):
        ask(path, {}, DEADLINE_S)
    assert path.is_socket()


def test_closing_leaves_a_successors_socket_alone(path):
    first = ControlSocket(path)
    path.unlink()
    with ControlSocket(path) as second:
        first.close()
        assert path.is_socket()
        first.close()
        assert second.take(0.0) == []
    assert not path.exists()


def test_closing_hangs_up_on_whoever_waits(path, connect, asking):
    control = ControlSocket(path)
    answer, silent = asking({}), connect()
    next_calls(control)
    control.take(0.0)
    control.close()
    assert is_hung_up_on(silent)
    with pytest.raises(ControlError, match="hung up without an answer"):
        answer.result(DEADLINE_S)


def test_a_file_or_another_kind_of_socket_in_its_place_is_not_deleted(path):
    path.write_text("precious")
    with pytest.raises(ControlError, match="else than a socket"):
        ControlSocket(path)
    assert path.read_text() == "precious"
    path.unlink()
    with DoorbellListener(path):
        with pytest.raises(ControlError, match="Protocol wrong type"):
            ControlSocket(path)
        assert path.is_socket()


def test_a_folder_that_is_not_there_is_told(tmp_path):
    with pytest.raises(ControlError, match=r"absent/control: cannot listen.*the folder exists"):
        ControlSocket(tmp_path / "absent" / "control")


def test_a_path_that_no_unix_socket_can_have_is_refused(tmp_path):
    path = tmp_path / ("x" * MAX_PATH_BYTES)
    with pytest.raises(ValueError, match="too long for a Unix socket"):
        ControlSocket(path)


def test_no_descriptor_stays_open(path, connect):
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - a count, not paths
    with ControlSocket(path) as control:
        connect(b"{}").close()
        connect(b"garbage").close()
        connect().close()
        for call in control.take(0.0):
            call.reply({})
        with pytest.raises(ControlError):
            ControlSocket(path)
        control.take(0.0)
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208
