"""`gatepost credential`: health certificates (HC1), for whoever checks or trusts them.

`check` runs test files through the gate's own chain. The files are those of the public test data of
the EU DCC, https://github.com/eu-digital-green-certificates/dgc-testdata. One line of JSON a file
says what each step came to that the file expects something of, and whether all of them agree. Exit
status: 0, 1 when one disagrees, 2 when a file cannot be read; the others are run all the same.

`signer` turns a document signer's certificate into the entry of a trust list (`trust issue`).
"""

import argparse
import base64
import io
import json
import sys
from pathlib import Path

from gatepost.cli.main import fail
from gatepost_services.credentials.hcert_conformance import (
    NotATestFileError,
    PictureReader,
    expected_results,
    results,
)
from gatepost_services.credentials.hcert_signer import der_of, trusted_key
from gatepost_services.credentials.keys import KeyUnusableError
from gatepost_services.credentials.signing import spki

# The largest of the public ones has 60 kB.
_MOST_BYTES = 4 * 2**20
_MARGIN_PX = 40  # four modules, as ISO/IEC 18004, 6.3.8 asks, of up to ten pixels


class _UnreadableError(Exception):
    """A file that is not what it should be; the text says why."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    check = actions.add_parser("check", help="run test files of dgc-testdata, a line of JSON each")
    check.add_argument(
        "files",
        type=Path,
        nargs="+",
        metavar="FILE.json",
        help="a test file of dgc-testdata",
    )
    signer = actions.add_parser("signer", help="show a signer's certificate as a trust list's key")
    signer.add_argument("certificate", type=Path, metavar="CERTIFICATE", help="X.509, DER or PEM")


def run(args: argparse.Namespace) -> int:
    """Do what was asked for."""
    return _signer(args.certificate) if args.action == "signer" else _check(args.files)


def _signer(path: Path) -> int:
    try:
        key = trusted_key(der_of(_content(path)))
    except (_UnreadableError, KeyUnusableError) as error:
        fail(f"{path}: {error}", status=2)
    entry = {
        "kid": key.kid.hex(),
        "spki": base64.b64encode(spki(key.key)).decode(),
        "use": sorted(key.uses),
        "not_before": key.not_before_utc.isoformat(),
        "not_after": key.not_after_utc.isoformat(),
    }
    print(json.dumps(entry))
    return 0


def _check(paths: list[Path]) -> int:
    read_picture = _picture_reader()
    status = 0
    for path in paths:
        try:
            answer = _answer(path, read_picture)
        except _UnreadableError as error:
            print(f"gatepost: {path}: {error}", file=sys.stderr)
            status = 2
            continue
        print(json.dumps(answer, ensure_ascii=False), flush=True)
        if not answer["agrees"]:
            status = max(status, 1)
    return status


def _answer(path: Path, read_picture: PictureReader | None) -> dict[str, object]:
    document = _document(path)
    try:
        expected = expected_results(document)
        found = results(document, read_picture)
    except NotATestFileError as error:
        raise _UnreadableError(str(error)) from None
    agrees = all(expected[name] == result for name, result in found.items())
    return {"file": str(path), "results": found, "agrees": agrees}


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise _UnreadableError(f"cannot be read: {error.strerror}") from None
    if len(data) > _MOST_BYTES:
        raise _UnreadableError(f"larger than {_MOST_BYTES} bytes; such a file has some 10,000")
    return data


def _document(path: Path) -> object:
    data = _content(path)
    try:
        # As bytes: so a byte order mark and UTF-16 are seen to.
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise _UnreadableError(f"is not JSON: {error}") from None


def _picture_reader() -> PictureReader | None:
    """Return what reads the code in a picture; None, and a word, where nothing is installed for it.

    A gate has a scanner and needs none of it: the libraries are for tests and technicians.
    """
    try:
        import zxingcpp  # noqa: PLC0415
        from PIL import Image, UnidentifiedImageError  # noqa: PLC0415
    except ImportError:
        print(
            "gatepost: EXPECTEDPICTUREDECODE is left out for files with a picture: install"
            " zxing-cpp and pillow (pip install 'gatepost[tools]')",
            file=sys.stderr,
        )
        return None

    def read(picture: bytes) -> list[str]:
        try:
            with Image.open(io.BytesIO(picture), formats=("PNG", "JPEG", "GIF")) as image:
                # What is transparent is white, as on a page; and some have no margin.
                size = (image.width + 2 * _MARGIN_PX, image.height + 2 * _MARGIN_PX)
                page = Image.new("RGBA", size, "white")
                page.alpha_composite(image.convert("RGBA"), (_MARGIN_PX, _MARGIN_PX))
                return [code.text for code in zxingcpp.read_barcodes(page.convert("L"))]
        except (UnidentifiedImageError, Image.DecompressionBombError, OSError, ValueError):
            return []  # no picture that could be read

    return read
