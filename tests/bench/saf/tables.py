"""What is printed: a table for each scenario, the ratios, and what must hold."""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median

from saf.lineup import IN_MEMORY, NAMES, OURS
from saf.scenario import Outcome, Scenario

LEAST_DRAIN_PER_S, LEAST_OF_MEMORY = 15_000.0, 0.7
LEAST_TIMES_OTHERS = 5.0
Outcomes = Sequence[Outcome]


def of(
    outcomes: Outcomes, value: Callable[[Outcome], float | None], **wanted: object
) -> float | None:
    """Return the median of a value over the outcomes that have these attributes and no error."""
    found = [value(outcome) for outcome in chosen(outcomes, **wanted)]
    numbers = [number for number in found if number is not None]
    return median(numbers) if numbers else None


def chosen(outcomes: Outcomes, **wanted: object) -> list[Outcome]:
    """Return the outcomes without an error that have these attributes."""
    return [
        outcome
        for outcome in outcomes
        if outcome.error is None
        and all(getattr(outcome, key) == wish for key, wish in wanted.items())
    ]


def scenario_table(outcomes: Outcomes, scenario: Scenario) -> Iterable[str]:
    """Yield the lines of one scenario: the worst counts, the medians of the rest."""
    yield (
        f"{scenario.value:<48}{'accepted':>9}{'lost':>8}{'twice':>7}{'order':>6}"
        f"{'accept/s':>10}{'drain/s':>9}{'back s':>7}{'RSS MB':>7}{'disk MB':>8}{'then':>6}"
        f"{'CPU us accept/drain':>21}"
    )
    names = dict.fromkeys(outcome.peer for outcome in outcomes)
    for name in names:
        all_runs = [o for o in outcomes if o.peer == name and o.scenario is scenario]
        runs = chosen(all_runs)
        for outcome in all_runs:
            if outcome.error is not None:
                yield f"  {NAMES[name]:<46} {outcome.error}"
        if runs:
            yield f"  {NAMES[name]:<46}" + _row(runs)


def _row(runs: list[Outcome]) -> str:
    worst = [max(getattr(run, key) for run in runs) for key in ("lost", "duplicates")]
    cpu = "/".join(
        _figure(of(runs, value)) for value in (lambda o: o.cpu_accept_us, lambda o: o.cpu_drain_us)
    )
    return (
        f"{min(run.accepted for run in runs):>9,}{worst[0]:>8,}{worst[1]:>7,}"
        f"{max(run.out_of_order for run in runs):>6,}"
        f"{_figure(of(runs, lambda o: o.accept_per_s)):>10}"
        f"{_figure(of(runs, lambda o: o.drain_per_s)):>9}"
        f"{_figure(of(runs, lambda o: o.reconnect_s), 1):>7}"
        f"{_figure(of(runs, lambda o: o.memory_mb)):>7}"
        f"{_figure(of(runs, lambda o: o.disk_accepted_mb), 1):>8}"
        f"{_figure(of(runs, lambda o: o.disk_drained_mb), 1):>6}{cpu:>21}"
    )


def verdicts(outcomes: Outcomes, window: int, third_party: Sequence[str]) -> list[tuple[bool, str]]:
    """Return what must hold and can be judged by these outcomes: whether it does, and the line.

    `window`: how many events may come twice after a crash.
    """
    ours = [outcome for outcome in outcomes if outcome.peer == OURS]
    if not ours:
        return []
    found = [(outcome.error is None, f"{outcome.error}") for outcome in ours if outcome.error]
    lost = max((o.lost for o in chosen(ours)), default=0)
    disorder = max((o.out_of_order for o in chosen(ours)), default=0)
    found.append((lost == 0, f"lost {lost}, of {len(ours)} runs the worst; at most 0"))
    found.append((disorder == 0, f"out of order {disorder}; at most 0"))
    for scenario in dict.fromkeys(outcome.scenario for outcome in ours):
        twice = max((o.duplicates for o in chosen(ours, scenario=scenario)), default=0)
        most = window * scenario.crashes
        text = f"{scenario.value}: twice {twice}; at most {most}, a window a crash"
        found.append((twice <= most, text))
    found += _drain_verdicts(outcomes, third_party)
    return found


def _drain_verdicts(outcomes: Outcomes, third_party: Sequence[str]) -> list[tuple[bool, str]]:
    ours, memory = drain_per_s(outcomes, OURS), drain_per_s(outcomes, IN_MEMORY)
    if ours is None:
        return [(False, "nothing drained")]
    is_fast = ours >= LEAST_DRAIN_PER_S or (memory is not None and ours >= LEAST_OF_MEMORY * memory)
    beside = f", {ours / memory:.2f} of paho in memory ({memory:,.0f}/s)" if memory else ""
    demanded = f"at least {LEAST_DRAIN_PER_S:,.0f}/s or {LEAST_OF_MEMORY} of paho in memory"
    found = [(is_fast, f"drain {ours:,.0f}/s{beside}; {demanded}")]
    for name in third_party:
        drain = drain_per_s(outcomes, name)
        if drain is None or loses(outcomes, name):
            continue
        text = f"drain {ours / drain:.1f} times {name}, which loses nothing"
        found.append((ours >= LEAST_TIMES_OTHERS * drain, f"{text}; at least {LEAST_TIMES_OTHERS}"))
    return found


def drain_per_s(outcomes: Outcomes, name: str) -> float | None:
    """Return the median drain rate of a peer, in events a second.

    Without the runs with a kill in the middle, whose start anew is no drain.
    """
    whole = [each for each in outcomes if each.scenario is not Scenario.KILL_TWICE]
    return of(whole, lambda o: o.drain_per_s, peer=name)


def loses(outcomes: Outcomes, name: str) -> bool:
    """Return whether a peer lost something in a crash, or was not seen in one."""
    crashes = [run for run in chosen(outcomes, peer=name) if run.scenario.crashes]
    return not crashes or any(run.lost for run in crashes)


def ratios(outcomes: Outcomes) -> Iterable[str]:
    """Yield ours in relation to each of the others."""
    mine = drain_per_s(outcomes, OURS), of(outcomes, lambda o: o.accept_per_s, peer=OURS)
    if None in mine:
        return
    yield f"{'ours in relation to':<48}{'drain':>7}{'accept':>8}  lost by crashes"
    for name in dict.fromkeys(outcome.peer for outcome in outcomes):
        other = drain_per_s(outcomes, name), of(outcomes, lambda o: o.accept_per_s, peer=name)
        if name == OURS:
            continue
        drain, accept = (
            f"{ours / theirs:.2f}" if ours and theirs else "-"
            for ours, theirs in zip(mine, other, strict=True)
        )
        crashes = [run for run in chosen(outcomes, peer=name) if run.scenario.crashes]
        lost = f"{max(run.lost for run in crashes):,} at most" if crashes else "not tried"
        yield f"  {NAMES[name]:<46}{drain:>7}{accept:>8}  {lost}"


def accepting(outcomes: Outcomes) -> str | None:
    """Return how fast ours accepted beside a bare SQLite, None where that was not measured.

    Nothing is judged by it: the process starts its link meanwhile, in the same interpreter. The
    journal for itself, in turns with a bare SQLite, is in journal_rates.py.
    """
    measured = [o for o in chosen(outcomes, peer=OURS) if o.bare_sqlite_per_s]
    if not measured:
        return None
    ratio = median(o.accept_per_s / (o.bare_sqlite_per_s or 1.0) for o in measured)
    accept, bare, fsync = (
        of(measured, value)
        for value in (
            lambda o: o.accept_per_s,
            lambda o: o.bare_sqlite_per_s,
            lambda o: o.bare_fsync_per_s,
        )
    )
    return (
        f"accept, with the link starting in the same process: {_figure(accept)}/s, {ratio:.2f} of "
        f"bare SQLite FULL ({_figure(bare)}/s; the disk's bare fsync {_figure(fsync)}/s)"
    )


def write_json(outcomes: Outcomes, path: Path) -> None:
    """Write every run, one object a line."""
    path.write_text("".join(json.dumps(asdict(outcome)) + "\n" for outcome in outcomes))


def _figure(number: float | None, digits: int = 0) -> str:
    return "-" if number is None else f"{number:,.{digits}f}"
