"""What the gate pins up for the link to publish: how it is, and the signed head of its journal.

The head says: at this time the newest event had this number, and this hash. It is signed with the
gate's own key, which the link cannot read; so a link, a broker or a server that drops the newest
events can be shown to have done so.
"""

import logging
from collections.abc import Callable, Mapping

import msgspec

from gatepost.core.events import Json
from gatepost_config.paths import Paths
from gatepost_hal.ports import Clock
from gatepost_services.board import HEAD, REPORTED, Board
from gatepost_services.commands.jws import Kind, sign
from gatepost_services.credentials.signing import (
    PrivateKey,
    hex_of,
    kid_of,
    new_key,
    read_key,
    write_key,
)
from gatepost_services.edge_log import EdgeLog
from gatepost_services.journal import JournalReader, JournalUnavailable

_log = logging.getLogger(__name__)


class Notices:
    """Pins up what is new, at each housekeeping. Never raises: the lane does not hang on it.

    Args:
        source: of this gate's events.
        about: what of `reported` does not change: version, settings.
        documents: returns which order, roster and trust list hold.
    """

    def __init__(
        self,
        paths: Paths,
        clock: Clock,
        *,
        source: str,
        about: Mapping[str, Json],
        documents: Callable[[], Mapping[str, Json]],
    ) -> None:
        self._clock = clock
        self._source = source
        self._board = Board(paths.board)
        self._journal = JournalReader(paths.journal)
        self._log = EdgeLog(_log)
        self._key = _own_key(paths, self._log)
        public = None if self._key is None else hex_of(self._key.public_key())
        self._about = {"source": source, "device_key": public, **about}
        self._documents = documents
        self._head: tuple[int, bytes] | None = None

    def report(self, lane: Mapping[str, Json]) -> None:
        """Pin up how things stand, with what the lane says of itself."""
        said = {
            **self._about,
            "time_quality": self._clock.utc_quality(),
            "documents": self._documents(),
            "lane": lane,
        }
        self._board.pin(REPORTED, msgspec.json.encode(said))
        if self._key is not None:
            self._sign(self._key)

    def close(self) -> None:
        """Close the journal."""
        self._journal.close()

    def _sign(self, key: PrivateKey) -> None:
        try:
            head = self._journal.head()
        except JournalUnavailable:
            return  # the fault is the journal's, and told
        if head == self._head or head[0] == 0:
            return
        said = {
            "source": self._source,
            "seq": head[0],
            "hash": head[1].hex(),
            "utc_s": int(self._clock.utc_s()),
            "time_quality": self._clock.utc_quality(),
        }
        text = sign(Kind.HEAD, msgspec.json.encode(said), key, kid_of(key.public_key()))
        if self._board.pin(HEAD, text):
            self._head = head


def _own_key(paths: Paths, log: EdgeLog) -> PrivateKey | None:
    """Return the gate's own key; make it at the first start."""
    try:
        if not paths.device_key.exists():
            write_key(paths.device_key, new_key())
        return read_key(paths.device_key)
    except OSError as error:  # a KeyFileError, or of a folder that must not be entered
        log.failed("%s; the head of the journal is not signed", error)
        return None
