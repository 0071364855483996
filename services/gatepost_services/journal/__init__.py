"""The durable event log: what the gate did, in order, until the server has it, and a while longer.

The gate is the only writer (`Journal`, opened by `open_journal`), the link a reader
(`JournalReader`): another process, which needs no write permission.

    gaps      which numbers will never come
    schema    what the file looks like          witness  how far it once went, beside the file
    writer    append, forget, evict, give back  opening  a file that is broken, lost or too short
    reader    pages of records, in order        durable  a thread for the disk, so that no one waits
    bounds    what has to go, and when          verify   is it all there, and as it was written
    snapshot  one moment of any such file       export   JSON Lines and CSV, for people

An object of these modules belongs to the thread that made it, but for `durable.DurableLog`.
"""

from gatepost_services.journal.reader import JournalReader, Page
from gatepost_services.journal.schema import (
    JournalDamaged,
    JournalError,
    JournalLate,
    JournalUnavailable,
    Stats,
)
from gatepost_services.journal.writer import Journal
from gatepost_services.record import Entry, Record

__all__ = [
    "Entry",
    "Journal",
    "JournalDamaged",
    "JournalError",
    "JournalLate",
    "JournalReader",
    "JournalUnavailable",
    "Page",
    "Record",
    "Stats",
]
