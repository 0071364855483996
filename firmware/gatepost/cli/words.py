"""The words of the technician's commands, in the language of whoever reads them.

English is the source and stands in the code; `locale` beside this package has the translations,
which are chosen as gettext does: LANGUAGE, LC_ALL, LC_MESSAGES, LANG. The gate and the link never
ask: their logs stay English. A command is translated whole (`TRANSLATED`) or not at all; what
programs read (JSON, names, exit statuses) never is, nor what the settings' loader, a server, the
kernel or a record of the journal says.

firmware/words/translate.py finds the texts: each is the first argument of `say`, of `mark` or of a
`Text`.
"""

import argparse
import gettext
import os
import sys
from collections.abc import Iterable, Mapping
from itertools import takewhile
from pathlib import Path

from gatepost.core.words import Text

# Whose texts are all translated; a test holds it. "" is `gatepost --help`.
TRANSLATED = frozenset(
    {
        *("", "calibrate", "config", "doctor", "enrol", "erase", "factory-reset"),
        *("first-boot", "journal", "lane", "measure", "provision", "roster"),
    }
)

_DOMAIN, _NO_DOMAIN = "gatepost", "messages"
_FOLDER = Path(__file__).parents[1] / "locale"
_NO_LANGUAGE = ("C", "POSIX")
_USAGE = "usage: "  # as argparse begins it
_YES, _NO = ("y", "yes", "是"), ("n", "no", "否")


class _Spoken:
    """What this process speaks: English, until `begin`."""

    catalogue: gettext.NullTranslations | None = None


def begin(command: str, environ: Mapping[str, str] = os.environ) -> None:
    """Choose the language for a command, "" for none: the user's, where all of it is translated."""
    _Spoken.catalogue = _catalogue(environ) if command in TRANSLATED else None
    if _Spoken.catalogue is not None:
        gettext.bindtextdomain(_DOMAIN, str(_FOLDER))
    # Where argparse looks its own words up.
    wanted = _NO_DOMAIN if _Spoken.catalogue is None else _DOMAIN
    if gettext.textdomain() != wanted:
        gettext.textdomain(wanted)


def _catalogue(environ: Mapping[str, str]) -> gettext.NullTranslations | None:
    names = ("LC_ALL", "LC_MESSAGES", "LANG")
    spoken = next((environ[name] for name in names if environ.get(name)), "C")
    if spoken.partition(".")[0] in _NO_LANGUAGE:
        return None
    asked = (environ.get("LANGUAGE") or spoken).split(":")
    # English is the source: who wants it first needs no catalogue.
    languages = list(takewhile(lambda each: not each.startswith(("en", *_NO_LANGUAGE)), asked))
    if not languages:
        return None
    try:
        found = gettext.translation(_DOMAIN, _FOLDER, languages)
    except OSError:
        return None
    return found if _can_be_shown(found.gettext("options")) else None


def _can_be_shown(text: str) -> bool:
    """Return whether the terminal, or what the output goes to, has these characters."""
    try:
        for stream in (sys.stdout, sys.stderr):
            text.encode(getattr(stream, "encoding", None) or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def is_english() -> bool:
    """Return whether nothing is translated."""
    return _Spoken.catalogue is None


def mark(text: str) -> str:
    """Mark a text that is said later, for `firmware/words/translate.py`; return it as it is."""
    return text


def say(template: str, **values: object) -> str:
    """Return a text in the language of the user, with what is filled in.

    Args:
        template: English; a `Text` brings its own values.
        values: for the names between braces; without any the text stands as it is.
    """
    told: Mapping[str, object] = template.values if isinstance(template, Text) else values
    source = template.template if isinstance(template, Text) else template
    spoken = source
    if _Spoken.catalogue is not None and source:
        spoken = _Spoken.catalogue.gettext(source)
    if not told:
        return str(spoken)
    return spoken.format_map(
        {name: say(each) if isinstance(each, Text) else each for name, each in told.items()}
    )


def space() -> str:
    """Return what stands between two sentences; Chinese has nothing there."""
    return " " if is_english() else ""


def yes_or_no(answer: str) -> bool | None:
    """Return what was answered, in English or in Chinese; None: neither."""
    word = answer.strip().lower()
    return True if word in _YES else False if word in _NO else None


class Formatter(argparse.HelpFormatter):
    """Help in the language of the user; Chinese is two columns wide and breaks anywhere."""

    def start_section(self, heading: str | None) -> None:
        """Begin a section."""
        super().start_section(heading and say(heading))

    def add_text(self, text: str | None) -> None:
        """Add a description."""
        # argparse itself says that a text may be a mark and no text: "==SUPPRESS==".
        super().add_text(text and say(text))

    def _format_usage(
        self,
        usage: str | None,
        actions: Iterable[argparse.Action],
        groups: Iterable[argparse._MutuallyExclusiveGroup],
        prefix: str | None,
    ) -> str:
        """Return the usage; its lines go on below one another, also behind a Chinese word."""
        if is_english():  # nothing to mend, and a service loads no more than it must
            return super()._format_usage(usage, actions, groups, prefix)
        from gatepost.doctor.columns import width  # noqa: PLC0415 - where it is needed

        begins = gettext.gettext(_USAGE) if prefix is None else prefix
        more = width(begins) - len(begins)
        self._width -= more
        try:
            told = super()._format_usage(usage, actions, groups, prefix)
        finally:
            self._width += more
        first, *rest = told.split("\n")
        return "\n".join((first, *(f"{' ' * more}{line}" if line else "" for line in rest)))

    def _get_help_string(self, action: argparse.Action) -> str | None:
        return action.help and say(action.help)

    def _split_lines(self, text: str, width: int) -> list[str]:
        if is_english():
            return super()._split_lines(text, width)
        from gatepost.doctor.columns import wrapped  # noqa: PLC0415 - where it is needed

        return wrapped(" ".join(text.split()), width)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        if is_english():
            return super()._fill_text(text, width, indent)
        lines = self._split_lines(text, width - len(indent))
        return "\n".join(f"{indent}{line}" for line in lines)


class Parser(argparse.ArgumentParser):
    """A parser with this help, as are those of its subcommands."""

    def __init__(self, *args: object, **options: object) -> None:
        options.setdefault("formatter_class", Formatter)
        super().__init__(*args, **options)  # type: ignore[arg-type]
