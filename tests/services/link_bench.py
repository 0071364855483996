"""A link, a session and a clock that the test moves: nobody waits."""

import selectors
import socket
from random import Random

from gatepost_services.contract.events import decode
from gatepost_services.doorbell import DoorbellListener
from gatepost_services.journal import JournalReader
from gatepost_services.uplink.backoff import Backoff
from gatepost_services.uplink.desk import Message, Post
from gatepost_services.uplink.line import Incoming, SessionError
from gatepost_services.uplink.link import Link

DEADLINE_S = 30.0
ALARM = "tamper.raised"


class Clock:
    """A clock that moves only when the link waits."""

    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


class SteppingSelector(selectors.SelectSelector):
    """Never waits: where nothing is ready, the clock jumps to the end of the wait."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock
        self.waited_s: list[float] = []

    def select(self, timeout=None):
        ready = super().select(0)
        if not ready:
            self.waited_s.append(timeout)
            self._clock.now_s += timeout
        return ready


class ScriptedSession:
    """A session that does what the test says, without a broker."""

    maximum_packet_bytes = 268_435_455
    has_unread = False
    unanswered_topics: tuple[str, ...] = ()

    def __init__(self, *, refuses: bool = False, acks: bool = True) -> None:
        self._near, self._far = socket.socketpair()
        self._refuses = refuses
        self._acks = acks
        self.connected = False
        self.receive_maximum = 65535
        self._packets = 0
        self._unacked: list[tuple[int, int]] = []
        self.published: list[bytes] = []
        self.statuses: list[bytes] = []
        self.posts: list[Post] = []
        self.messages: list[tuple[str, bytes]] = []
        self.incoming: list[Incoming] = []
        self.acknowledged: list[int] = []
        self.subscriptions: list[str] = []
        self.refused_topics: dict[str, int] = {}
        self.reasons: dict[str, int] = {}  # for which a topic's posts are refused
        self.deadly: set[str] = set()  # topics of which the connection dies
        self.is_closed = self.keeps_will = False

    def connect(self) -> None:
        if self._refuses:
            raise SessionError("refused by the test")
        self.connected = True

    def fileno(self) -> int:
        return self._near.fileno()

    def packet_bytes(self, topic: str, payload: bytes) -> int:
        return len(topic) + len(payload)

    def wants_write(self) -> bool:
        return False

    def on_readable(self) -> None:
        if b"x" in self._near.recv(4096):
            raise SessionError("lost by the test")

    def on_writable(self) -> None:
        raise AssertionError

    def flush(self) -> None:
        pass

    def tick(self) -> None:
        pass

    def subscribe(self, topic: str) -> None:
        self.subscriptions.append(topic)

    def take_messages(self) -> list[Incoming]:
        messages, self.messages = self.messages, []
        incoming, self.incoming = self.incoming, []
        return [Incoming(Message(*each), 0) for each in messages] + incoming

    def acknowledge(self, mid: int) -> None:
        if mid:
            self.acknowledged.append(mid)

    def hand(self, message: Message, mid: int = 1) -> None:
        """Have a message with QoS 1 come."""
        self.incoming.append(Incoming(message, mid))

    def say(self, through: int) -> None:
        self.messages.append(("gatepost/north/gate-1/watermark", b'{"through":%d}' % through))

    def publish(self, _topic: str, payload: bytes) -> int:
        self.published.append(payload)
        return self._sent(0)

    def post(self, post: Post) -> int:
        self.posts.append(post)
        if post.topic.endswith("/status"):
            self.statuses.append(post.payload)
        if post.topic in self.deadly:
            self.lose()
            self._packets += 1
            return self._packets
        return self._sent(self.reasons.get(post.topic, 0))

    def _sent(self, reason: int) -> int:
        self._packets += 1
        self._unacked.append((self._packets, reason))
        if self._acks:
            self._far.send(b"a")
        return self._packets

    def take_acked(self) -> list[tuple[int, int]]:
        if not self._acks:
            return []
        acked, self._unacked = self._unacked, []
        return acked

    def lose(self) -> None:
        self._far.send(b"x")

    def close(self, *, keeps_will: bool = False) -> None:
        self.is_closed, self.keeps_will = True, keeps_will
        self._near.close()
        self._far.close()

    def numbers(self) -> list[int]:
        return [decode(payload).seq for payload in self.published]


class Bench:
    """A link on a clock that only the test's waits move."""

    def __init__(self, station, keep_until="watermark", *, window=20, **others) -> None:
        self.clock = Clock()
        self.selector = SteppingSelector(self.clock)
        self.sessions: list[ScriptedSession] = []
        self.kinds: list[dict[str, bool]] = []
        self.journal = JournalReader(station.journal_path)
        self.store = station.store(keep_until)
        self.doorbell = DoorbellListener(station.doorbell_path)
        self.link = Link(
            site="north",
            gate="gate-1",
            journal=self.journal,
            store=self.store,
            doorbell=self.doorbell,
            new_session=self._new_session,
            backoff=Backoff(1.0, 60.0, Random(7)),
            window=window,
            clock=self.clock,
            selector=self.selector,
            **others,
        )

    @property
    def acknowledged(self) -> int:
        return self.store.progress.acknowledged

    def _new_session(self) -> ScriptedSession:
        kind = self.kinds.pop(0) if self.kinds else {}
        self.sessions.append(ScriptedSession(**kind))
        return self.sessions[-1]

    def run(self, turns: int) -> None:
        for _ in range(turns):
            self.link._turn()

    def run_until(self, condition) -> None:
        for _ in range(100_000):
            if condition():
                return
            self.link._turn()
        raise AssertionError("it never came to that")

    def close(self) -> None:
        self.link.close()
        self.journal.close()
        self.store.close()
        self.doorbell.close()
