"""One stream on one connection: its topic, its run through the journal, and what is known of it."""

from collections.abc import Mapping

from gatepost_services.contract.events import Stream
from gatepost_services.record import EventClass
from gatepost_services.uplink.line import Session
from gatepost_services.uplink.progress import NO_END, Progress
from gatepost_services.uplink.run import Run

ALARMS = (EventClass.ALARM,)
OTHERS = (EventClass.LIVE, EventClass.BOOKKEEPING, EventClass.TELEMETRY)


class Channel:
    """A stream and how it stands on this connection.

    `is_proven`: the broker has taken something on its topic. `look_at_s`: the instant from which
    the journal is worth reading. `is_caught_up`: at the last look there was nothing more.
    `page_records`: how many to read at a time.
    """

    def __init__(
        self,
        stream: Stream,
        topic: str,
        classes: tuple[EventClass, ...],
        run: Run,
        most_body_bytes: int,
    ) -> None:
        self.stream: Stream = stream
        self.topic = topic
        self.classes = classes
        self.run = run
        self.most_body_bytes = most_body_bytes
        self.is_proven = False
        self.is_caught_up = False
        self.look_at_s = 0.0
        self.page_records = 0


def channels(
    progress: Progress, split: int | None, topics: Mapping[Stream, str], session: Session
) -> tuple[Channel, Channel, Channel]:
    """Return the channels of the alarms, the live events and the backlog."""
    runs: dict[Stream, Run] = {
        "alarm": Run([(progress.alarm, NO_END)]),
        "live": Run(() if split is None else [(max(split, progress.frontier), NO_END)]),
        "backlog": Run(progress.backlog(split)),
    }

    def channel(stream: Stream, classes: tuple[EventClass, ...]) -> Channel:
        room = session.maximum_packet_bytes - session.packet_bytes(topics[stream], b"")
        return Channel(stream, topics[stream], classes, runs[stream], room)

    return channel("alarm", ALARMS), channel("live", OTHERS), channel("backlog", OTHERS)
