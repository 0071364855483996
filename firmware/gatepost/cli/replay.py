"""`gatepost journal replay`: sends a range of events once more, beside the link.

It has a connection, a client id and a topic of its own, and notes nowhere how far it came: the
link's own progress stays what it is.
"""

import select
import time
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path

from gatepost.cli.main import fail
from gatepost.cli.progress import Bar
from gatepost.cli.words import mark, say
from gatepost.wiring.link import session_maker
from gatepost.wiring.security import Security
from gatepost_config.settings import Settings
from gatepost_services.contract.events import event_topic
from gatepost_services.journal import JournalReader
from gatepost_services.record import Record
from gatepost_services.uplink.line import Session, SessionError

# On their way at once: the broker's room is the link's first of all.
WINDOW = 20
_PAGE = 100
_TICK_S = 1.0
_ACK_TIMEOUT_S = 30.0


def replay_command(settings: Settings, path: Path, first: int, through: int) -> int:
    """Replay the events with these numbers; return 0 when the broker took all of them.

    Raises:
        JournalUnavailable: the journal cannot be read.
    """
    site, gate = settings.gate.site, settings.gate.name
    session = session_maker(settings, Security(settings), purpose="replay")()
    topic = event_topic(site, gate, "replay")
    with JournalReader(path) as reader:
        last = min(through, reader.last_seq())
        replay = Replay(session, topic, _records(reader, first, last))
        try:
            with Bar(say("replaying"), last - first + 1) as bar:
                replay.run(lambda seq: bar.show(seq - first + 1))
        except SessionError as error:
            told = mark("{count} events replayed, then no more: {why}")
            fail(say(told, count=replay.taken, why=error))
        finally:
            session.close()
    print(say("{count} events replayed on {topic}", count=replay.taken, topic=topic))
    if replay.left_out:
        named = ", ".join(str(seq) for seq in replay.left_out[:WINDOW])
        told = mark(
            "{count} events left out, as too large for the broker or damaged: {numbers}; gatepost "
            "journal export has the former"
        )
        fail(say(told, count=len(replay.left_out), numbers=named))
    return 0


def _records(reader: JournalReader, first: int, through: int) -> Iterator[Record]:
    after = first - 1
    while after < through:
        page = reader.read(after, _PAGE, through_seq=through)
        yield from page.records
        after = page.through


class Replay:
    """Sends records over a session, at most `WINDOW` unacknowledged.

    `taken`: how many the broker acknowledged; `left_out`: the numbers of those not sent.
    """

    def __init__(
        self,
        session: Session,
        topic: str,
        records: Iterator[Record],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._session = session
        self._topic = topic
        self._records = records
        self._clock = clock
        self._in_flight: dict[int, int] = {}
        self._is_read = False
        self.taken = 0
        self.left_out: list[int] = []

    def run(self, on_taken: Callable[[int], object] = lambda _seq: None) -> None:
        """Send all of them and wait for their acknowledgements; tell `on_taken` each number.

        Raises:
            SessionError: the connection is lost, or the broker refuses an event.
            JournalUnavailable: the journal cannot be read.
        """
        self._session.connect()
        heard_at_s = self._clock()
        while not (self._is_read and not self._in_flight):
            before = self.taken
            self._wait()
            if self._session.connected:
                self._note_acknowledgements(on_taken)
                self._fill()
            if self.taken > before or not self._in_flight:
                heard_at_s = self._clock()
            elif self._clock() - heard_at_s >= _ACK_TIMEOUT_S:
                raise SessionError(f"the broker has been silent for {_ACK_TIMEOUT_S:.0f} s")

    def _wait(self) -> None:
        session = self._session
        fd = session.fileno()
        wanted = [fd] if session.wants_write() else []
        readable, writable, _ = select.select([fd], wanted, [], _TICK_S)
        if readable:
            session.on_readable()
        if writable:
            session.on_writable()
        session.tick()

    def _note_acknowledgements(self, on_taken: Callable[[int], object]) -> None:
        for number, code in self._session.take_acked():
            seq = self._in_flight.pop(number, None)
            if seq is None:
                continue
            if code:
                raise SessionError(
                    f"the broker does not take event {seq} on {self._topic} (reason 0x{code:02x}); "
                    "see its access list, and whether somebody has subscribed"
                )
            self.taken += 1
            on_taken(seq)

    def _fill(self) -> None:
        room = max(1, min(WINDOW, self._session.receive_maximum))
        while len(self._in_flight) < room and not self._is_read:
            record = next(self._records, None)
            if record is None:
                self._is_read = True
            elif not self._is_fit(record):
                self.left_out.append(record.seq)
            else:
                self._in_flight[self._session.publish(self._topic, record.body)] = record.seq

    def _is_fit(self, record: Record) -> bool:
        if sha256(record.body).digest() != record.hash:
            return False
        size = self._session.packet_bytes(self._topic, record.body)
        return size <= self._session.maximum_packet_bytes
