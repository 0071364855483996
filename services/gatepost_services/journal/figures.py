"""How a journal stands, in figures for people."""

from pathlib import Path
from typing import NamedTuple

from gatepost_services.journal.schema import ALL_CLASSES, JournalDamaged, stats_of
from gatepost_services.journal.snapshot import count_after, count_since, snapshot, told
from gatepost_services.sqlite_file import FAILURES, SUFFIXES

_DAY_S = 86_400.0
_HOURS_A_DAY = 24


class Figures(NamedTuple):
    """A journal at one moment. `events`, `bytes` (of bodies) and `dropped` are by class.

    `undelivered`: events above `acknowledged`, the number through which a server has all.
    `oldest_age_s`: by the wall clocks of then and now; None without events. `file_bytes`: with its
    -wal. `events_per_hour`: over the last day, by their dates.
    """

    file: Path
    undelivered: int
    acknowledged: int
    last_seq: int
    head: bytes
    events: dict[str, int]
    bytes: dict[str, int]
    dropped: dict[str, int]
    oldest_age_s: float | None
    events_per_hour: float
    file_bytes: int
    free_bytes: int
    set_aside: list[str]


def figures(path: Path, acknowledged: int, now_utc_s: float) -> Figures:
    """Return the figures of the journal at `path`; instants in POSIX seconds. Reads only.

    Raises:
        JournalError: it cannot be read (JournalUnavailable), or not as a journal (JournalDamaged).
    """
    with snapshot(path) as connection:
        try:
            stats = stats_of(connection)
            undelivered = count_after(connection, acknowledged)
            recent = count_since(connection, now_utc_s - _DAY_S)
        except FAILURES as error:
            raise told(path, error) from error
        except (ValueError, TypeError) as error:
            raise JournalDamaged(
                f"{path}: what it says of itself makes no sense; gatepost journal verify"
            ) from error
    labels = [each.label for each in ALL_CLASSES]
    oldest_utc_s = stats.oldest_utc_s
    return Figures(
        file=path,
        undelivered=undelivered,
        acknowledged=acknowledged,
        last_seq=stats.last_seq,
        head=stats.head,
        events=dict(zip(labels, stats.rows, strict=True)),
        bytes=dict(zip(labels, stats.bytes, strict=True)),
        dropped=dict(zip(labels, stats.dropped, strict=True)),
        oldest_age_s=None if oldest_utc_s is None else now_utc_s - oldest_utc_s,
        events_per_hour=recent / _HOURS_A_DAY,
        file_bytes=sum(_bytes(path.with_name(path.name + suffix)) for suffix in SUFFIXES[:2]),
        free_bytes=stats.free_bytes,
        set_aside=_set_aside(path),
    )


def _bytes(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _set_aside(path: Path) -> list[str]:
    names = [*path.parent.glob(f"{path.name}.broken-?"), *path.parent.glob(f"{path.name}.told")]
    return sorted(each.name for each in names)
