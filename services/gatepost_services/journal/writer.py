"""The writer of the journal: append, forget what is delivered, give up what does not fit."""

import sqlite3
from collections.abc import Container, Iterable
from contextlib import suppress
from hashlib import sha256
from io import FileIO
from pathlib import Path
from typing import NamedTuple, Protocol

from gatepost_services.contract.classes import class_of
from gatepost_services.journal.gaps import MOST_RANGES, gap_entry, joined, ranges_of
from gatepost_services.journal.proof import fits, is_as_written, prove
from gatepost_services.journal.schema import (
    ALL_CLASSES,
    INSERT,
    KIND,
    UPDATE_STATE,
    JournalDamaged,
    JournalError,
    State,
    Stats,
    appended,
    fill,
    merged,
    stats_of,
    stored_state,
    with_newer,
)
from gatepost_services.journal.witness import Witness, witness_path
from gatepost_services.record import Entry, EventClass, Record
from gatepost_services.sqlite_file import FAILURES, SqliteWriter, explained

MOST_EVICTED = 1000
# What the file comes to is written down each so many events: it would double what each event costs
# an SD card. So many are counted when the file is opened.
_STATE_EACH = 256
Dated = tuple[float, float]  # from and to, POSIX seconds, both inclusive
EVER: Dated = (-9e999, 9e999)
NEVER: Dated = (9e999, -9e999)
_NO_LIMIT = 2**63 - 1
_READ_ALL = merged(ALL_CLASSES)
# By class, in the order of ALL_CLASSES: an index is ten times faster than an enum's hash.
_Rows = tuple[list[tuple[int, float, bytes, bytes]], ...]
# What the -wal may keep of the disk after a burst.
_WAL_BYTES = 4 * 1024 * 1024


class Sealer(Protocol):
    """Makes the body of an event; `gatepost_services.contract.events.Envelope` is the real one."""

    def seal(self, entry: Entry, seq: int, previous: bytes) -> bytes:
        """Return the body. Raises ValueError for data that no event can carry."""
        ...


class Checked(NamedTuple):
    """How far the journal was looked through, None for its end; and whose bodies are broken."""

    through: int | None
    broken: list[int]


class Journal(SqliteWriter):
    """An open journal: what it takes gets a number for ever, and is on disk when it says so.

    Creates the file when there is none, beginning as `begin` says. Nothing is checked here of what
    an older file holds; `gatepost_services.journal.opening.open_journal` does that.
    `connection_class` is for tests of a failing disk.

    Raises:
        JournalDamaged: the file is no journal, or a broken one.
        JournalError: it cannot be opened, or is of a newer version.
    """

    def __init__(
        self,
        path: Path,
        sealer: Sealer,
        *,
        begin: State = State(),  # noqa: B008 - immutable
        busy_timeout_s: float = 1.0,
        connection_class: type[sqlite3.Connection] = sqlite3.Connection,
    ) -> None:
        self._sealer = sealer
        self._begin = begin
        self._state = self._stored = begin
        self._claim: FileIO | None = None
        super().__init__(
            path, KIND, busy_timeout_s=busy_timeout_s, connection_class=connection_class
        )
        self._witness = Witness(witness_path(path))
        try:
            self._stored = stored_state(self._connection)
            self._state = with_newer(self._connection, self._stored)
        except FAILURES as error:
            self.close()
            raise explained(path, KIND, "read", error) from error
        except (TypeError, ValueError) as error:
            self.close()
            raise JournalDamaged(f"{path}: its state makes no sense") from error

    @property
    def path(self) -> Path:
        """Where the file is."""
        return self._path

    @property
    def state(self) -> State:
        """What the file comes to."""
        return self._state

    def close(self) -> None:
        """Close the file. SQLite then moves everything into the main file and removes the -wal."""
        if self._state.last_seq != self._stored.last_seq:
            # Where it cannot be written it is counted, as after a kill.
            with suppress(JournalError), self._transaction("close") as connection:
                self._keep_state(connection, self._state)
        super().close()
        self._witness.close()
        if self._claim is not None:
            self._claim.close()

    def keep(self, claim: FileIO | None) -> None:
        """Keep what locks other processes out until `close`; see `witness.claimed`."""
        self._claim = claim

    def append(self, entries: Iterable[Entry]) -> int:
        """Keep all entries or none; return the number of the last. Durable when it returns.

        Blocks for one fsync, and every 4 MB for a checkpoint as well.

        Raises:
            JournalError: not kept. The next call starts on a fresh connection.
            ValueError: data that JSON cannot hold (NaN, infinity) or more than 48 KiB of it.
        """
        entries = tuple(entries)
        is_due = self._state.last_seq + len(entries) - self._stored.last_seq >= _STATE_EACH
        if len(entries) == 1 and not is_due:
            self._append_one(entries[0])
        elif entries:
            rows, state = self._sealed(entries, self._state)
            with self._transaction("append to") as connection:
                if is_due:
                    self._keep_state(connection, state)
                self._write(connection, rows)
            self._settle(state, is_stored=is_due)
        return self._state.last_seq

    def _append_one(self, entry: Entry) -> None:
        """Append as nearly always: one event, one statement, with nothing around it."""
        was = self._state
        seq = was.last_seq + 1
        body = self._sealer.seal(entry, seq, was.head)
        head = sha256(body).digest()
        event_class = class_of(entry.type)
        self._commit("append to", INSERT[event_class], (seq, entry.utc_s, head, body))
        self._state = appended(was, event_class, head, len(body))
        self._witness.note(seq, head)

    def forget(self, through_seq: int, dated: Dated = NEVER, *, max_rows: int = 1000) -> int:
        """Delete delivered events up to `through_seq`, oldest first; return how many.

        `dated`: what is dated within that stays. At most `max_rows` in one call, so that
        whatever comes next does not wait for long.

        Raises:
            JournalError: nothing deleted.
        """
        found: dict[EventClass, list[tuple[int, int]]] = {}
        left = max_rows
        for each in ALL_CLASSES:
            found[each] = self._read(
                f"SELECT seq, length(body) FROM {each.label}"  # noqa: S608
                " WHERE seq <= ? AND utc_s NOT BETWEEN ? AND ? ORDER BY seq LIMIT ?",
                (through_seq, *dated, left),
            )
            left -= len(found[each])
        if left == max_rows:
            return 0
        state = self._state
        with self._transaction("prune") as connection:
            for each, rows in found.items():
                _delete(connection, each, [seq for seq, _ in rows])
                state = state.changed(each, -len(rows), -sum(size for _, size in rows))
                state = state._replace(pruned=max([state.pruned, *(seq for seq, _ in rows)]))
            self._keep_state(connection, state)
        self._state = self._stored = state
        return max_rows - left

    def evict(
        self,
        event_class: EventClass,
        after_seq: int,
        stamp: Entry,
        dated: Dated = EVER,
        *,
        most: int = MOST_EVICTED,
    ) -> int:
        """Give up the oldest events of a class, and tell it by a gap event; return how many.

        Only those above `after_seq`, the last one delivered, and `dated` within that. `stamp` is
        the gap event to be: its instants, and the cause in its data. At most `most` in one call.
        Gap events that go themselves pass their numbers on to the new one, so that a server always
        knows what will never come.

        Raises:
            JournalError: nothing given up.
        """
        found = self._read(
            f"SELECT seq, body FROM {event_class.label}"  # noqa: S608
            " WHERE seq > ? AND utc_s BETWEEN ? AND ? ORDER BY seq LIMIT ?",
            (after_seq, *dated, most),
        )
        ranges: list[tuple[int, int]] = []
        size = gone = 0
        for seq, body in found:
            if len(ranges) >= MOST_RANGES:
                break
            ranges = joined([*ranges, (seq, seq), *ranges_of(body)])
            gone, size = gone + 1, size + len(body)
        if not gone:
            return 0
        state = self._state.changed(event_class, -gone, -size, dropped=gone)
        gap = gap_entry(stamp, ranges, event_class)
        rows, state = self._sealed((gap,), state)
        with self._transaction("evict from") as connection:
            _delete(connection, event_class, [seq for seq, _ in found[:gone]])
            self._keep_state(connection, state)
            self._write(connection, rows)
        self._settle(state, is_stored=True)
        return gone

    def give_back(self, pages: int) -> None:
        """Give up to `pages` free pages back to the file system; the last ones at once.

        The file shrinks at a checkpoint. With the last free page comes one, or whoever waits for
        room on the disk would go on to make some.

        Raises:
            JournalError: nothing given back.
        """
        with self._transaction("shrink") as connection:
            for _ in range(pages):
                # It gives one page a step, and sqlite3 takes one step where there are no columns.
                connection.execute("PRAGMA incremental_vacuum(1)")
        ((free,),) = self._read("PRAGMA freelist_count")
        if not free:
            self._read("PRAGMA wal_checkpoint(PASSIVE)")

    def adopt(
        self, rows: Iterable[tuple[Record, float]], known_seq: int, told: Container[int] = ()
    ) -> list[int]:
        """Take over records that another journal of this gate held; return their numbers.

        They keep number, hash and body, and the date beside them, in POSIX seconds. For a new
        journal only: their numbers must be below those that it will give. The event with the
        highest number above `known_seq` is the one that the next event will name. `told`: numbers
        that gap events tell of, as far as is known when all rows are there; they are left out.

        Raises:
            JournalError: none taken over.
        """
        state, seqs, head = self._state, [], self._state.head
        inserts = [INSERT[each] for each in ALL_CLASSES]
        counts, sizes = [0] * len(ALL_CLASSES), [0] * len(ALL_CLASSES)
        with self._transaction("fill") as connection:
            for (seq, event_class, digest, body), utc_s in rows:
                connection.execute(inserts[event_class], (seq, utc_s, digest, body))
                # Summed up once at the end: the gate waits for this.
                counts[event_class] += 1
                sizes[event_class] += len(body)
                if seq > known_seq:
                    known_seq, head = seq, digest
                seqs.append(seq)
            for each in ALL_CLASSES:
                state = state.changed(each, counts[each], sizes[each])
            gone = [seq for seq in seqs if seq in told]
            for seq in gone:
                state = _without(connection, seq, state)
            state = state._replace(head=head)
            self._keep_state(connection, state)
        self._state = self._stored = state
        return [seq for seq in seqs if seq not in told]

    def prove(self, count: int, *, whole: bool) -> None:
        """See that the end of the file is what was written; see `gatepost_services.journal.proof`.

        Raises:
            JournalDamaged: it is not.
            JournalError: the file cannot be read.
        """
        prove(self._path, self._connection, count, whole=whole)

    def check(self, after_seq: int, limit: int) -> Checked:
        """Look whether the next `limit` events are what was written.

        One that is not leaves the others as they are; its number goes out in its place.

        Raises:
            JournalDamaged: an event stands under another's number.
            JournalError: the file cannot be read.
        """
        rows = self._read(_READ_ALL, (after_seq, _NO_LIMIT) * len(ALL_CLASSES) + (limit,))
        broken = [seq for seq, _, digest, body in rows if not fits(digest, body)]
        for seq, _, digest, body in rows:
            if seq not in broken and not is_as_written(seq, digest, body):
                raise JournalDamaged(f"{self._path}: event {seq} is not what was written")
        return Checked(int(rows[-1][0]) if rows else None, broken)

    def stats(self) -> Stats:
        """Return the journal at this moment.

        Raises:
            JournalError: the file cannot be read.
        """
        try:
            return stats_of(self._sound_connection())
        except FAILURES as error:
            raise explained(self._path, KIND, "read", error) from error

    def _fill(self, connection: sqlite3.Connection) -> None:
        fill(connection, self._begin)

    def _configure(self, connection: sqlite3.Connection) -> None:
        # Before the file has any page; later it would take a VACUUM.
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        super()._configure(connection)
        connection.execute(f"PRAGMA journal_size_limit = {_WAL_BYTES}")

    def _sealed(self, entries: Iterable[Entry], state: State) -> tuple[_Rows, State]:
        made: _Rows = tuple([] for _ in ALL_CLASSES)
        last_seq, head = state.last_seq, state.head
        rows, sizes = list(state.rows), list(state.bytes)
        seal = self._sealer.seal
        for entry in entries:
            last_seq += 1
            body = seal(entry, last_seq, head)
            head = sha256(body).digest()
            index = class_of(entry.type)
            made[index].append((last_seq, entry.utc_s, head, body))
            rows[index] += 1
            sizes[index] += len(body)
        return made, State(last_seq, head, state.pruned, tuple(rows), tuple(sizes), state.dropped)

    def _write(self, connection: sqlite3.Connection, rows: _Rows) -> None:
        for each, made in zip(ALL_CLASSES, rows, strict=True):
            if made:
                connection.executemany(INSERT[each], made)

    def _keep_state(self, connection: sqlite3.Connection, state: State) -> None:
        was = self._stored
        changed = connection.execute(UPDATE_STATE, (*state.row(), was.last_seq, was.head))
        if changed.rowcount != 1:
            raise JournalDamaged(f"{self._path}: it no longer ends at event {was.last_seq}")

    def _settle(self, state: State, *, is_stored: bool) -> None:
        self._state = state
        if is_stored:
            self._stored = state
        self._witness.note(state.last_seq, state.head)


def _without(connection: sqlite3.Connection, seq: int, state: State) -> State:
    """Delete an event, of whatever class it is, and return the state after that."""
    for each in ALL_CLASSES:
        found = connection.execute(
            f"DELETE FROM {each.label} WHERE seq = ? RETURNING length(body)",  # noqa: S608
            (seq,),
        ).fetchall()
        for (size,) in found:
            state = state.changed(each, -1, -size)
    return state


def _delete(connection: sqlite3.Connection, event_class: EventClass, seqs: list[int]) -> None:
    connection.executemany(
        f"DELETE FROM {event_class.label} WHERE seq = ?",  # noqa: S608
        [(seq,) for seq in seqs],
    )
