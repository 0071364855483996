"""Documents of a server at the gate: what is applied, what is refused, what outlasts what."""

from hashlib import sha256

import msgspec
import pytest

from gatepost_services.roster import RosterKey
from gatepost_services.roster.documents import read_document
from gatepost_services.roster.rows import digest_of
from gatepost_services.roster.writer import RosterWriter
from gatepost_services.sync.documents import MOST_BYTES

from .documents_rig import DELTA, LATER, ROSTER, Rig, regime, trust_list

ROSTER_DELTA = {"mode": "delta", "base_version": 1}


@pytest.fixture
def make_rig(tmp_path):
    made = []

    def make(**settings):
        made.append(Rig(tmp_path, **settings))
        return made[-1]

    yield make
    for rig in made:
        rig.close()


@pytest.fixture
def rig(make_rig):
    return make_rig()


def test_nothing_was_ever_offered(rig):
    none = {"version": 0, "digest": None, "state": "none", "why": None}
    assert rig.documents.reported() == dict.fromkeys(("trust", "regime", "roster"), none)
    assert rig.settle() == []
    assert rig.documents.faults() == {}


# -------------------------------------------------------------------------------------- what holds


def test_a_roster_is_applied_and_then_what_changes_in_it(rig):
    rig.applied("roster", 1, ROSTER)
    assert rig.subjects() == ["anna", "ben"]
    rig.applied("roster", 2, DELTA, **ROSTER_DELTA)
    assert rig.subjects() == ["anna", "dora"]
    assert rig.state("roster") == (2, "applied", None)


def test_the_digest_of_a_roster_is_the_same_however_it_came_about(rig):
    rig.applied("roster", 1, ROSTER)
    rig.applied("roster", 2, DELTA, **ROSTER_DELTA)
    whole = b"credential,subject,category\nP4,dora,resident\nP1,anna,resident\n"
    key = RosterKey.load(rig.paths.roster_key)
    rows = read_document(whole, "x", key, as_of_utc_s=0).rows
    assert rig.documents.reported()["roster"]["digest"] == digest_of(rows).hex()


def test_a_rollback_is_the_old_content_with_a_new_version(rig):
    rig.applied("roster", 1, ROSTER)
    rig.applied("roster", 2, LATER)
    rig.applied("roster", 3, ROSTER)
    assert rig.subjects() == ["anna", "ben"]
    rig.applied("regime", 1, regime("lockdown"))
    rig.applied("regime", 2, regime("medium-risk"))
    rig.applied("regime", 3, regime("lockdown"))
    assert rig.regime_name() == "lockdown"


def test_a_roster_with_a_version_of_its_own_takes_that_of_the_letter(rig):
    rig.applied("roster", 1, '{"type":"roster","version":40,"members":[]}')
    rig.applied("roster", 2, ROSTER)
    assert rig.state("roster") == (2, "applied", None)


def test_a_regime_holds_from_the_next_look_on_and_over_a_restart(rig):
    assert rig.regime_name() == "normal"
    rig.applied("regime", 7, regime("lockdown"))
    assert rig.regime_name() == "lockdown"
    rig.restart()
    assert rig.regime_name() == "lockdown"
    assert rig.state("regime") == (7, "applied", None)
    found = rig.documents.reported()["regime"]
    assert found["digest"] == sha256(regime("lockdown")).hexdigest()


def test_a_regime_comes_with_the_sites_lines_or_with_those_of_the_gate(make_rig, tmp_path):
    (tmp_path / "site.toml").write_text("[limits]\nindex_c = 38.5\n", encoding="utf-8")
    rig = make_rig(site=f"{tmp_path}/site.toml")
    rig.applied("regime", 1, regime("lockdown"))
    assert rig.order.current()[0].limits.index_c == 38.5
    text = regime("lockdown").decode()
    rig.applied(
        "regime", 2, msgspec.json.encode({"regime": text, "site": "[limits]\nindex_c = 39.0"})
    )
    assert rig.order.current()[0].limits.index_c == 39.0
    rig.applied("regime", 3, msgspec.json.encode({"regime": text, "site": ""}))
    assert rig.order.current()[0].limits.index_c == 37.3
    rig.restart()
    assert rig.order.current()[0].limits.index_c == 37.3


def test_a_trust_list_is_applied_and_one_that_a_technician_installed_counts_as_well(rig):
    rig.applied("trust", 3, trust_list(3))
    assert rig.paths.trust_list.read_bytes() == trust_list(3)
    rig.paths.trust_list.write_bytes(trust_list(5))
    assert rig.state("trust") == (5, "applied", None)
    rig.offer("trust", 4, trust_list(4))
    assert rig.settle() == [("document.refused", 4, "not_newer")]
    assert rig.paths.trust_list.read_bytes() == trust_list(5)


# ---------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("kind", "content", "more", "why"),
    [
        ("roster", ROSTER, {"aud": "/gatepost/s/south"}, "wrong_gate"),
        ("roster", ROSTER, {"aud": "/gatepost/t"}, "wrong_gate"),
        ("roster", "credential,subject\nP,a\n", {}, "invalid"),
        ("roster", b"\xff\xfe", {}, "invalid"),
        ("roster", DELTA, {}, "invalid"),
        ("roster", ROSTER, {"mode": "delta", "base_version": 1}, "wrong_base"),
        ("roster", '{"type":"roster","members":[],"digest":"' + "0" * 64 + '"}', {}, "invalid"),
        ("roster", ROSTER, {"bytes": MOST_BYTES["roster"] + 1}, "too_large"),
        ("roster", ROSTER, {"bytes": 3}, "digest"),
        ("roster", ROSTER, {"digest": "0" * 64}, "missing"),
        ("regime", b"[", {}, "invalid"),
        ("regime", b'{"regime": 7}', {}, "invalid"),
        ("regime", b'{"regime": "", "more": ""}', {}, "invalid"),
        ("regime", b"\xff", {}, "invalid"),
        ("regime", b"[" * 100_000, {}, "invalid"),
        ("regime", regime().replace(b"R013", b"R913"), {}, "invalid"),
        ("regime", regime(), {"bytes": MOST_BYTES["regime"] + 1}, "too_large"),
        ("trust", b"none", {}, "invalid"),
        ("trust", trust_list(8), {}, "invalid"),  # in a letter of version 2
        ("trust", trust_list(2)[:-1] + b"x", {}, "invalid"),
        ("trust", trust_list(2), {"bytes": MOST_BYTES["trust"] + 1}, "too_large"),
    ],
)
def test_what_is_refused_changes_nothing_and_is_told_once(kind, content, more, why, rig):
    rig.offer(kind, 2, content, **more)
    assert rig.settle() == [("document.refused", 2, why)]
    assert rig.state(kind) == (0, "refused", why)
    rig.offer(kind, 2, content, **more)
    assert rig.settle() == []
    rig.restart()
    rig.offer(kind, 2, content, **more)
    assert rig.settle() == []
    assert rig.documents.reported()[kind]["refused"] == 2
    assert not rig.paths.trust_list.exists()
    assert rig.regime_name() == "normal"


@pytest.mark.parametrize(
    ("kind", "first", "second"),
    [
        ("roster", ROSTER, LATER),
        ("regime", regime("lockdown"), regime("case")),
        ("trust", trust_list(5), trust_list(4)),
    ],
)
def test_an_older_one_is_refused_and_a_newer_one_tried_again(kind, first, second, rig):
    rig.applied(kind, 5, first)
    rig.offer(kind, 4, second)
    assert rig.settle() == [("document.refused", 4, "not_newer")]
    assert rig.state(kind) == (5, "refused", "not_newer")
    rig.offer(kind, 5, b"another of that number")
    assert rig.settle() == [("document.refused", 5, "not_newer")]
    rig.applied(kind, 6, first if kind != "trust" else trust_list(6))
    assert rig.state(kind) == (6, "applied", None)


def test_a_delta_for_another_roster_is_refused(rig):
    rig.applied("roster", 1, ROSTER)
    rig.offer("roster", 3, DELTA, mode="delta", base_version=2)
    assert rig.settle() == [("document.refused", 3, "wrong_base")]
    other = '{"type":"roster-delta","base":{"version":1,"digest":"' + "0" * 64 + '"}}'
    rig.offer("roster", 4, other, **ROSTER_DELTA)
    assert rig.settle() == [("document.refused", 4, "wrong_base")]
    assert rig.subjects() == ["anna", "ben"]


def test_a_letter_that_is_none_is_refused_at_once(rig):
    assert rig.documents.offer(b"{}") == "malformed"
    assert rig.settle() == []


@pytest.mark.parametrize(
    ("settings", "kind", "content", "why"),
    [
        ({"order": ""}, "regime", regime(), "no_order"),
        ({"root": False}, "trust", trust_list(2), "no_key"),
        ({"has_key": False}, "roster", ROSTER, "no_key"),
        ({"exits": "by_pass"}, "regime", regime("lockdown"), "invalid"),
    ],
)
def test_a_gate_that_has_no_use_for_it_says_so(settings, kind, content, why, make_rig):
    rig = make_rig(**settings)
    rig.offer(kind, 2, content)
    assert rig.settle() == [("document.refused", 2, why)]


def test_what_a_damaged_file_lost_opens_no_way_back(rig):
    rig.applied("regime", 5, regime("lockdown"))
    (rig.paths.gate_dir / "regime-desired.json").write_bytes(b"{")
    rig.restart()
    assert rig.regime_name() == "normal"
    assert "what the server set cannot be used" in rig.order.current()[1]
    rig.offer("regime", 4, regime("case"))
    assert rig.settle() == [("document.refused", 4, "not_newer")]
    rig.applied("regime", 5, regime("lockdown"))  # the link offers it again at each start
    assert rig.regime_name() == "lockdown"


def test_a_roster_that_was_lost_is_applied_again(rig):
    rig.applied("roster", 5, ROSTER)
    rig.documents.close()
    for path in rig.paths.gate_dir.glob("roster.db*"):
        path.unlink()
    rig.restart()
    rig.applied("roster", 5, ROSTER)


def test_a_technicians_roster_in_between_is_told_by_version_and_digest(rig):
    rig.applied("roster", 5, ROSTER)
    key = RosterKey.load(rig.paths.roster_key)
    with RosterWriter.open(rig.paths.roster, key) as writer:
        writer.replace(read_document(LATER.encode(), "x", key, as_of_utc_s=0))
    rig.offer("roster", 5, ROSTER)
    assert rig.settle() == []
    assert rig.state("roster") == (6, "applied", None)
    rig.offer("roster", 6, ROSTER)
    assert rig.settle() == [("document.refused", 6, "not_newer")]
