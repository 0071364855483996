"""The boot partition as the first boot finds it: FAT, written by people on any computer.

Every change is on the disk before the next begins, so that whatever a power cut leaves, the next
run comes through.
"""

import hashlib
import os
from contextlib import suppress
from pathlib import Path

from gatepost_services.small_file import TooLargeError, read_small, replace_whole, sync_folder

SETTINGS, TOKEN, AUTHORITY = "gatepost.toml", "enrolment-token", "site-ca.pem"
# What the settings are called once they are in force: the unit does not start for that.
USED = "gatepost.used.toml"
REPORT = "gatepost-first-boot.txt"
# What whoever enrols leaves for root when the token is used up: the digest of the token's file.
USED_TOKEN = "used-token"
_MOST_BYTES = 1_000_000
# systemd has no word for a file that may be missing; this stands in the place of one.
_NONE = b"none"
_MARK = b"\xef\xbb\xbf"  # with which Windows begins a file in UTF-8


class CardError(OSError):
    """The card, or the disk, does not do what it is asked. The text names the file."""


class Card:
    """The partition, in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def read(self, name: str) -> bytes | None:
        """Return a file, without the mark that an editor may have put; None where there is none.

        Raises:
            CardError: it cannot be read.
        """
        return read_file(self.folder / name)

    def retire_settings(self) -> None:
        """Rename the settings: they are in force.

        Raises:
            CardError: they cannot be.
        """
        path = self.folder / SETTINGS
        try:
            path.replace(self.folder / USED)
        except OSError as error:
            raise _card_error(path, "renamed", error) from error
        # Should the renaming be lost, the next start puts the same settings in force.
        with suppress(OSError):
            sync_folder(self.folder)

    def wipe_token(self) -> bool:
        """Write over the token where it lies, and then remove it.

        A replaced file would leave the old one's blocks as they are. What the card's controller
        keeps of blocks that were written over is not for us to reach; the token is used up.

        Returns:
            Whether the file is gone for sure: a power cut may bring its name back, with zeros.

        Raises:
            CardError: it may still be there.
        """
        path = self.folder / TOKEN
        try:
            with path.open("r+b", buffering=0) as file:
                file.write(b"\0" * os.fstat(file.fileno()).st_size)
                os.fsync(file.fileno())
            path.unlink()
        except FileNotFoundError:
            return True
        except OSError as error:
            raise _card_error(path, "wiped", error) from error
        try:
            sync_folder(self.folder)
        except OSError:
            return False
        return True

    def report(self, text: str) -> None:
        """Leave a report for whoever puts this card into a laptop.

        Raises:
            CardError: it is not there.
        """
        # A gate that waits for its network says the same every few minutes: that wears the card.
        if self.read(REPORT) != text.encode():
            replace_file(self.folder / REPORT, text.encode())


class HandedCard(Card):
    """Copies of the token and the authority, for whoever has the network: the card is out of reach.

    What there is to do at the card is left for `Finishing`, which runs as root and has no network.

    Args:
        folder: the copies, which systemd made: they are read, and nothing else.
        answer: where the report is left, and which token is used up.
    """

    def __init__(self, folder: Path, answer: Path) -> None:
        super().__init__(folder)
        self._answer = answer

    def read(self, name: str) -> bytes | None:
        """Return a copy, None where there is no such file on the card.

        Raises:
            CardError: it cannot be read.
        """
        content = super().read(name) if name in (TOKEN, AUTHORITY) else None
        return None if content == _NONE else content

    def wipe_token(self) -> bool:
        """Say that the token is used up.

        Returns:
            False: it still lies on the card.

        Raises:
            CardError: that cannot be said.
        """
        content = self.read(TOKEN)
        if content is not None:
            replace_file(self._answer / USED_TOKEN, token_digest(content))
        return False

    def report(self, text: str) -> None:
        """Leave a report.

        Raises:
            CardError: it is not there.
        """
        replace_file(self._answer / REPORT, text.encode())


def token_digest(content: bytes) -> bytes:
    """Return what a token's file is known by, without its secret."""
    return hashlib.sha256(content).hexdigest().encode()


def read_file(path: Path) -> bytes | None:
    """Return a file of people's making, None where there is none.

    Raises:
        CardError: it cannot be read, or is far too large.
    """
    try:
        content = read_small(path, _MOST_BYTES)
    except OSError as error:
        raise _card_error(path, "read", error) from error
    except TooLargeError as error:
        raise CardError(str(error)) from error
    return None if content is None else content.removeprefix(_MARK)


def replace_file(path: Path, content: bytes, mode: int | None = None) -> None:
    """Replace a file as a whole: the old one or the new one after a power cut, never half.

    `mode`: who may read it, and its folder's group where root runs this. None: FAT knows neither.

    Raises:
        CardError: it is not on the disk.
    """
    try:
        is_given = mode is not None and os.geteuid() == 0
        owner = (0, path.parent.stat().st_gid) if is_given else None
        replace_whole(path, content, mode=mode, owner=owner)
    except OSError as error:
        raise _card_error(path, "written", error) from error


def _card_error(path: Path, what: str, error: OSError) -> CardError:
    if isinstance(error, CardError):
        return error
    return CardError(f"{path} cannot be {what}: {error.strerror or error}")
