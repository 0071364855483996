"""From a regime file and a site file to the core's regime, or to what is wrong with them."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from gatepost.core.facts import Category
from gatepost.core.regime import (
    Check,
    Finding,
    Limits,
    Notice,
    Outcome,
    Regime,
    Row,
    Treatment,
    Window,
)
from gatepost.core.soundness import Flaw, flaws, found_by
from gatepost_config import regime_settings as config
from gatepost_config.load import ConfigError
from gatepost_config.regime_settings import ALL_GATES, RegimeSettings
from gatepost_config.regime_shape import Source
from gatepost_config.regimes import path_of, read_source, resolve
from gatepost_hal.ports import Direction


def regime(settings: RegimeSettings, gate: str | None = None) -> Regime:
    """Return the regime in the core's terms, for one gate of the site, or for none in particular.

    Raises:
        ConfigError: it says what no regime may say; each problem with file and line.
    """
    entrances = settings.entrances
    built = Regime(
        name=settings.name,
        rows={
            (Direction(direction), Category(category)): _row(row)
            for (direction, category), row in settings.rows.items()
        },
        limits=_limits(settings),
        zone=settings.zone,
        window=_window(settings),
        entrance_open=gate is None or ALL_GATES in entrances.open or gate in entrances.open,
        entrance_rules=tuple(entrances.rules),
        areas=settings.areas,
    )
    problems = [_sentence(flaw, settings) for flaw in flaws(built)]
    if problems := [*dict.fromkeys([*problems, *_idle(built, settings)])]:
        raise ConfigError(problems)
    return built


def load(name: str, site: Path | None = None, gate: str | None = None) -> Mapping[str, Regime]:
    """Return the regime of a name or file, and by name those that its windows lead to.

    The site's lines change each of them, but for the window, which is the first one's.

    Raises:
        ConfigError: anything is wrong with any of them.
    """
    changes = None if site is None else read_source(site)
    return resolved(read_source(path_of(name)), changes, gate)


def resolved(
    source: Source, site: Source | None = None, gate: str | None = None
) -> Mapping[str, Regime]:
    """Return the same for what was read already.

    Raises:
        ConfigError: as `load`.
    """
    first = resolve(source, site)
    found = {first.name: regime(first, gate)}
    wanted = [first.window.before, first.window.then]
    while wanted:
        follower = wanted.pop()
        if follower is None or follower in found:
            continue
        settings = resolve(read_source(path_of(follower)), site, with_window=False)
        found[follower] = regime(settings, gate)
        wanted += [settings.window.before, settings.window.then]
    return found


def _limits(settings: RegimeSettings) -> Limits:
    limits = settings.limits
    return Limits(**{name: getattr(limits, name) for name in Limits._fields})


def _window(settings: RegimeSettings) -> Window:
    window = settings.window
    end = window.end if isinstance(window.end, datetime) else None
    return Window(window.start, end, window.before, window.then)


def _row(row: config.Row) -> Row:
    return Row(
        base=_treatment(row.base),
        checks=tuple((Check(check), rules) for check, rules in row.checks),
        treatments={
            Finding(finding): _treatment(treatment) for finding, treatment in row.treatments.items()
        },
    )


def _treatment(treatment: config.Treatment) -> Treatment:
    return Treatment(
        Outcome[treatment.outcome.upper()],
        treatment.rules,
        tuple(Notice(who, within_s) for who, within_s in treatment.tell),
        treatment.say,
    )


def _sentence(flaw: Flaw, settings: RegimeSettings) -> str:
    row = settings.rows[flaw.direction.value, flaw.category.value]
    treatment = row.base if flaw.finding is None else row.treatments[flaw.finding.value]
    found = "" if flaw.finding is None else f", {flaw.finding.value}"
    by = "" if treatment.by is None else f" (by {treatment.by})"
    where = treatment.place if flaw.finding is not None else row.place
    return f"{where}: {flaw.direction.value} of {flaw.category.value}{found}{by}: {flaw.why}."


def _idle(built: Regime, settings: RegimeSettings) -> list[str]:
    """Return a sentence for each if.<finding> that no check of its row can find."""
    return [
        f"{row.treatments[finding].place}: [[{direction}]] if.{finding}: no check of this row "
        "finds that; add the check, or take the line out."
        for (direction, category), row in settings.rows.items()
        for finding in row.own
        if Finding(finding) not in found_by(built.rows[Direction(direction), Category(category)])
    ]
