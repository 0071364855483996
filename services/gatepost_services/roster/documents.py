"""Rosters and changes as they are handed over: CSV that a technician keeps, JSON of a server.

Read strictly: whatever is wrong is told with its line (CSV) or its place (JSON), never with a
credential, and nothing of such a file is taken. The forms stand in `services/README.md`.
"""

from gatepost_services.roster.csv_text import read_csv
from gatepost_services.roster.gathering import Gathered
from gatepost_services.roster.json_text import read_json
from gatepost_services.roster.key import RosterKey
from gatepost_services.roster.rows import RosterError
from gatepost_services.roster.writer import Delta, Whole

MOST_BYTES = 64 * 1024 * 1024  # more than 100,000 members of the longest cells that are in use


def read_document(
    content: bytes,
    name: str,
    key: RosterKey,
    *,
    as_of_utc_s: int,
    places: dict[str, str] | None = None,
) -> Whole | Delta:
    """Return what a file holds: JSON if it begins with a brace, else CSV.

    Args:
        content: the file's bytes, UTF-8 with or without a byte order mark.
        name: of the file, for messages.
        key: what digests its credentials; digests are taken as they are.
        as_of_utc_s: when it was true, in POSIX seconds, where the file does not say.
        places: takes, for each category, where it stands first: ":4", or a place in the JSON.

    Raises:
        RosterError: it cannot be used as it is.
    """
    if len(content) > MOST_BYTES:
        raise RosterError(f"{name}: {len(content)} bytes; at most {MOST_BYTES} are read")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        # Not chained: the decoder's error holds the whole file.
        raise RosterError(f"{name}:{line}: not UTF-8; save it as UTF-8") from None
    read = read_json if text.lstrip().startswith("{") else read_csv
    return read(text, name, Gathered(name, key, places), as_of_utc_s)
