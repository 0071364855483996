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
from gatepost_services.small_file import replace_whole, sync_folder

KEY_BYTES = 32
ID_BYTES = 8
_MODE = 0o600
_MODE_FOR_GROUP = 0o640  # the folder's group reads it, where nobody said whose it is
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
    def load(cls, path: Path, wanted: bytes | None = None) -> Self:
        """Return the key of a file: 64 hexadecimal digits and a line end.

        Args:
            path: the file.
            wanted: the id of the key that a roster was made with. Where the file holds another one,
                and a power cut came between a new roster and its key, it is the new key beside it.

        Raises:
            RosterError: it is not there, not readable, or readable for everybody; or is no key.
        """
        key = cls._load(path)
        if wanted in (None, key.id):
            return key
        with suppress(RosterError):
            following = cls._load(next_of(path))
            return following if following.id == wanted else key
        return key

    @classmethod
    def _load(cls, path: Path) -> Self:
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
                f"{path}: cannot be read: {error.strerror}; it must be the gate's user's: sudo "
                "systemd-tmpfiles --create"
            ) from error
        if not stat.S_ISREG(mode) or mode & _NOT_FOR:
            raise RosterError(
                f"{path}: mode {stat.S_IMODE(mode):04o}; others could read or change the key of "
                f"the roster: chmod {_MODE_FOR_GROUP:04o} it, and draw a new one if somebody may "
                "have"
            )
        return cls(_parsed(content, path))

    @classmethod
    def load_or_make(cls, path: Path, *, for_owner_of: Path | None = None) -> Self:
        """Return the key of a file; draw one into it when there is none. See `load`.

        Args:
            path: the file.
            for_owner_of: a folder: a key that root draws is for its owner alone, the gate's user.
        """
        if not path.exists():
            with suppress(FileExistsError):  # another process was faster
                _make(path, _owner(path, for_owner_of))
        return cls.load(path)

    @classmethod
    def drawn(cls) -> Self:
        """Return a new key."""
        return cls(secrets.token_bytes(KEY_BYTES))

    @property
    def text(self) -> bytes:
        """What a file of it holds. Secret."""
        return self._key.hex().encode() + b"\n"

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


def next_of(path: Path) -> Path:
    """Return where a new key waits until a roster was made with it."""
    return path.with_name(f"{path.name}.next")


def write_next(path: Path, key: RosterKey, *, for_owner_of: Path | None) -> None:
    """Put a key where it waits, on the disk when this returns; see `RosterKey.load_or_make`.

    Raises:
        RosterError: it cannot be written.
    """
    mode, uid, gid = _owner(path, for_owner_of)
    owner = None if (uid, gid) == (os.geteuid(), os.getegid()) else (uid, gid)
    try:
        replace_whole(next_of(path), key.text, mode=mode, owner=owner)
    except OSError as error:
        raise _unwritten(path, error) from error


def take_next(path: Path) -> None:
    """Let the key that waits be the key. Raises RosterError."""
    try:
        next_of(path).replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise _unwritten(path, error) from error


def drop_next(path: Path) -> None:
    """Remove a key that waits, for there is no roster of it. Raises RosterError."""
    try:
        next_of(path).unlink(missing_ok=True)
        sync_folder(path.parent)
    except OSError as error:
        raise _unwritten(path, error) from error


def _owner(path: Path, for_owner_of: Path | None) -> tuple[int, int, int]:
    """Return mode, user and group for a new key."""
    try:
        folder = path.parent.stat()
        uid = os.geteuid()
        if uid == 0 and for_owner_of is not None:
            uid = for_owner_of.stat().st_uid
    except OSError as error:
        raise _unwritten(path, error) from error
    if uid != os.geteuid() or folder.st_gid == os.getegid():
        return _MODE, uid, folder.st_gid
    return _MODE_FOR_GROUP, uid, folder.st_gid


def _unwritten(path: Path, error: OSError) -> RosterError:
    return RosterError(
        f"{path}: the key of the roster cannot be made: {error.strerror}; see that the folder "
        "exists and that you may write there (sudo), or name another: [paths] roster_key"
    )


def _make(path: Path, owner: tuple[int, int, int]) -> None:
    """Write a new key, whole or not at all, also when another process does the same."""
    fresh = path.with_name(f"{path.name}.{secrets.token_hex(4)}.new")
    mode, uid, gid = owner
    try:
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _MODE)
        with os.fdopen(descriptor, "wb") as file:
            if (uid, gid) != (os.geteuid(), os.getegid()):
                os.fchown(descriptor, uid, gid)
            os.fchmod(descriptor, mode)
            file.write(RosterKey.drawn().text)
            file.flush()
            os.fsync(descriptor)
        os.link(fresh, path)
        sync_folder(path.parent)
    except FileExistsError:
        raise
    except OSError as error:
        raise _unwritten(path, error) from error
    finally:
        with suppress(OSError):
            fresh.unlink()
