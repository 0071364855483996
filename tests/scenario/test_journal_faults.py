"""A journal that is late: what is not written is not done, and not later either."""

import threading
from contextlib import contextmanager

import pytest

from gatepost.core.states import State
from gatepost.wiring.lane import gate
from gatepost_config.load import load
from gatepost_hal.ports import Direction, InputName
from gatepost_services.contract.events import decode
from gatepost_services.journal import Journal, JournalError, JournalLate, JournalReader

from .life import MemoryLog
from .rosters import import_roster

WELL_C = 34.0
DEADLINE_S = 2.0
NOTICES = ("journal.late", "journal.lost", "fault.raised", "fault.cleared")


class LateLog(MemoryLog):
    """An event log on a disk that stalls: `waiting` gets there, or is lost, when it goes on."""

    def __init__(self, world):
        super().__init__()
        self._world = world
        self.stalls = False
        self.waits_s = []
        self.waiting = []

    def append(self, entries, give_up=lambda: False):
        if not self.stalls:
            super().append(entries, give_up)
            return
        began_s = self._world.now_s()
        until_s = began_s + (0.0 if self.waiting else DEADLINE_S)
        while self._world.now_s() < until_s and not give_up():
            self._world.advance(0.02)
        self.waits_s.append(self._world.now_s() - began_s)
        self.waiting.append(list(entries))
        raise JournalLate("the disk has not answered")

    def go_on(self, lost=lambda _number: False):
        """Let what waits get to the disk, but for those batches that are lost."""
        self.stalls = False
        for number, batch in enumerate(self.waiting):
            if lost(number):
                self.lost += batch
            else:
                self.entries += batch
        self.waiting = []

    def total(self, type_):
        return sum(entry.data["count"] for entry in self.entries if entry.type == type_)


@pytest.fixture
def stage(make_stage):
    """A lane whose disk stalls when it is told to."""
    stage = make_stage()
    stage.log = LateLog(stage.world)
    stage.restart()
    stage.play(1.0)
    stage.log.entries.clear()
    return stage


def untold(batches):
    """Return how many records these hold, but for what the recorder tells of itself."""
    return sum(entry.type not in NOTICES for batch in batches for entry in batch)


def entry_was_free(stage, duration_s):
    stage.play_until(lambda: Direction.ENTRY in stage.released(), duration_s)
    return Direction.ENTRY in stage.released()


def test_while_the_disk_is_late_entry_refuses_and_exit_releases(stage):
    stage.log.stalls = True
    stage.step_up(WELL_C)
    stage.scan()
    assert not entry_was_free(stage, 10.0)
    stage.walk_off()
    stage.touch(InputName.EXIT_BUTTON, active=True)
    stage.play(0.2)
    assert stage.released() == {Direction.EXIT}


def test_the_disk_is_waited_for_once_and_not_for_each_record(stage):
    stage.log.stalls = True
    stage.step_up(WELL_C)
    stage.scan()
    stage.play(20.0)
    first, *others = stage.log.waits_s
    assert DEADLINE_S <= first < DEADLINE_S + 0.1
    assert others
    assert set(others) == {0.0}


def test_the_fault_is_told_once_and_cleared_once(stage):
    stage.log.stalls = True
    for _ in range(3):
        stage.step_up(WELL_C)
        stage.scan()
        stage.play(10.0)
        stage.walk_off()
    stage.log.go_on()
    stage.play(10.0)
    assert stage.faults == ["raised journal", "cleared journal"]


def test_what_was_late_is_never_acted_upon_later(stage):
    stage.log.stalls = True
    stage.step_up(WELL_C)
    stage.scan()
    assert stage.play_until(lambda: bool(stage.log.waiting), 20.0)
    late = untold(stage.log.waiting)
    stage.log.go_on()
    assert "visit.admitted" in stage.types  # it is on the disk now
    assert not entry_was_free(stage, 30.0)
    assert "passage.entered" not in stage.types
    assert stage.log.total("journal.late") == late


def test_what_was_late_is_told_and_nothing_of_it_is_called_lost(stage):
    stage.log.stalls = True
    for _ in range(3):
        stage.step_up(WELL_C)
        stage.scan()
        stage.play(10.0)
        stage.walk_off()
    late = untold(stage.log.waiting)
    assert late >= 3
    stage.log.go_on()
    stage.play(10.0)
    assert stage.log.total("journal.late") == late
    assert "journal.lost" not in stage.types


@pytest.mark.parametrize(
    "lost",
    [
        lambda _number: True,
        lambda number: number == 0,
        lambda number: number > 0,
        lambda number: number % 2,
    ],
    ids=["all", "the first", "all but the first", "every other"],
)
def test_what_was_late_and_then_lost_is_counted_to_the_last_one(stage, lost):
    stage.log.broken = True  # first it refuses
    stage.step_up(WELL_C)
    stage.scan()
    stage.play(10.0)
    stage.walk_off()
    refused = sum(not ok and told.type not in NOTICES for ok, told in stage.log.tried)
    stage.log.broken, stage.log.stalls = False, True  # and then it stalls
    for _ in range(3):
        stage.step_up(WELL_C)
        stage.scan()
        stage.play(10.0)
        stage.walk_off()
    late = untold(stage.log.waiting)
    gone = [batch for number, batch in enumerate(stage.log.waiting) if lost(number)]
    stage.log.go_on(lost)
    stage.play(10.0)
    assert refused
    assert stage.log.total("journal.lost") == refused + untold(gone)
    assert stage.log.total("journal.late") == late
    assert stage.faults == ["raised journal", "cleared journal"]


@pytest.mark.parametrize(
    ("name", "state"),
    [(InputName.FIRE, State.FIRE), (InputName.EMERGENCY, State.EMERGENCY)],
)
def test_an_alarm_ends_the_wait_for_the_disk_and_frees_both_ways_in_the_same_turn(
    stage, name, state
):
    stage.step_up(WELL_C)
    stage.scan()
    stage.log.stalls = True
    contact = stage.lane.contacts[name]
    real = stage.log.append

    def append(entries, give_up=lambda: False):
        if not stage.log.waiting:  # it closes while the loop waits
            stage.world.call_at(stage.world.now_s() + 0.3, lambda: contact.set(active=True))
        real(entries, give_up)

    stage.log.append = append
    assert stage.play_until(lambda: bool(stage.log.waiting), 20.0)
    assert 0.3 <= stage.log.waits_s[0] < 0.5
    stage.gate.turn()
    assert stage.state is state
    assert stage.released() == set(Direction)


def test_an_alarm_that_stands_already_ends_no_wait(stage):
    stage.reach(State.FIRE)
    stage.log.stalls = True
    stage.touch(InputName.TAMPER, active=True)
    stage.play(10.0)
    assert stage.log.waits_s[0] >= DEADLINE_S


# ------------------------------------------------------------- the whole gate, on a real journal


class Stall:
    """Holds every append to a real journal up, until it is let go; then it may fail them."""

    def __init__(self, monkeypatch):
        self.runs = threading.Event()
        self.runs.set()
        self.fails = False
        real = Journal.append

        def append(journal, entries):
            assert self.runs.wait(20.0)
            if self.fails:
                raise JournalError("the disk is gone")
            return real(journal, entries)

        monkeypatch.setattr(Journal, "append", append)


@pytest.fixture
def wired(make_stage, config, monkeypatch):
    """Make a stage whose gate is the one that `gatepost run` wires up, on a disk that may stall."""
    config.write_text(config.read_text() + "[journal]\nappend_deadline_s = 1.0\n")
    import_roster(config.parent, "credential,subject,category\nKNOWN,anna,resident\n")
    settings, stall = load(config), Stall(monkeypatch)

    @contextmanager
    def run():
        stage = make_stage()
        with gate(settings, stage.hardware, boot_id="b", notify=lambda _said: None) as made:
            stage.gate = made
            stage.play(2.0)
            try:
                yield stage, stall
            finally:
                stall.runs.set()

    run.journal = settings.paths.journal
    return run


def told(journal):
    with JournalReader(journal) as reader:
        events = [decode(record.body) for record in reader.read(0, 1000).records]
    return [(event.type.removeprefix("gatepost."), event.data) for event in events]


def test_the_wired_gate_on_a_stalled_disk_refuses_releases_and_tells(wired):
    with wired() as (stage, stall):
        stall.runs.clear()
        stage.step_up(WELL_C)
        stage.scan()
        assert not entry_was_free(stage, 10.0)
        stage.walk_off()
        stage.touch(InputName.EXIT_BUTTON, active=True)
        stage.play(0.2)
        assert stage.released() == {Direction.EXIT}
        stage.touch(InputName.EXIT_BUTTON, active=False)
        stall.runs.set()
        settle(stage.gate)
        stage.play(10.0)
    events = told(wired.journal)
    types = [type_ for type_, _ in events]
    assert [d["fault"] for t, d in events if t == "fault.raised"].count("journal") == 1
    assert [d["fault"] for t, d in events if t == "fault.cleared"].count("journal") == 1
    assert types.index("visit.admitted") < types.index("exit.released")
    assert sum(data["count"] for type_, data in events if type_ == "journal.late") >= 2
    assert "journal.lost" not in types


def test_the_wired_gate_counts_what_was_late_and_then_lost(wired):
    with wired() as (stage, stall):
        stall.runs.clear()
        stage.step_up(WELL_C)
        stage.scan()
        assert not entry_was_free(stage, 10.0)
        stage.walk_off()
        stall.fails = True
        stall.runs.set()
        settle(stage.gate)
        stall.fails = False
        stage.play(10.0)
    events = told(wired.journal)
    assert "visit.admitted" not in [type_ for type_, _ in events]
    assert sum(data["count"] for type_, data in events if type_ == "journal.lost") >= 1
    assert [d["fault"] for t, d in events if t == "fault.raised"].count("journal") == 1
    assert [d["fault"] for t, d in events if t == "fault.cleared"].count("journal") == 1


def test_a_fire_frees_the_way_while_the_wired_gate_waits_for_its_disk(wired):
    with wired() as (stage, stall):
        stall.runs.clear()
        stage.touch(InputName.FIRE, active=True)
        assert stage.play_until(lambda: stage.state is State.FIRE, 1.0)
        assert stage.released() == set(Direction)
        stall.runs.set()
        settle(stage.gate)
    assert "fire.raised" in [type_ for type_, _ in told(wired.journal)]


def settle(made):
    """Wait until all that the gate's log was asked for so far is done, or has failed."""
    log = made._recorder._log
    with log._changed:
        waiting = [request.done for request in log._requests]
    assert all(each.wait(20.0) for each in waiting)
