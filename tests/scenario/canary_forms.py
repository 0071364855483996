"""Canaries: secrets that are looked for in every form in which a program could give them away."""

import base64
import io
import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote_from_bytes

# Shorter hexadecimal and decimal forms would be found in any hash: they count standing alone.
_LONG = 12
_LEAST_BYTES = 6
_LEAST_DIGITS = 8  # of base64: 48 bits
_ALONE = rb"(?<![0-9A-Za-z])%s(?![0-9A-Za-z])"


@dataclass(frozen=True)
class Canary:
    """One secret, or one thing about a person.

    Attributes:
        name: what it is, for messages.
        secret: its bytes.
        homes: patterns of paths where it may be, with the reason beside them in the table.
        is_number: bytes of a card, which readers print in either order and in decimal as well.
    """

    name: str
    secret: bytes
    homes: tuple[str, ...] = ()
    is_number: bool = False

    def forms(self) -> Iterator[tuple[str, re.Pattern[bytes]]]:
        """Yield the name and the pattern of each form."""
        orders = {"": self.secret}
        if self.is_number:
            orders["reversed "] = self.secret[::-1]
        for order, value in orders.items():
            for form, text in _written(value, is_number=self.is_number):
                pattern = re.escape(text)
                if len(text) < _LONG and form.lower().startswith(("hex", "decimal")):
                    pattern = _ALONE % pattern
                yield order + form, re.compile(pattern)


def _written(value: bytes, *, is_number: bool) -> Iterator[tuple[str, bytes]]:
    if len(value) >= _LEAST_BYTES:
        yield "as it is", value
    digits = value.hex()
    yield "hex", digits.encode()
    yield "HEX", digits.upper().encode()
    if len(value) > 1:
        for mark in ":- ":
            yield f"hex with {mark!r}", value.hex(mark).encode()
            yield f"HEX with {mark!r}", value.hex(mark).upper().encode()
    yield "percent", "".join(f"%{byte:02x}" for byte in value).encode()
    yield "PERCENT", "".join(f"%{byte:02X}" for byte in value).encode()
    if (quoted := quote_from_bytes(value, safe="").encode()) != value:
        yield "quoted", quoted
    if (escaped := repr(value)[2:-1].encode()) != value:
        yield "escaped", escaped
    if is_number:
        yield "decimal", str(int.from_bytes(value)).encode()
    yield from _in_base64(value)


def _in_base64(value: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield it as base64 has it, alone or in the middle of something: at each of three places."""
    for before in range(3):
        for name, encode in (
            ("base64", base64.b64encode),
            ("base64url", base64.urlsafe_b64encode),
        ):
            whole = encode(b"\0" * before + value).rstrip(b"=")
            # What shares its six bits with a neighbour is not known.
            first = -(-before * 8 // 6)
            last = (before + len(value)) * 8 // 6
            if last - first >= _LEAST_DIGITS:
                yield f"{name} at {before}", whole[first:last]


def contents(path: Path) -> Iterator[bytes]:
    """Yield what a file holds: its bytes, without line ends (PEM), and what is packed in it."""
    content = path.read_bytes()
    yield content
    yield content.replace(b"\n", b"").replace(b"\\n", b"").replace(b"\r", b"")
    if content.startswith(b"\x1f\x8b"):
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            for member in archive.getmembers():
                if (file := archive.extractfile(member)) is not None:
                    yield file.read()


class Found(NamedTuple):
    """A canary in a file; `form` is how it is written there."""

    canary: Canary
    file: str
    form: str

    @property
    def is_at_home(self) -> bool:
        return any(fnmatchcase(self.file, home) for home in self.canary.homes)

    def __str__(self) -> str:
        return f"{self.canary.name} in {self.file}, {self.form}"


def search(folder: Path, canaries: list[Canary]) -> list[Found]:
    """Return every place below a folder where a canary is, in any form."""
    sought = [(canary, list(canary.forms())) for canary in canaries]
    return [
        Found(canary, name, form)
        for name, texts in _files(folder)
        for canary, forms in sought
        for form, pattern in forms
        if any(pattern.search(text) for text in texts)
    ]


def leaks(found: list[Found]) -> list[str]:
    """Return in words where canaries are that do not live there."""
    return [str(each) for each in found if not each.is_at_home]


def _files(folder: Path) -> Iterator[tuple[str, list[bytes]]]:
    for path in sorted(folder.rglob("*")):
        # A name gives away as much as a content.
        name = str(path.relative_to(folder))
        if path.is_file() and not path.is_symlink():
            yield name, [name.encode(), *contents(path)]
