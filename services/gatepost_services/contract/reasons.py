"""The table of codes: what each reason, fault and state means. The rows are in `reasons.toml`."""

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import NamedTuple

PLACES: Mapping[str, str] = {
    "measurement": "`reason` of visits",
    "finding": "`finding` of decisions and escalations",
    "code": "`finding` of denials, `why` of proof.refused and pass.not_used",
    "pass": "`objection` of visits",
    "command": "`why` of command.refused and of replies",
    "document": "`why` of document.refused, and in `reported`",
    "ledger": "`why` of escort.closed and duty.ended",
    "journal": "`cause` of journal.gap, `why` of journal.withheld",
    "fault": "`fault` of fault.raised and fault.cleared, and in `reported`",
    "state": "`state` of alarms, denials and replies, and in `reported`",
}


class Meaning(NamedTuple):
    """What a code says, in English and in Chinese, and in which `PLACES` it occurs."""

    en: str
    zh: str
    where: tuple[str, ...]


@cache
def reasons() -> Mapping[str, Meaning]:
    """Return the table: code -> meaning.

    Raises:
        ValueError: a row is none.
    """
    text = files(__package__).joinpath("reasons.toml").read_text(encoding="utf-8")
    found = {}
    for code, row in tomllib.loads(text).items():
        meaning = Meaning(row.pop("en"), row.pop("zh"), tuple(row.pop("where")))
        if row or not set(meaning.where) <= PLACES.keys():
            raise ValueError(f"reasons.toml: {code}: {row or meaning.where}")
        found[code] = meaning
    return found


def codes(*places: str) -> frozenset[str]:
    """Return the codes that occur in any of these places; in none of them: all."""
    wanted = set(places or PLACES)
    return frozenset(code for code, meaning in reasons().items() if wanted & set(meaning.where))


def as_markdown() -> str:
    """Return the table as `services/CONTRACT.md` holds it."""
    lines = ["| code | means | 含义 | where |", "|---|---|---|---|"]
    for code, meaning in sorted(reasons().items()):
        lines.append(f"| `{code}` | {meaning.en} | {meaning.zh} | {', '.join(meaning.where)} |")
    return "\n".join((*lines, ""))
