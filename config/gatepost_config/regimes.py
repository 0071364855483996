"""Read a regime file and the site's own lines, or say what is wrong with them: file, line, remedy.

What comes out is resolved: each category has one row in each direction, each finding one
treatment, and no named choice is left open. It is the same for `gatepost decide`, for
`gatepost regime explain`, and for the gate.
"""

import tomllib
from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from gatepost_config.catalogue import catalogue
from gatepost_config.choices import CHOICES, WITHOUT_TEST, option_of
from gatepost_config.load import ConfigError
from gatepost_config.regime_file import (
    BESIDES,
    BY_KEY,
    ROWS,
    SITE_ONLY,
    EntrancesTable,
    LimitsTable,
    RowTable,
    Then,
    WindowTable,
)
from gatepost_config.regime_settings import RegimeSettings, Row, Treatment
from gatepost_config.regime_shape import EXAMPLE_ZONE, Source, shape_problems
from gatepost_config.regime_values import hint
from gatepost_config.terms import DEADLINES_S, RECIPIENTS, Category, Finding, Outcome

_HERE = Path(__file__).parent
# In a wheel the files lie in the package, in a checkout beside it (config/regimes).
_FOLDERS = (_HERE / "regimes", _HERE.parent / "regimes")
DEFAULT_TIMEZONE = EXAMPLE_ZONE
_OUTCOMES: tuple[str, ...] = get_args(Outcome)
_CATEGORIES: tuple[str, ...] = get_args(Category)
_FINDINGS: tuple[str, ...] = get_args(Finding)


def shipped() -> dict[str, Path]:
    """Return the regimes that come with the gate, by name."""
    folder = next(folder for folder in _FOLDERS if folder.is_dir())
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}


def path_of(regime: str) -> Path:
    """Return the file of a regime that is shipped, or the file that the words are.

    Raises:
        ConfigError: neither.
    """
    known = shipped()
    if regime in known:
        return known[regime]
    if regime.endswith(".toml") or "/" in regime:
        return Path(regime)
    raise ConfigError(
        [f"no regime is called {regime!r}; {hint(regime, known)} A file's name ends in .toml."]
    )


def load_regime(
    path: Path, site: Path | None = None, *, with_window: bool = True
) -> RegimeSettings:
    """Return the regime of a file, changed by the lines of a site file.

    Without `with_window` the site's window is left out: it dates another regime.

    Raises:
        ConfigError: something in either file is wrong; each problem with file, line and remedy.
    """
    changes = None if site is None else read_source(site)
    return resolve(read_source(path), changes, with_window=with_window)


def resolve(
    regime: Source, site: Source | None = None, *, with_window: bool = True
) -> RegimeSettings:
    """Return the regime in what was read, as `load_regime` does.

    Raises:
        ConfigError: as `load_regime`.
    """
    changes = Source("", {}, "") if site is None else site._replace(raw=dict(site.raw))
    problems = [*shape_problems(regime, is_site=False), *shape_problems(changes, is_site=True)]
    if problems:
        raise ConfigError(problems)
    if not with_window:
        changes.raw.pop("window", None)
    reading = _Reading(regime, changes)
    settings = reading.resolved()
    if reading.problems:
        raise ConfigError(reading.problems)
    return settings


def read_source(path: Path) -> Source:
    """Return what a file says, as it is.

    Raises:
        ConfigError: it cannot be read, or is no TOML.
    """
    try:
        return parse_source(str(path), path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError([f"{path}: there is no such file."]) from None
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read: {error.strerror}."]) from None
    except UnicodeDecodeError as error:
        raise ConfigError([f"{path}: not UTF-8 text (byte {error.start})."]) from None


def parse_source(path: str, text: str) -> Source:
    """Return what a text says; `path` is for messages.

    Raises:
        ConfigError: it is no TOML.
    """
    try:
        return Source(path, tomllib.loads(text), text)
    except (ValueError, RecursionError) as error:
        raise ConfigError([f"{path}: not TOML: {error}."]) from None


# -------------------------------------------------------------------------------------- resolving


class _Reading:
    """One regime file with one site's changes, on the way to `RegimeSettings`."""

    def __init__(self, regime: Source, site: Source) -> None:
        self._regime = regime
        self._site = site
        self.problems: list[str] = []
        self._choices: dict[str, str] = self._table("choices")
        self._sequence: list[str] = site.raw.get("sequence", regime.raw["sequence"])
        self._check_rules: dict[str, list[str]] = self._table("checks")
        self._unordered: dict[str, str] = {}  # a check that no sequence has, and who asks for it

    def resolved(self) -> RegimeSettings:
        raw = self._regime.raw
        self._check_choices()
        self._check_sequence()
        zone = self._zone()
        settings = RegimeSettings(
            name=raw["regime"],
            title=raw["title"],
            sources=tuple(raw["sources"]),
            window=self._window(zone),
            entrances=msgspec.convert(self._table("entrances"), EntrancesTable),
            limits=msgspec.convert(self._table("limits"), LimitsTable),
            choices=self._choices,
            rows=self._rows(),
            zone=zone,
            places=self._places(),
            areas={name: _sure(since, zone) for name, since in self._table("areas").items()},
            site=self._site.path,
        )
        entrances = self._where("entrances", "rules")
        self._check_rule_ids(settings.entrances.rules, entrances)
        for check, rules in self._check_rules.items():
            self._check_rule_ids(rules, self._where("checks", check))
        return settings

    def _places(self) -> dict[str, str]:
        keys = [(table, key) for table in BY_KEY for key in self._table(table)]
        places = {f"{table}.{key}": self._where(table, key) for table, key in keys}
        if SITE_ONLY in self._site.raw:
            places[SITE_ONLY] = self._where(SITE_ONLY)
        return {**places, "window": self._where("window")}

    def _table(self, name: str) -> dict[str, Any]:
        return {**self._regime.raw.get(name, {}), **self._site.raw.get(name, {})}

    def _where(self, table: str, key: str | None = None) -> str:
        """Return the file and line that has the last word on a key."""
        own = self._site.raw.get(table)
        is_site = own is not None and (key is None or not isinstance(own, dict) or key in own)
        return (self._site if is_site else self._regime).at(table, key)

    def _zone(self) -> tzinfo:
        name = self._site.raw.get(SITE_ONLY, DEFAULT_TIMEZONE)
        try:
            return ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: a folder of zones
            place = self._where(SITE_ONLY)
            self.problems.append(
                f"{place}: timezone = {name!r}: not a zone of this machine; "
                f"write one such as {DEFAULT_TIMEZONE!r}, or install tzdata."
            )
            return UTC

    def _window(self, zone: tzinfo) -> WindowTable:
        raw = self._site.raw.get("window", self._regime.raw["window"])
        window = msgspec.convert(raw, WindowTable)
        start, end = _in_zone(window.start, zone), _in_zone(window.end, zone)
        place = f"{self._where('window')}: [window]"
        if start is not None and end is None and not window.announced:
            self.problems.append(
                f"{place} never ends; give an end, or announced = true where an order says that "
                "its end is told separately (R134)."
            )
        if end is not None:
            if start is not None and end <= start:
                self.problems.append(f"{place} ends at {end}, not after its start {start}.")
            if window.then is None:
                self.problems.append(f'{place} ends, and nothing follows; write then = "normal".')
        own = self._regime.raw["regime"]
        if own in (window.then, window.before):
            self.problems.append(f"{place} is followed by itself; name another regime.")
        for name in (window.then, window.before):
            if name not in (None, own, *shipped()):
                self.problems.append(
                    f"{place} {name!r}: no such regime; there are: {', '.join(shipped())}."
                )
        return WindowTable(start, end, window.announced, window.before or window.then, window.then)

    # ------------------------------------------------------------------------------------- choices

    def _check_choices(self) -> None:
        for name, option in self._choices.items():
            place = f"{self._where('choices', name)}: [choices] {name}"
            choice = CHOICES.get(name)
            if choice is None:
                self.problems.append(f"{place}: no such choice; {hint(name, CHOICES)}")
            elif option not in choice.options:
                options = hint(option, choice.options)
                self.problems.append(f"{place} = {option!r}: no such option; {options}")
        missing = [name for name in CHOICES if name not in self._choices]
        if missing:
            place = self._where("choices")
            self.problems.append(f"{place}: [choices] does not say: {', '.join(missing)}.")

    def _check_sequence(self) -> None:
        twice = {check for check in self._sequence if self._sequence.count(check) > 1}
        for check in sorted(twice):
            self.problems.append(f"{self._where('sequence')}: sequence has {check} twice.")
        for check in self._sequence:
            if check not in self._check_rules:
                place = self._where("checks")
                self.problems.append(f"{place}: [checks] does not say by which rules: {check}.")

    # ---------------------------------------------------------------------------------------- rows

    def _rows(self) -> dict[tuple[str, str], Row]:
        rows: dict[tuple[str, str], Row] = {}
        general = {
            finding: self._treatment(msgspec.convert(raw, Then), self._where("findings", finding))
            for finding, raw in self._table("findings").items()
        }
        for finding in BESIDES:
            general.setdefault(finding, Treatment("admit", (), (), (), self._where("findings")))
        missing = [finding for finding in _FINDINGS if finding not in general]
        if missing:
            place = self._where("findings")
            self.problems.append(f"{place}: [findings] does not say: {', '.join(missing)}.")
            return rows
        for direction in ROWS:
            own = self._rows_of(self._regime, direction, general)
            own |= self._rows_of(self._site, direction, general)
            rows |= {(direction, category): row for category, row in own.items()}
            if absent := [category for category in _CATEGORIES if category not in own]:
                self.problems.append(
                    f"{self._regime.path}: no [[{direction}]] row for: {', '.join(absent)}; "
                    "each category needs one in each direction."
                )
        self.problems += [
            f"{self._where('sequence')}: sequence lacks {check}, for which {place} asks; add it."
            for check, place in sorted(self._unordered.items())
        ]
        return rows

    def _rows_of(
        self, source: Source, direction: str, general: Mapping[str, Treatment]
    ) -> dict[str, Row]:
        found: dict[str, Row] = {}
        for number, raw in enumerate(source.raw.get(direction, [])):
            place = source.at(direction, number=number)
            row_table = msgspec.convert(raw, RowTable)
            places: dict[str, str] = {
                finding: source.at(direction, f"if.{finding}", number)
                for finding in row_table.findings
            }
            row = self._row(row_table, place, places, general)
            for category in raw["who"]:
                if category in found:
                    self.problems.append(
                        f"{place}: [[{direction}]] {category} has a row already, at "
                        f"{found[category].place}; take it out of one."
                    )
                found[category] = row
        return found

    def _row(
        self,
        raw: RowTable,
        place: str,
        places: Mapping[str, str],
        general: Mapping[str, Treatment],
    ) -> Row:
        base = self._treatment(Then(raw.may, raw.rules, raw.tell, raw.say), place)
        treatments = dict(general)
        wanted = {*raw.checks}
        for words in [raw.may, *(then.then for then in raw.findings.values())]:
            option = option_of(words, self._choices)
            wanted |= {*option.checks} if option else set()
            for finding in option.found if option else ():
                asked = self._treatment(Then(words), self._where("choices", words), finding)
                treatments[finding] = max(treatments[finding], asked, key=_severity)
        for finding, then in raw.findings.items():
            treatments[finding] = self._treatment(then, places[finding], finding)
        for tested, untested in WITHOUT_TEST.items():
            if treatments[tested].by is not None:
                treatments[tested] = min(treatments[tested], treatments[untested], key=_severity)
        for check in wanted - {*self._sequence}:
            self._unordered.setdefault(check, place)
        checks = tuple(
            (check, tuple(self._check_rules.get(check, ())))
            for check in self._sequence
            if check in wanted
        )
        return Row(base, checks, treatments, place, tuple(raw.findings))

    def _treatment(self, then: Then, place: str, finding: Finding | None = None) -> Treatment:
        self._check_rule_ids(then.rules, place)
        by, option = None, None
        if then.then in CHOICES:
            chosen = self._choices.get(then.then, "")
            by = f"{then.then} = {chosen}"
            option = option_of(then.then, self._choices)
            option = option.found.get(finding, option) if option and finding else option
        elif then.then not in _OUTCOMES:
            known = hint(then.then, [*_OUTCOMES, *CHOICES])
            self.problems.append(f"{place}: {then.then!r}: no such outcome or choice; {known}")
        tell = (*then.tell, *(option.tell if option else ()))
        return Treatment(
            outcome=option.outcome if option else then.then,
            rules=tuple(dict.fromkeys((*then.rules, *(option.rules if option else ())))),
            tell=tuple(notice for words in tell if (notice := self._notice(words, place))),
            say=(*then.say, *(option.say if option else ())),
            place=place,
            by=by,
        )

    def _notice(self, words: str, place: str) -> tuple[str, int] | None:
        who, _, soon = words.partition(" ")
        if who not in RECIPIENTS:
            self.problems.append(f"{place}: {words!r}: tell whom? {hint(who, RECIPIENTS)}")
        elif soon not in DEADLINES_S:
            self.problems.append(f"{place}: {words!r}: how soon? {hint(soon, DEADLINES_S)}")
        else:
            return who, DEADLINES_S[soon]
        return None

    def _check_rule_ids(self, rules: list[str], place: str) -> None:
        unknown = [rule for rule in rules if rule != "ours" and rule not in catalogue()]
        if unknown:
            self.problems.append(
                f"{place}: no such rule: {', '.join(unknown)}; the catalogue has R001 to R303."
            )


def _severity(treatment: Treatment) -> int:
    return _OUTCOMES.index(treatment.outcome) if treatment.outcome in _OUTCOMES else 0


def _in_zone(instant: datetime | None, zone: tzinfo) -> datetime | None:
    return None if instant is None else _sure(instant, zone)


def _sure(instant: datetime, zone: tzinfo) -> datetime:
    return instant if instant.tzinfo is not None else instant.replace(tzinfo=zone)
