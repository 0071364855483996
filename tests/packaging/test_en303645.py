"""services/EN-303-645.md: each provision once, what it says is backed, what is open says who.

In Chinese the same, by en303645.zh-CN.toml, which has all texts of en303645.toml and no other.

python -m tests.packaging.test_en303645 --write      # writes both pages anew
"""

import re
import sys
import tomllib
from collections import Counter
from pathlib import Path

import pytest

pytestmark = pytest.mark.packaging
ROOT = Path(__file__).parents[2]
SERVICES = ROOT / "services"
PAGES = ("EN-303-645.md", "EN-303-645.zh-CN.md")
BEGIN, END = "<!-- begin: en303645.toml -->\n", "<!-- end: en303645.toml -->\n"
STATUSES = {
    "met": "met",
    "condition": "met, if",
    "not applicable": "not applicable",
    "open": "**open**",
}
WHO = ("Gatepost", "operator")
SUMS = ("all", "of them must (M)", "together")
HEADINGS = ("what it asks", "status", "how", "evidence")
OPEN, WITH_WHO = "Open: {ids}.", "{status}: {who}"
_KINDS = ("M", "MC", "MF", "MCF", "R", "RC", "RF")
# Table B.1 of V3.1.3, as CLAUSE: what follows the dash.
PROVISIONS = {
    "5.0": "1",
    "5.1": "1 2 2A 3 4 5",
    "5.2": "1 2 3",
    "5.3": "1 2 3 4A 4B 5 6A 6B 7 8 9 10 11 12 13 14 15A 15B 16",
    "5.4": "1 2 3 4",
    "5.5": "1 2 3 4 5 6 7 8",
    "5.6": "1 2 3 4A 4B 5 6 7 8 9",
    "5.7": "1 2",
    "5.8": "1 2 3",
    "5.9": "1 2 3",
    "5.10": "1",
    "5.11": "1 2 3 4",
    "5.12": "1 2 3",
    "5.13": "1A 1B",
    "6": "1 2 3A 3B 4 5 6 7 8",
}
_PRIVATE = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----\s+[A-Za-z0-9+/]{16}")


def clauses():
    return tomllib.loads((SERVICES / "en303645.toml").read_text(encoding="utf-8"))["clause"]


def provisions():
    return [provision for clause in clauses() for provision in clause["provision"]]


def texts():
    """Return all that a translation has to have, in order."""
    told = [*SUMS, *HEADINGS, OPEN, WITH_WHO, *STATUSES.values(), *WHO]
    for clause in clauses():
        told += [clause["title"]]
        told += [each[name] for each in clause["provision"] for name in ("asks", "how")]
    return list(dict.fromkeys(told))


def translation():
    """Return the Chinese by the English."""
    rows = tomllib.loads((SERVICES / "en303645.zh-CN.toml").read_text(encoding="utf-8"))["text"]
    assert len({row["en"] for row in rows}) == len(rows)
    return {row["en"]: row["told"] for row in rows}


def say_for(page):
    return translation().__getitem__ if page == PAGES[1] else str


def as_markdown(say):
    """Return the tables of the page."""
    return f"{_sums(say)}\n\n{''.join(_table(each, say) for each in clauses())}"


def _sums(say):
    counts = Counter(each["status"] for each in provisions())
    must = Counter(each["status"] for each in provisions() if each["kind"].startswith("M"))
    lines = ["| | {} | {} |".format(*map(say, SUMS[:2])), "|---|---|---|"]
    lines += [f"| {say(told)} | {counts[name]} | {must[name]} |" for name, told in STATUSES.items()]
    lines.append(f"| {say(SUMS[2])} | {counts.total()} | {must.total()} |")
    open_ = [each["id"] for each in provisions() if each["status"] == "open"]
    return "\n".join(lines) + "\n\n" + say(OPEN).format(ids=", ".join(open_))


def _table(clause, say):
    head = f"## {clause['number']} {say(clause['title'])}\n\n"
    lines = [f"| | | {' | '.join(map(say, HEADINGS))} |", "|---|---|---|---|---|---|"]
    rows = [_row(each, say) for each in clause["provision"]]
    return head + "\n".join([*lines, *rows]) + "\n\n"


def _row(provision, say):
    status = say(STATUSES[provision["status"]])
    if "who" in provision:
        status = say(WITH_WHO).format(status=status, who=say(provision["who"]))
    evidence = "<br>".join(map(_link, provision["evidence"]))
    cells = (provision["id"], provision["kind"], say(provision["asks"]), status)
    return f"| {' | '.join(cells)} | {say(provision['how'])} | {evidence} |"


def _link(evidence):
    path, _, test = evidence.partition("::")
    return f"[{test or Path(path).name}](../{path})"


def renewed(text, page):
    """Return the page with its tables as they are to be."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    assert begin
    assert end
    return f"{before}{begin}\n{as_markdown(say_for(page))}{end}{after}"


def test_each_provision_is_there_once_in_the_standards_order():
    wanted = [f"{clause}-{each}" for clause, some in PROVISIONS.items() for each in some.split()]
    assert [each["id"] for each in provisions()] == wanted
    assert [clause["number"] for clause in clauses()] == list(PROVISIONS)
    for clause in clauses():
        ids = [each["id"].partition("-")[0] for each in clause["provision"]]
        assert set(ids) == {clause["number"]}


def test_each_says_what_it_is():
    for each in provisions():
        assert set(each) - {"who"} == {"id", "kind", "asks", "status", "how", "evidence"}, each
        assert each["status"] in STATUSES
        assert each["kind"] in _KINDS
        assert "|" not in each["asks"] + each["how"]
        assert each["how"].endswith(".")


def test_what_is_not_met_says_why_and_who_has_to_do_it():
    for each in provisions():
        needs_who = each["status"] in ("condition", "open")
        assert (each.get("who") in WHO) is needs_who, each["id"]


def test_what_is_met_has_evidence():
    bare = [each["id"] for each in provisions() if not each["evidence"]]
    assert not [
        each["id"]
        for each in provisions()
        if each["id"] in bare and each["status"] in ("met", "condition")
    ]


@pytest.mark.parametrize("path", sorted(PROVISIONS))
def test_all_evidence_is_there(path):
    named = [
        each
        for clause in clauses()
        if clause["number"] == path
        for provision in clause["provision"]
        for each in provision["evidence"]
    ]
    for evidence in named:
        name, _, test = evidence.partition("::")
        file = ROOT / name
        assert file.is_file(), evidence
        if test:
            assert re.search(rf"^def {test}\(", file.read_text("utf-8"), re.MULTILINE), evidence


def test_no_private_key_stands_in_the_code():
    found = [
        path
        for folder in ("firmware", "hal", "services", "config", "systemd")
        for path in sorted((ROOT / folder).rglob("*"))
        if path.is_file() and path.suffix in (".py", ".toml", ".json", ".service", ".md", ".pem")
        if _PRIVATE.search(path.read_text("utf-8"))
    ]
    # The example of a signed command, for servers to check themselves against; it says so.
    assert found == [SERVICES / "COMMANDS.md"]
    text = found[0].read_text("utf-8")
    assert "**Use it nowhere else.**" in text
    assert len(_PRIVATE.findall(text)) == 1


@pytest.mark.parametrize("page", PAGES)
def test_the_page_is_that_of_the_data(page):
    text = (SERVICES / page).read_text("utf-8")
    assert text == renewed(text, page), "python -m tests.packaging.test_en303645 --write"


@pytest.mark.parametrize("page", PAGES)
def test_every_link_of_the_page_leads_somewhere(page):
    links = re.findall(r"\]\(([^)#]+)\)", (SERVICES / page).read_text("utf-8"))
    assert {*PAGES} - {page} <= {*links}
    links = [link for link in links if not link.startswith("https://")]
    assert [link for link in links if not (SERVICES / link).exists()] == []


def test_every_text_is_translated_and_no_other():
    told = translation()
    assert [text for text in texts() if text not in told] == []
    assert told.keys() - texts() == set()


def test_a_translation_names_what_its_text_names():
    for text, told in translation().items():
        for what in (r"`[^`]*`", r"\{\w+\}", r"\d[\w.-]*\w|\d"):
            assert sorted(re.findall(what, text)) == sorted(re.findall(what, told, re.ASCII)), told
        assert "|" not in told
        if text not in ("Gatepost", WITH_WHO):
            assert re.search(r"[\u4e00-\u9fff]", re.sub(r"\{\w+\}", "", told)), text


def test_what_stands_before_the_tables_is_the_same_in_both():
    before = [(SERVICES / page).read_text("utf-8").partition(BEGIN)[0] for page in PAGES]
    for what in (r"`[^`]*`", r"\b\d+(?:\.\d+)+(?:-\d+)?\b", r"\n\n", r"\*\*[MR]\*\*"):
        english, chinese = (set(re.findall(what, text, re.ASCII)) for text in before)
        assert english <= chinese, what
        assert chinese - english <= {"`en303645.zh-CN.toml`"}


def test_what_stands_before_the_tables_counts_right():
    open_ = {each["id"] for each in provisions() if each["status"] == "open"}
    for page in PAGES:
        before = (SERVICES / page).read_text("utf-8").partition(BEGIN)[0]
        _, assessed, is_open = before.partition("**Open**" if page == PAGES[0] else "**未达到**")
        assert assessed
        named = set(re.findall(r"(?<![\d.])5\.\d+(?:-\d+)?(?![\d-])", is_open, re.ASCII))
        assert named
        for id_ in named:
            assert any(each == id_ or each.startswith(f"{id_}-") for each in open_), id_


if __name__ == "__main__":
    if sys.argv[1:] != ["--write"]:
        sys.exit(__doc__)
    for name in PAGES:
        path = SERVICES / name
        path.write_text(renewed(path.read_text("utf-8"), name), encoding="utf-8")
