"""The shape of a regime file, and of a site file that changes single lines of one.

`gatepost_config.regimes` reads them. All keys of a site file may be absent; what it has takes the
place of the same key, and its rows the place of the regime's for the same categories.
"""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from gatepost_config.settings import Name
from gatepost_config.terms import Category, Check, Finding

RULE_FORM = r"^(R[0-9]{3}|ours)\Z"
PROMPT_FORM = r"^[a-z_]{1,40}\Z"
_Words = Annotated[str, Meta(min_length=1, max_length=200)]
_RuleId = Annotated[str, Meta(pattern=RULE_FORM)]
_PromptKey = Annotated[str, Meta(pattern=PROMPT_FORM)]


class _Table(Struct, frozen=True, forbid_unknown_fields=True):
    """A table of the file. An unknown key is an error, never a silent default."""


class Then(_Table, frozen=True):
    """What a finding leads to: an outcome, or a named choice."""

    then: _Words
    rules: list[_RuleId] = []
    tell: list[_Words] = []  # "community at once": a recipient, and how soon
    say: list[_PromptKey] = []


class RowTable(_Table, frozen=True):
    """What these categories may do in one direction, and what is looked at."""

    who: Annotated[list[Category], Meta(min_length=1)]
    may: _Words  # an outcome, or a named choice
    checks: list[Check] = []
    rules: list[_RuleId] = []
    tell: list[_Words] = []
    say: list[_PromptKey] = []
    findings: dict[Finding, Then] = field(name="if", default_factory=dict)


class WindowTable(_Table, frozen=True):
    """When it is in force; times without an offset are the site's. Empty is always."""

    start: datetime | None = None
    end: datetime | None = None
    announced: bool = False  # its end is told separately (R134)
    before: Name | None = None  # the regime until `start`; without it, `then`
    then: Name | None = None  # the regime from `end` on


class EntrancesTable(_Table, frozen=True):
    """Which gates are open, by name; "*" is all of them."""

    open: Annotated[list[_Words], Meta(min_length=1)]
    rules: list[_RuleId] = []


class LimitsTable(_Table, frozen=True):
    """The numbers; 0 is without a limit where it is allowed."""

    index_c: Annotated[float, Meta(ge=36, le=42)]  # a school lets in below 37 alone (R016)
    test_hours: Annotated[float, Meta(gt=0, le=720)]
    long_test_days: Annotated[int, Meta(ge=1, le=30)]
    look_back_days: Annotated[int, Meta(ge=1, le=60)]
    quota_days: Annotated[int, Meta(ge=1, le=30)]
    works_inside: Annotated[int, Meta(ge=0, le=1000)]
    code_hours: Annotated[float, Meta(ge=0, le=8760)]
    capacity: Annotated[int, Meta(ge=0, le=1_000_000)]
    observation_days: Literal[7, 14, 28]
    disinfections_a_day: Annotated[int, Meta(ge=0, le=48)]


# The tables of a regime file and their types; all but the optional ones must be there.
TABLES: dict[str, object] = {
    "regime": Name,
    "title": _Words,
    "sources": Annotated[list[_Words], Meta(min_length=1)],
    "sequence": list[Check],
    "window": WindowTable,
    "entrances": EntrancesTable,
    "limits": LimitsTable,
    "choices": dict[str, str],
    "checks": dict[Check, list[_RuleId]],
    "findings": dict[Finding, Then],
    "areas": dict[str, datetime],  # a risk area, and since when a stay there counts (R060)
}
OPTIONAL = ("areas",)
# What comes besides another finding; a regime that does not say what follows adds nothing.
BESIDES: tuple[Finding, ...] = (
    "release_due", "refuses_observation", "refuses_measuring", "refuses_proof",
)  # fmt: skip
ROWS = ("entry", "exit")
# What a site file may have.
SITE_ONLY = "timezone"
NOT_A_SITES = ("regime", "title", "sources")
# These are changed key by key; the others as a whole.
BY_KEY = ("entrances", "limits", "choices", "checks", "findings", "areas")
