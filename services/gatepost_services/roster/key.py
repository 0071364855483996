"""The site's key: without it, the roster is a list of numbers that open nothing.

Credentials are short, and some are guessable; a plain hash of one is found by trying all of them.
BLAKE2b takes a key (RFC 7693, section 2.9), so that whoever has the file alone can try nothing.
"""

import hashlib
import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path
from typing import Self

from gatepost_services.roster.rows import DIGEST_BYTES, RosterError

KEY_BYTES = 32
ID_BYTES = 8
_MODE = 0o600
_MODE_FOR_GROUP = 0o640  # the services' group reads it, where the folder is theirs to read
_NOT_FOR = stat.S_IWGRP | stat.S_IRWXO
_MOST_BYTES = 4 * KEY_BYTES  # of the file: the digits, and whatever line end
# BLAKE2b's personalisation: a subject and a credential of the same text must not have the same
# digest. Credentials go without, so that every implementation of BLAKE2b can make theirs.
_SUBJECT = b"subject"


class RosterKey:
    """32 bytes, the same on every gate of a site and at a server that sends digests."""

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError(f"a key of {len(key)} bytes; it has {KEY_BYTES}")
        self._key = key
        # Tells two keys apart, and nothing else of them.
        self.id = hashlib.blake2b(b"", key=key, digest_size=ID_BYTES).digest()

    @classmethod
    def load(cls, path: Path) -> Self:
        """Return the key of a file: 64 hexadecimal digits and a line end.

        Raises:
            RosterError: it is not there, not readable, or readable for everybody; or is no key.
        """
        try:
            with path.open("rb") as file:
                mode = os.fstat(file.fileno()).st_mode
                content = file.read(_MOST_BYTES)
        except FileNotFoundError:
            raise RosterError(
                f"{path}: no key of the roster there; copy the site's to it, or let the first "
                "gatepost roster import make one"
            ) from None
        except OSError as error:
            raise RosterError(
                f"{path}: cannot be read: {error.strerror}; its group must be that of the gate"
            ) from error
        if not stat.S_ISREG(mode) or mode & _NOT_FOR:
            raise RosterError(
                f"{path}: mode {stat.S_IMODE(mode):04o}; others could read or change the key of "
                f"the roster: chmod {_MODE_FOR_GROUP:04o} it, and draw a new one if somebody may "
                "have"
            )
        return cls(_parsed(content, path))

    @classmethod
    def load_or_make(cls, path: Path) -> Self:
        """Return the key of a file; draw one into it when there is none. See `load`."""
        if not path.exists():
            with suppress(FileExistsError):  # another process was faster
                _make(path)
        return cls.load(path)

    def digest(self, credential: str) -> bytes:
        """Return what is kept of a credential: keyed BLAKE2b-256 of its UTF-8."""
        return self._digest(credential, b"")

    def subject_digest(self, subject: str) -> bytes:
        """Return what is kept of a subject that was erased."""
        return self._digest(subject, _SUBJECT)

    def _digest(self, text: str, person: bytes) -> bytes:
        # surrogatepass: a credential that is no Unicode text is unknown, not an exception.
        return hashlib.blake2b(
            text.encode("utf-8", "surrogatepass"),
            key=self._key,
            digest_size=DIGEST_BYTES,
            person=person,
        ).digest()

    def __repr__(self) -> str:
        return f"RosterKey(<{self.id.hex()}>)"


def _parsed(content: bytes, path: Path) -> bytes:
    try:
        key = bytes.fromhex(content.decode("ascii"))
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        # Neither chained nor quoted: it may be most of a key.
        raise RosterError(
            f"{path}: no key of the roster: it must be {2 * KEY_BYTES} hexadecimal digits"
        )
    return key


def _make(path: Path) -> None:
    """Write a new key, whole or not at all, also when another process does the same."""
    fresh = path.with_name(f"{path.name}.{secrets.token_hex(4)}.new")
    try:
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _MODE)
        with os.fdopen(descriptor, "wb") as file:
            group = path.parent.stat().st_gid
            if group != os.getegid():
                # /etc/gatepost is root:gatepost, and two users need it: the gate's and the link's.
                os.fchown(descriptor, -1, group)
                os.fchmod(descriptor, _MODE_FOR_GROUP)
            file.write(secrets.token_bytes(KEY_BYTES).hex().encode() + b"\n")
            file.flush()
            os.fsync(descriptor)
        os.link(fresh, path)
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except FileExistsError:
        raise
    except OSError as error:
        raise RosterError(
            f"{path}: the key of the roster cannot be made: {error.strerror}; see that the folder "
            "exists and that you may write there (sudo), or name another: [paths] roster_key"
        ) from error
    finally:
        with suppress(OSError):
            fresh.unlink()
