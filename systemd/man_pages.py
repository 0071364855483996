"""The manual pages, made from the commands' own help and the settings' own texts.

    man_pages.py DIR        gatepost.1, gatepost-COMMAND.1 of each command, gatepost.toml.5; in
                            Chinese (.zh_CN.1, .zh_CN.5) those of the commands that speak it

`build_deb.py` puts them into the package; nothing of it is committed. A page says what
`gatepost COMMAND --help` says, of each subcommand too, then what the command's module says of
itself. In Chinese the first comes from where the command has it, what the pages add from
man.zh_CN.toml. Kept tools were looked at: argparse-manpage makes one page of all commands, help2man
none of subcommands; po4a would need every page a second time, and by hand.
"""

import argparse
import ast
import os
import re
import sys
import textwrap
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from msgspec import NODEFAULT

from gatepost import __version__
from gatepost.cli import words
from gatepost.cli.config_words import tongue
from gatepost.cli.main import COMMANDS, make_parser
from gatepost.cli.subcommands import sentence
from gatepost.cli.words import TRANSLATED, say
from gatepost_config.reference import Entry, allowed_in, sections
from gatepost_config.toml_text import written

_EXIT = "0 done, 1 failed, 2 wrong usage or configuration."
_STATUS = re.compile(r"Exit\s+status:\s+(.*?)(?:\n\n|\Z)", re.DOTALL)
LANGUAGES = ("zh_CN",)  # beside English
_HERE = Path(__file__).parent
_USAGE = "usage: "
_COLUMNS = "72"  # of a usage, within the 80 of a page
_MATTERS = {
    "": "",
    "safety": "Safety: it decides who is let in or out, what is measured, or what is wired where.",
    "security": "Security: it decides who may be let in, or who may speak to the gate.",
}
_ABOUT_SETTINGS = (
    "/etc/gatepost/gatepost.toml is TOML: a [section] a part of the gate, key = value. "
    "A key that does not exist, or a value out of range, stops the start. "
    "Units stand in the names: _s is seconds, _c degrees Celsius.",
    "gatepost config check says whether a gate would start with a file; "
    "gatepost config reference WORD says what stands here about a word.",
)


class _Page:
    """The language of the page that is made: what the pages say of their own, from a file."""

    own: Mapping[str, str] | None = None  # None: English
    asked: dict[str, bool] = {}  # noqa: RUF012 - text -> whether it has a translation


def own(text: str) -> str:
    """Return a text of the pages' own, or of a module, in the language of the page.

    One that has no translation stays English and is named in `missing()`.
    """
    text = " ".join(text.split()) if "\n" in text else text
    if _Page.own is None or not text:
        return text
    _Page.asked[text] = text in _Page.own
    return _Page.own.get(text, text)


def missing() -> list[str]:
    """Return the texts that had no translation when the pages were made."""
    return sorted(text for text, is_told in _Page.asked.items() if not is_told)


def asked() -> set[str]:
    """Return all that were asked for."""
    return set(_Page.asked)


def own_texts(language: str) -> Mapping[str, str]:
    """Return what the pages say of their own: English -> in that language.

    Raises:
        ValueError: a text stands there twice.
    """
    path = _HERE / f"man.{language}.toml"
    rows = tomllib.loads(path.read_text(encoding="utf-8"))["text"]
    found = {" ".join(row["en"].split()): row["told"].strip() for row in rows}
    if len(found) < len(rows):
        raise ValueError(f"{path}: a text stands there twice")
    return found


@contextmanager
def speaking(command: str, language: str) -> Iterator[None]:
    """Have the texts of a command, "" for those of all, in a language, "" for English.

    Raises:
        SystemExit: there are no translations, or the output of this process cannot have them.
    """
    try:
        if language:
            words.begin(command, {"LANG": f"{language}.UTF-8"})
            if words.is_english():
                sys.exit(f"{command or 'gatepost'}: no {language} here; say PYTHONUTF8=1 before")
            _Page.own = own_texts(language)
        yield
    finally:
        words.begin("", {})
        _Page.own = None


def pages() -> Mapping[str, str]:
    """Return every page by its file's name: in English, and in Chinese those that can be."""
    # A usage is as wide as the terminal of whoever builds, unless this says how wide.
    was = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = _COLUMNS
    words.begin("", {})
    try:
        return {**_pages(), **_translated()}
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


def _translated() -> Mapping[str, str]:
    _Page.asked.clear()
    made = {}
    for language in LANGUAGES:
        for name in sorted(TRANSLATED):
            page = f"gatepost-{name}" if name else "gatepost"
            with speaking(name, language):
                parsers = subparsers_of(make_parser([name]))
                text = _command(name, parsers[name]) if name else _overview()
            made[f"{page}.{language}.1"] = text
        # The settings' texts are those of `gatepost config`.
        with speaking("config", language):
            made[f"gatepost.toml.{language}.5"] = _settings()
    return made


def actions_of(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    """Return what a parser takes; argparse has no public name for it."""
    return [each for each in parser._actions if each.help != argparse.SUPPRESS]  # noqa: SLF001


def subparsers_of(parser: argparse.ArgumentParser) -> Mapping[str, argparse.ArgumentParser]:
    """Return the subcommands of a parser, by name."""
    for action in actions_of(parser):
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            choices: Mapping[str, argparse.ArgumentParser] = action.choices
            # A second name of a subcommand is no second subcommand.
            first = {id(each): name for name, each in reversed(list(choices.items()))}
            return {name: each for name, each in choices.items() if first[id(each)] == name}
    return {}


# ----------------------------------------------------------------------------------------- writing


def safe(text: str) -> str:
    """Return a text as roff takes it, one line: no mark of its own, and hyphens that can be typed.

    A command that is copied from a page must have the hyphens it had. zh.tmac lets a line end after
    a Chinese mark only before another Chinese character.
    """
    text = " ".join(text.split()).replace("\\", "\\e").replace("-", "\\-")
    text = re.sub(r"([、。，：；）])(?=[!-~])", r"\1\\:", text)  # noqa: RUF001 - Chinese marks
    return re.sub(r"^([.'])", r"\\&\1", text)


def bold(text: str) -> str:
    """Return it in bold."""
    return f"\\fB{safe(text)}\\fR"


def _head(name: str, section: int, told: str) -> Iterator[str]:
    yield f'.TH "{safe(name.upper())}" {section} "" "gatepost {__version__}" "Gatepost"'
    if _Page.own is not None:
        yield ".mso zh.tmac"  # of groff: lines may end between Chinese characters
    # Words stay whole and the right edge loose: for groff 1.22, and as 1.23 keeps it.
    yield from (".nh", ".ad l", ".nr HY 0", ".ds AD l")
    yield from (_heading("NAME"), f"{safe(name)} \\- {safe(told)}")


def _heading(text: str) -> str:
    return f".SH {safe(own(text))}"


def _listed(label: str, text: str) -> Iterator[str]:
    yield from (".TP", label, safe(text) or "\\&")


def _paragraphs(text: str) -> Iterator[str]:
    for paragraph in text.split("\n\n"):
        if paragraph.strip():
            yield from (".PP", safe(paragraph.replace("`", "")))


# ------------------------------------------------------------------------------------------- pages


def _overview() -> str:
    lines = [
        *_head("gatepost", 1, own("firmware of an unattended turnstile")),
        *(_heading("SYNOPSIS"), f"{bold('gatepost')} \\fICOMMAND\\fR [{safe('--help')}] ..."),
        _heading("DESCRIPTION"),
        safe(own("Each command has a page: man gatepost-doctor. It says the same with --help.")),
        _heading("COMMANDS"),
    ]
    for name, (_, told) in COMMANDS.items():
        lines += _listed(f"\\fBgatepost\\-{safe(name)}\\fR(1)", say(told))
    lines += [_heading("OPTIONS"), *_listed(bold("--version"), own("the version, and stop"))]
    told = own("what a command takes; each has it, and stops then")
    lines += _listed(bold("-h, --help"), told)
    lines += [_heading("EXIT STATUS"), safe(own(_EXIT)), *_files(), *_see("gatepost.toml(5)")]
    return "\n".join(lines) + "\n"


def _files() -> Iterator[str]:
    yield _heading("FILES")
    yield from _listed(
        bold("/etc/gatepost/gatepost.toml"),
        own("the settings of this gate; an example is in /usr/share/doc/gatepost/examples"),
    )
    told = own("the journal, and what else must survive")
    yield from _listed(bold("/var/lib/gatepost"), told)


def _see(*names: str) -> Iterator[str]:
    pages_ = (re.sub(r"^(.*)(\(\d\))$", lambda m: bold(m[1]) + m[2], each) for each in names)
    yield from (_heading("SEE ALSO"), ", ".join(pages_))


def _command(name: str, parser: argparse.ArgumentParser) -> str:
    module, told = COMMANDS[name]
    document, status = _document(module)
    lines = [*_head(f"gatepost-{name}", 1, say(told)), _heading("SYNOPSIS")]
    inner = list(_leaves(parser))
    for each in [*([parser] if _own(parser) or not inner else []), *inner]:
        lines += _usage(each)
    # What --help says of itself, unless that is the line of `gatepost --help` once more.
    is_line = parser.description in {None, sentence(say(told))}
    about = own(document) if is_line else say(parser.description or "")
    lines += [_heading("DESCRIPTION"), *_paragraphs(about)]
    if _own(parser):
        lines += [_heading("OPTIONS"), *_options(parser)]
    if inner:
        lines += [_heading("SUBCOMMANDS"), *_subcommands(parser)]
    epilog = parser.epilog or ""
    is_status = _STATUS.search(epilog)
    if epilog and not is_status:
        lines += [_heading("NOTES"), *_paragraphs(say(epilog))]
    if is_status and not status:
        ends = re.sub(r"^[^:：]*[:：]\s*", "", say(epilog))  # noqa: RUF001 - a Chinese colon
    else:
        ends = own(status or _EXIT)
    lines += [_heading("EXIT STATUS"), safe(ends)]
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
    # As parser.format_usage(), whose first word is in the user's language.
    formatter = parser.formatter_class(prog=parser.prog)
    groups = parser._mutually_exclusive_groups  # noqa: SLF001
    formatter.add_usage(parser.usage, parser._actions, groups, prefix=_USAGE)  # noqa: SLF001
    usage = formatter.format_help().removeprefix(_USAGE)
    lines = textwrap.dedent(" " * len(_USAGE) + usage).rstrip().split("\n")
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
        each.dest: say(each.help or "")
        for action in actions_of(parser)
        if isinstance(action, argparse._SubParsersAction)  # noqa: SLF001
        for each in action._choices_actions  # noqa: SLF001
    }
    for name, each in subparsers_of(parser).items():
        line, more = told.get(name, ""), say(each.description or "")
        yield f".SS {safe(each.prog)}"
        if not more.lower().startswith(line.lower()):
            more = f"{own('{line}.').format(line=sentence(line))}\n\n{more}"
        yield from _paragraphs(more)
        yield from _options(each)
        if each.epilog:
            yield from _paragraphs(say(each.epilog))
        yield from _subcommands(each)


# ---------------------------------------------------------------------------------------- settings


def _settings() -> str:
    lines = [*_head("gatepost.toml", 5, own("the settings of a gate")), _heading("DESCRIPTION")]
    lines += [line for text in _ABOUT_SETTINGS for line in _paragraphs(own(text))]
    for section in sections():
        lines += [f".SH [{safe(section.name)}]", safe(say(section.text))]
        for entry in section.entries:
            lines += _listed(
                bold(entry.key), _joined(say(entry.text), own(_MATTERS[entry.matters]))
            )
            lines += [".br", safe(_allowed(entry))]
    lines += [*_files(), *_see("gatepost(1)", "gatepost-config(1)")]
    return "\n".join(lines) + "\n"


def _allowed(entry: Entry) -> str:
    limits = say(entry.kind)
    if allowed := allowed_in(entry, tongue()):
        limits = own("{kind}, {allowed}").format(kind=limits, allowed=allowed)
    told = own("{limits}; must be set.").format(limits=limits)
    if entry.default is not NODEFAULT:
        default = written(entry.default)
        told = own("{limits}; default {default}.").format(limits=limits, default=default)
    return _joined(told, say(entry.joint))


def _joined(*sentences: str) -> str:
    return tongue().space.join(filter(None, sentences))


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
