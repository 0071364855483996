"""Which events and which topics the broker refuses, and what is tried next.

    an event is refused, or the connection dies three times with it alone on its way: a suspect
        |  next connection, alone: an older event of the stream (a probe), then the suspect, whole
        |--- probe refused: it is the topic. The stream pauses; nothing else does.
        |--- suspect taken: nothing was wrong with it.
        '--- suspect refused again: next connection, alone: a stand-in with its number and hash
                |--- taken: the event is set apart, and the stream goes on behind it.
                '--- refused: it is the topic after all. The stream pauses.

The probe is what keeps a sound event from being given up for a topic that was allowed between two
tries. Alone, and one refusal a connection, because mosquitto 2.0.11 resets the connection of a
client at the second event that it denies, and the reason is lost with it.

What was on its way behind a refused event may have arrived by then. It comes again, in order,
behind the event or its stand-in: the server knows it by its number.
"""

import logging
from enum import Enum

from gatepost_services.contract.events import Stream
from gatepost_services.edge_log import EdgeLog
from gatepost_services.uplink.backoff import Backoff

_LOG = logging.getLogger(__name__)
STREAMS: tuple[Stream, ...] = ("alarm", "live", "backlog")
# Nobody has subscribed, identifier in use, quota exceeded: never the event's own fault. Not
# authorized, topic name invalid: hardly ever. MQTT 5.0, section 3.4.2.1.
_NEVER_THE_EVENT = {0x10, 0x91, 0x97}
_RATHER_THE_TOPIC = {0x87, 0x90}
_MOST_DEATHS = 3
# Beyond that many suspects the oldest is taken for a sound event again.
_MOST_SUSPECTS = 100


class Form(Enum):
    """In which form an event is sent."""

    WHOLE = "whole"
    STAND_IN = "stand-in"
    PROBE = "probe"  # an older event again, to see whether the topic is open


class Refusals:
    """What has been refused, over all connections. `backoff` gives its bounds to the pauses."""

    def __init__(self, backoff: Backoff) -> None:
        self.suspects: dict[int, Form] = {}
        self._paused_until_s: dict[Stream, float] = {}
        self._backoffs = {stream: backoff.another() for stream in STREAMS}
        self._logs = {stream: EdgeLog(_LOG, logging.ERROR) for stream in STREAMS}
        self._dead: tuple[int, Form] | None = None
        self._deaths = 0

    def paused_until_s(self, stream: Stream) -> float:
        """Return the instant from which the stream may be tried, in the past if it may."""
        return self._paused_until_s.get(stream, 0.0)

    def paused(self, now_s: float) -> list[Stream]:
        """Return the streams that wait for their topic."""
        return [stream for stream, until_s in self._paused_until_s.items() if until_s > now_s]

    def taken(self, stream: Stream, seq: int, form: Form) -> None:
        """Note that the broker took an event that went alone."""
        self._backoffs[stream].reset()
        self._paused_until_s.pop(stream, None)
        if form is not Form.PROBE:
            self._logs[stream].recovered("the broker takes events of stream %s again", stream)
            self.suspects.pop(seq, None)

    def refused(
        self,
        stream: Stream,
        seq: int,
        form: Form,
        reason: int,
        *,
        now_s: float,
        is_proven: bool,
    ) -> None:
        """Note a refusal. `is_proven`: this connection has taken another event of that topic."""
        self._logs[stream].failed(
            "the broker keeps no event %d of stream %s (reason 0x%02X): it may not take it, or "
            "nobody has subscribed; see its access list and the centre; trying again for ever",
            seq,
            stream,
            reason,
        )
        if not is_proven or reason in _NEVER_THE_EVENT:
            self.pause(stream, now_s)
        if form is Form.PROBE or reason in _NEVER_THE_EVENT:
            return
        if form is Form.STAND_IN:
            self._suspect(seq, Form.WHOLE)
        elif seq in self.suspects and (is_proven or reason not in _RATHER_THE_TOPIC):
            self._suspect(seq, Form.STAND_IN)
        else:
            self._suspect(seq, self.suspects.get(seq, Form.WHOLE))

    def died(self, stream: Stream, seq: int, form: Form, *, now_s: float) -> None:
        """Note that a connection died with this event alone on its way."""
        self._deaths = self._deaths + 1 if self._dead == (seq, form) else 1
        self._dead = (seq, form)
        if form is Form.PROBE or self._deaths < _MOST_DEATHS:
            return
        if form is Form.STAND_IN:
            self._suspect(seq, Form.WHOLE)
            self.pause(stream, now_s)
        elif seq in self.suspects:
            self._suspect(seq, Form.STAND_IN)
        else:
            _LOG.warning("the connection died %d times with event %d alone", self._deaths, seq)
            # The next death, behind a probe that was taken, decides.
            self._suspect(seq, Form.WHOLE)

    def pause(self, stream: Stream, now_s: float) -> None:
        """Leave a stream alone for a while."""
        self._paused_until_s[stream] = now_s + self._backoffs[stream].next_s()

    def _suspect(self, seq: int, form: Form) -> None:
        self.suspects.pop(seq, None)
        self.suspects[seq] = form
        if len(self.suspects) > _MOST_SUSPECTS:
            del self.suspects[next(iter(self.suspects))]
