"""What a document holds between two markers, and a command makes: printed, or renewed in FILE."""

import argparse
from collections.abc import Callable
from pathlib import Path

from gatepost.cli.main import fail

_PRINTED = Path("-")


def add_markdown_argument(container: argparse._ActionsContainer, name: str, what: str) -> None:
    """Add an option that takes a FILE or nothing."""
    container.add_argument(
        name,
        nargs="?",
        type=Path,
        const=_PRINTED,
        metavar="FILE",
        help=f"print {what} as Markdown, or renew it in FILE, and stop",
    )


def print_or_renew(path: Path, markdown: str, renewed: Callable[[str], str]) -> int:
    """Print it, or write it into the file; `renewed` raises ValueError without the markers."""
    if path == _PRINTED:
        print(markdown, end="")
        return 0
    try:
        path.write_text(renewed(path.read_text(encoding="utf-8")), encoding="utf-8")
    except (OSError, ValueError) as error:
        fail(f"{path}: {error}")
    return 0
