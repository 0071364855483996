"""The link: brings the journal to the broker, in order, whole, for as long as it takes.

Theory of operation. One thread, one place that waits (`_wait`), for three descriptors: the
doorbell, the broker's socket, and a socket pair by which `wake` ends the wait. A turn takes what
is ready, notes acknowledgements, fills the window from the journal, and stores the progress when
there is reason to. There is no queue: what is not acknowledged is read again from the journal.

    disconnected --retry_at_s--> waiting for CONNACK --connected--> draining (`Drain`)
         ^                               |                             |
         +------- back-off, jitter ------+-- SessionError, refusal, ---+
                                             watermark fell or overdue,
                                             new certificates

Whatever else there is to do on the connection is done by desks (`desk`, `posting`): commands,
documents, status, presence. They also work while the journal cannot be read.

An event may arrive twice (never more than a window of them after a crash); it is never skipped: a
new connection begins at the stored progress, and an event that the broker will not have is
replaced by one that says so (`refusals`).
"""

import logging
import selectors
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from gatepost_services.contract.events import event_source, status_topic, watermark_topic
from gatepost_services.doorbell import DoorbellListener
from gatepost_services.edge_log import EdgeLog
from gatepost_services.journal import JournalReader
from gatepost_services.record import JsonValue
from gatepost_services.uplink.backoff import Backoff
from gatepost_services.uplink.bodies import Bodies
from gatepost_services.uplink.confirming import Confirming
from gatepost_services.uplink.desk import Desk
from gatepost_services.uplink.drain import Drain
from gatepost_services.uplink.line import NobodyError, RefusedError, Session, SessionError
from gatepost_services.uplink.pacing import TokenBucket
from gatepost_services.uplink.pages import Pages
from gatepost_services.uplink.patience import LineLog, Patience
from gatepost_services.uplink.posting import Posting
from gatepost_services.uplink.presence import PresenceDesk
from gatepost_services.uplink.progress import Progress
from gatepost_services.uplink.refusals import Refusals
from gatepost_services.uplink.status import Counts, StatusDesk
from gatepost_services.uplink.store import ProgressStore
from gatepost_services.uplink.waker import Waker

_LOG = logging.getLogger(__name__)
_TICK_S, _LIVELY_TICK_S = 1.0, 0.25
_FINISH_S = 0.5


class _AnewError(SessionError):
    """The connection ends because a new one is wanted at once."""


class Link:
    """Drains `journal` to the broker that `new_session` reaches, and keeps its progress in `store`.

    `window` bounds the events that are sent and not settled on disk, and so the duplicates after a
    crash; it and the broker's Receive Maximum bound what is in flight. `backlog_rate` is in events
    a second, 0 for no limit. `confirm_timeout_s`: how long the server may leave acknowledged events
    unconfirmed before they go out again (with a store that keeps until the watermark).
    `status_s` is how often the status is published, `poll_s` how soon the journal is looked at
    again without a ring, `ack_timeout_s` how long the broker may keep silent about an event.
    `presence` and `desks` are what else there is to do, in this order; `status_more` returns what
    they add to the status. `is_renewed`, asked at least once a second, tells that a new connection
    would be a better one: it has newer certificates. `clock` is monotonic.

    The caller keeps `journal`, `store` and `doorbell` and closes them after `run`. All of it,
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
        store: ProgressStore,
        doorbell: DoorbellListener,
        new_session: Callable[[], Session],
        backoff: Backoff,
        window: int = 500,
        backlog_rate: float = 500.0,
        confirm_timeout_s: float = 900.0,
        status_s: float = 60.0,
        poll_s: float = 5.0,
        ack_timeout_s: float = 30.0,
        presence: PresenceDesk | None = None,
        desks: Sequence[Desk] = (),
        status_more: Callable[[], Mapping[str, JsonValue]] = dict,
        is_renewed: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = time.monotonic,
        selector: selectors.BaseSelector | None = None,
    ) -> None:
        _check(site, gate, window)
        self._site, self._gate = site, gate
        self._journal, self._store, self._doorbell = journal, store, doorbell
        self._new_session, self._backoff = new_session, backoff
        self._patience, self._clock = Patience(ack_timeout_s), clock
        self._pages = Pages(journal, poll_s, lambda seq: seq in store.set_apart)
        self._window, self._poll_s = window, poll_s
        self._refusals, self._bodies = Refusals(backoff), Bodies(site, gate)
        self._bucket = TokenBucket(backlog_rate, clock())
        self._confirming = Confirming(
            watermark_topic(site, gate), store.keep_until, confirm_timeout_s, store.progress
        )
        self._session: Session | None = None
        self._drain: Drain | None = None
        self._retry_at_s = self._look_at_s = clock()
        self._session_fd, self._is_accepted, self._resent = -1, False, 0
        self._is_renewed, self._renewed_at_s = is_renewed, clock()
        self._presence, topic, figures = presence, status_topic(site, gate), self._figures
        self._status = StatusDesk(
            topic, journal, figures, status_more, every_s=status_s, now_s=clock()
        )
        own: list[Desk] = [] if presence is None else [presence]
        self._posting = Posting([*own, self._confirming, self._status, *desks])
        self._line_log, self._store_log = LineLog(), EdgeLog(_LOG, logging.ERROR)
        self._waker, self._selector = Waker(), selector or selectors.DefaultSelector()
        for heard in (self._waker.fileno(), doorbell.fileno()):
            self._selector.register(heard, selectors.EVENT_READ)

    def run(self, stop: Callable[[], bool]) -> None:
        """Drain until `stop()` is true, then end the session in good order and close.

        `stop` is asked after each wait: at least once a second, and at once after `wake`. While a
        connection is being opened, `MqttSession.connect` may block for its timeout.
        """
        try:
            while not stop():
                self._turn()
            self._finish()
        finally:
            self.close()

    def wake(self) -> None:
        """End the present wait. For any thread, and for a signal handler beside `stop`."""
        self._waker.wake()

    def close(self) -> None:
        """End the session and give the link's own descriptors back. `run` does it at its end."""
        self._end_session(is_dead=False, is_last=True)
        self._selector.close()
        self._waker.close()

    def _turn(self) -> None:
        events = self._wait()
        if self._session is None:
            if self._clock() >= self._retry_at_s:
                self._connect()
            return
        try:
            self._serve(self._session, events)
        except _AnewError:
            self._end_session(is_dead=False)
            self._retry_at_s = self._clock()
        except SessionError as error:
            self._end_session(is_dead=not isinstance(error, RefusedError))
            self._retry_later(error)

    def _finish(self) -> None:
        """Give what is on its way a moment to arrive, so that a restart repeats nothing."""
        until_s = self._clock() + _FINISH_S
        if self._presence is not None:
            self._presence.stop()
        with suppress(SessionError):
            while self._session is not None and self._is_busy():
                if self._clock() >= until_s:
                    return
                self._posting.fill_alone(self._session, self._clock())
                self._session.flush()
                if self._wait(until_s - self._clock()) & selectors.EVENT_READ:
                    self._session.on_readable()
                self._note_acknowledgements(self._session, self._drain)

    def _is_busy(self) -> bool:
        if self._session is None or not self._session.connected:
            return False
        is_said = self._presence is None or self._presence.is_said
        return not is_said or bool(
            self._posting.in_flight or (self._drain and self._drain.in_flight)
        )

    def _wait(self, most_s: float = _TICK_S) -> int:
        """Return the events of the broker's socket, after at most `most_s`: the only wait."""
        timeout_s = most_s
        if self._posting.is_lively(self._clock()):
            timeout_s = min(timeout_s, _LIVELY_TICK_S)
        if self._session is not None and self._session.has_unread:
            timeout_s = 0.0
        elif self._session is None:
            timeout_s = min(timeout_s, self._retry_at_s - self._clock())
        elif self._drain is not None:
            timeout_s = min(timeout_s, self._drain.wait_s(self._clock()))
        session_events = 0
        for key, events in self._selector.select(max(timeout_s, 0.0)):
            if key.fd == self._session_fd:
                session_events = events
            elif key.fd == self._waker.fileno():
                self._waker.drain()
            elif self._doorbell.drain() and self._drain is not None:
                self._drain.ring(self._clock())
        if self._session is not None and self._session.has_unread:
            session_events |= selectors.EVENT_READ
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
        if not isinstance(error, RefusedError):  # which is told where it is dealt with
            self._line_log.failed(error, delay_s)

    def _end_session(self, *, is_dead: bool, is_last: bool = False) -> None:
        session, self._session = self._session, None
        drain, self._drain = self._drain, None
        self._is_accepted = False
        if session is None:
            return
        now_s = self._clock()
        try:
            self._note_acknowledgements(session, drain)
        except RefusedError:
            is_dead = False
        if drain is not None:
            if is_dead:
                drain.note_death(now_s)
            self._settle(drain)
        self._posting.ended(session, now_s, is_dead=is_dead)
        self._selector.unregister(self._session_fd)
        self._session_fd = -1
        # Only who said that this is the end takes the will back.
        is_said = is_last and (self._presence is None or self._presence.is_said)
        session.close(keeps_will=self._presence is not None and not is_said)

    def _serve(self, session: Session, events: int) -> None:
        if events & selectors.EVENT_READ:
            session.on_readable()
        if events & selectors.EVENT_WRITE:
            session.on_writable()
        session.tick()
        if session.connected:
            self._go_on_anyway(session)
        session.flush()
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if session.wants_write() else 0)
        if self._selector.get_key(self._session_fd).events != wanted:
            self._selector.modify(self._session_fd, wanted)

    def _begin_draining(self, session: Session, now_s: float) -> None:
        if now_s < self._look_at_s:
            return
        last_seq = self._pages.last_seq()
        if last_seq is None:
            self._look_at_s = now_s + self._poll_s
            return
        progress = self._store.progress
        self._drain = Drain(
            site=self._site,
            gate=self._gate,
            pages=self._pages,
            session=session,
            progress=progress,
            split=None if progress.is_full else max(last_seq, progress.frontier),
            window=self._window,
            in_flight_limit=max(1, min(self._window, session.receive_maximum)),
            bucket=self._bucket,
            refusals=self._refusals,
            bodies=self._bodies,
            others_in_flight=lambda: self._posting.in_flight,
        )
        self._confirming.begin(self._drain)

    def _go_on_anyway(self, session: Session) -> None:
        """Go on, also where nobody hears events: commands and answers do not wait for that."""
        try:
            self._go_on(session, self._clock())
        except NobodyError:
            if self._drain is None or self._drain.in_flight:
                raise
            self._settle(self._drain)
            self._drain = None
            # At once: the stream pauses now, and everything else has its turn.
            self._go_on(session, self._clock())

    def _go_on(self, session: Session, now_s: float) -> None:
        if not self._is_accepted:
            self._is_accepted, self._look_at_s = True, now_s
            self._patience.begin(now_s)
            self._posting.begin(session, now_s)
        self._note_acknowledgements(session, self._drain)
        self._posting.hear(session, now_s)
        if self._drain is None:
            self._begin_draining(session, now_s)
        drain = self._drain
        if drain is None:
            self._posting.fill_alone(session, now_s)
        else:
            self._confirming.hear(session, drain)
            self._fill(session, drain, now_s)
            through = self._confirming.rewind_to(drain, now_s)
            if through is not None:
                self._rewind(drain, through)
        self._check_progress(drain, now_s)

    def _fill(self, session: Session, drain: Drain, now_s: float) -> None:
        drain.fill(now_s, lambda most: self._posting.fill(session, most, now_s))
        if drain.is_due():
            self._settle(drain)
            drain.fill(now_s)

    def _note_acknowledgements(self, session: Session, drain: Drain | None) -> None:
        acked = session.take_acked()
        if not acked:
            return
        now_s = self._clock()
        before = drain.sent if drain is not None else 0
        try:
            try:
                self._posting.note_acknowledgements(acked, now_s)
            finally:  # both are to know, also where both were refused
                if drain is not None:
                    drain.note_acknowledgements(acked, now_s)
        finally:
            self._patience.heard(now_s)
            if drain is not None and drain.sent > before:
                self._status.taken += drain.sent - before
                self._prove()

    def _rewind(self, drain: Drain, through: int) -> None:
        progress = drain.progress()
        if not self._settle(drain):
            return
        try:
            self._store.save(progress.rewound(through))
        except OSError as error:
            self._store_log.failed("%s", error)
            return
        self._resent += progress.acknowledged - through
        self._drain = None  # whose progress is no longer the one
        raise _AnewError("everything above the watermark goes out again")

    def _check_progress(self, drain: Drain | None, now_s: float) -> None:
        in_flight = self._posting.in_flight + (drain.in_flight if drain is not None else 0)
        if self._patience.check(in_flight, now_s):
            self._prove()
        if now_s >= self._renewed_at_s:
            self._renewed_at_s = now_s + _TICK_S
            if self._is_renewed():
                _LOG.info("new certificates: connecting with them")
                raise _AnewError("new certificates")

    def _prove(self) -> None:
        self._backoff.reset()
        self._line_log.recovered()

    def _settle(self, drain: Drain) -> bool:
        progress = drain.progress()
        try:
            self._store.save(progress, self._bodies.set_apart)
        except OSError as error:
            # Not settled: the window fills up and waits, and each turn tries again.
            self._store_log.failed("%s", error)
            return False
        drain.settled(progress)
        self._store_log.recovered("the progress can be stored again")
        return True

    def _figures(self, now_s: float) -> tuple[Progress, Counts] | None:
        """Return what the status tells."""
        drain = self._drain
        if drain is None:
            return None
        set_apart, paused = tuple(self._store.set_apart), tuple(self._refusals.paused(now_s))
        counts = Counts(set_apart, self._resent, paused, self._status.rate(now_s))
        return drain.progress(), counts


def _check(site: str, gate: str, window: int) -> None:
    if window < 1:
        raise ValueError(f"window of {window} events; at least 1 must fit")
    event_source(site, gate)  # raises for names that are not good
