"""Whatever is asked of a journal, on whatever disk: it is what a plain model says, or unchanged."""

import sqlite3
import tempfile
from hashlib import sha256
from pathlib import Path
from random import Random

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from gatepost_services.journal import JournalError, Record
from gatepost_services.journal.schema import ALL_CLASSES, State
from gatepost_services.journal.writer import NEVER
from gatepost_services.record import EventClass

from .journal_files import DAY_S, GAP, NOW_UTC_S, SEALER, assert_sound, contents, entry, opened

CLASSES = st.sampled_from(EventClass)


class Faulty(sqlite3.Connection):
    """Fails at some of its statements, before them or after them, as a dying disk does."""

    chance: Random | None = None
    failed = 0

    def execute(self, sql, *arguments):
        self._may_fail()
        done = super().execute(sql, *arguments)
        if self.in_transaction:  # what is committed and told as failed is another matter
            self._may_fail()
        return done

    def executemany(self, sql, rows):
        self._may_fail()
        done = super().executemany(sql, rows)
        self._may_fail()
        return done

    @classmethod
    def _may_fail(cls):
        if cls.chance is not None and cls.chance.random() < 0.03:
            cls.failed += 1
            raise sqlite3.OperationalError("disk I/O error")


class Histories(RuleBasedStateMachine):
    """The model: what is there by number, and what was given up, told or handed over."""

    connection_class: type[sqlite3.Connection] = sqlite3.Connection

    def __init__(self):
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "journal.db"
        self.there: dict[int, tuple[EventClass, float]] = {}
        self.gone: set[int] = set()
        self.last_seq = self.pruned = 0
        self.dropped = [0, 0, 0, 0]
        self.journal = None

    @initialize(held=st.lists(CLASSES, max_size=6), seed=st.integers(0, 999))
    def begin(self, held, seed):
        """Open a new one, which takes over what another held."""
        begin = State(last_seq=len(held))
        self.journal = opened(self.path, begin=begin, connection_class=self.connection_class)
        self.disk(Random(seed))
        bodies, previous = [], bytes(32)
        for seq, each in enumerate(held, start=1):
            body = SEALER.seal(entry(seq, each), seq, previous)
            previous = sha256(body).digest()
            bodies.append((Record(seq, each, previous, body), NOW_UTC_S))
        self.last_seq = len(held)
        if self.done(lambda: self.journal.adopt(bodies, 0)) is not None:
            self.there = {seq: (each, NOW_UTC_S) for seq, each in enumerate(held, start=1)}

    def disk(self, chance):
        """Take over the disk; a faulty one is another machine's."""

    def done(self, act):
        """Return what came of it; None when it was refused."""
        return act()

    @rule(classes=st.lists(CLASSES, max_size=5), age_days=st.integers(-3, 3))
    def append(self, classes, age_days):
        utc_s = NOW_UTC_S - age_days * DAY_S
        entries = [entry(0, each, utc_s=utc_s) for each in classes]
        if self.done(lambda: self.journal.append(entries)) is not None:
            for each in classes:
                self.last_seq += 1
                self.there[self.last_seq] = (each, utc_s)

    @rule(through=st.integers(0, 60), keep_days=st.none() | st.integers(0, 2))
    def forget(self, through, keep_days):
        keep = NEVER if keep_days is None else (NOW_UTC_S - keep_days * DAY_S, NOW_UTC_S)
        goes = {
            seq
            for seq, (_, utc_s) in self.there.items()
            if seq <= through and not keep[0] <= utc_s <= keep[1]
        }
        count = self.done(lambda: self.journal.forget(through, keep))
        if count is not None:
            assert count == len(goes)
            self.pruned = max([self.pruned, *goes])
            self.there = {seq: each for seq, each in self.there.items() if seq not in goes}

    @rule(event_class=CLASSES, after=st.integers(0, 60))
    def evict(self, event_class, after):
        goes = {s for s, (each, _) in self.there.items() if each is event_class and s > after}
        count = self.done(lambda: self.journal.evict(event_class, after, GAP))
        if count is not None:
            assert count == len(goes)
            if goes:
                self.last_seq += 1
                self.there = {seq: each for seq, each in self.there.items() if seq not in goes}
                self.there[self.last_seq] = (EventClass.ALARM, NOW_UTC_S)
                self.dropped[event_class] += count
                self.gone |= goes

    @rule(pages=st.integers(1, 9))
    def give_back(self, pages):
        self.done(lambda: self.journal.give_back(pages))

    @rule()
    def restart(self):
        """Close it, and open it again."""
        self.disk(None)
        self.journal.close()
        self.journal = opened(self.path, connection_class=self.connection_class)
        self.disk(Random(self.last_seq))

    @invariant()
    def is_as_the_model_says(self):
        if self.journal is None:
            return
        chance, Faulty.chance = Faulty.chance, None
        try:
            file = assert_sound(self.path)
            assert file.state == self.journal.state
            assert {r.seq: r.event_class for r in file.records} == {
                seq: each for seq, (each, _) in self.there.items()
            }
            assert (file.state.last_seq, file.state.pruned) == (self.last_seq, self.pruned)
            assert file.state.dropped == tuple(self.dropped)
            # What was given up is told by what is there, unless that was delivered.
            told = file.told_gone
            assert told <= self.gone
            assert all(seq in told or seq <= self.pruned for seq in self.gone)
        finally:
            Faulty.chance = chance

    def teardown(self):
        Faulty.chance = None
        if self.journal is not None:
            self.journal.close()
        self.folder.cleanup()


class FaultyHistories(Histories):
    connection_class = Faulty

    def disk(self, chance):
        Faulty.chance = chance

    def done(self, act):
        try:
            return act()
        except JournalError:
            return None


TestHistories = Histories.TestCase
TestHistories.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
TestFaultyHistories = FaultyHistories.TestCase
TestFaultyHistories.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)


def test_the_faulty_disk_does_fail_and_does_work():
    machine = FaultyHistories()
    machine.begin([EventClass.LIVE], 1)
    before = Faulty.failed
    for n in range(60):
        machine.append([EventClass(n % len(ALL_CLASSES))], 0)
        machine.is_as_the_model_says()
    assert Faulty.failed - before > 5
    assert contents(machine.path).state.last_seq > 5
    machine.teardown()
