"""Reads the journal for the streams: small pages, and no more often than there can be news."""

import logging
from collections.abc import Callable
from hashlib import sha256

from gatepost_services.edge_log import EdgeLog
from gatepost_services.journal import JournalReader, JournalUnavailable, Record
from gatepost_services.uplink.channel import Channel

_LOG = logging.getLogger(__name__)
MOST_RECORDS = 200
_FIRST_RECORDS = 50
# What a stream may keep in memory; the pages shrink where events are large.
_PAGE_BYTES = 256 * 1024


class Pages:
    """Reads `journal` for any number of connections; tries again every `poll_s` without a ring.

    `is_set_apart` tells of an event's number that no probe may be made of it.
    """

    def __init__(
        self, journal: JournalReader, poll_s: float, is_set_apart: Callable[[int], bool]
    ) -> None:
        self._journal = journal
        self._poll_s = poll_s
        self._is_set_apart = is_set_apart
        self._journal_log = EdgeLog(_LOG)
        self._mismatch_log = EdgeLog(_LOG, logging.ERROR)

    def last_seq(self) -> int | None:
        """Return the highest number of the journal, None if it cannot be read now."""
        try:
            last_seq = self._journal.last_seq()
        except JournalUnavailable as error:
            self._journal_log.failed("%s; trying again every %.0f s", error, self._poll_s)
            return None
        self._journal_log.recovered("the journal can be read again")
        return last_seq

    def read(self, channel: Channel, now_s: float) -> bool:
        """Read on for a stream, unless there was nothing a moment ago; return whether it has more.

        With True and nothing to send, call again: an interval ended.
        """
        wanted = channel.run.wanted
        if wanted is None or now_s < channel.look_at_s:
            return False
        after, through = wanted
        limit = channel.page_records or _FIRST_RECORDS
        try:
            page = self._journal.read(after, limit, channel.classes, through)
        except JournalUnavailable as error:
            self._journal_log.failed("%s; trying again every %.0f s", error, self._poll_s)
            channel.look_at_s = now_s + self._poll_s
            return False
        self._journal_log.recovered("the journal can be read again")
        self._check_same_journal(after, page.through)
        channel.run.take(page.records, page.through)
        size = sum(len(record.body) for record in page.records)
        if size:
            channel.page_records = min(
                MOST_RECORDS, 2 * limit, max(1, _PAGE_BYTES * len(page.records) // size)
            )
        channel.is_caught_up = len(page.records) < limit and page.through < through
        if channel.is_caught_up:
            channel.look_at_s = now_s + self._poll_s
        return bool(page.records) or not channel.is_caught_up

    def probe(self, channel: Channel, before_seq: int) -> Record | None:
        """Return the last sound event of a stream before a number, None if there is none left."""
        after = max(0, before_seq - 1 - MOST_RECORDS)
        try:
            page = self._journal.read(after, MOST_RECORDS, channel.classes, before_seq - 1)
        except JournalUnavailable:
            return None
        for record in reversed(page.records):
            is_sound = sha256(record.body).digest() == record.hash
            if (
                is_sound
                and len(record.body) <= channel.most_body_bytes
                and not self._is_set_apart(record.seq)
            ):
                return record
        return None

    def _check_same_journal(self, after: int, through: int) -> None:
        if through < after:
            self._mismatch_log.failed(
                "the journal ends at %d, but the centre has %d: this is another journal; "
                "its events wait until its numbers are above that, or the link's memory is deleted",
                through,
                after,
            )
        else:
            self._mismatch_log.recovered("the journal's numbers are beyond the progress again")
