"""A board between two processes: small texts that the gate pins up, and the link reads.

On a file system in memory: what stands there is how things are now, and a restart begins with an
empty board. Each text is a file of its own, replaced whole.
"""

import logging
from contextlib import suppress
from pathlib import Path

from gatepost_services.edge_log import EdgeLog

HEAD = "head"
REPORTED = "reported"
MOST_BYTES = 16 * 1024
_LOG = logging.getLogger(__name__)


class Board:
    """The gate's side. Makes the folder; where it cannot, that is told once, and it goes on."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._log = EdgeLog(_LOG)
        self._pinned: dict[str, bytes] = {}

    def pin(self, name: str, content: bytes) -> bool:
        """Replace a text, if it is another one; return whether it stands there. Never raises."""
        if self._pinned.get(name) == content:
            return True
        fresh = self._path / f".{name}.new"
        try:
            self._path.mkdir(exist_ok=True)
            fresh.write_bytes(content)
            fresh.replace(self._path / name)
        except OSError as error:
            self._log.failed("%s: cannot be written: %s", self._path, error.strerror)
            return False
        self._log.recovered("%s can be written again", self._path)
        self._pinned[name] = content
        return True


class BoardReader:
    """The link's side."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self, name: str) -> bytes | None:
        """Return a text as it is now; None where there is none, or none that is ours."""
        with suppress(OSError), (self._path / name).open("rb") as file:
            content = file.read(MOST_BYTES + 1)
            return content if 0 < len(content) <= MOST_BYTES else None
        return None
