"""A reader of one of Gatepost's SQLite files, in another process than its writer's."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Self, TypeVar

from gatepost_services.sqlite_file import FAILURES, Kind, explained, is_checked

_T = TypeVar("_T")


class SqliteReader:
    """Asks such a file, and never makes, changes or locks out anything.

    Opens lazily and may be made before the file exists; a file that takes another's place is
    noticed. Works without write permission on the directory, the -wal and the -shm:

    * while the writer runs, and after it was killed: by the -wal and -shm that are there;
    * after a clean close, which removes both: SQLite cannot open a WAL database then without
      writing, unless it is told that the file is immutable. It is told so, and an answer counts
      only if the file was the same, without both, before and after;
    * after a power cut that left a -wal alone: what was last moved into the main file, likewise.
      A writer moves the rest when it opens it.

    Args:
        path: the file.
        kind: what it must be.
        remedy: stands in the message when the file cannot be opened at all.
        busy_timeout_s: how long a question waits for a lock.
        in_use_with: the file is in a writer's use when all of these lie beside it. With "-wal"
            alone, one that a power cut left so cannot be read until a writer opens it.
    """

    def __init__(
        self,
        path: Path,
        kind: Kind,
        *,
        remedy: str,
        busy_timeout_s: float = 1.0,
        in_use_with: tuple[str, ...] = ("-wal", "-shm"),
    ) -> None:
        self._path = path
        self._beside = tuple(path.with_name(path.name + suffix) for suffix in in_use_with)
        self._kind = kind
        self._remedy = remedy
        self._busy_timeout_s = busy_timeout_s
        self._connection: sqlite3.Connection | None = None
        self._is_at_rest = False
        self._stamp: tuple[int, ...] = ()

    def close(self) -> None:
        """Close the file. The next question opens it again."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _ask(self, question: Callable[[sqlite3.Connection], _T]) -> _T:
        """Return the answer to a question, all of it about one moment.

        Raises:
            kind.error: there is none; a later attempt may have one.
        """
        try:
            answer, is_sure = self._try(question)
            if not is_sure:  # the writer has opened the file meanwhile
                answer, is_sure = self._try(question)
        except self._kind.error:
            self.close()
            raise
        except (*FAILURES, ValueError, TypeError) as error:
            # The last two: a damaged file, in which stands what no writer of ours writes.
            self.close()
            raise explained(self._path, self._kind, "read", error) from error
        except OSError as error:
            self.close()
            raise self._kind.error(
                f"{self._path}: cannot be read: {error.strerror}; {self._remedy}"
            ) from error
        if not is_sure:
            raise self._kind.error(f"{self._path}: it is being opened; try again")
        return answer

    def _try(self, question: Callable[[sqlite3.Connection], _T]) -> tuple[_T, bool]:
        """Return an answer, and whether it counts."""
        answer = _asked(self._current(), question)
        return answer, not self._is_at_rest or self._stamp == self._stamp_now()

    def _current(self) -> sqlite3.Connection:
        """Return a connection to the file that is there now."""
        stamp = self._stamp_now()
        if self._connection is not None and stamp == self._stamp:
            return self._connection
        self.close()
        self._is_at_rest = len(stamp) > 1
        self._connection = self._open("mode=ro&immutable=1" if self._is_at_rest else "mode=ro")
        self._stamp = stamp
        return self._connection

    def _stamp_now(self) -> tuple[int, ...]:
        """Return what must be the same for a connection to be used again."""
        found = self._path.stat()
        if all(each.exists() for each in self._beside):
            return (found.st_ino,)
        return found.st_ino, found.st_size, found.st_mtime_ns

    def _open(self, mode: str) -> sqlite3.Connection:
        uri = f"{self._path.absolute().as_uri()}?{mode}"
        connection = sqlite3.connect(
            uri, uri=True, timeout=self._busy_timeout_s, isolation_level=None
        )
        try:
            is_ours = is_checked(connection, self._path, self._kind)
        except (OSError, *FAILURES):
            connection.close()
            raise
        if not is_ours:
            connection.close()
            raise self._kind.error(
                f"{self._path}: still empty; if it is not being made just now: {self._remedy}"
            )
        return connection


def _asked(connection: sqlite3.Connection, question: Callable[[sqlite3.Connection], _T]) -> _T:
    # One read transaction: what a question reads is of one moment. Left open, it would keep the
    # -wal growing.
    connection.execute("BEGIN")
    try:
        return question(connection)
    finally:
        connection.rollback()
