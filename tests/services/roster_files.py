"""Rosters for the tests: a folder with a key, and what comes into it."""

from pathlib import Path

from gatepost_services.roster import Roster, RosterKey
from gatepost_services.roster.documents import read_document
from gatepost_services.roster.writer import Change, Delta, RosterWriter, Whole

NAME = "people"
AS_OF_UTC_S = 1_648_955_400  # 2022-04-03T03:10:00Z


class Site:
    """A folder with `roster.key` in it, and `roster.db` once something was brought in."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "roster.db"
        self.key_path = folder / "roster.key"
        self.key = RosterKey.load_or_make(self.key_path)

    def read(self, content: str | bytes) -> Whole | Delta:
        raw = content.encode() if isinstance(content, str) else content
        return read_document(raw, NAME, self.key, as_of_utc_s=AS_OF_UTC_S)

    def bring(self, content: str | bytes | Whole | Delta) -> Change:
        found = content if isinstance(content, Whole | Delta) else self.read(content)
        with RosterWriter.open(self.path, self.key) as writer:
            return writer.replace(found) if isinstance(found, Whole) else writer.apply(found)

    def roster(self) -> Roster:
        return Roster(self.path, self.key_path)
