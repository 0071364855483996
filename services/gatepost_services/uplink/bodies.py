"""What goes out for an event: its own bytes, or in their place a stand-in that says why not."""

import logging
import time
from collections.abc import Callable
from hashlib import sha256

from gatepost_services.contract.events import Why, withheld_body
from gatepost_services.edge_log import EdgeLog
from gatepost_services.record import Record
from gatepost_services.uplink.store import SetApart

_LOG = logging.getLogger(__name__)


class Bodies:
    """Chooses what goes out, over all connections. `utc_clock`: POSIX seconds of the wall clock."""

    def __init__(self, site: str, gate: str, *, utc_clock: Callable[[], float] = time.time) -> None:
        self._site = site
        self._gate = gate
        self._utc_clock = utc_clock
        self._on_their_way: dict[int, SetApart] = {}
        self._arrived: list[SetApart] = []
        self._damage_log = EdgeLog(_LOG, logging.ERROR)
        self._size_log = EdgeLog(_LOG, logging.ERROR)
        self._apart_log = EdgeLog(_LOG, logging.ERROR)

    @property
    def set_apart(self) -> tuple[SetApart, ...]:
        """The events whose stand-ins have arrived since the last `settled`."""
        return tuple(self._arrived)

    def begin(self) -> None:
        """Forget the stand-ins that were on their way: the connection is new."""
        self._on_their_way.clear()

    def of(self, record: Record, most_bytes: int, *, is_refused: bool = False) -> bytes | None:
        """Return what goes out for an event, None if not even a stand-in fits `most_bytes`.

        `is_refused`: the broker does not take the event itself.
        """
        body = record.body
        why: Why | None = "refused" if is_refused else None
        if sha256(body).digest() != record.hash:
            # A damaged disk. Its number still goes out, in order, and says that its content is
            # lost; to stop here would hold back everything behind it for ever.
            self._damage_log.failed(
                "event %d of the journal is damaged; its number goes out, and that it is",
                record.seq,
            )
            why = "damaged"
        elif len(body) > most_bytes:
            self._size_log.failed(
                "event %d has %d bytes, and the broker takes %d; raise the broker's limit",
                record.seq,
                len(body),
                most_bytes,
            )
            why = "too_large"
        if why is None:
            return body
        self._on_their_way[record.seq] = SetApart(record.seq, record.hash, why, self._utc_clock())
        stand_in = withheld_body(self._site, self._gate, record, why)
        return stand_in if len(stand_in) <= most_bytes else None

    def arrived(self, seq: int) -> None:
        """Note that the broker took what went out for an event."""
        if not self._on_their_way:
            return
        apart = self._on_their_way.pop(seq, None)
        if apart is not None:
            self._arrived.append(apart)
            self._apart_log.failed(
                "event %d is set apart (%s): its number and hash went out in its place, and the "
                "journal keeps it a while; the status names the last ones",
                seq,
                apart.why,
            )

    def settled(self) -> None:
        """Note that what `set_apart` names is on disk."""
        self._arrived.clear()
