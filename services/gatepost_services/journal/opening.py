"""Opens the journal, whatever is in its place: a gate must start.

What is looked at takes a bounded time: the end of the chain, what the witness says, and the whole
file only while it is small. What does not hold is set aside, what no server has yet is taken out of
it, and a new journal begins, linked to the last event that is known of. Its numbers begin so far
above that none can repeat; which ones are lost by that, gap events tell.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from gatepost_services.journal.rescue import highest_seq, opened_broken, rescued
from gatepost_services.journal.schema import JournalDamaged, JournalError, State
from gatepost_services.journal.witness import Seen, read_witness, witness_path
from gatepost_services.journal.writer import MOST_RANGES, Journal, Sealer, gap_entry
from gatepost_services.record import NO_HASH, Entry, JsonValue
from gatepost_services.sqlite_file import SUFFIXES, set_aside

# A new journal begins this far above the highest number known. More events than that cannot have
# been sent since the link, or the witness, last wrote down how far they were.
SEQ_LEAP = 10_000
# A number beyond reason is a broken or hostile one.
_LARGEST_LEAP_FROM = 2**53
_TAIL_EVENTS = 1000
_SMALL_BYTES = 16 * 1024 * 1024
_FRESH = ".new"

Stamp = Callable[[str, Mapping[str, JsonValue]], Entry]


class Opened(NamedTuple):
    """An open journal; and the file that was set aside to make place for it, why, and what of it.

    `saved`: how many events were taken over.
    """

    journal: Journal
    aside: Path | None = None
    why: str = ""
    saved: int = 0


class _Known(NamedTuple):
    """What is known of a journal without trusting its file."""

    delivered_seq: int
    seen: Seen

    @property
    def last_seq(self) -> int:
        """The highest number that an event certainly had, 0 if none."""
        return max(self.delivered_seq, self.seen.last_seq)


def open_journal(
    path: Path,
    sealer: Sealer,
    *,
    delivered_seq: int,
    stamp: Stamp,
    damage: JournalDamaged | None = None,
    make: Callable[..., Journal] = Journal,
    clock: Callable[[], float] = time.monotonic,
) -> Opened:
    """Return the journal at `path`, or the one that takes its place.

    `delivered_seq`: through which number a server has everything. `stamp` dates an entry. `damage`:
    what was found in the journal while it was open. `make` is for tests of a failing disk.

    Raises:
        JournalError: the disk or the permissions do not let it, or it is of a newer version.
    """
    known = _known(path, delivered_seq)
    fresh = path.with_name(path.name + _FRESH)
    _tidy(path, fresh)
    is_there = any(path.with_name(path.name + suffix).exists() for suffix in SUFFIXES)
    why = damage
    if why is None:
        try:
            if path.exists() or (not is_there and known.last_seq == 0):
                return Opened(_proved(path, sealer, known, make))
            why = JournalDamaged(f"{path}: gone")
        except JournalDamaged as error:
            why = error
    top, saved = _made(fresh, sealer, path, known, clock)
    aside = set_aside(path, why) if is_there else None
    with _as_journal_error(path):
        fresh.replace(path)
    journal = make(path, sealer)
    with _closed_on_error(journal):
        journal.append(_gaps(known, top, saved, journal.state.last_seq, stamp))
    return Opened(journal, aside, str(why), len(saved))


def _known(path: Path, delivered_seq: int) -> _Known:
    seen = read_witness(witness_path(path)) or Seen(0, NO_HASH)
    return _Known(
        delivered_seq if 0 <= delivered_seq < _LARGEST_LEAP_FROM else 0,
        seen if seen.last_seq < _LARGEST_LEAP_FROM else Seen(0, NO_HASH),
    )


def _proved(path: Path, sealer: Sealer, known: _Known, make: Callable[..., Journal]) -> Journal:
    """Return the open journal, whose end is what was written and not before what is known."""
    journal = make(path, sealer)
    with _closed_on_error(journal):
        last_seq, head = journal.state.last_seq, journal.state.head
        if last_seq < known.last_seq:
            raise JournalDamaged(f"{path}: ends at {last_seq}, but there was {known.last_seq}")
        if last_seq == known.seen.last_seq and head != known.seen.head:
            raise JournalDamaged(f"{path}: its last event is not the one that was written")
        journal.prove(_TAIL_EVENTS, whole=path.stat().st_size <= _SMALL_BYTES)
    return journal


def _made(
    fresh: Path, sealer: Sealer, broken: Path, known: _Known, clock: Callable[[], float]
) -> tuple[int, list[int]]:
    """Make the new journal beside the broken one, with what can be saved.

    Returns:
        The highest number known of, and those of the events that were saved, in order.
    """
    with opened_broken(broken) as connection:
        top = max(known.last_seq, highest_seq(connection, _LARGEST_LEAP_FROM))
        begin = State(last_seq=top + SEQ_LEAP, head=known.seen.head, pruned=known.delivered_seq)
        with closing(Journal(fresh, sealer, begin=begin)) as journal:
            rows = rescued(broken, connection, known.delivered_seq, top, clock)
            saved = journal.adopt(rows, known.seen.last_seq)
    witness_path(fresh).unlink(missing_ok=True)
    return top, sorted(saved)


def _gaps(
    known: _Known, top: int, saved: Sequence[int], last_seq: int, stamp: Stamp
) -> Iterator[Entry]:
    """Yield the events that tell which numbers are lost, and which are left out."""
    edges = [known.delivered_seq, *saved, top + 1]
    lost = [(a + 1, b - 1) for a, b in pairwise(edges) if b - a > 1]
    for begin in range(0, len(lost), MOST_RANGES):
        some = lost[begin : begin + MOST_RANGES]
        yield gap_entry(stamp("journal.gap", {"cause": "lost"}), some, None)
    yield gap_entry(stamp("journal.gap", {"cause": "unused"}), [(top + 1, last_seq)], None)


def _tidy(path: Path, fresh: Path) -> None:
    """End what a power cut left: the new one is put in place only when nothing else is there.

    It was whole when the old one was set aside; until then the old one counts.
    """
    with _as_journal_error(path):
        if fresh.exists() and not path.exists():
            fresh.replace(path)
        for name in (*(fresh.name + suffix for suffix in SUFFIXES), witness_path(fresh).name):
            path.with_name(name).unlink(missing_ok=True)


@contextmanager
def _closed_on_error(journal: Journal) -> Iterator[None]:
    try:
        yield
    except BaseException:
        with suppress(JournalError):
            journal.close()
        raise


@contextmanager
def _as_journal_error(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise JournalError(
            f"{path}: a new journal cannot be put in its place: {error.strerror}; "
            "see that this user may write to the folder"
        ) from error
