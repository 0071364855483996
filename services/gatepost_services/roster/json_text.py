"""A roster, or changes to one, as JSON: what a server sends, and `gatepost roster export`."""

import json
import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Annotated

import msgspec

from gatepost_services.roster.gathering import Cells, Gathered
from gatepost_services.roster.rows import RosterError, Row
from gatepost_services.roster.schema import State
from gatepost_services.roster.writer import Delta, Whole

WHOLE = "roster"
DELTA = "roster-delta"
_Version = Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)]
_Digest = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]
_KeyId = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{16}\Z")]
_Instant = Annotated[datetime, msgspec.Meta(tz=True)]
_PLACE = re.compile(r" - at `\$\.?(.*)`\Z", re.DOTALL)
_BYTE = re.compile(r"\(byte (\d+)\)\Z")
# What msgspec quotes of the file: a field that it does not know, a type that is none of ours.
_QUOTED = re.compile(r"(unknown field|Invalid value) [`'].*?[`'](?= - at|\Z)", re.DOTALL)


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The base of all of them: an unknown field is an error, never a silent loss."""


class _Member(_Part, frozen=True):
    subject: str
    category: str
    credential: str = ""
    digest: str = ""
    household: str = ""
    mark: str = ""


class _Removed(_Part, frozen=True):
    credential: str = ""
    digest: str = ""


class _Base(_Part, frozen=True):
    version: _Version
    digest: _Digest


class _Whole(_Part, frozen=True, tag_field="type", tag=WHOLE):
    members: list[_Member]
    version: _Version | None = None
    as_of: _Instant | None = None
    digest: _Digest | None = None
    key: _KeyId | None = None


class _Delta(_Part, frozen=True, tag_field="type", tag=DELTA):
    base: _Base
    put: list[_Member] = []
    remove: list[_Removed] = []
    version: _Version | None = None
    as_of: _Instant | None = None
    digest: _Digest | None = None
    key: _KeyId | None = None


def read_json(text: str, name: str, gathered: Gathered, as_of_utc_s: int) -> Whole | Delta:
    """Return what a JSON file holds; what differs from its form is an error.

    Raises:
        RosterError: it is not JSON, not of this form, or a member is not as it must be.
    """
    found = _decoded(text, name)
    if found.key is not None:
        gathered.check_key(bytes.fromhex(found.key))
    if found.as_of is not None:
        as_of_utc_s = int(found.as_of.timestamp())
    digest = None if found.digest is None else bytes.fromhex(found.digest)
    if isinstance(found, _Whole):
        _put(found.members, "members", name, gathered)
        return Whole(gathered.rows, as_of_utc_s, found.version, digest)
    _put(found.put, "put", name, gathered)
    for number, removed in enumerate(found.remove):
        place = f": remove[{number}]"
        _check_one(removed, name, place)
        gathered.remove(place, removed.credential, removed.digest)
    base = found.base
    return Delta(
        gathered.rows,
        gathered.removed,
        as_of_utc_s,
        base.version,
        bytes.fromhex(base.digest),
        found.version,
        digest,
    )


def as_json(state: State, rows: Iterable[Row]) -> Iterator[str]:
    """Yield the parts of a file that `read_json` reads again, one member a line."""
    head = {
        "type": WHOLE,
        "version": state.version,
        "as_of": state.as_of_utc,
        "digest": state.digest.hex(),
        "key": state.key_id.hex(),
    }
    yield json.dumps(head)[:-1] + ', "members": ['
    for number, row in enumerate(rows):
        texts = {name: text for name, text in row._asdict().items() if text and name != "digest"}
        member = {"digest": row.digest.hex(), **texts}
        yield (",\n" if number else "\n") + json.dumps(member, ensure_ascii=False)
    yield "\n]}\n"


def _decoded(text: str, name: str) -> _Whole | _Delta:
    try:
        return msgspec.json.decode(text, type=_Whole | _Delta)
    except msgspec.ValidationError as error:
        said = _QUOTED.sub(r"\1", str(error))
        place = _PLACE.search(said)
        where = f" {place[1]}:" if place and place[1] else ""
        # Not chained: it may quote.
        raise RosterError(f"{name}:{where} {_PLACE.sub('', said)}") from None
    except msgspec.DecodeError as error:
        byte = _BYTE.search(str(error))
        read = text.encode()[: int(byte[1])] if byte else text.encode()
        line = read.count(b"\n") + 1
        said = _BYTE.sub("", str(error)).strip()
        raise RosterError(f"{name}:{line}: not JSON: {said}") from None
    except RecursionError:
        raise RosterError(f"{name}: not of this form: nested too deeply") from None


def _put(members: list[_Member], field: str, name: str, gathered: Gathered) -> None:
    for number, each in enumerate(members):
        place = f": {field}[{number}]"
        _check_one(each, name, place)
        texts = (each.subject, each.category, each.household, each.mark)
        gathered.put(place, Cells(each.credential, each.digest, *texts))


def _check_one(each: _Member | _Removed, name: str, place: str) -> None:
    if bool(each.credential) is bool(each.digest):
        raise RosterError(f"{name}{place}: either credential or digest, and not both")
