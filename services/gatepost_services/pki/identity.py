"""The folder of a gate's certificate and key, exchanged as a whole.

    ca.pem device.pem device.key crl.pem    links to current/...; what the settings name
    current -> 3                            the set in use
    3/  2/                                  it, and the one before
    pending.key                             the key of a request that is under way

Certificate and key are of use only together, and no file system replaces two files at once. So a
set is written into a folder of its own, brought to the disk, and then one link is renamed: a kill
at any instant leaves the old set or the new one. (One file with certificate and key would do for
these two, but not for the authority's certificate and the revocation list beside them; and openssl
and curl expect them apart.) The key of a request is on the disk before the request is sent, so that
an answer that was lost on the way can be asked for again.
"""

import os
import re
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from gatepost_services.pki import profiles
from gatepost_services.pki.errors import UNREADABLE, PkiFileError
from gatepost_services.pki.files import Owner, make_folder, read_file, write_file
from gatepost_services.small_file import sync_folder

AUTHORITY, CERTIFICATE, KEY, REVOKED = "ca.pem", "device.pem", "device.key", "crl.pem"
# Where the gate was enrolled: renewal asks there.
SERVER = "server"
_LINKED = (AUTHORITY, CERTIFICATE, KEY, REVOKED)
_CURRENT, _PENDING = "current", "pending.key"
_SET = re.compile(r"[1-9][0-9]{0,8}\Z")


class Identity:
    """What a gate has of certificates and keys, in a folder.

    Files belong to whoever owns the folder, so that root may enrol for the link's user.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def certificate(self) -> Path:
        """The certificate in use; it may not be there."""
        return self.folder / CERTIFICATE

    @property
    def key(self) -> Path:
        """Its key."""
        return self.folder / KEY

    @property
    def authority(self) -> Path:
        """The authority that vouches for it, and for the broker."""
        return self.folder / AUTHORITY

    def held(self) -> dict[str, bytes]:
        """Return the files of the set in use, by their names.

        Raises:
            PkiFileError: one is there and cannot be read.
        """
        names = (*_LINKED, SERVER)
        source = self.folder / _CURRENT if self._number() else self.folder
        return {name: read_file(source / name) for name in names if (source / name).exists()}

    def pending_key(self) -> EllipticCurvePrivateKey:
        """Return the key for the next request: the one of the last that came to nothing, or new.

        Raises:
            PkiFileError: it cannot be read or written.
        """
        path = self.folder / _PENDING
        if path.exists():
            pem = read_file(path)
            # A kill after the exchange leaves the key that is in use by now.
            if pem != self.held().get(KEY):
                with suppress(*UNREADABLE):
                    held = load_pem_private_key(pem, None)
                    if isinstance(held, EllipticCurvePrivateKey):
                        return held
        key = profiles.new_key()
        write_file(path, profiles.key_pem(key), self._owner())
        return key

    def install(self, files: Mapping[str, bytes]) -> None:
        """Put a set of files in force, in place of the one before. All of it counts, or none.

        Raises:
            PkiFileError: the disk does not take it; the set before is in force.
        """
        try:
            by_hand = self._by_hand()
            if by_hand:
                # The same under another roof, so that the names can become links one by one.
                self._switch_to(self._written(by_hand))
            self._link_names()
            self._switch_to(self._written(files))
            (self.folder / _PENDING).unlink(missing_ok=True)
            self._clear()
        except OSError as error:
            raise PkiFileError(
                f"{self.folder}: cannot be written: {error.strerror}; run this as root, or as the"
                " user who owns the folder"
            ) from error

    # -------------------------------------------------------------------------------------- steps

    def _written(self, files: Mapping[str, bytes]) -> int:
        number = max(self._numbers(), default=0) + 1
        folder = self.folder / str(number)
        make_folder(folder)
        owner = self._owner()
        if owner is not None:
            os.chown(folder, *owner)
        for name, content in files.items():
            write_file(folder / name, content, owner)
        sync_folder(self.folder)
        return number

    def _switch_to(self, number: int) -> None:
        fresh = self.folder / f"{_CURRENT}.new"
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(str(number))
        fresh.replace(self.folder / _CURRENT)
        sync_folder(self.folder)

    def _by_hand(self) -> dict[str, bytes]:
        """Return the files as the names show them, when one was put there by hand."""
        paths = [self.folder / name for name in _LINKED]
        if all(path.is_symlink() or not path.exists() for path in paths):
            return {}
        return {path.name: read_file(path) for path in paths if path.exists()}

    def _link_names(self) -> None:
        for name in _LINKED:
            path, target = self.folder / name, f"{_CURRENT}/{name}"
            if path.is_symlink() and str(path.readlink()) == target:
                continue
            fresh = self.folder / f"{name}.new"
            fresh.unlink(missing_ok=True)
            fresh.symlink_to(target)
            fresh.replace(path)
        sync_folder(self.folder)

    def _clear(self) -> None:
        kept = self._number()
        before = [number for number in self._numbers() if number < kept]
        for number in self._numbers():
            if number != kept and number != max(before, default=0):
                shutil.rmtree(self.folder / str(number))

    def _numbers(self) -> list[int]:
        return [int(each.name) for each in self.folder.iterdir() if _SET.match(each.name)]

    def _number(self) -> int:
        """Return the number of the set in use, 0 when there is none."""
        with suppress(OSError):
            name = str((self.folder / _CURRENT).readlink())
            return int(name) if _SET.match(name) else 0
        return 0

    def _owner(self) -> Owner | None:
        if os.geteuid() != 0:
            return None
        found = self.folder.stat()
        return found.st_uid, found.st_gid
