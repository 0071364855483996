"""The form of a command, as the link checks it: no signature is looked at. Pure.

What has not the form would be refused by the gate as well; here it costs the gate nothing. The
gate checks all of it again (`gatepost_services.commands`), for it does not trust the link.
"""

import binascii
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode

from gatepost_services.commands.command import ID_FORM, CommandFormError, parse_command

# As in commands/jws.py, which would cost the link the import of a cryptographic library.
MOST_BYTES = 12 * 1024
COMMAND_TYPE = "gatepost-command+jwt"
_SIGNATURE_BYTES = 64
_MEMBERS = {"alg", "kid", "typ"}
_PARTS = 3


class LetterError(ValueError):
    """No command. `id` is its id, where one can be read."""

    def __init__(self, detail: str, id_: str | None) -> None:
        super().__init__(detail)
        self.id = id_


def check_command(text: bytes) -> str:
    """Return the id of a command that has the form of one.

    Raises:
        LetterError: it has not.
    """
    parts = text.split(b".")
    if len(parts) != _PARTS:
        raise LetterError("not three parts with dots between", _id_of(text))
    payload = _decoded(parts[1])
    id_ = _id_of(payload)
    if not _is_header(_decoded(parts[0])):
        raise LetterError(f"its header is not that of {COMMAND_TYPE}", id_)
    if len(_decoded(parts[2])) != _SIGNATURE_BYTES:
        raise LetterError("its signature is none of Ed25519", id_)
    try:
        return parse_command(payload).jti
    except (CommandFormError, ValueError, RecursionError) as error:
        raise LetterError(str(error), id_) from None


def id_of(text: bytes) -> str | None:
    """Return the id of what may be a command, None where none can be read."""
    parts = text.split(b".", _PARTS)
    return _id_of(_decoded(parts[1]) if len(parts) == _PARTS else text)


def _is_header(data: bytes) -> bool:
    try:
        header = json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError):
        return False
    return (
        isinstance(header, dict)
        and header.keys() == _MEMBERS
        and header["alg"] == "EdDSA"
        and header["typ"] == COMMAND_TYPE
        and isinstance(header["kid"], str)
    )


def _id_of(payload: bytes) -> str | None:
    try:
        said = json.loads(payload.decode("utf-8"))
    except (ValueError, RecursionError):
        return None
    found = said.get("jti") if isinstance(said, dict) else None
    return found if isinstance(found, str) and ID_FORM.fullmatch(found) else None


def _decoded(text: bytes) -> bytes:
    """Return what base64url without padding says; nothing for what is none (RFC 7515, 2)."""
    try:
        data = urlsafe_b64decode(text + b"=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        return b""
    return data if urlsafe_b64encode(data).rstrip(b"=") == text else b""
