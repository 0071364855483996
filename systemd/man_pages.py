"""The manual pages, made from the commands' own help and the settings' own texts.

    man_pages.py DIR        gatepost.1, gatepost-COMMAND.1 of each command, gatepost.toml.5

`build_deb.py` puts them into the package; nothing of it is committed. A page says what
`gatepost COMMAND --help` says, of each subcommand too, then what the command's module says of
itself. Kept tools were looked at: argparse-manpage makes one page of all commands, help2man none
of subcommands.
"""

import argparse
import ast
import os
import re
import sys
import textwrap
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path

from msgspec import NODEFAULT

from gatepost import __version__
from gatepost.cli.main import COMMANDS, make_parser, sentence
from gatepost_config.reference import Entry, Section, sections
from gatepost_config.toml_text import written

_EXIT = "0 done, 1 failed, 2 wrong usage or configuration."
_STATUS = re.compile(r"Exit\s+status:\s+(.*?)(?:\n\n|\Z)", re.DOTALL)
_COLUMNS = "72"  # of a usage, within the 80 of a page
_MATTERS = {
    "": "",
    "safety": " Safety: it decides who is let in or out, what is measured, or what is wired where.",
    "security": " Security: it decides who may be let in, or who may speak to the gate.",
}


def pages() -> Mapping[str, str]:
    """Return every page by its file's name."""
    # A usage is as wide as the terminal of whoever builds, unless this says how wide.
    was = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = _COLUMNS
    try:
        return _pages()
    finally:
        if was is None:
            del os.environ["COLUMNS"]
        else:
            os.environ["COLUMNS"] = was


def _pages() -> Mapping[str, str]:
    parsers = subparsers_of(make_parser(COMMANDS))
    made = {"gatepost.1": _overview()}
    for name, parser in parsers.items():
        made[f"gatepost-{name}.1"] = _command(name, parser)
    made["gatepost.toml.5"] = _settings()
    return made


def actions_of(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    """Return what a parser takes; argparse has no public name for it."""
    return [each for each in parser._actions if each.help != argparse.SUPPRESS]  # noqa: SLF001


def subparsers_of(parser: argparse.ArgumentParser) -> Mapping[str, argparse.ArgumentParser]:
    """Return the subcommands of a parser, by name."""
    for action in actions_of(parser):
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            found: Mapping[str, argparse.ArgumentParser] = action.choices
            return found
    return {}


# ----------------------------------------------------------------------------------------- writing


def safe(text: str) -> str:
    """Return a text as roff takes it, one line: no mark of its own, and hyphens that can be typed.

    A command that is copied from a page must have the hyphens it had.
    """
    text = " ".join(text.split()).replace("\\", "\\e").replace("-", "\\-")
    return re.sub(r"^([.'])", r"\\&\1", text)


def bold(text: str) -> str:
    """Return it in bold."""
    return f"\\fB{safe(text)}\\fR"


def _head(name: str, section: int, told: str) -> Iterator[str]:
    yield f'.TH "{safe(name.upper())}" {section} "" "gatepost {__version__}" "Gatepost"'
    yield ".nh"
    yield ".ad l"
    yield from (".SH NAME", f"{safe(name)} \\- {safe(told)}")


def _listed(label: str, text: str) -> Iterator[str]:
    yield from (".TP", label, safe(text) or "\\&")


def _paragraphs(text: str) -> Iterator[str]:
    for paragraph in text.split("\n\n"):
        if paragraph.strip():
            yield from (".PP", safe(paragraph.replace("`", "")))


# ------------------------------------------------------------------------------------------- pages


def _overview() -> str:
    lines = [
        *_head("gatepost", 1, "firmware of an unattended turnstile"),
        *(".SH SYNOPSIS", f"{bold('gatepost')} \\fICOMMAND\\fR [{safe('--help')}] ..."),
        *(".SH DESCRIPTION", "Each command has a page: " + safe("man gatepost-doctor.")),
        "It says the same, shorter, with " + safe("--help."),
        ".SH COMMANDS",
    ]
    for name, (_, told) in COMMANDS.items():
        lines += _listed(f"\\fBgatepost\\-{safe(name)}\\fR(1)", told)
    lines += [".SH OPTIONS", *_listed(bold("--version"), "the version, and stop")]
    lines += _listed(bold("-h, --help"), "what a command takes; each has it, and stops then")
    lines += [".SH EXIT STATUS", safe(_EXIT), *_files(), *_see("gatepost.toml(5)")]
    return "\n".join(lines) + "\n"


def _files() -> Iterator[str]:
    yield ".SH FILES"
    yield from _listed(
        bold("/etc/gatepost/gatepost.toml"),
        "the settings of this gate; an example is in /usr/share/doc/gatepost/examples",
    )
    yield from _listed(bold("/var/lib/gatepost"), "the journal, and what else must survive")


def _see(*names: str) -> Iterator[str]:
    pages_ = (re.sub(r"^(.*)(\(\d\))$", lambda m: bold(m[1]) + m[2], each) for each in names)
    yield from (".SH SEE ALSO", ", ".join(pages_))


def _command(name: str, parser: argparse.ArgumentParser) -> str:
    module, told = COMMANDS[name]
    document, status = _document(module)
    lines = [*_head(f"gatepost-{name}", 1, told), ".SH SYNOPSIS"]
    inner = list(_leaves(parser))
    for each in [*([parser] if _own(parser) or not inner else []), *inner]:
        lines += _usage(each)
    # What --help says of itself, unless that is the line of `gatepost --help` once more.
    own = parser.description if parser.description != sentence(told) else document
    lines += [".SH DESCRIPTION", *_paragraphs(own or document)]
    if _own(parser):
        lines += [".SH OPTIONS", *_options(parser)]
    if inner:
        lines += [".SH SUBCOMMANDS", *_subcommands(parser)]
    epilog = parser.epilog or ""
    if epilog and not _STATUS.search(epilog):
        lines += [".SH NOTES", *_paragraphs(epilog)]
    found = _STATUS.search(epilog)
    lines += [".SH EXIT STATUS", safe(status or (found[1] if found else _EXIT))]
    lines += [*_files(), *_see("gatepost(1)", "gatepost.toml(5)")]
    return "\n".join(lines) + "\n"


def _document(module: str) -> tuple[str, str]:
    """Return what a module says of itself, and of its exit status; without importing it."""
    spec = find_spec(module)
    source = Path(spec.origin) if spec and spec.origin else Path()
    text = ast.get_docstring(ast.parse(source.read_text(encoding="utf-8"))) or ""
    status = _STATUS.search(text)
    text = re.sub(r"^`[^`]+`: (\w)", lambda match: match[1].upper(), text)
    return _STATUS.sub("", text).strip(), status[1] if status else ""


def _own(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    """Return what a parser takes itself: not its subcommands, nor --help, which all have."""
    others = (argparse._SubParsersAction, argparse._HelpAction)  # noqa: SLF001
    return [each for each in actions_of(parser) if not isinstance(each, others)]


def _leaves(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    for each in subparsers_of(parser).values():
        yield from list(_leaves(each)) or [each]


def _usage(parser: argparse.ArgumentParser) -> Iterator[str]:
    usage = parser.format_usage().removeprefix("usage: ")
    lines = textwrap.dedent(" " * len("usage: ") + usage).rstrip().split("\n")
    yield from (".nf", *(_unfilled(line) for line in lines), ".fi", ".sp 0")


def _unfilled(line: str) -> str:
    indent = len(line) - len(line.lstrip())
    return "\\&" + " " * indent + safe(line)


def _options(parser: argparse.ArgumentParser) -> Iterator[str]:
    formatter = parser.formatter_class(prog=parser.prog)
    for action in _own(parser):
        called = formatter._format_action_invocation(action)  # noqa: SLF001
        text = formatter._expand_help(action) if action.help else ""  # noqa: SLF001
        yield from _listed(bold(called), text)


def _subcommands(parser: argparse.ArgumentParser) -> Iterator[str]:
    told = {
        each.dest: each.help or ""
        for action in actions_of(parser)
        if isinstance(action, argparse._SubParsersAction)  # noqa: SLF001
        for each in action._choices_actions  # noqa: SLF001
    }
    for name, each in subparsers_of(parser).items():
        line, more = told.get(name, ""), each.description or ""
        is_said = more.lower().startswith(line.lower())
        yield f".SS {safe(each.prog)}"
        yield from _paragraphs(more if is_said else f"{sentence(line)}.\n\n{more}")
        yield from _options(each)
        if each.epilog:
            yield from _paragraphs(each.epilog)
        yield from _subcommands(each)


# ---------------------------------------------------------------------------------------- settings


def _settings() -> str:
    lines = [
        *_head("gatepost.toml", 5, "the settings of a gate"),
        ".SH DESCRIPTION",
        safe("/etc/gatepost/gatepost.toml is TOML: a [section] a part of the gate, key = value."),
        safe("A key that does not exist, or a value out of range, stops the start."),
        safe("Units stand in the names: _s is seconds, _c degrees Celsius."),
        *(".PP", safe("gatepost config check says whether a gate would start with a file;")),
        safe("gatepost config reference WORD says what stands here about a word."),
    ]
    for section in sections():
        lines += _section(section)
    lines += [*_files(), *_see("gatepost(1)", "gatepost-config(1)")]
    return "\n".join(lines) + "\n"


def _section(section: Section) -> Iterator[str]:
    yield f".SH [{safe(section.name)}]"
    yield safe(section.text)
    for entry in section.entries:
        yield from _listed(bold(entry.key), f"{entry.text}{_MATTERS[entry.matters]}")
        yield from (".br", safe(_allowed(entry)))


def _allowed(entry: Entry) -> str:
    limits = ", ".join(filter(None, (entry.kind, f"{entry.allowed} {entry.unit}".strip())))
    default = "must be set" if entry.default is NODEFAULT else f"default {written(entry.default)}"
    joint = f" {entry.joint}" if entry.joint else ""
    return f"{limits}; {default}.{joint}"


def write(folder: Path) -> list[Path]:
    """Write every page into a folder; return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for name, text in pages().items():
        files.append(folder / name)
        files[-1].write_text(text, encoding="utf-8")
    return files


if __name__ == "__main__":
    if len(sys.argv) != 2:  # noqa: PLR2004 - one argument
        sys.exit("man_pages.py DIR")
    print("\n".join(str(path) for path in write(Path(sys.argv[1]))))
