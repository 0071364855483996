"""Keeps the translations with the code: finds the texts, renews the .po files, compiles them.

    translate.py            after a text was changed; names what has no translation yet

A text is the first argument of `say`, `mark`, `Text`, `Fine` or `Skipped`, one of checks.toml, the
remedy of a fault, what the core says of a measurement, one of reference.toml or of the wiring, a
help of a command in `TRANSLATED`, or one of argparse's own. A .po file is for people and their
tools (Poedit, msgfmt); the .mo beside it is what gettext reads, and what the wheel brings. No tool
of gettext is needed for it.
"""

import argparse
import ast
import struct
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from msgspec.inspect import StrType

from gatepost.cli import wiring_words
from gatepost.cli.main import COMMANDS, make_parser
from gatepost.cli.subcommands import sentence, with_help
from gatepost.cli.words import TRANSLATED
from gatepost.core.faults import FAULTS, Fault
from gatepost.core.screening import GUIDANCE, Reason, Zone
from gatepost.doctor.model import texts
from gatepost_config.reference import kind_of, sections
from gatepost_hal import header

HERE = Path(__file__).resolve().parents[1]
CONFIG = HERE.parent / "config"
CATALOGUES = sorted((HERE / "gatepost" / "locale").glob("*/LC_MESSAGES/gatepost.po"))
_MARKS = {"say", "mark", "Text", "Fine", "Skipped"}
_HOMES = {
    "gatepost.cli.words",
    "gatepost.core.words",
    "gatepost.doctor.model",
    "gatepost_config.tongue",
}
_ARGPARSE = "argparse"
_MAGIC = 0x950412DE


class Message(NamedTuple):
    """A text in English, and with it that of many (argparse has some)."""

    text: str
    plural: str = ""

    @property
    def key(self) -> str:
        """What stands in a .mo for it."""
        return f"{self.text}\0{self.plural}" if self.plural else self.text


class Catalogue(NamedTuple):
    """A .po file: what stands before its first text, and each text in the other language."""

    head: str
    told: Mapping[Message, str]


# ------------------------------------------------------------------------------- what is to be said


def wanted() -> dict[Message, str]:
    """Return every text, with where it is from."""
    found = {Message(text): place for text, place in _texts()}
    return {**found, **dict.fromkeys(own_of_argparse(), _ARGPARSE)}


def _texts() -> Iterator[tuple[str, str]]:
    for _, text in COMMANDS.values():
        yield text, "gatepost --help"
    for name in sorted(TRANSLATED):
        for text in _helps(make_parser([name]), name):
            yield text, f"gatepost {name} --help".replace("  ", " ")
    for home in (HERE / "gatepost", CONFIG / "gatepost_config"):
        for path in sorted(home.rglob("*.py")):
            for text in marked(path.read_text(encoding="utf-8")):
                yield text, path.relative_to(home.parent).as_posix()
    yield from _tables()


def _tables() -> Iterator[tuple[str, str]]:
    for check, row in texts().items():
        yield row.title, f"doctor/checks.toml {check}"
        for name, problem in row.problems.items():
            for text in (problem.says, problem.means, problem.remedy):
                if text != "{told}":
                    yield text, f"doctor/checks.toml {check}/{name}"
    for fault, consequence in FAULTS.items():
        yield consequence.remedy, f"core/faults.py {fault.value}"
    yield from _of_a_measurement()
    yield from _of_settings()


def _of_a_measurement() -> Iterator[tuple[str, str]]:
    """Yield what the core says of a measurement, and its names as `gatepost measure` says them."""
    place = "core/screening.py"
    for guidance in GUIDANCE.values():
        yield guidance.say, place
    names = [each.value for each in (*Zone, *Reason)]
    for fault in Fault:
        group, _, rest = fault.value.partition("_")
        names += [fault.value] if group in ("sensor", "calibration") else []
        names += [rest] if group == "sensor" and rest else []
    yield from ((name.replace("_", " "), place) for name in names)


def marked(source: str) -> Iterator[str]:
    """Yield the texts that are marked in a module, by what it imports or defines for that."""
    tree = list(ast.walk(ast.parse(source)))
    known = {
        name.asname or name.name
        for node in tree
        if isinstance(node, ast.ImportFrom) and node.module in _HOMES
        for name in node.names
        if name.name in _MARKS
    }
    known |= {node.name for node in tree if isinstance(node, ast.ClassDef) and node.name in _MARKS}
    for node in tree:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args:
            first = node.args[0]
            is_text = isinstance(first, ast.Constant) and isinstance(first.value, str)
            if node.func.id in known and is_text and first.value:
                yield first.value


def _helps(parser: argparse.ArgumentParser, name: str) -> Iterator[str]:
    """Yield the helps of a command; of all, for ""."""
    own = [(parser, "")]
    if name:
        (own,) = ([pair] for pair in with_help(parser) if pair[0].prog.endswith(f" {name}"))
    while own:
        each, line = own.pop()
        # A line of a list was translated before it was made a sentence.
        is_line = line and each.description == sentence(line)
        yield from filter(None, ("" if is_line else each.description, each.epilog))
        yield from (group.title for group in each._action_groups if group.title)  # noqa: SLF001
        for action in each._actions:  # noqa: SLF001
            for told in (action, *getattr(action, "_choices_actions", ())):
                if told.help and told.help != argparse.SUPPRESS:
                    yield told.help
        if name:
            own += with_help(each)


def own_of_argparse() -> Iterator[Message]:
    """Yield argparse's own words, those of this Python."""
    for node in ast.walk(ast.parse(Path(argparse.__file__).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            told = [each.value for each in node.args if isinstance(each, ast.Constant)]
            if node.func.id == "_" and told:
                yield Message(told[0])
            elif node.func.id == "ngettext":
                yield Message(told[0], told[1])


def _of_settings() -> Iterator[tuple[str, str]]:
    """Yield the texts of every setting, and of every line of the wiring."""
    for section in sections():
        yield section.text, f"reference.toml [{section.name}]"
        for entry in section.entries:
            told = (entry.text, entry.joint, entry.unit)
            form = entry.allowed if isinstance(kind_of(entry), StrType) else ""
            yield from ((text, f"reference.toml {entry.name}") for text in (*told, form) if text)
    place = "gatepost/cli/wiring_words.py"
    for function in (wiring_words.OUTPUTS | wiring_words.INPUTS).values():
        yield from ((text, place) for text in function if text)
    for name, text in vars(wiring_words).items():
        if name.isupper() and isinstance(text, str):
            yield text, place
    for line in header.PINS:
        if bus := header.shared_with(line):
            yield bus, "header.py"


# --------------------------------------------------------------------------------------- the files


def read(path: Path) -> Catalogue:
    """Read a .po file. Raises ValueError for a line that is none of one."""
    head: list[str] = []
    told: dict[Message, str] = {}
    fields: dict[str, str] = {}
    last = ""
    for line in [*path.read_text(encoding="utf-8").splitlines(), "", ""]:
        word, _, rest = line.partition(" ")
        if line.startswith("#"):
            if not told and not fields:
                head.append(line)
        elif line.startswith('"'):
            fields[last] += ast.literal_eval(line)
        elif word in ("msgid", "msgid_plural", "msgstr", "msgstr[0]"):
            last = word
            fields[word] = ast.literal_eval(rest)
        elif line:
            raise ValueError(f"{path}: {line!r}")
        elif fields:
            message = Message(fields["msgid"], fields.get("msgid_plural", ""))
            told[message] = fields.get("msgstr", "") or fields.get("msgstr[0]", "")
            fields = {}
    return Catalogue("\n".join(head), told)


def written(catalogue: Catalogue, places: Mapping[Message, str]) -> str:
    """Return a .po file: the texts in the order of `places`, with where they are from."""
    header = catalogue.told.get(Message(""), "")
    lines = [catalogue.head, 'msgid ""', 'msgstr ""']
    lines += [f'"{_escaped(line)}\\n"' for line in header.splitlines()]
    for message, place in places.items():
        lines += ["", f"#. {place}", f'msgid "{_escaped(message.text)}"']
        if message.plural:
            lines += [f'msgid_plural "{_escaped(message.plural)}"']
        label = "msgstr[0]" if message.plural else "msgstr"
        lines += [f'{label} "{_escaped(catalogue.told.get(message, ""))}"']
    return "\n".join((*lines, ""))


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def compiled(told: Mapping[Message, str]) -> bytes:
    """Return a .mo file: GNU gettext manual, "The Format of GNU MO Files"; without a hash table."""
    pairs = sorted((each.key.encode(), text.encode()) for each, text in told.items() if text)
    table = 28
    begins = table + 16 * len(pairs)
    bodies, offsets = b"", []
    for column in (0, 1):
        for pair in pairs:
            offsets += [len(pair[column]), begins + len(bodies)]
            bodies += pair[column] + b"\0"
    head = (_MAGIC, 0, len(pairs), table, table + 8 * len(pairs), 0, begins)
    return struct.pack(f"<{len(head) + len(offsets)}I", *head, *offsets) + bodies


def main(catalogues: Iterable[Path] = CATALOGUES) -> int:
    """Renew every catalogue; return 1 when a text has no translation."""
    status = 0
    for path in catalogues:
        found = read(path)
        path.write_text(written(found, _places(path, found)), encoding="utf-8")
        renewed = read(path)
        path.with_suffix(".mo").write_bytes(compiled(renewed.told))
        for message, text in renewed.told.items():
            if not text:
                print(f"{path}: no translation: {message.text}", file=sys.stderr)
                status = 1
    return status


def _places(path: Path, found: Catalogue) -> dict[Message, str]:
    """Return the texts in their order; argparse's as the file has them, whichever Python runs."""
    places = {Message(text): place for text, place in _texts()}
    known = (each for each in found.told if each.text and is_of_argparse(path, each))
    for message in (*known, *own_of_argparse()):
        places.setdefault(message, _ARGPARSE)
    return places


def is_of_argparse(path: Path, message: Message) -> bool:
    """Return whether a .po says of a text that it is argparse's, of this Python or another."""
    before = path.read_text(encoding="utf-8").partition(f'\nmsgid "{_escaped(message.text)}"\n')[0]
    return before.endswith(f"\n#. {_ARGPARSE}")


if __name__ == "__main__":
    sys.exit(main())
