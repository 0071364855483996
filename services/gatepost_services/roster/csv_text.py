"""A roster, or changes to one, as CSV (RFC 4180) with exactly one of our headers."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping

from gatepost_services.roster.gathering import Cells, Gathered
from gatepost_services.roster.rows import RosterError, Row
from gatepost_services.roster.writer import Delta, Whole

CHANGE = "change"
PUT = "put"
REMOVE = "remove"
_CREDENTIALS = ("credential", "digest")
_COLUMNS = ("subject", "category")
_OPTIONAL = ("household", "mark")
_HEADERS = {
    (*change, credential, *_COLUMNS, *end)
    for change in ((), (CHANGE,))
    for credential in _CREDENTIALS
    for end in ((), ("household",), ("mark",), _OPTIONAL)
}
EXPORTED = ("digest", *_COLUMNS, *_OPTIONAL)


def read_csv(text: str, name: str, gathered: Gathered, as_of_utc_s: int) -> Whole | Delta:
    """Return what a CSV file holds. Blank lines are skipped; nothing else is guessed.

    Raises:
        RosterError: the header is none of ours, or a line is not as it must be.
    """
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = tuple(next(reader, []))
        if header not in _HEADERS:
            raise RosterError(
                f"{name}:1: the header must be exactly credential,subject,category (or digest in "
                "place of credential), after them household or mark or both if there are such, and "
                f"before them change in a delta; {len(header)} other columns were found"
            )
        for cells in reader:
            if cells:
                place = f":{reader.line_num}"
                if len(cells) != len(header):
                    raise RosterError(
                        f"{name}{place}: {len(cells)} cells; each line has {len(header)}"
                    )
                _take(place, name, dict(zip(header, cells, strict=True)), gathered)
    except csv.Error as error:
        raise RosterError(f"{name}:{reader.line_num}: not CSV: {error}") from error
    if header[0] == CHANGE:
        return Delta(gathered.rows, gathered.removed, as_of_utc_s)
    return Whole(gathered.rows, as_of_utc_s)


def as_csv(rows: Iterable[Row]) -> Iterator[str]:
    """Yield the lines of a file that `read_csv` reads again."""
    yield ",".join(EXPORTED) + "\n"
    line = io.StringIO()
    writer = csv.writer(line, lineterminator="\n")
    for row in rows:
        writer.writerow((row.digest.hex(), *row[1:]))
        yield line.getvalue()
        line.seek(0)
        line.truncate()


def _take(place: str, name: str, cells: Mapping[str, str], gathered: Gathered) -> None:
    credential, digest = cells.get("credential", ""), cells.get("digest", "")
    change = cells.get(CHANGE, PUT)
    if change == PUT:
        texts = (cells.get(column, "") for column in (*_COLUMNS, *_OPTIONAL))
        gathered.put(place, Cells(credential, digest, *texts))
    elif change == REMOVE:
        gathered.remove(place, credential, digest)
    else:
        raise RosterError(f"{name}{place}: change is unknown; write {PUT} or {REMOVE}")
