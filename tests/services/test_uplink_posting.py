"""The desks' share of the connection: nothing that they do or suffer stops the events."""

import pytest

from gatepost_services.uplink.desk import Message, Post
from gatepost_services.uplink.line import MOST_MESSAGES
from gatepost_services.uplink.posting import matches

from .link_bench import ALARM, Bench

DEADLINE_S = 30.0


class NoisyDesk:
    """A desk that always has something to say, and keeps what it hears while `keeps`."""

    def __init__(self, name: str, *topics: str) -> None:
        self.topics = topics
        self.topic = f"t/{name}"
        self.left = 10**9
        self.connections = 0
        self.heard: list[bytes] = []
        self.told: list[tuple[bytes, int]] = []
        self.keeps = True
        self.correlation: bytes | None = None

    def connected(self, _now_s: float) -> None:
        self.connections += 1

    def take(self, message: Message, _now_s: float) -> None:
        if not self.keeps:
            raise OSError("the disk is full")
        if message.payload == b"stumble":
            raise KeyError("a fault")
        self.heard.append(message.payload)

    def next_post(self, _now_s: float) -> Post | None:
        if not self.left:
            return None
        return Post(self.topic, b"%d" % self.left, correlation=self.correlation)

    def posted(self, post: Post, reason: int, _now_s: float) -> None:
        self.told.append((post.payload, reason))
        self.left -= 1


@pytest.fixture
def bench_of(station):
    made = []

    def make(*desks, **settings) -> Bench:
        made.append(Bench(station, "puback", desks=desks, **settings))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.mark.parametrize(
    ("pattern", "topic", "is_so"),
    [
        ("a/b", "a/b", True),
        ("a/b", "a/b/c", False),
        ("a/b", "a", False),
        ("a/+", "a/b", True),
        ("a/+", "a/b/c", False),
        ("a/+/c", "a/b/c", True),
        ("a/#", "a/b/c", True),
        ("a/#", "a", True),
        ("a/#", "b/a", False),
    ],
)
def test_a_topic_matches_its_pattern(pattern, topic, is_so):
    assert matches(pattern, topic) is is_so


@pytest.mark.parametrize("window", [1, 2, 20])
def test_desks_that_never_end_do_not_starve_the_events(bench_of, station, window):
    station.append(300)
    station.append(30, ALARM)
    desks = [NoisyDesk(str(n)) for n in range(4)]
    # A clock that stands still while there is something to do gives no tokens to a pace.
    bench = bench_of(*desks, window=window, backlog_rate=0.0)
    bench.run_until(lambda: bench.acknowledged == 330)
    session = bench.sessions[0]
    assert len(bench.sessions) == 1
    assert session.numbers()[:30] == list(range(301, 331))
    assert min(len(desk.told) for desk in desks) >= 3


def test_a_desk_posts_one_at_a_time_and_within_what_the_broker_takes(bench_of, station):
    station.append(50)
    desks = [NoisyDesk(str(n)) for n in range(6)]
    bench = bench_of(*desks)
    bench.kinds = [{"acks": False}]
    bench.run(4)
    # The first post on a topic is tried without another such topic beside it.
    assert len(bench.sessions[0].posts) == 1
    bench.sessions[0]._acks = True
    bench.sessions[0]._far.send(b"a")
    bench.run_until(lambda: all(desk.told for desk in desks))
    bench.sessions[0]._acks = False
    bench.run(2)
    sent = bench.sessions[0].posts
    told = sum(len(desk.told) for desk in desks)
    bench.run(4)
    waiting = [post.topic for post in sent if post.topic.startswith("t/")][told:]
    assert sorted(waiting) == sorted(desk.topic for desk in desks)


def test_a_topic_that_is_refused_is_left_alone_for_an_hour_and_nothing_else_stops(
    bench_of, station, caplog
):
    station.append(10)
    bad, good = NoisyDesk("bad"), NoisyDesk("good")
    good.left = 5
    bench = bench_of(bad, good)
    refusing = {"t/bad": 0x87}
    make = bench._new_session

    def new_session():
        session = make()
        session.reasons = refusing
        return session

    bench.link._new_session = new_session
    bench.run_until(lambda: bench.acknowledged == 10 and not good.left)
    bench.run(100)
    assert len(bench.sessions) == 2  # ended once in good order, to keep the broker from it
    assert sum(post.topic == "t/bad" for session in bench.sessions for post in session.posts) == 1
    assert {reason for _, reason in bad.told} == {0x87}
    assert [reason for _, reason in good.told] == [0] * 5
    (told,) = [each for each in caplog.messages if "t/bad" in each]
    assert "takes nothing on t/bad: refused (0x87): not authorised; see" in told
    refusing.clear()
    bad.told.clear()
    bench.clock.now_s += 3600.0
    bench.run_until(lambda: (b"", 0) in [(b"", reason) for _, reason in bad.told])
    assert "the broker takes t/bad again" in caplog.text


def test_a_topic_at_which_connections_die_is_left_alone_a_while(bench_of, station, caplog):
    station.append(10)
    deadly = NoisyDesk("deadly")
    bench = bench_of(deadly)
    make = bench._new_session

    def new_session():
        session = make()
        session.deadly = {"t/deadly"}
        return session

    bench.link._new_session = new_session
    bench.run_until(lambda: bench.acknowledged == 10 and len(bench.sessions) == 4)
    bench.run(50)
    assert len(bench.sessions) == 4
    assert "connections die of what is posted on t/deadly" in caplog.text
    assert all(post.topic != "t/deadly" for post in bench.sessions[3].posts)
    bench.clock.now_s += 300.0
    bench.run_until(lambda: len(bench.sessions) == 5)


def test_a_subscription_of_which_connections_die_is_left_out_a_while(bench_of, station, caplog):
    station.append(10)
    desk = NoisyDesk("d", "in/a")
    desk.left = 0
    bench = bench_of(desk)
    make = bench._new_session

    def new_session():
        session = make()
        subscribe = session.subscribe

        def dies(topic: str) -> None:
            subscribe(topic)
            if topic == "in/a":
                session.unanswered_topics = ("in/a",)
                session._acks = False
                session.lose()

        session.subscribe = dies
        return session

    bench.link._new_session = new_session
    bench.run_until(lambda: bench.acknowledged == 10)
    assert len(bench.sessions) == 4
    assert "connections die of the subscription to in/a" in caplog.text
    assert [session.subscriptions.count("in/a") for session in bench.sessions] == [1, 1, 1, 0]
    assert "is posted on" not in caplog.text


def test_a_message_is_acknowledged_when_its_desk_has_dealt_with_it(bench_of, caplog):
    desk = NoisyDesk("d", "in/+")
    desk.left = 0
    bench = bench_of(desk)
    bench.run(3)
    session = bench.sessions[0]
    assert "in/+" in session.subscriptions
    desk.keeps = False
    session.hand(Message("in/a", b"first"), 7)
    session.hand(Message("in/b", b"second"), 8)
    session.hand(Message("other", b"nobody's"), 9)
    bench.run(3)
    assert (session.acknowledged, desk.heard) == ([9], [])
    assert len(bench.sessions) == 1
    desk.keeps = True
    bench.run(20)
    assert (session.acknowledged, desk.heard) == ([9, 7, 8], [b"first", b"second"])
    assert caplog.messages == [
        "the disk is full; what came waits with the broker",
        caplog.messages[1],
    ]
    assert "can be kept again" in caplog.messages[1]


def test_what_can_be_kept_by_nobody_ends_the_connection_before_it_fills_the_memory(bench_of):
    desk = NoisyDesk("d", "in/+")
    desk.left, desk.keeps = 0, False
    bench = bench_of(desk)
    bench.run(3)
    for number in range(MOST_MESSAGES):
        bench.sessions[0].hand(Message("in/a", b"%d" % number), number + 1)
    bench.run_until(lambda: len(bench.sessions) == 2)
    assert bench.sessions[0].acknowledged == []
    desk.keeps = True
    bench.sessions[1].hand(Message("in/a", b"0"), 1)  # which the broker has kept
    bench.run_until(lambda: desk.heard == [b"0"])


def test_a_message_that_a_desk_stumbles_over_does_not_come_again(bench_of, caplog):
    desk = NoisyDesk("d", "in/+")
    desk.left = 0
    bench = bench_of(desk)
    bench.run(3)
    for mid in (1, 2, 3):
        bench.sessions[0].hand(Message("in/a", b"stumble"), mid)
    bench.sessions[0].hand(Message("in/a", b"sound"), 4)
    bench.run(3)
    assert bench.sessions[0].acknowledged == [1, 2, 3, 4]
    assert desk.heard == [b"sound"]
    assert caplog.text.count("Traceback") == 1


@pytest.mark.parametrize("method", ["connected", "next_post", "posted"])
def test_a_desk_that_stumbles_stops_no_events(bench_of, station, caplog, method, monkeypatch):
    def stumble(*_: object) -> None:
        raise KeyError("a fault")

    desk, sound = NoisyDesk("d"), NoisyDesk("e")
    desk.left, sound.left = 3, 3
    monkeypatch.setattr(desk, method, stumble)
    station.append(5)
    bench = bench_of(desk, sound)
    bench.run_until(lambda: bench.acknowledged == 5 and not sound.left)
    assert len(bench.sessions) == 1
    assert caplog.text.count("Traceback") == 1
    bench.run(20)
    assert sum(post.topic == "t/d" for post in bench.sessions[0].posts) <= 1


def test_a_subscription_that_is_refused_is_told_once_and_again_when_it_is_granted(bench_of, caplog):
    desk = NoisyDesk("d", "in/a")
    desk.left = 0
    bench = bench_of(desk)
    make = bench._new_session

    def refusing():
        session = make()
        session.refused_topics = {"in/a": 0x87} if len(bench.sessions) < 3 else {}
        return session

    bench.link._new_session = refusing
    for count in (1, 2, 3):
        bench.run_until(lambda count=count: len(bench.sessions) == count)
        bench.run(3)
        bench.sessions[-1].lose()
    bench.run(3)
    told = [each for each in caplog.messages if "in/a" in each]
    assert told[0] == (
        "the broker does not let the gate read in/a: refused (0x87): not authorised; see the "
        "broker's access list, and that the certificate is this gate's"
    )
    assert told[1].startswith("the broker lets the gate read in/a")
    assert len(told) == 2


def test_desks_work_while_the_journal_cannot_be_read(bench_of, station):
    station.journal.close()
    station.journal_path.rename(station.journal_path.with_name("hidden"))
    desk = NoisyDesk("d")
    desk.left = 5
    bench = bench_of(desk)
    bench.run_until(lambda: not desk.left)
    assert bench.sessions[0].published == []


def test_a_post_that_is_too_large_for_the_broker_is_told_to_its_desk(bench_of, monkeypatch):
    desk = NoisyDesk("d")
    desk.left, desk.correlation = 1, b"x" * 1000
    bench = bench_of(desk)
    monkeypatch.setattr("tests.services.link_bench.ScriptedSession.maximum_packet_bytes", 500)
    monkeypatch.setattr(type(bench._new_session()), "maximum_packet_bytes", 500)
    bench.sessions.pop().close()
    bench.run_until(lambda: not desk.left)
    assert desk.told == [(b"1", 0x95)]


def test_a_new_connection_is_made_at_once_when_there_are_new_certificates(station):
    renewed = [False]
    bench = Bench(station, "puback", is_renewed=lambda: renewed[0])
    station.append(3)
    bench.run_until(lambda: bench.acknowledged == 3)
    renewed[0] = True
    began_s = bench.clock.now_s
    bench.run_until(lambda: bench.sessions[0].is_closed)
    renewed[0] = False
    bench.run_until(lambda: len(bench.sessions) == 2)
    assert bench.clock.now_s - began_s <= 2.0
    bench.close()


def proven(bench, station, *desks) -> None:
    """Let everything go once, live events too, and then let the broker fall silent."""
    station.append(1)
    bench.run_until(lambda: all(desk.told for desk in desks) and bench.acknowledged == 1)
    station.append(1)
    bench.link._drain.ring(bench.clock.now_s)
    bench.run_until(lambda: bench.acknowledged == 2)
    bench.sessions[-1]._acks = False


def test_posts_take_no_more_than_half_of_what_may_be_on_its_way(bench_of, station):
    desks = [NoisyDesk(str(n)) for n in range(6)]
    bench = bench_of(*desks, window=4, backlog_rate=0.0)
    proven(bench, station, *desks)
    bench.run(3)
    session = bench.sessions[0]
    unanswered = len(session._unacked)
    assert 1 <= unanswered <= 2
    station.append(10)
    bench.link._drain.ring(bench.clock.now_s)
    bench.run(3)
    assert len(session._unacked) == 4


def test_an_event_beside_a_post_is_not_what_a_connection_died_of(bench_of, station):
    desk = NoisyDesk("d")
    bench = bench_of(desk)
    proven(bench, station, desk)
    bench.run(3)
    station.append(1)
    bench.link._drain.ring(bench.clock.now_s)
    bench.run(3)
    assert bench.link._drain.in_flight == 1
    assert bench.link._posting.in_flight == 1
    bench.sessions[0].lose()
    bench.run(2)
    assert bench.sessions[0].is_closed
    assert bench.link._refusals._deaths == 0


def test_what_waits_unread_is_not_waited_for(bench_of):
    bench = bench_of()
    bench.run(5)
    session, looks = bench.sessions[0], []

    def on_readable() -> None:
        looks.append(bench.clock.now_s)
        session.has_unread = len(looks) < 3

    session.on_readable = on_readable
    session.has_unread = True
    bench.run(5)
    assert len(looks) == 3
    assert looks[0] == looks[2]  # no time passed
