"""Whether a journal's file is what was written, as far as a bounded time lets one see."""

import sqlite3
from hashlib import sha256
from pathlib import Path

from gatepost_services.journal.schema import (
    ALL_CLASSES,
    KIND,
    JournalDamaged,
    State,
    merged,
    stored_state,
    with_newer,
)
from gatepost_services.sqlite_file import FAILURES, explained, is_checked

_NO_LIMIT = 2**63 - 1
_READ_LAST = merged(ALL_CLASSES, newest_first=True)


def names(body: bytes, previous: bytes) -> bool:
    """Return whether an event names this hash as that of the event before."""
    return b'"previoushash":"%b"' % previous.hex().encode() in body


def fits(digest: object, body: object) -> bool:
    """Return whether a body is the one whose hash stands beside it.

    What a damaged page holds need not be bytes.
    """
    return isinstance(body, bytes) and sha256(body).digest() == digest


def is_as_written(seq: int, digest: object, body: object) -> bool:
    """Return whether a row holds what was written, under the number that it was written under."""
    return fits(digest, body) and isinstance(body, bytes) and b'"sequence":"%019d"' % seq in body


def _is_truncated(path: Path, connection: sqlite3.Connection) -> bool:
    """Return whether pages are missing that are in the -wal neither, as far as its size tells."""
    (page_bytes,) = connection.execute("PRAGMA page_size").fetchone()
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    wal = path.with_name(path.name + "-wal")
    frames = wal.stat().st_size // page_bytes if wal.exists() else 0
    return bool(path.stat().st_size // page_bytes + frames < pages)


def _counted(connection: sqlite3.Connection) -> tuple[tuple[int, ...], tuple[int, ...]]:
    counts = [
        connection.execute(
            f"SELECT count(*), ifnull(sum(length(body)), 0) FROM {each.label}"  # noqa: S608
        ).fetchone()
        for each in ALL_CLASSES
    ]
    return tuple(rows for rows, _ in counts), tuple(size for _, size in counts)


def prove(path: Path, connection: sqlite3.Connection, count: int, *, whole: bool) -> State | None:
    """See that the last `count` events are what was written, and each names the one before.

    `whole`: that SQLite finds nothing wrong with the rest of the file either.

    Returns:
        What the file comes to; None where there is nothing in it yet.

    Raises:
        JournalDamaged: something is not as it was written.
        JournalError: the file cannot be read, or is of a newer version.
    """
    try:
        if not is_checked(connection, path, KIND):
            return None
        finding = "it is truncated" if _is_truncated(path, connection) else "ok"
        if finding != "ok":
            raise JournalDamaged(f"{path}: {finding}")
        stored = stored_state(connection)
        state = with_newer(connection, stored)
        if whole:
            (finding,) = connection.execute("PRAGMA quick_check(1)").fetchone()
            if finding == "ok" and _counted(connection) != (state.rows, state.bytes):
                # Too large a count would have the events given up that seem to be too many.
                finding = "it holds something else than it says"
        rows = connection.execute(
            _READ_LAST, (-1, _NO_LIMIT) * len(ALL_CLASSES) + (count,)
        ).fetchall()
    except FAILURES as error:
        raise explained(path, KIND, "read", error) from error
    except (TypeError, ValueError) as error:
        raise JournalDamaged(f"{path}: its state makes no sense: {error}") from error
    if finding != "ok":
        raise JournalDamaged(f"{path}: {finding}")
    _check_end(path, stored, state, rows)
    return state


def _check_end(
    path: Path, stored: State, state: State, rows: list[tuple[int, int, bytes, bytes]]
) -> None:
    """Check the last rows, newest first. Raises JournalDamaged."""
    if state.last_seq > max(rows[0][0] if rows else 0, state.pruned):
        # Nothing but a delivery takes the last event away: an eviction adds one.
        raise JournalDamaged(f"{path}: event {state.last_seq} is missing")
    next_seq, next_body = 0, b""
    for seq, _, digest, body in rows:
        if seq > state.last_seq or not is_as_written(seq, digest, body):
            raise JournalDamaged(f"{path}: event {seq} is not what was written")
        if seq == stored.last_seq and digest != stored.head:
            raise JournalDamaged(f"{path}: event {seq} is not the last one written")
        if seq == next_seq - 1 and not names(next_body, digest):
            raise JournalDamaged(f"{path}: event {next_seq} does not name {seq}")
        next_seq, next_body = seq, body
