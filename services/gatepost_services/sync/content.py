"""A document's content as the link left it: believed when its digest is the one that was signed."""

from hashlib import sha256
from pathlib import Path

from gatepost_services.sync.documents import Desired, DocumentError, Why


def read_content(path: Path, desired: Desired) -> bytes:
    """Return the content of a file, read once: what was checked is what is used.

    Raises:
        DocumentError: MISSING; or it is something else (DIGEST).
    """
    try:
        with path.open("rb") as file:
            content = file.read(desired.bytes + 1)
    except FileNotFoundError:
        raise DocumentError(Why.MISSING, f"{path}: the link did not bring it") from None
    except OSError as error:
        raise DocumentError(Why.MISSING, f"{path}: cannot be read: {error.strerror}") from None
    if len(content) != desired.bytes or sha256(content).hexdigest() != desired.digest:
        raise DocumentError(Why.DIGEST, f"{path}: is not what was signed; the link damaged it")
    return content
