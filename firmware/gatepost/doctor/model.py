"""A check, what it may find, and how all of them are run one after the other. Knows no machine."""

import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import Enum
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, NamedTuple

from gatepost.core.words import Text

if TYPE_CHECKING:
    from gatepost.doctor.site import Site

_NOBODY_LOOKED = Text("Nobody looked: it may be well or not.")
_REPORT_IT = Text("Begin the command with sudo; if it stays, report it with a --bundle.")
SETTINGS = "config.file"  # the check that every other one needs, unless it says otherwise


class Level(Enum):
    """How a check ended."""

    OK = "ok"
    WARNING = "warning"
    FAULT = "fault"
    NOT_CHECKED = "not_checked"


class Fine(NamedTuple):
    """All is well; `said` is what was seen, with `values` between braces if it has any."""

    said: str
    values: Mapping[str, object] = {}


class Skipped(NamedTuple):
    """It could not be looked at, and why, likewise."""

    why: str
    values: Mapping[str, object] = {}


class Wrong(NamedTuple):
    """A problem by its name in `checks.toml`, and what its texts have between braces.

    `also`: a sentence that is said behind what was found.
    """

    problem: str
    values: Mapping[str, object] = {}
    also: Text | None = None


Finding = Fine | Skipped | Wrong


class Check(NamedTuple):
    """One thing to look at.

    Args:
        id: stable, as "sensor.pec"; its texts are in `checks.toml`.
        look: looks, and says what it found. Must leave everything as it was, but for `moves`.
        needs: these must be well, or no worse than a warning, before it.
        without_settings: it can be looked at when the configuration is no good, too.
        moves: it may move the turnstile, and is left out unless that is allowed.
    """

    id: str
    look: "Callable[[Site], Finding]"
    needs: tuple[str, ...] = ()
    without_settings: bool = False
    moves: bool = False

    @property
    def first(self) -> tuple[str, ...]:
        """What must be well before this one."""
        return self.needs if self.without_settings else (SETTINGS, *self.needs)


class Problem(NamedTuple):
    """What a check may find wrong, in words; `says` and `remedy` have {values} in them."""

    level: Level
    says: str
    means: str
    remedy: str


class Texts(NamedTuple):
    """One check in words."""

    title: str
    problems: Mapping[str, Problem]


class Result(NamedTuple):
    """What one check came to. `means` and `remedy` are empty unless something is wrong.

    All in English; a `Text` can be said in another language.
    """

    id: str
    title: str
    level: Level
    problem: str
    says: str
    means: str = ""
    remedy: str = ""

    @property
    def name(self) -> str:
        """The stable name of what was found: "sensor.answers/absent"; the check's, if nothing."""
        return f"{self.id}/{self.problem}" if self.problem else self.id


@cache
def texts() -> Mapping[str, Texts]:
    """Return the texts of all checks, by id.

    Raises:
        ValueError: a row is none.
    """
    raw = tomllib.loads(files(__package__).joinpath("checks.toml").read_text(encoding="utf-8"))
    found = {}
    for id_, row in raw.items():
        title = row.pop("title")
        problems = {
            name: Problem(
                Level(each.pop("level")), each.pop("says"), each.pop("means"), each.pop("remedy")
            )
            for name, each in row.items()
            if not [key for key in each if key not in {"level", "says", "means", "remedy"}]
        }
        if problems.keys() != row.keys():
            raise ValueError(f"checks.toml: {id_}: {sorted(row.keys() - problems.keys())}")
        found[id_] = Texts(title, problems)
    return found


def examine(
    site: "Site",
    checks: Sequence[Check],
    chosen: Iterable[str] = (),
    *,
    may_move: bool = False,
    on_begin: Callable[[str], None] = lambda _id: None,
) -> Iterator[Result]:
    """Run checks in their order and yield what each came to.

    Args:
        site: what to look at.
        checks: all there are, each behind those it needs.
        chosen: ids of those to run, each with what it needs; none: all.
        may_move: whether the checks that move the turnstile are run.
        on_begin: is told the id of each check before it looks: some take seconds.
    """
    wanted = with_needs(checks, chosen)
    levels: dict[str, Level] = {}
    for check in checks:
        if check.id not in wanted:
            continue
        on_begin(check.id)
        result = _run(check, site, levels, may_move=may_move)
        levels[check.id] = result.level
        yield result


def with_needs(checks: Sequence[Check], chosen: Iterable[str]) -> set[str]:
    """Return the ids of the chosen checks and of all that they need; of all when none is chosen."""
    by_id = {check.id: check for check in checks}
    left = list(chosen) or list(by_id)
    wanted: set[str] = set()
    while left:
        id_ = left.pop()
        if id_ not in wanted:
            wanted.add(id_)
            left += by_id[id_].first
    return wanted


def _run(check: Check, site: "Site", levels: Mapping[str, Level], *, may_move: bool) -> Result:
    missing = [id_ for id_ in check.first if levels.get(id_) not in (Level.OK, Level.WARNING)]
    if missing:
        return result_of(check.id, Skipped("{check} comes first", {"check": missing[0]}))
    if check.moves and not may_move:
        return result_of(check.id, Skipped("it may move the turnstile: --move"))
    try:
        return result_of(check.id, check.look(site))
    except Exception as error:  # noqa: BLE001 - one check that fails must not hide the others
        why = printable(f"{type(error).__name__}: {error}")
        says = Text("the check itself failed: {why}", {"why": why})
        title = texts()[check.id].title
        return Result(check.id, title, Level.WARNING, "", says, _NOBODY_LOOKED, _REPORT_IT)


def result_of(id_: str, finding: Finding) -> Result:
    """Return a finding with its words."""
    text = texts()[id_]
    match finding:
        case Fine(said, values):
            return Result(id_, text.title, Level.OK, "", Text(said, _told(values)))
        case Skipped(why, values):
            return Result(id_, text.title, Level.NOT_CHECKED, "", Text(why, _told(values)))
        case Wrong(name, values, also):
            problem = text.problems[name]
            told = _told(values)
            says, remedy = (Text(each, told) for each in (problem.says, problem.remedy))
            if also is not None:
                says = Text("{says}. {also}", {"says": says, "also": also})
            return Result(id_, text.title, problem.level, name, says, problem.means, remedy)


def _told(values: Mapping[str, object]) -> Mapping[str, object]:
    """Return what is filled in: texts of ours as they are, all else for a terminal."""
    return {
        key: value if isinstance(value, Text) else printable(str(value))
        for key, value in values.items()
    }


def printable(text: str) -> str:
    """Return a text of somebody else's as one line that changes no terminal."""
    return "".join(each if each.isprintable() else " " for each in text)[:600]
