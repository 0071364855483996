"""The link: brings the journal to the broker, in order, whole, for as long as it takes.

Theory of operation. One thread, one place that waits (`_wait`), for three descriptors: the
doorbell, the broker's socket, and a socket pair by which `wake` ends the wait. A turn takes what
is ready, notes acknowledgements, stores the position when the window says so, and fills the window
from the journal. There is no queue: what is not acknowledged is read again from the journal.

    disconnected --retry_at_s--> waiting for CONNACK --connected--> draining
         ^                               |                             |
         +------- back-off, jitter ------+---- any SessionError -------+

An event may arrive twice (never more than a window of them after a crash), it is never skipped:
a new connection begins at the stored position, and a refused event ends the connection.
"""

import logging
import selectors
import socket
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from gatepost_services.contract.events import encode, event_topic
from gatepost_services.doorbell import DoorbellListener
from gatepost_services.edge_log import EdgeLog
from gatepost_services.journal import JournalReader, JournalUnavailable, Record
from gatepost_services.uplink.backoff import Backoff
from gatepost_services.uplink.line import Session, SessionError
from gatepost_services.uplink.position import PositionError, PositionStore
from gatepost_services.uplink.window import Window

_LOG = logging.getLogger(__name__)
_READ_BATCH = 200
_TICK_S = 1.0
# A connection that held this long was worth making, also when there was nothing to send.
_PROVEN_AFTER_S = 60.0


class Link:
    """Drains `journal` to the broker that `new_session` reaches, and keeps `position`.

    `window` bounds the events in flight and so the duplicates after a crash; the broker's Receive
    Maximum may narrow it. `poll_s` is how soon the journal is looked at again without a ring,
    `ack_timeout_s` how long the broker may keep silent about an event. `clock` is monotonic.

    The caller keeps `journal` and `doorbell` and closes them after `run`. All of it,
    except `wake`, belongs to the thread that calls `run`.

    Raises:
        ValueError: a site or gate name of another form than `event_topic` demands, or no window.
    """

    def __init__(
        self,
        *,
        site: str,
        gate: str,
        journal: JournalReader,
        position: PositionStore,
        doorbell: DoorbellListener,
        new_session: Callable[[], Session],
        backoff: Backoff,
        window: int = 20,
        poll_s: float = 5.0,
        ack_timeout_s: float = 30.0,
        clock: Callable[[], float] = time.monotonic,
        selector: selectors.BaseSelector | None = None,
    ) -> None:
        self._site = site
        self._gate = gate
        self._topic = event_topic(site, gate)
        self._journal = journal
        self._position = position
        self._doorbell = doorbell
        self._new_session = new_session
        self._backoff = backoff
        self._window_limit = window
        self._poll_s = poll_s
        self._ack_timeout_s = ack_timeout_s
        self._clock = clock
        self._session: Session | None = None
        self._session_fd = -1
        self._is_draining = False
        self._has_taken = False
        self._window = Window(window, position.acknowledged)
        self._seq_by_mid: dict[int, int] = {}
        self._batch: deque[Record] = deque()
        self._retry_at_s = self._look_at_s = clock()
        self._proven_at_s = 0.0
        self._silent_since_s = 0.0
        self._line_log = EdgeLog(_LOG)
        self._refusal_log = EdgeLog(_LOG, logging.ERROR)
        self._journal_log = EdgeLog(_LOG)
        self._mismatch_log = EdgeLog(_LOG, logging.ERROR)
        self._position_log = EdgeLog(_LOG, logging.ERROR)

        self._wake_reader, self._wake_writer = socket.socketpair()
        self._wake_reader.settimeout(0.0)
        self._wake_writer.settimeout(0.0)
        self._selector = selectors.DefaultSelector() if selector is None else selector
        self._selector.register(self._wake_reader, selectors.EVENT_READ)
        self._selector.register(doorbell.fileno(), selectors.EVENT_READ)

    def run(self, stop: Callable[[], bool]) -> None:
        """Drain until `stop()` is true, then end the session in good order and close.

        `stop` is asked after each wait: at least once a second, and at once after `wake`. While a
        connection is being opened, `MqttSession.connect` may block for its timeout.
        """
        try:
            while not stop():
                self._turn()
        finally:
            self.close()

    def wake(self) -> None:
        """End the present wait. For any thread, and for a signal handler beside `stop`."""
        with suppress(OSError):
            self._wake_writer.send(b"\x01")

    def close(self) -> None:
        """End the session and give the link's own descriptors back. `run` does it at its end."""
        if self._session is not None:
            self._end_session()
        self._selector.close()
        self._wake_reader.close()
        self._wake_writer.close()

    def _turn(self) -> None:
        events = self._wait()
        if self._session is None:
            if self._clock() >= self._retry_at_s:
                self._connect()
            return
        try:
            self._serve(self._session, events)
        except SessionError as error:
            self._end_session()
            self._retry_later(error)

    def _wait(self) -> int:
        """Return the events of the broker's socket, after at most `_TICK_S`: the only wait."""
        timeout_s = _TICK_S
        if self._session is None:
            timeout_s = min(timeout_s, self._retry_at_s - self._clock())
        elif self._is_draining and self._may_send():
            timeout_s = min(timeout_s, self._look_at_s - self._clock())
        session_events = 0
        for key, events in self._selector.select(max(timeout_s, 0.0)):
            if key.fd == self._session_fd:
                session_events = events
            elif key.fileobj is self._wake_reader:
                self._wake_reader.recv(4096)
            elif self._doorbell.drain():
                self._look_at_s = self._clock()
        return session_events

    def _connect(self) -> None:
        session = self._new_session()
        try:
            session.connect()
            self._session_fd = session.fileno()
        except SessionError as error:
            session.close()
            self._retry_later(error)
            return
        self._selector.register(self._session_fd, selectors.EVENT_READ)
        self._session = session

    def _retry_later(self, error: SessionError) -> None:
        delay_s = self._backoff.next_s()
        self._retry_at_s = self._clock() + delay_s
        if not self._refusal_log.failing:
            self._line_log.failed("%s; trying again for ever, first in %.1f s", error, delay_s)

    def _end_session(self) -> None:
        session, self._session = self._session, None
        if session is None:
            return
        self._note_acknowledgements(session)
        self._store_position()
        self._selector.unregister(self._session_fd)
        self._session_fd = -1
        self._is_draining = False
        session.close()
        self._seq_by_mid.clear()
        self._batch.clear()

    def _serve(self, session: Session, events: int) -> None:
        if events & selectors.EVENT_READ:
            session.on_readable()
        if events & selectors.EVENT_WRITE:
            session.on_writable()
        session.tick()
        if session.connected and not self._is_draining:
            self._begin_draining(session)
        if self._is_draining:
            refused_seq = self._note_acknowledgements(session)
            if self._window.due:
                self._store_position()
            if refused_seq is not None:
                self._refuse(refused_seq)
            self._fill_window(session)
            self._check_progress()
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if session.wants_write() else 0)
        if self._selector.get_key(self._session_fd).events != wanted:
            self._selector.modify(self._session_fd, wanted)

    def _begin_draining(self, session: Session) -> None:
        limit = max(1, min(self._window_limit, session.receive_maximum))
        self._window = Window(limit, self._position.acknowledged)
        self._is_draining = True
        self._has_taken = False
        self._look_at_s = self._clock()
        self._proven_at_s = self._clock() + _PROVEN_AFTER_S
        self._silent_since_s = self._clock()

    def _note_acknowledgements(self, session: Session) -> int | None:
        """Note what arrived; return the number of an event that the broker dropped, if any."""
        refused_seq = None
        for mid, is_kept in session.take_acked():
            seq = self._seq_by_mid.pop(mid, None)
            if seq is None:
                continue
            if not is_kept:
                refused_seq = seq
                continue
            self._window.acknowledge(seq)
            self._has_taken = True
            self._silent_since_s = self._clock()
            self._refusal_log.recovered("the broker takes events again")
            self._prove()
        return refused_seq

    def _refuse(self, seq: int) -> None:
        self._refusal_log.failed(
            "the broker keeps no event %d on %s: it may not take it, or nobody has subscribed; "
            "see its access list and the centre; trying again for ever",
            seq,
            self._topic,
        )
        raise SessionError(f"event {seq} was refused")

    def _prove(self) -> None:
        self._backoff.reset()
        self._line_log.recovered("the line to the broker holds again")

    def _check_progress(self) -> None:
        now_s = self._clock()
        if now_s >= self._proven_at_s:
            self._prove()
        if self._window.in_flight == 0:
            self._silent_since_s = now_s
        elif now_s - self._silent_since_s >= self._ack_timeout_s:
            raise SessionError(f"no acknowledgement for {self._ack_timeout_s} s")

    def _store_position(self) -> None:
        try:
            self._position.advance(self._window.low_water)
        except PositionError as error:
            # Not settled: the window fills up and waits, and each turn tries again.
            self._position_log.failed("%s", error)
            return
        self._window.settle()
        self._position_log.recovered("the position can be stored again")

    def _fill_window(self, session: Session) -> None:
        while self._may_send():
            if not self._batch and not self._read_batch():
                return
            record = self._batch.popleft()
            mid = session.publish(self._topic, self._payload(record))
            self._window.send(record.seq)
            self._seq_by_mid[mid] = record.seq

    def _payload(self, record: Record) -> bytes:
        try:
            return encode(record, site=self._site, gate=self._gate)
        except ValueError as error:
            # A damaged disk. Its number still goes out, in order, and says that its content is
            # lost; to stop here would hold back everything behind it for ever.
            _LOG.error("record %d cannot be read: %s", record.seq, type(error).__name__)
            stand_in = Record(record.seq, record.boot_id, "journal.damaged", 0.0, 0.0, "{}")
            return encode(stand_in, site=self._site, gate=self._gate)

    def _may_send(self) -> bool:
        # The first event goes alone: mosquitto resets the connection of a client that sends more
        # than one which it denies, and the reason would be lost with it.
        return self._window.room > 0 and (self._has_taken or self._window.in_flight == 0)

    def _read_batch(self) -> bool:
        """Read on behind the last event sent, unless there was nothing a moment ago."""
        if self._clock() < self._look_at_s:
            return False
        try:
            self._batch.extend(self._journal.read_after(self._window.last_sent, _READ_BATCH))
            if not self._batch:
                self._check_same_journal()
        except JournalUnavailable as error:
            self._journal_log.failed("%s; trying again every %.0f s", error, self._poll_s)
        else:
            self._journal_log.recovered("the journal can be read again")
        if self._batch:
            return True
        self._look_at_s = self._clock() + self._poll_s
        return False

    def _check_same_journal(self) -> None:
        last_seq, sent_seq = self._journal.last_seq(), self._window.last_sent
        if last_seq < sent_seq:
            self._mismatch_log.failed(
                "the journal ends at %d, but the centre has %d: this is another journal; "
                "its events wait until its numbers are above that, or the position is deleted",
                last_seq,
                sent_seq,
            )
        else:
            self._mismatch_log.recovered("the journal's numbers are beyond the position again")
