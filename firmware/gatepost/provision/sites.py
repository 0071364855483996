"""The list of gates, a row each: strict CSV (RFC 4180), every flaw told at once."""

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gatepost.provision.columns import REQUIRED, TOKEN, is_known, nearest
from gatepost_config.load import ConfigError

_MOST_BYTES = 5_000_000
_SAVE = "save it as CSV, UTF-8, with commas"


@dataclass(frozen=True, slots=True)
class Row:
    """One gate. `cells` has no empty ones: what is not said is the template's, or the default."""

    place: str
    line: int
    cells: Mapping[str, str]

    def problem(self, column: str, what: str) -> str:
        """Return a sentence about a cell. A token is not quoted."""
        value = "" if column == TOKEN else f" = {self.cells[column]!r}"
        return f"{self.place}: column {column}{value}: {what}"


@dataclass(slots=True)
class Sheet:
    """What a file holds, and what is wrong with it."""

    rows: list[Row] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def read_sites(path: Path) -> Sheet:
    """Return the rows of a file. Blank lines are skipped; nothing else is guessed.

    Raises:
        ConfigError: the file cannot be read, or its header is not right, so that no row counts.
    """
    text = _text(path)
    sheet = Sheet()
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = next(reader, [])
        if problems := _header_problems(path, header):
            raise ConfigError(problems)
        # A quoted cell may have line ends: a row is where it begins.
        begins = reader.line_num + 1
        for cells in reader:
            if cells:
                _take(sheet, header, cells, f"{path}:{begins}", begins)
            begins = reader.line_num + 1
    except csv.Error as error:
        sheet.problems.append(f"{path}:{reader.line_num}: not CSV: {error}; {_SAVE}.")
    if not sheet.rows and not sheet.problems:
        sheet.problems.append(f"{path}: there is no gate in it; write one a line below the header.")
    return sheet


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
    except FileNotFoundError:
        raise ConfigError([f"{path}: there is no such file."]) from None
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read: {error.strerror}."]) from None
    if len(content) > _MOST_BYTES:
        raise ConfigError([f"{path}: larger than {_MOST_BYTES} bytes; split it."])
    try:
        # A spreadsheet begins the file with a mark.
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError([f"{path}: not UTF-8 text (byte {error.start}); {_SAVE}."]) from None


def _header_problems(path: Path, header: list[str]) -> list[str]:
    where = f"{path}:1"
    if not header:
        return [f"{where}: no header; the first line names the columns: {', '.join(REQUIRED)} ..."]
    if len(header) == 1 and (";" in header[0] or "\t" in header[0]):
        return [f"{where}: the columns are not divided by commas; {_SAVE}."]
    problems = [
        f"{where}: column {column!r}: there is no such column. {nearest(column)}"
        for column in dict.fromkeys(header)
        if not is_known(column)
    ]
    problems += [
        f"{where}: column {column}: is there {header.count(column)} times; keep one."
        for column in dict.fromkeys(header)
        if is_known(column) and header.count(column) > 1
    ]
    problems += [
        f"{where}: column {column}: is missing; it must be there."
        for column in REQUIRED
        if column not in header
    ]
    return problems


def _take(sheet: Sheet, header: list[str], cells: list[str], place: str, line: int) -> None:
    if len(cells) != len(header):
        sheet.problems.append(
            f"{place}: {len(cells)} cells; the header has {len(header)}. A cell with a comma in it"
            " stands in double quotes."
        )
        return
    row = Row(
        place, line, {name: text for name, text in zip(header, cells, strict=True) if text != ""}
    )
    flaws = [
        row.problem(name, "begins or ends with a space; remove it.")
        for name, text in row.cells.items()
        if text != text.strip()
    ]
    flaws += [
        row.problem(name, "has a sign that cannot be seen (a line end, a tab); remove it.")
        for name, text in row.cells.items()
        if text == text.strip() and not text.isprintable()
    ]
    flaws += [
        f"{place}: column {name}: is empty; it must be there."
        for name in REQUIRED
        if name not in row.cells
    ]
    sheet.problems += flaws
    if not flaws:
        sheet.rows.append(row)
