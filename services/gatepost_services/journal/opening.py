"""Opens the journal, whatever is in its place: a gate must start.

What is looked at takes a bounded time: the end of the chain, what the witness says, and the whole
file only while it is small. What does not hold is set aside, what no server has yet is taken out of
it, and a new journal begins, linked to the last event that is known of. Its numbers begin so far
above that none can repeat; which ones are lost by that, gap events tell.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from gatepost_services.journal.gaps import MOST_RANGES, gap_entry
from gatepost_services.journal.proof import prove
from gatepost_services.journal.rescue import Told, highest_seq, opened_broken, rescued
from gatepost_services.journal.schema import KIND, JournalDamaged, JournalError, State
from gatepost_services.journal.witness import Seen, claimed, read_witness, witness_path
from gatepost_services.journal.writer import Journal, Sealer
from gatepost_services.record import NO_HASH, Entry, JsonValue
from gatepost_services.sqlite_file import FAILURES, SUFFIXES, explained, set_aside

# A new journal begins this far above the highest number known. More events than that cannot have
# been sent since the link, or the witness, last wrote down how far they were.
SEQ_LEAP = 10_000
# A number beyond reason is a broken or hostile one. What the journal itself comes to after the
# largest of the link's must still be within it.
_LARGEST_LEAP_FROM = 2**53
_LARGEST_DELIVERED = 2**52
_TAIL_EVENTS = 1000
_SMALL_BYTES = 16 * 1024 * 1024
_MAKING, _FRESH = ".making", ".new"

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
        JournalError: the disk or the permissions do not let it, it is of a newer version, or
            another process writes it.
    """
    with ExitStack() as undone, _as_journal_error(path):
        claim = claimed(witness_path(path))
        if claim is not None:
            undone.enter_context(claim)
        known = _known(path, delivered_seq)
        opened = _opened(path, sealer, known, stamp, damage, make=make, clock=clock)
        opened.journal.keep(claim)
        undone.pop_all()
    return opened


def _opened(
    path: Path,
    sealer: Sealer,
    known: _Known,
    stamp: Stamp,
    damage: JournalDamaged | None,
    *,
    make: Callable[..., Journal],
    clock: Callable[[], float],
) -> Opened:
    _tidy(path)
    is_there = any(path.with_name(path.name + suffix).exists() for suffix in SUFFIXES)
    why = damage
    if why is None:
        try:
            if path.exists() or (not is_there and known.last_seq == 0):
                return Opened(_proved(path, sealer, known, make))
            why = JournalDamaged(f"{path}: gone")
        except JournalDamaged as error:
            why = error
    saved = _made(path, sealer, known, stamp, clock)
    aside = _set_aside(path, why) if is_there else None
    path.with_name(path.name + _FRESH).replace(path)
    return Opened(make(path, sealer), aside, str(why), saved)


def _known(path: Path, delivered_seq: int) -> _Known:
    seen = read_witness(witness_path(path)) or Seen(0, NO_HASH)
    return _Known(
        delivered_seq if 0 <= delivered_seq < _LARGEST_DELIVERED else 0,
        seen if seen.last_seq < _LARGEST_LEAP_FROM else Seen(0, NO_HASH),
    )


def _proved(path: Path, sealer: Sealer, known: _Known, make: Callable[..., Journal]) -> Journal:
    """Return the open journal, whose end is what was written and not before what is known.

    Looked at through a connection that only reads: one that writes would, when it closes, put into
    the file what still makes sense of a broken -wal, and delete the rest of it.
    """
    if path.exists():
        if not path.stat().st_size and _size(path.with_name(path.name + "-wal")):
            # SQLite would delete that -wal, and begin a new journal.
            raise JournalDamaged(f"{path}: emptied")
        with opened_broken(path) as connection:
            is_small = path.stat().st_size <= _SMALL_BYTES
            state = prove(path, connection, _TAIL_EVENTS, whole=is_small) or State()
        if state.last_seq < known.last_seq:
            raise JournalDamaged(
                f"{path}: ends at {state.last_seq}, but there was {known.last_seq}"
            )
        if state.last_seq == known.seen.last_seq and state.head != known.seen.head:
            raise JournalDamaged(f"{path}: its last event is not the one that was written")
    return make(path, sealer)


def _made(
    path: Path, sealer: Sealer, known: _Known, stamp: Stamp, clock: Callable[[], float]
) -> int:
    """Make the new journal beside the broken one, whole, with all that can be saved and is told.

    Returns:
        How many events were saved.
    """
    making, told = path.with_name(path.name + _MAKING), Told()
    with opened_broken(path) as connection:
        top = highest_seq(connection, known.last_seq, SEQ_LEAP)
        begin = State(last_seq=top + SEQ_LEAP, head=known.seen.head, pruned=known.delivered_seq)
        with closing(Journal(making, sealer, begin=begin)) as journal:
            rows = rescued(path, connection, (known.delivered_seq, top), told, clock)
            saved = sorted(journal.adopt(rows, known.seen.last_seq, told))
            journal.append(_gaps(known.delivered_seq, saved, top, told, stamp))
    if making.with_name(making.name + "-wal").exists():
        raise JournalError(f"{making}: cannot be finished; see that the disk is not full")
    making.replace(path.with_name(path.name + _FRESH))
    witness_path(making).unlink(missing_ok=True)
    return len(saved)


def _gaps(
    delivered_seq: int, saved: Sequence[int], top: int, told: Told, stamp: Stamp
) -> Iterator[Entry]:
    """Yield the events that tell which numbers are lost, and which are left out."""
    edges = sorted([(delivered_seq, delivered_seq), *((seq, seq) for seq in saved), *told.ranges])
    lost, after = [], delivered_seq
    for first, through in [*edges, (top + 1, top + 1)]:
        if first > after + 1:
            lost.append((after + 1, first - 1))
        after = max(after, through)
    for begin in range(0, len(lost), MOST_RANGES):
        some = lost[begin : begin + MOST_RANGES]
        yield gap_entry(stamp("journal.gap", {"cause": "lost"}), some, None)
    unused = (top + 1, top + SEQ_LEAP)
    yield gap_entry(stamp("journal.gap", {"cause": "unused"}), [unused], None)


def _set_aside(path: Path, why: JournalDamaged) -> Path:
    """Set a broken journal aside, and a copy of its witness: the new one goes on with that."""
    aside = set_aside(path, why)
    with suppress(OSError):
        witness_path(aside).unlink(missing_ok=True)  # another one's
        witness_path(aside).write_bytes(witness_path(path).read_bytes())
    return aside


def _tidy(path: Path) -> None:
    """End what a power cut left.

    The new journal has its final name from the moment that it is whole. It counts once the old one
    is aside; what of the old one was not yet renamed then must not be read as a part of the new.
    """
    fresh, making = path.with_name(path.name + _FRESH), path.with_name(path.name + _MAKING)
    if fresh.exists() and not path.exists():
        if any(path.with_name(path.name + suffix).exists() for suffix in SUFFIXES):
            set_aside(path, JournalDamaged(f"{path}: gone"))
        fresh.replace(path)
    fresh.unlink(missing_ok=True)
    for name in (*(making.name + suffix for suffix in SUFFIXES), witness_path(making).name):
        path.with_name(name).unlink(missing_ok=True)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


@contextmanager
def _as_journal_error(path: Path) -> Iterator[None]:
    """Raise whatever the disk has to say as what the gate reckons with."""
    try:
        yield
    except JournalError:
        raise
    except FAILURES as error:
        raise explained(path, KIND, "open", error) from error
    except OSError as error:
        raise JournalError(
            f"{path}: cannot open the journal, or put a new one in its place: {error.strerror}; "
            "see that this user may write to the folder"
        ) from error
