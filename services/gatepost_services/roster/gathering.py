"""Takes the passes of one file, one by one, and refuses what does not hold together."""

from collections.abc import Iterable
from typing import NamedTuple

from gatepost_services.roster.key import RosterKey
from gatepost_services.roster.rows import DIGEST_BYTES, RosterError, Row, cell_flaw, mark_flaw

_HEX = frozenset("0123456789abcdef")


class Cells(NamedTuple):
    """One pass as a file has it; `credential` or `digest` (hexadecimal) is empty."""

    credential: str
    digest: str
    subject: str
    category: str
    household: str
    mark: str


class Gathered:
    """The passes of one file so far. Its `name` and a place in it (":4") begin every message.

    `places`: takes the place where each category stands first.
    """

    def __init__(self, name: str, key: RosterKey, places: dict[str, str] | None = None) -> None:
        self._name = name
        self._first = {} if places is None else places
        self._key = key
        self._places: dict[bytes, str] = {}
        self._people: dict[str, tuple[str, str, str]] = {}
        self.rows: list[Row] = []
        self.removed: list[bytes] = []

    def check_key(self, key_id: bytes) -> None:
        """Refuse digests of another key: none of them would ever be found.

        Raises:
            RosterError: they are.
        """
        if key_id != self._key.id:
            raise RosterError(
                f"{self._name}: made with the key {key_id.hex()}, and the key here is "
                f"{self._key.id.hex()}; put the site's key there ([paths] roster_key)"
            )

    def put(self, place: str, cells: Cells) -> None:
        """Take a pass.

        Raises:
            RosterError: it is none, is there already, or contradicts another one of its subject.
        """
        digest = self._digest(place, cells.credential, cells.digest, _flaws(cells))
        category, household, at = self._people.setdefault(
            cells.subject, (cells.category, cells.household, place)
        )
        if (category, household) != (cells.category, cells.household):
            raise RosterError(
                f"{self._name}{place}: category or household is not that of the same subject at "
                f"{_at(at)}; a person has one of each"
            )
        self._first.setdefault(cells.category, place)
        self.rows.append(Row(digest, cells.subject, cells.category, cells.household, cells.mark))

    def remove(self, place: str, credential: str, digest: str) -> None:
        """Take a pass that is to go.

        Raises:
            RosterError: it is none, or is there already.
        """
        self.removed.append(self._digest(place, credential, digest, ()))

    def _digest(
        self, place: str, credential: str, digest: str, flaws: Iterable[str | None]
    ) -> bytes:
        if digest and not credential:
            own = None if is_digest(digest) else f"digest is not {2 * DIGEST_BYTES} hex digits"
        else:
            own = cell_flaw("credential", credential)
        for flaw in (own, *flaws):
            if flaw is not None:
                raise RosterError(f"{self._name}{place}: {flaw}")
        key = self._key.digest(credential) if credential else bytes.fromhex(digest)
        first = self._places.setdefault(key, place)
        if first is not place:
            raise RosterError(
                f"{self._name}{place}: the credential of {_at(first)} again; keep one"
            )
        return key


def is_digest(text: str) -> bool:
    """Return whether a text is a digest as we write them: 64 lower-case hexadecimal digits."""
    return len(text) == 2 * DIGEST_BYTES and set(text) <= _HEX


def _flaws(cells: Cells) -> Iterable[str | None]:
    yield cell_flaw("subject", cells.subject)
    yield cell_flaw("category", cells.category)
    yield cell_flaw("household", cells.household, may_be_empty=True)
    yield cell_flaw("mark", cells.mark, may_be_empty=True)
    yield mark_flaw(cells.mark)


def _at(place: str) -> str:
    words = place.removeprefix(":").strip()
    return f"line {words}" if words.isdigit() else words
