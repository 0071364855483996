"""What a gate does with a roster that changes, ages, or cannot be used, while it runs."""

import sqlite3
from contextlib import ExitStack
from dataclasses import replace

import pytest

from gatepost.core.events import Holder
from gatepost.core.facts import Category
from gatepost.core.faults import Fault
from gatepost.wiring.passes import Passes
from gatepost.wiring.regimes import load as load_regimes
from gatepost_config.load import load
from gatepost_hal.ports import Direction, InputName, PassRead, ReaderFault, ReaderFaultKind
from gatepost_services.roster import RosterKey
from gatepost_services.roster.writer import RosterWriter

from .rosters import import_roster

DAY_S = 86_400
AS_OF_UTC_S = 1_648_955_400
FINE = {Fault.ROSTER: None, Fault.ROSTER_STALE: None}
PEOPLE = (
    "credential,subject,category,household\nP1,anna,resident,h1\nP2,ben,works,\nP3,cleo,works,\n"
)


class Calendar:
    """The two clocks of a gate, some days after the roster was true."""

    def __init__(self) -> None:
        self.days, self.quality = 1.0, "ntp"

    def now_s(self) -> float:
        return self.days * DAY_S

    def utc_s(self) -> float:
        return AS_OF_UTC_S + self.days * DAY_S

    def utc_quality(self) -> str:
        return self.quality


@pytest.fixture
def calendar():
    return Calendar()


@pytest.fixture
def start(config, calendar):
    """Make the passes of a gate, as at each start."""
    text = config.read_text()
    started = []
    with ExitStack() as closing:

        def make(more=""):
            closing.pop_all().close()
            config.write_text(f"{text}{more}")
            started.append(Passes(load(config), calendar, "b", closing))
            return started[-1]

        yield make
    for passes in started:
        passes._roster.close()  # who is asked again has it open again


def test_a_roster_that_comes_later_ends_the_fault(start, tmp_path):
    passes = start()
    assert "gatepost roster import" in passes.faults[Fault.ROSTER]
    assert passes.look_up("P1") is None
    assert "gatepost roster import" in passes.roster_faults()[Fault.ROSTER]
    import_roster(tmp_path, PEOPLE)
    assert passes.roster_faults() == FINE
    assert passes.look_up("P1") == Holder("anna", "resident")


def test_another_roster_counts_at_once(start, tmp_path):
    import_roster(tmp_path, PEOPLE)
    passes = start()
    assert passes.faults == {}
    import_roster(
        tmp_path, "change,credential,subject,category\nremove,P1,,\nput,P9,dora,visitor\n"
    )
    assert passes.look_up("P1") is None
    assert passes.look_up("P9") == Holder("dora", "visitor")
    assert passes.roster_faults() == FINE


def test_a_stale_roster_is_told_and_lets_in_whom_it_knows(start, tmp_path, calendar):
    import_roster(tmp_path, PEOPLE, as_of_utc_s=AS_OF_UTC_S)
    passes = start("[roster]\nmax_age_days = 10\n")
    assert passes.faults == {}
    calendar.days = 10.0
    assert passes.roster_faults() == FINE
    calendar.days = 10.5
    told = passes.roster_faults()
    assert told[Fault.ROSTER] is None
    assert (
        "version 1 of the roster is as of 2022-04-03T03:10:00Z, 10.5 days ago"
        in (told[Fault.ROSTER_STALE])
    )
    assert passes.look_up("P1") == Holder("anna", "resident")
    assert Fault.ROSTER_STALE in start("[roster]\nmax_age_days = 10\n").faults
    import_roster(tmp_path, PEOPLE, as_of_utc_s=AS_OF_UTC_S + 5 * DAY_S)
    assert passes.roster_faults() == FINE


@pytest.mark.parametrize(("limit_days", "quality"), [(0, "ntp"), (10, "none"), (10, "restored")])
def test_nothing_is_stale_without_a_limit_or_a_clock(
    start, tmp_path, calendar, limit_days, quality
):
    import_roster(tmp_path, PEOPLE, as_of_utc_s=AS_OF_UTC_S)
    calendar.days, calendar.quality = 1000.0, quality
    passes = start(f"[roster]\nmax_age_days = {limit_days}\n")
    assert passes.faults == {}
    assert passes.roster_faults() == FINE


def test_a_damaged_roster_makes_every_pass_unknown_until_it_is_another_one(start, tmp_path):
    import_roster(tmp_path, PEOPLE)
    with sqlite3.connect(tmp_path / "roster.db") as connection:
        connection.execute("UPDATE members SET category = 'staff' WHERE subject = 'anna'")
    connection.close()
    passes = start()
    assert "digest is not that of its members" in passes.faults[Fault.ROSTER]
    for _ in range(2):
        assert passes.look_up("P1") is passes.look_up("P2") is None
        assert "digest is not that" in passes.roster_faults()[Fault.ROSTER]
    import_roster(tmp_path, PEOPLE.replace("works", "visitor"))
    assert passes.roster_faults() == FINE
    assert passes.look_up("P2") == Holder("ben", "visitor")


def test_a_roster_that_breaks_while_the_gate_runs_is_told(start, tmp_path):
    import_roster(tmp_path, PEOPLE)
    passes = start()
    (tmp_path / "roster.db").write_bytes(b"\xff" * 4096)
    assert passes.look_up("P1") is None
    assert "damaged" in passes.roster_faults()[Fault.ROSTER]
    (tmp_path / "roster.db").unlink()
    assert "No such file" in passes.roster_faults()[Fault.ROSTER]
    import_roster(tmp_path, PEOPLE)
    assert passes.roster_faults() == FINE
    assert passes.look_up("P1").subject == "anna"


def test_the_wrong_key_is_told_with_both(start, tmp_path):
    import_roster(tmp_path, PEOPLE)
    ours = RosterKey.load(tmp_path / "roster.key").id.hex()
    (tmp_path / "roster.key").write_text("00" * 32)
    passes = start()
    assert ours in passes.faults[Fault.ROSTER]
    assert RosterKey(bytes(32)).id.hex() in passes.faults[Fault.ROSTER]
    assert passes.look_up("P1") is None


def test_who_is_inside_counts_by_the_category_of_the_new_roster(start, tmp_path):
    import_roster(tmp_path, PEOPLE)
    passes = start('[regime]\nname = "normal"\n[reader]\nexit_device = "/dev/exit"\n')
    anna = passes.look_up("P1")
    for subject in ("ben", "cleo"):
        passes.note(subject, Direction.ENTRY)
    assert passes.known(anna, Direction.ENTRY).works_inside == 2
    import_roster(tmp_path, PEOPLE.replace("ben,works", "ben,resident"))
    passes.roster_faults()
    facts = passes.known(anna, Direction.ENTRY)
    assert (facts.works_inside, facts.people_inside) == (1, 2)
    passes.note("ben", Direction.EXIT)
    facts = passes.known(anna, Direction.ENTRY)
    assert (facts.works_inside, facts.people_inside) == (1, 1)


def test_a_large_roster_is_followed_a_part_at_a_time(start, tmp_path):
    subjects = [f"s{number}" for number in range(450)]
    rows = [f"P-{subject},{subject},works\n" for subject in subjects]
    text = "credential,subject,category\nP1,anna,resident\n" + "".join(rows)
    import_roster(tmp_path, text)
    passes = start('[regime]\nname = "normal"\n[reader]\nexit_device = "/dev/exit"\n')
    anna = passes.look_up("P1")
    for subject in subjects:
        passes._count(subject, inside=True)
    import_roster(tmp_path, text.replace("works", "tenant"))
    left = []
    for _ in range(4):
        passes.roster_faults()
        left.append(passes.known(anna, Direction.ENTRY).works_inside)
    assert left == [250, 50, 0, 0]
    assert passes.known(anna, Direction.ENTRY).people_inside == 450


def test_the_erased_are_looked_for_a_part_at_a_time(start, tmp_path):
    subjects = [f"s{number}" for number in range(250)]
    import_roster(tmp_path, PEOPLE)
    passes = start('[passback]\nmode = "timed"\n')
    for subject in subjects:
        passes._sightings[subject] = None
    with RosterWriter.open(
        tmp_path / "roster.db", RosterKey.load(tmp_path / "roster.key")
    ) as writer:
        for subject in ("s0", "s249"):
            writer.erase(subject, 0)
    passes.roster_faults()
    assert ("s0" in passes._sightings, "s249" in passes._sightings) == (False, True)
    passes.roster_faults()
    assert passes._sightings.keys() == set(subjects) - {"s0", "s249"}


# ------------------------------------------------------------------------------- in the whole loop


@pytest.fixture
def asking(stage):
    """A stage that asks who leaves for a pass; `flaws` is what its roster says of itself."""
    stage.flaws = {}
    stage.passes.faults = lambda: stage.flaws
    stage.policy = replace(stage.policy, exits_by_pass=True)
    order = load_regimes("lockdown")["lockdown"]
    nobody = order.rows[Direction.EXIT, Category.UNKNOWN]  # looks at nothing, and refers
    rows = {**order.rows, (Direction.EXIT, Category.RESIDENT): nobody}
    stage.regime = (replace(order, rows=rows), None)
    stage.gate = stage.restart()
    stage.play_until(lambda: "regime.changed" in stage.types, 10.0)
    return stage


def presses(stage):
    """Press the exit button; return what is told of it."""
    stage.log.entries.clear()
    stage.touch(InputName.EXIT_BUTTON, active=True)
    stage.play(0.3)
    stage.touch(InputName.EXIT_BUTTON, active=False)
    stage.play(20.0)
    return [type_ for type_ in stage.types if type_.startswith("exit.")][:1]


def test_a_fault_of_the_roster_is_told_once_and_ends(asking):
    asking.flaws = {Fault.ROSTER: "no such file", Fault.ROSTER_STALE: None}
    assert asking.play_until(lambda: asking.faults == ["raised roster"], 10.0)
    assert "gatepost roster import" in asking.last("fault.raised").data["remedy"]
    asking.play(20.0)
    asking.flaws = {Fault.ROSTER: None, Fault.ROSTER_STALE: "12.3 days ago"}
    asking.play(10.0)
    assert asking.faults == ["raised roster", "cleared roster", "raised roster_stale"]
    asking.flaws = FINE
    asking.play(10.0)
    assert asking.faults[3:] == ["cleared roster_stale"]


def test_without_a_roster_nobody_is_held_in_and_with_a_stale_one_leavers_are_asked(asking):
    assert presses(asking) == ["exit.refused"]
    asking.flaws = {Fault.ROSTER: "no such file", Fault.ROSTER_STALE: None}
    asking.play(6.0)
    assert presses(asking) == ["exit.released"]
    asking.flaws = {Fault.ROSTER: None, Fault.ROSTER_STALE: "12.3 days ago"}
    asking.play(6.0)
    assert presses(asking) == ["exit.refused"]


def test_a_reader_that_came_back_does_not_make_up_for_a_roster(asking):
    asking.flaws = {Fault.ROSTER: "no such file", Fault.ROSTER_STALE: None}
    asking.play(6.0)
    asking.gate._take(ReaderFault(1.0, ReaderFaultKind.GONE, "unplugged", Direction.EXIT))
    asking.gate._take(PassRead(1.0, "NOBODYS", Direction.EXIT))
    asking.play(20.0)
    assert presses(asking) == ["exit.released"]
    asking.flaws = FINE
    asking.play(6.0)
    assert presses(asking) == ["exit.refused"]
