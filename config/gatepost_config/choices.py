"""The named choices: where the documents contradict one another, or none decides.

Each option says what it leads to and by which rules, so that both sides can be read. A regime file
chooses; it may use a choice wherever it may use an outcome (`may`, `then`).
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from gatepost_config.terms import Check, Finding, Outcome


class Option(NamedTuple):
    """One side of a conflict.

    `outcome` is what the row or the finding leads to. `checks` are looked at besides the row's
    own. `tell` and `say` are as in a regime file. `found` is what this side asks for at least when
    that is found in a row that uses the choice.
    """

    outcome: Outcome
    rules: tuple[str, ...]
    checks: tuple[Check, ...] = ()
    tell: tuple[str, ...] = ()
    say: tuple[str, ...] = ()
    found: Mapping[Finding, "Option"] = MappingProxyType({})


class Choice(NamedTuple):
    """A conflict: the question, and the sides of it by name."""

    question: str
    options: dict[str, Option]


# Who is let in because of a code shows one (R017: no scan without a look).
_SHOW_CODE = Option("refer", ("R033", "R017"), say=("show_code",))
_SHOW_CODE_AT_WORK = Option("refer", ("R093", "R017"), say=("show_code",))
CHOICES = {
    "hot_resident": Choice(
        "A resident above the limit wants to come home",
        {
            "home": Option(
                "admit_and_report", ("R005",), tell=("community promptly",), say=("rest_at_home",)
            ),
            "refuse": Option(
                "deny",
                ("R006",),
                tell=("government_department promptly", "residents_committee promptly"),
                say=("see_doctor",),
            ),
            "hospital": Option(
                "refer", ("R011", "R287"), tell=("community at once", "work_team at once")
            ),
        },
    ),
    "visitors": Choice(
        "Somebody who does not live here wants to visit",
        {
            "register": Option(
                "admit",
                ("R072", "R033", "R040"),
                ("registered",),
                found={"code_unknown": _SHOW_CODE},
            ),
            "escort": Option("admit", ("R077",), ("registered", "escort")),
            "turn_back": Option("deny", ("R073", "R076"), say=("residents_only",)),
            "never": Option("deny", ("R074", "R075"), say=("residents_only",)),
        },
    ),
    "couriers": Choice(
        "A courier, a takeaway rider or the mail wants in",
        {
            "drop_zone": Option("redirect", ("R089", "R090", "R092"), say=("drop_zone",)),
            "checked": Option(
                "admit",
                ("R093",),
                ("isolation", "mask", "temperature", "health_code", "registered"),
                found={"code_unknown": _SHOW_CODE_AT_WORK},
            ),
        },
    ),
    "vehicles": Choice(
        "The occupants of an outside vehicle want in",
        {
            "register": Option(
                "admit", ("R072", "R099"), ("registered",), found={"code_unknown": _SHOW_CODE}
            ),
            "escort": Option("admit", ("R077",), ("registered", "escort")),
            "never": Option("deny", ("R075", "R100"), say=("residents_only",)),
        },
    ),
    "works": Choice(
        "Workers for renovation or repair",
        {
            "limited": Option(
                "admit",
                ("R083", "R082"),  # the gate's own record of each passage notes them in and out
                ("works",),
                found={"code_unknown": _SHOW_CODE_AT_WORK},
            ),
            "stopped": Option("deny", ("R084", "R085"), say=("works_stopped",)),
        },
    ),
    "red_or_yellow_resident": Choice(
        "A resident with a yellow or red code wants to come home: no document decides",
        {
            "refer": Option("refer", ("R038", "ours"), tell=("community at once",)),
            "refuse": Option("deny", ("R033", "ours"), tell=("community at once",)),
            "admit": Option(
                "admit_and_report",
                ("R038", "ours"),
                tell=("community at once",),
                say=("rest_at_home",),
            ),
        },
    ),
    "red_or_yellow_tested": Choice(
        "The same, with a negative test of the last days (R038)",
        {
            "admit": Option("admit_and_report", ("R038",), tell=("community at once",)),
            "refer": Option("refer", ("R038", "ours"), tell=("community at once",)),
        },
    ),
    "unknown_code": Choice(
        "Nobody has said anything of a resident's health code, or it is too old",
        {
            "refer": Option("refer", ("R001", "R017", "R251"), say=("show_code",)),
            "refuse": Option("deny", ("R034", "R017"), say=("show_code",)),
            "admit": Option("admit", ("R251", "ours")),
        },
    ),
    "returned_resident": Choice(
        "A resident comes back from a risk area, with a normal temperature",
        {
            "admit": Option(
                "admit_and_report",
                ("R008", "R059", "R123"),
                tell=("community at once", "health_department promptly"),
                say=("rest_at_home", "declare_stay"),
            ),
            "test": Option(
                "admit_and_report",
                ("R051", "R053", "R059"),
                ("risk_area",),
                tell=("community at once",),
                say=("declare_stay",),
                found={
                    "risk_area": Option(
                        "refer",
                        ("R051", "R053"),
                        tell=("community at once",),
                        say=("bring_test", "declare_stay"),
                    )
                },
            ),
            "central": Option(
                "refer",
                ("R052", "R054", "R055"),
                tell=("community at once", "street at once"),
            ),
            "keep_out": Option("refer", ("R081",), tell=("community at once", "street at once")),
        },
    ),
    "close_contact": Choice(
        "Where a close contact is isolated",
        {
            "home": Option(
                "admit_and_report",
                ("R118",),
                tell=("community at once", "street at once"),
                say=("rest_at_home",),
            ),
            "central": Option("refer", ("R117",), tell=("community at once", "street at once")),
        },
    ),
    "going_out": Choice(
        "A resident wants to go out",
        {
            "free": Option("admit", ("R070",)),
            "quota": Option(
                "admit",
                ("R064", "R065"),
                ("pass", "quota"),
                # A pass that nobody could verify is none.
                found={"no_pass": Option("refer", ("R064", "R067"), say=("show_pass",))},
            ),
            "exempt_only": Option("deny", ("R107",), say=("stay_home",)),
        },
    ),
    "mask": Choice(
        "Somebody is seen without a mask",
        {
            "prompt": Option("admit", ("R158",), say=("wear_mask",)),
            "must": Option("deny", ("R153", "R154"), say=("wear_mask",)),
        },
    ),
    "measure_on_exit": Choice(
        "Somebody who leaves could not be measured",
        {
            "required": Option("recheck", ("R001", "R012", "R017")),
            "when_measured": Option("admit", ("R010", "ours")),
        },
    ),
    "red_or_yellow_leaving": Choice(
        "A resident with a yellow or red code wants to go out",
        {
            "refer": Option("refer", ("R039", "R038"), tell=("community at once",)),
            "remind": Option(
                "admit_and_report",
                ("R039", "R126"),
                tell=("community at once",),
                say=("go_out_less",),
            ),
        },
    ),
    "hot_leaving": Choice(
        "Somebody above the limit wants to go out: no document decides",
        {
            "refer": Option(
                "refer", ("R287", "R011"), tell=("work_team at once", "community at once")
            ),
            "doctor": Option(
                "admit_and_report",
                ("R288", "ours"),
                tell=("community promptly",),
                say=("see_doctor",),
            ),
        },
    ),
}


def option_of(words: str, chosen: Mapping[str, str]) -> Option | None:
    """Return the side that was chosen, where the words name a choice."""
    choice = CHOICES.get(words)
    return choice.options.get(chosen.get(words, "")) if choice else None


# Who has a test is at least as well off as who has none.
WITHOUT_TEST: dict[Finding, Finding] = {"coded_tested": "coded", "risk_area_tested": "risk_area"}

# Choices of a number: the options are the numbers themselves.
OBSERVATION_DAYS = {7: ("R120",), 14: ("R115", "R116", "R121"), 28: ("R055",)}
