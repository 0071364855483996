"""The streams of events on one connection: what goes next, in which form, and what has arrived.

In order of urgency: alarms; live events, which are younger than the connection; the backlog. Each
stream has a topic of its own and keeps its order. The first event of each goes alone, and the
others wait for its acknowledgement: so a topic that is closed is found out by one refusal.
"""

from collections.abc import Callable, Sequence
from math import inf

from gatepost_services.contract.events import event_topic
from gatepost_services.record import Record
from gatepost_services.uplink.bodies import Bodies
from gatepost_services.uplink.channel import Channel, channels
from gatepost_services.uplink.line import NobodyError, RefusedError, Session
from gatepost_services.uplink.pacing import TokenBucket
from gatepost_services.uplink.pages import Pages
from gatepost_services.uplink.progress import NO_END, Progress
from gatepost_services.uplink.refusals import STREAMS, Form, Refusals
from gatepost_services.uplink.run import Run

# The share of the window that the backlog leaves free for what is more urgent.
_RESERVE = 10
# Of bodies in flight, which paho keeps in memory: events may be large.
_MOST_BYTES = 1024 * 1024
_NOBODY = 0x10  # MQTT 5.0, section 3.4.2.1


class Drain:
    """Sends over `session` what `progress` says is not done, through `split` as backlog.

    `split` None: everything is backlog, until it has all gone. `window` bounds what is sent without
    being settled on disk, `in_flight_limit` what is sent without being acknowledged: by the desks,
    too, of whose posts `others_in_flight` tells.
    """

    def __init__(
        self,
        *,
        site: str,
        gate: str,
        pages: Pages,
        session: Session,
        progress: Progress,
        split: int | None,
        window: int,
        in_flight_limit: int,
        bucket: TokenBucket,
        refusals: Refusals,
        bodies: Bodies,
        others_in_flight: Callable[[], int] = lambda: 0,
    ) -> None:
        self._pages = pages
        self._session = session
        self._base = progress
        self._window = window
        self._others_in_flight = others_in_flight
        self._in_flight_limit = in_flight_limit
        self._reserve = _reserve(window), _reserve(in_flight_limit)
        self._bucket = bucket
        self._refusals = refusals
        self._bodies = bodies
        bodies.begin()
        self._alarm, self._live, self._backlog = self._channels = channels(
            progress,
            split,
            {stream: event_topic(site, gate, stream) for stream in STREAMS},
            session,
        )
        self._live_after = NO_END if split is None else split
        self._by_mid: dict[int, tuple[Channel, Record]] = {}
        self._alone: Form | None = None  # what goes alone is on its way, in this form
        self._is_waiting = False  # somebody waits for everything else to arrive first
        self._is_throttled = False  # there is backlog and room, and the pace holds it back
        self._unsettled = 0
        self._bytes = 0  # of the bodies in flight
        self.claimed = progress.watermark  # through where the server says that it has everything
        self.sent = 0  # events that have arrived

    @property
    def in_flight(self) -> int:
        """How many events are sent and not acknowledged."""
        return len(self._by_mid)

    @property
    def unsettled(self) -> int:
        """How many events are sent without that being on disk: what a kill would repeat."""
        return self._unsettled

    @property
    def highest_sent(self) -> int:
        """The highest number that the broker may have by this connection or an earlier one."""
        return max(self.progress().frontier, *(each.run.highest_sent for each in self._channels))

    def progress(self) -> Progress:
        """Return how far everything has arrived by now."""
        progress = self._base.with_alarms(self._alarm.run.low).with_rest(self._backlog.run.low)
        if self._live_after != NO_END:
            progress = progress.with_live(self._live_after, self._live.run.low)
        return progress.with_watermark(self.claimed)

    def is_due(self) -> bool:
        """Whether the progress should be stored now.

        At once when nothing is on its way and nothing will be in a moment; under load only each
        half window, which is one transaction for many events and leaves the other half to keep the
        line busy.
        """
        if not self._by_mid and not self._is_throttled:
            return self._unsettled > 0 or self.progress() != self._base
        return 2 * sum(each.run.arrived_unsettled for each in self._channels) >= self._window

    def settled(self, progress: Progress) -> None:
        """Note that the present progress is stored, in this form."""
        self._base = progress
        self._bodies.settled()
        self._unsettled -= sum(each.run.settle() for each in self._channels)

    def ring(self, now_s: float) -> None:
        """Note that there may be something new in the journal."""
        for channel in self._channels:
            channel.look_at_s = min(channel.look_at_s, now_s)

    def wait_s(self, now_s: float) -> float:
        """Return after how many seconds there may be something to send, infinity for no idea."""
        if self._is_waiting or self._alone is not None or self._room(self._alarm) <= 0:
            return inf
        waits_s = [inf]
        for channel in self._channels:
            paused_s = self._refusals.paused_until_s(channel.stream) - now_s
            if paused_s > 0:
                waits_s.append(paused_s)
            elif channel.run.first is not None:
                if channel is self._backlog and self._room(channel) > 0:
                    waits_s.append(self._bucket.wait_s(now_s))
            elif channel.run.wanted is not None:
                waits_s.append(channel.look_at_s - now_s)
        return min(waits_s)

    def fill(self, now_s: float, post: Callable[[int], None] | None = None) -> None:
        """Send what may be sent, the most urgent first. Raises SessionError.

        `post` is called behind the alarms, with how many posts of the desks there is room for.
        """
        was_waiting = self._is_waiting
        self._is_waiting = self._is_throttled = False
        if self._alone is not None:
            return
        for channel in self._channels:
            # Who waits for everything else to arrive would else wait for ever.
            if channel is self._live and post is not None and not was_waiting:
                # Half of what may be on its way: however much desks have to say, events go on.
                most = max(1, self._in_flight_limit // 2) - self._others_in_flight()
                post(
                    min(most, self._in_flight_limit - len(self._by_mid) - self._others_in_flight())
                )
            if not self._send_from(channel, now_s):
                return
        self._begin_live()

    def note_acknowledgements(self, acked: Sequence[tuple[int, int]], now_s: float) -> None:
        """Note what has arrived; numbers that are none of an event's are left out.

        Raises:
            RefusedError: the broker refused one; all others are noted. NobodyError: because nobody
                has subscribed.
        """
        refused: tuple[Channel, Record, int] | None = None
        reasons = set()
        for mid, reason in acked:
            if mid not in self._by_mid:
                continue
            channel, record = self._by_mid.pop(mid)
            if reason != 0:
                refused = refused or (channel, record, reason)
                reasons.add(reason)
            elif self._alone is not None:
                self._note_alone(channel, record)
            else:
                self._bytes -= len(record.body)
                channel.run.acknowledge(record.seq)
                self._bodies.arrived(record.seq)
                self.sent += 1
        if refused is None:
            return
        channel, record, reason = refused
        self._refusals.refused(
            channel.stream,
            record.seq,
            self._alone or Form.WHOLE,
            reason,
            now_s=now_s,
            is_proven=channel.is_proven,
        )
        error = NobodyError if reasons == {_NOBODY} else RefusedError
        raise error(f"event {record.seq} was refused on {channel.topic}")

    def note_death(self, now_s: float) -> None:
        """Note that the connection died: was it by the one event that was on its way?"""
        if len(self._by_mid) != 1 or self._others_in_flight():
            return
        ((channel, record),) = self._by_mid.values()
        form = self._alone or Form.WHOLE
        self._refusals.died(channel.stream, record.seq, form, now_s=now_s)

    def _room(self, channel: Channel) -> int:
        if self._bytes >= _MOST_BYTES:
            return 0
        in_flight = len(self._by_mid) + self._others_in_flight()
        leaves, leaves_in_flight = self._reserve if channel is self._backlog else (0, 0)
        return min(
            self._window - self._unsettled - leaves,
            self._in_flight_limit - in_flight - leaves_in_flight,
        )

    def _send_from(self, channel: Channel, now_s: float) -> bool:
        """Send what a stream has and may; return whether less urgent ones may go on."""
        if self._refusals.paused_until_s(channel.stream) > now_s:
            return True
        room = self._room(channel)
        allowance = self._bucket.allowance(now_s) if channel is self._backlog else None
        if allowance is not None:
            room = min(room, allowance)
        run, suspects, sent = channel.run, self._refusals.suspects, 0
        may_go_on = True
        while (record := run.first) is not None or self._pages.read(channel, now_s):
            if record is None:
                continue
            if room <= 0 or self._bytes >= _MOST_BYTES:
                self._is_throttled = self._room(channel) > 0
                break
            if not channel.is_proven or record.seq in suspects:
                may_go_on, alone = self._send_alone(channel, record, now_s)
                sent += alone
                break
            payload = self._bodies.of(record, channel.most_body_bytes)
            if payload is None:
                self._refusals.pause(channel.stream, now_s)
                break
            self._send(channel, record, payload)
            sent += 1
            room -= 1
        if sent and allowance is not None:
            self._bucket.take(sent)
        return may_go_on

    def _send(self, channel: Channel, record: Record, payload: bytes) -> None:
        mid = self._session.publish(channel.topic, payload)
        channel.run.sent()
        self._unsettled += 1
        self._bytes += len(record.body)
        self._by_mid[mid] = channel, record

    def _send_alone(self, channel: Channel, record: Record, now_s: float) -> tuple[bool, int]:
        """Send what needs everything else out of the way.

        Return whether less urgent streams may go on, and how many events went.
        """
        if self._by_mid or self._others_in_flight():
            self._is_waiting = True
            return False, 0
        form = self._refusals.suspects.get(record.seq, Form.WHOLE)
        if form is Form.WHOLE and record.seq in self._refusals.suspects and not channel.is_proven:
            probe = self._pages.probe(channel, record.seq)
            if probe is not None:
                self._by_mid[self._session.publish(channel.topic, probe.body)] = channel, probe
                self._alone = Form.PROBE
                return False, 1
        payload = self._bodies.of(record, channel.most_body_bytes, is_refused=form is Form.STAND_IN)
        if payload is None:
            self._refusals.pause(channel.stream, now_s)
            return True, 0
        self._send(channel, record, payload)
        self._alone = form
        return False, 1

    def _note_alone(self, channel: Channel, record: Record) -> None:
        form, self._alone = self._alone, None
        channel.is_proven = True
        if form is not None:
            self._refusals.taken(channel.stream, record.seq, form)
        if form is not Form.PROBE:
            self._bytes -= len(record.body)
            channel.run.acknowledge(record.seq)
            self._bodies.arrived(record.seq)
            self.sent += 1

    def _begin_live(self) -> None:
        """Where all was backlog: once that has gone, what is new is live again."""
        run = self._backlog.run
        if self._live_after != NO_END or not run.is_idle or not self._backlog.is_caught_up:
            return
        if run.arrived_unsettled or self.progress() != self._base:
            return
        self._live_after = run.read_through
        self._live.run = Run([(run.read_through, NO_END)])
        self._backlog.run = Run(())


def _reserve(limit: int) -> int:
    return max(1, limit // _RESERVE) if limit > 1 else 0
