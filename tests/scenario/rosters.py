"""A gate's roster, out of the CSV that a technician would import."""

from pathlib import Path

from gatepost_services.roster import Roster, RosterKey
from gatepost_services.roster.documents import read_document
from gatepost_services.roster.writer import Delta, RosterWriter


def import_roster(folder: Path, text: str, *, as_of_utc_s: int = 0) -> Roster:
    """Make `roster.db` and `roster.key` in a folder, or change them; return the roster."""
    key = RosterKey.load_or_make(folder / "roster.key")
    found = read_document(text.encode(), "roster.csv", key, as_of_utc_s=as_of_utc_s)
    with RosterWriter.open(folder / "roster.db", key) as writer:
        if isinstance(found, Delta):
            writer.apply(found)
        else:
            writer.replace(found)
    return Roster(folder / "roster.db", folder / "roster.key")
