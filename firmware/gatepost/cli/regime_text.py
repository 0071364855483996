"""A resolved regime as a document: what a property company reads to see its order in it."""

import re
import textwrap
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from gatepost.core.findings import CHECKS
from gatepost.core.prompts import PROMPTS
from gatepost.core.regime import Check, Finding, Outcome
from gatepost_config.catalogue import catalogue
from gatepost_config.choices import CHOICES, OBSERVATION_DAYS, Option
from gatepost_config.regime_file import BESIDES, ROWS
from gatepost_config.regime_settings import ALL_GATES, RegimeSettings, Row, Treatment

_WIDTH = 100
_FIXED_SPACE = "\N{NO-BREAK SPACE}"
_UNDERLINES = "=-"  # of headings by their depth; what lies deeper has none
_DAY_S, _HOUR_S = 86_400, 3600
_OUTCOMES = {
    Outcome.ADMIT: "let through",
    Outcome.ADMIT_AND_REPORT: "let through, and reported",
    Outcome.RECHECK: "measured once more",
    Outcome.REFER: "waits for staff",
    Outcome.REDIRECT: "sent elsewhere",
    Outcome.DENY: "not let through",
}
_DIRECTIONS = {"entry": "Coming in", "exit": "Going out"}


class Line(NamedTuple):
    """A heading or an item, and how deep it lies."""

    words: str
    depth: int = 0
    is_heading: bool = False


def as_text(lines: Iterable[Line]) -> str:
    """Return the document for a terminal, at most 100 columns wide."""
    shown: list[str] = []
    for words, depth, is_heading in lines:
        indent = "  " * depth
        if is_heading and depth < len(_UNDERLINES):
            shown += ["", words, _UNDERLINES[depth] * min(len(words), _WIDTH)]
        elif is_heading:
            shown += ["", *_wrapped(words, "", "  ")]
        else:
            shown += _wrapped(words, indent, f"{indent}    ")
    return "\n".join([*shown, ""]).lstrip("\n").replace(_FIXED_SPACE, " ")


def as_markdown(lines: Iterable[Line]) -> str:
    """Return the document as Markdown."""
    shown: list[str] = []
    for words, depth, is_heading in lines:
        escaped = re.sub(r"([*<])", r"\\\1", words)
        if is_heading:
            shown += [*([""] if shown[-1:] != [""] else []), f"{'#' * (depth + 1)} {escaped}", ""]
        else:
            shown.append(f"{'  ' * max(depth - 1, 0)}- {escaped}")
    return "\n".join([*shown, ""]).lstrip("\n").replace(_FIXED_SPACE, " ")


def document(
    settings: RegimeSettings, *, category: str | None = None, direction: str | None = None
) -> Iterator[Line]:
    """Yield the order; of its rows only those of a category or a direction, if one is given."""
    body = [*_frame(settings), *_chosen(settings), *_rows(settings, category, direction)]
    yield Line(f"{settings.title} ({settings.name})", 0, is_heading=True)
    yield Line(f"from {', '.join(settings.sources)}", 1)
    yield from body
    yield from _legend()
    yield from _cited(body)


def _frame(settings: RegimeSettings) -> Iterator[Line]:
    """Yield when and where the order holds, and its numbers."""
    yield Line("When and where", 1, is_heading=True)
    window = settings.window
    zone = _place(settings, "timezone") or "[where a site names no other]"
    yield Line(f"days and times are those of {settings.zone} {zone}", 1)
    end = window.end if isinstance(window.end, datetime) else None
    since = f"from {_instant(window.start)}" if window.start else "from the moment that it is set"
    until = f"until {_instant(end)}" if end else "until another is set"
    told = "; its end is told separately (R134)" if window.announced else ""
    yield Line(f"in force {since}, {until}{told} {_place(settings, 'window')}", 1)
    if window.start and window.before:
        yield Line(f"before that: {window.before}", 1)
    if window.then:
        yield Line(f"after it: {window.then}", 1)
    entrances = settings.entrances
    which = "all" if ALL_GATES in entrances.open else ", ".join(entrances.open)
    place = _place(settings, "entrances.open")
    yield Line(f"entrances that are open: {which}{_rules(entrances.rules)} {place}", 1)
    for area, counts_from in settings.areas.items():
        place = _place(settings, f"areas.{area}")
        words = f"risk area: {area}, by a stay that ended at {_instant(counts_from)} or after it"
        yield Line(f"{words}{_rules(('R050', 'R060'))} {place}", 1)
    yield Line("Limits", 1, is_heading=True)
    for key in settings.limits.__struct_fields__:
        value = getattr(settings.limits, key)
        rules = _rules(OBSERVATION_DAYS[value]) if key == "observation_days" else ""
        yield Line(f"{key} = {value:g}{rules} {_place(settings, f'limits.{key}')}", 1)


def _chosen(settings: RegimeSettings) -> Iterator[Line]:
    """Yield each conflict of the documents, the side that was taken, and the others."""
    yield Line("Named choices", 1, is_heading=True)
    for name, choice in CHOICES.items():
        chosen = settings.choices[name]
        place = _place(settings, f"choices.{name}")
        yield Line(f"{name} = {chosen}: {choice.question} {place}", 1)
        for option, leads in sorted(choice.options.items(), key=lambda side: side[0] != chosen):
            taken = "taken" if option == chosen else "not taken"
            yield Line(f"{taken}: {option}: {_of_option(leads)}", 2)


def _of_option(option: Option) -> str:
    also = f"; looks at {', '.join(option.checks)}" if option.checks else ""
    tells = f"; tells {', '.join(option.tell)}" if option.tell else ""
    words = f"{_outcome(option.outcome)}{also}{tells}{_said(option.say)}{_rules(option.rules)}"
    cases = [
        f"; {_FOUND[Finding(word)]}: {_of_option(leads)}" for word, leads in option.found.items()
    ]
    return "".join((words, *cases))


def _rows(
    settings: RegimeSettings, only_category: str | None, only_direction: str | None
) -> Iterator[Line]:
    for direction in ROWS if only_direction is None else [only_direction]:
        yield Line(_DIRECTIONS[direction], 1, is_heading=True)
        for categories, row in _groups(settings, direction):
            if only_category is None or only_category in categories:
                shown = categories if only_category is None else [only_category]
                yield Line(f"{', '.join(shown)} {_cite(settings, row.place)}", 2, is_heading=True)
                yield from _row(settings, row)


def _groups(settings: RegimeSettings, direction: str) -> list[tuple[list[str], Row]]:
    """Return the categories that have the same row, with it."""
    groups: list[tuple[list[str], Row]] = []
    for (of, category), row in settings.rows.items():
        same = next((names for names, other in groups if other == row), None)
        if of == direction and same is not None:
            same.append(category)
        elif of == direction:
            groups.append(([category], row))
    return groups


def _row(settings: RegimeSettings, row: Row) -> Iterator[Line]:
    base = Outcome[row.base.outcome.upper()]
    milder = "if nothing is found" if base.releases else "whatever is found, at the least"
    yield Line(f"{milder if row.checks else 'always'}: {_treatment(row.base)}", 1)
    for check, rules in row.checks:
        yield Line(f"{check} is looked at{_rules(rules)}", 1)
        for finding in CHECKS[Check(check)].findings:
            treatment = row.treatments[finding.value]
            leads = _besides(treatment) if finding.value in BESIDES else _treatment(treatment)
            words = f"{_FOUND[finding]} ({finding.value}): {leads}"
            yield Line(f"{words} {_cite(settings, treatment.place)}", 2)


def _besides(treatment: Treatment) -> str:
    """Return what follows besides what another finding leads to: it lets nobody through."""
    outcome = Outcome[treatment.outcome.upper()]
    words = "reported" if outcome is Outcome.ADMIT_AND_REPORT else "nothing more"
    if not outcome.releases:
        words = f"at the least {_OUTCOMES[outcome]}"
    return f"{words}{_treatment(treatment).removeprefix(_OUTCOMES[outcome])}"


def _treatment(treatment: Treatment) -> str:
    by = f" (choice {treatment.by})" if treatment.by else ""
    tells = ", ".join(f"{who} {_soon(within_s)}" for who, within_s in treatment.tell)
    tells = f"; tells {tells}" if tells else ""
    outcome = _outcome(treatment.outcome)
    return f"{outcome}{by}{tells}{_said(treatment.say)}{_rules(treatment.rules)}"


def _place(settings: RegimeSettings, key: str) -> str:
    place = settings.places.get(key)
    return "" if place is None else _cite(settings, place)


def _cite(settings: RegimeSettings, place: str) -> str:
    """Return file and line without the folders, and whether it is the site that says so."""
    is_sites = bool(settings.site) and f"{place}:".startswith(f"{settings.site}:")
    # A citation is not broken over two lines.
    return f"[{f'site{_FIXED_SPACE}' if is_sites else ''}{Path(place).name}]"


def _outcome(word: str) -> str:
    return _OUTCOMES[Outcome[word.upper()]]


def _said(keys: Iterable[str]) -> str:
    said = ", ".join(f'"{PROMPTS[key].texts["en"]}"' for key in keys)
    return f"; says {said}" if said else ""


def _rules(rules: Iterable[str]) -> str:
    return f" ({' '.join(rules)})" if rules else ""


def _soon(within_s: int) -> str:
    if within_s == 0:
        return "at once"
    unit_s, unit = (_DAY_S, "day") if within_s % _DAY_S == 0 else (_HOUR_S, "hour")
    return f"within {within_s / unit_s:g} {unit}{'s' if within_s != unit_s else ''}"


def _instant(instant: datetime) -> str:
    return instant.isoformat(sep=" ", timespec="minutes")


def _legend() -> Iterator[Line]:
    yield Line("How to read it", 1, is_heading=True)
    yield Line(
        "Of several findings the strictest counts; whoever is to be told is told of each.", 1
    )
    words = ", ".join(f'{outcome.word} is "{said}"' for outcome, said in _OUTCOMES.items())
    yield Line(f"In files and events, from the mildest to the strictest: {words}.", 1)
    yield Line("Who has no attempt left is not measured once more: they wait for staff (ours).", 1)
    yield Line('"ours" stands where no document says anything.', 1)


def _cited(lines: Iterable[Line]) -> Iterator[Line]:
    yield Line("Rules cited", 1, is_heading=True)
    ids = {rule for line in lines for rule in re.findall(r"\bR[0-9]{3}\b", line.words)}
    for id_ in sorted(ids):
        rule = catalogue()[id_]
        yield Line(f"{id_}: {rule.words} ({rule.source}, {rule.strength})", 1)


def _wrapped(words: str, first: str, later: str) -> list[str]:
    return textwrap.wrap(
        words,
        _WIDTH,
        initial_indent=first,
        subsequent_indent=later,
        break_long_words=False,
        break_on_hyphens=False,
    )


_FOUND = {
    Finding.ISOLATED: "on the list of those who must stay at home",
    Finding.RELEASE_DUE: "the same, and the days of observation are over; besides that",
    Finding.REFUSES_OBSERVATION: "the same, and refuses to stay there; besides that",
    Finding.MASK_UNKNOWN: "nobody sees whether a mask is worn",
    Finding.NO_MASK: "seen without a mask",
    Finding.UNMEASURED: "no measurement",
    Finding.NEAR_LIMIT: "too near to the limit to tell",
    Finding.HOT: "above the limit",
    Finding.REFUSES_MEASURING: "no measurement, because it is refused; besides that",
    Finding.CODE_UNKNOWN: "no health code, unverified, or too old",
    Finding.CODED: "a yellow or red code or card",
    Finding.CODED_TESTED: "the same, with a recent negative test",
    Finding.TRIP_UNKNOWN: "no trip card, unverified, or too old",
    Finding.RISK_AREA: "from a risk area",
    Finding.RISK_AREA_TESTED: "from a risk area, with a recent negative test",
    Finding.NO_TEST: "no valid test",
    Finding.REFUSES_PROOF: "no proof, because it is refused; besides that",
    Finding.NO_PASS: "no pass, or nobody could verify it",
    Finding.BAD_PASS: "a pass that is not valid",
    Finding.UNREGISTERED: "not registered",
    Finding.NO_ESCORT: "nobody brings them in",
    Finding.NO_HOUSEHOLD: "no household known, so nobody knows whose turn it is",
    Finding.OVER_QUOTA: "the household's turn is used",
    Finding.WORKS_FULL: "as many workers as allowed are inside",
    Finding.WORKS_UNKNOWN: "nobody knows how many workers are inside",
    Finding.OVER_CAPACITY: "as many people as allowed are inside",
    Finding.NO_CLOCK: "a rule about time, and no clock to be trusted",
}
