"""What the link says of itself and for the gate: presence, board, status."""

import json

import pytest

from gatepost_services.board import HEAD, MOST_BYTES, REPORTED, Board, BoardReader
from gatepost_services.uplink.board_desk import BoardDesk
from gatepost_services.uplink.desk import Message
from gatepost_services.uplink.line import SessionError
from gatepost_services.uplink.patience import LineLog
from gatepost_services.uplink.presence import PresenceDesk
from gatepost_services.uplink.reasons import words

from .link_bench import Bench

BASE = "gatepost/north/gate-1"


@pytest.fixture
def presence():
    return PresenceDesk("north", "gate-1", {"boot_id": "b-1"})


def states(session) -> list[str]:
    return [
        json.loads(post.payload)["state"]
        for post in session.posts
        if post.topic == f"{BASE}/presence"
    ]


def test_presence_is_said_first_at_each_connection_and_the_end_last(station, presence):
    station.append(3)
    bench = Bench(station, "puback", presence=presence)
    bench.run_until(lambda: bench.acknowledged == 3)
    bench.sessions[0].lose()
    bench.run_until(lambda: len(bench.sessions) == 2 and bench.sessions[1].posts)
    bench.run(5)
    first, second = bench.sessions
    assert [first.posts[0].topic, second.posts[0].topic] == [f"{BASE}/presence"] * 2
    assert first.posts[0].is_retained
    assert json.loads(first.posts[0].payload) == {"state": "online", "boot_id": "b-1"}
    bench.link._finish()
    bench.close()
    assert states(second) == ["online", "stopped"]
    assert (first.keeps_will, second.keeps_will) == (True, False)


def test_who_could_not_say_that_this_is_the_end_leaves_the_will(station, presence):
    bench = Bench(station, "puback", presence=presence)
    bench.kinds = [{"acks": False}]
    bench.run(3)
    bench.link._finish()
    bench.close()
    assert bench.sessions[0].keeps_will


def test_the_will_is_what_presence_says_of_who_is_lost(presence):
    assert json.loads(presence.will.payload) == {"state": "lost", "boot_id": "b-1"}
    assert presence.will.topic == f"{BASE}/presence"
    assert presence.will.is_retained


def test_what_was_said_before_the_end_came_is_not_the_end(presence):
    presence.connected(0.0)
    online = presence.next_post(0.0)
    presence.stop()
    presence.posted(online, 0, 0.0)
    assert not presence.is_said
    presence.posted(presence.next_post(0.0), 0, 0.0)
    assert presence.is_said
    assert presence.next_post(0.0) is None


@pytest.fixture
def board(tmp_path):
    return Board(tmp_path / "board")


@pytest.fixture
def desk(tmp_path):
    made = BoardDesk("north", "gate-1", BoardReader(tmp_path / "board"))
    made.connected(0.0)
    return made


def said(desk, now_s: float, reason: int = 0) -> list[tuple[str, bytes]]:
    found = []
    while (post := desk.next_post(now_s)) is not None:
        assert post.is_retained
        found.append((post.topic.rpartition("/")[2], post.payload))
        desk.posted(post, reason, now_s)
    return found


def test_the_board_is_published_at_each_connection_and_when_it_changes(board, desk):
    assert said(desk, 0.0) == []
    board.pin(REPORTED, b"{}")
    board.pin(HEAD, b"a.b.c")
    assert said(desk, 1.0) == [("reported", b"{}"), ("head", b"a.b.c")]
    assert said(desk, 60.0) == []
    board.pin(REPORTED, b'{"a":1}')
    assert said(desk, 60.5) == []  # it looks once a second
    assert said(desk, 61.0) == [("reported", b'{"a":1}')]
    desk.connected(62.0)
    assert [name for name, _ in said(desk, 62.0)] == ["reported", "head"]


def test_the_head_is_published_no_more_often_than_every_ten_seconds(board, desk):
    published = []
    for second in range(100):
        board.pin(HEAD, b"%d.b.c" % second)
        published += said(desk, float(second))
    assert len(published) == 10


def test_what_is_refused_or_no_text_of_ours_is_not_said_again_and_again(board, desk):
    board.pin(REPORTED, b"{}")
    assert len(said(desk, 0.0, reason=0x87)) == 1
    assert said(desk, 10.0) == []
    board.pin(REPORTED, b"x" * (MOST_BYTES + 1))
    assert said(desk, 20.0) == []
    assert desk.topics == ()
    desk.take(Message("t", b""), 0.0)


def test_the_status_tells_what_others_add(station):
    station.append(2)
    bench = Bench(station, "puback", status_more=lambda: {"commands": {"received": 7}})
    bench.run_until(lambda: bench.sessions and bench.sessions[0].statuses)
    status = json.loads(bench.sessions[0].statuses[0])
    assert status["commands"] == {"received": 7}
    assert status["last_utc"] == "2001-09-09T01:46:41.000Z"
    bench.close()


def test_each_cause_of_no_connection_is_told_once(caplog):
    log = LineLog()
    for error in ("revoked", "revoked", "nobody there", "revoked", "nobody there"):
        log.failed(SessionError(error), 1.0)
    log.recovered()
    assert [each.split(";")[0] for each in caplog.messages] == [
        "revoked",
        "nobody there",
        "the line to the broker holds again (failed 5 times)",
    ]
    log.failed(SessionError("revoked"), 1.0)
    assert len(caplog.messages) == 4


def test_causes_without_end_do_not_fill_the_log(caplog):
    log = LineLog()
    for number in range(100):
        log.failed(SessionError(f"cause {number}"), 1.0)
    assert len(caplog.messages) == 8


@pytest.mark.parametrize(
    ("reason", "name", "told"),
    [
        (0x86, "Bad user name or password", "use_identity_as_username"),
        (0x87, "Not authorized", "access list"),
        (0x8A, "Banned", "banned"),
        (0x8E, "Session taken over", "two gates of one name"),
        (0x97, "Quota exceeded", "quota"),
        (0x9D, "Server moved", "[link] broker_host"),
    ],
)
def test_a_reason_is_told_with_what_to_do(reason, name, told):
    text = words(reason, name)
    assert text.startswith(f"{name} (0x{reason:02X}): ")
    assert told in text


def test_the_brokers_own_words_are_quoted_and_do_no_harm():
    text = words(0x9D, "Server moved", said="go\x1b[2J\n" + "x" * 1000, other="b.example:8883")
    assert "it names b.example:8883" in text
    assert text.isprintable()
    assert len(text) < 400
    assert words(0xFF, "Unheard of") == "Unheard of (0xFF)"
