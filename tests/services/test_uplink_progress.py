"""Progress and runs: whatever comes in whatever order, nothing is lost and the order is kept."""

from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatepost_services.record import EventClass, Record
from gatepost_services.uplink.progress import MOST_DONE, NO_END, Progress
from gatepost_services.uplink.run import Run


def record(seq: int, event_class: EventClass = EventClass.LIVE) -> Record:
    body = str(seq).encode()
    return Record(seq, event_class, sha256(body).digest(), body)


def test_what_the_gate_may_forget_is_what_all_streams_have_delivered():
    progress = Progress().with_alarms(10).with_rest(7).with_watermark(5)
    assert progress.acknowledged == 7
    assert progress.forgettable("puback") == 7
    assert progress.forgettable("watermark") == 5
    assert progress.with_alarms(3) == progress  # never backwards


def test_a_watermark_is_believed_no_further_than_the_brokers_word():
    progress = Progress(alarm=9, rest=9)
    assert progress.with_watermark(100).watermark == 9
    assert progress.with_watermark(4).with_watermark(2).watermark == 4


def test_live_events_wait_above_the_backlog_until_it_has_caught_up():
    progress = Progress(alarm=30, rest=10).with_live(20, 30)
    assert progress.done == ((20, 30),)
    assert progress.acknowledged == 10
    assert progress.backlog(30) == ((10, 20),)
    assert progress.backlog(50) == ((10, 20), (30, 50))
    assert progress.backlog(None) == ((10, 20), (30, NO_END))
    assert progress.with_rest(15) == Progress(alarm=30, rest=15, done=((20, 30),))
    assert progress.with_rest(20) == Progress(alarm=30, rest=30)
    assert progress.with_live(30, 40).done == ((20, 40),)
    assert progress.with_live(35, 40).done == ((20, 30), (35, 40))


def test_a_live_stream_without_a_single_event_leaves_no_trace():
    progress = Progress(rest=10)
    assert progress.with_live(20, 20) == progress
    assert progress.with_live(5, 8) == progress


def test_the_intervals_are_bounded():
    progress = Progress()
    for n in range(1, MOST_DONE + 1):
        assert not progress.is_full
        progress = progress.with_live(10 * n, 10 * n + 5)
    assert progress.is_full
    with pytest.raises(ValueError, match="more than 32"):
        progress.with_live(1000, 1005)
    assert progress.with_live(10 * MOST_DONE + 5, 1000).done[-1] == (320, 1000)


def test_a_rewind_forgets_what_is_above_and_nothing_else():
    progress = Progress(alarm=9, rest=20, done=((30, 40),), watermark=8)
    assert progress.rewound(15) == Progress(alarm=9, rest=15, watermark=8)
    assert progress.rewound(3) == Progress(alarm=3, rest=3, watermark=3)


def test_a_run_advances_over_the_numbers_of_other_streams():
    run = Run([(10, NO_END)])
    assert run.wanted == (10, NO_END)
    run.take([], 25)
    assert (run.low, run.wanted, run.first) == (25, (25, NO_END), None)
    run.take([record(30), record(33)], 40)
    assert (run.low, run.wanted) == (29, None)
    assert [run.sent(), run.sent()] == [30, 33]
    assert (run.low, run.in_flight, run.highest_sent) == (29, 2, 33)
    run.acknowledge(33)
    assert (run.low, run.in_flight, run.arrived_unsettled) == (29, 1, 0)
    run.acknowledge(30)
    assert (run.low, run.in_flight, run.arrived_unsettled) == (40, 0, 2)
    assert run.settle() == 2
    assert run.arrived_unsettled == 0
    assert not run.is_finished


def test_a_run_skips_what_is_done():
    run = Run([(10, 20), (30, 40)])
    assert run.wanted == (10, 20)
    run.take([record(12)], 20)
    run.sent()
    assert run.wanted == (30, 40)
    assert run.low == 11
    run.take([record(35)], 40)
    run.sent()
    assert (run.wanted, run.is_finished) == (None, False)
    run.acknowledge(12)
    assert run.low == 34
    run.acknowledge(35)
    assert (run.low, run.is_finished) == (40, True)


def test_a_page_out_of_order_is_an_error():
    run = Run([(10, 20)])
    for page in ([record(9)], [record(11), record(11)], [record(16)]):
        with pytest.raises(ValueError, match="in a page"):
            run.take(page, 15)
    run.take([record(11)], 15)
    with pytest.raises(ValueError, match="not asked for"):
        run.take([record(16)], 20)
    with pytest.raises(IndexError):
        Run(()).sent()


# ------------------------------------------------------------------------ any history

_ALARM, _OTHER = EventClass.ALARM, EventClass.LIVE


class Gate:
    """A journal that grows and is evicted from, and a broker that takes events and forgets none."""

    def __init__(self, window: int) -> None:
        self.window = window
        self.records: list[Record] = []
        self.last_seq = 0
        self.evicted: set[int] = set()
        self.received: dict[str, list[int]] = {"alarm": [], "live": [], "backlog": []}
        self.first: list[int] = []
        self.acked: set[int] = set()
        self.stored = Progress()
        self.connect()

    def append(self, event_class: EventClass) -> None:
        self.last_seq += 1
        self.records.append(record(self.last_seq, event_class))

    def evict(self) -> None:
        gone = [each for each in self.records if each.seq > self.stored.acknowledged][:2]
        self.evicted |= {each.seq for each in gone}
        self.records = [each for each in self.records if each not in gone]

    def connect(self) -> None:
        """Begin anew at what is stored, as after a kill."""
        progress = self.stored
        split = None if progress.is_full else max(self.last_seq, progress.frontier)
        self.split = split
        self.runs = {
            "alarm": Run([(progress.alarm, NO_END)]),
            "live": Run(() if split is None else [(split, NO_END)]),
            "backlog": Run(progress.backlog(split)),
        }
        self.flying: list[tuple[str, int]] = []
        self.unsettled = 0
        self.sent_since: list[tuple[str, int]] = []

    def read(self, stream: str, most: int) -> None:
        run = self.runs[stream]
        if run.wanted is None:
            return
        after, through = run.wanted
        is_alarm = stream == "alarm"
        found = [
            each
            for each in self.records
            if after < each.seq <= through and (each.event_class is _ALARM) == is_alarm
        ]
        page = found[:most]
        end = page[-1].seq if len(page) == most else min(self.last_seq, through)
        run.take(page, max(after, end))

    def send(self, stream: str) -> None:
        run = self.runs[stream]
        if run.first is None or self.unsettled >= self.window:
            return
        seq = run.sent()
        self.unsettled += 1
        self.flying.append((stream, seq))
        self.received[stream].append(seq)
        self.sent_since.append((stream, seq))
        if seq not in self.first:
            self.first.append(seq)

    def acknowledge(self, choice: int) -> None:
        if self.flying:
            stream, seq = self.flying.pop(choice % len(self.flying))
            self.runs[stream].acknowledge(seq)
            self.acked.add(seq)

    def progress(self) -> Progress:
        progress = self.stored.with_alarms(self.runs["alarm"].low)
        progress = progress.with_rest(self.runs["backlog"].low)
        if self.split is not None:
            progress = progress.with_live(self.split, self.runs["live"].low)
        return progress

    def settle(self) -> None:
        self.stored = self.progress()
        self.unsettled -= sum(run.settle() for run in self.runs.values())


@settings(deadline=None, max_examples=300)
@given(window=st.integers(1, 8), steps=st.lists(st.integers(0, 2**16), max_size=300))
def test_no_history_of_kills_loses_an_event_or_breaks_an_order(window, steps):
    gate = Gate(window)
    for step in steps:
        choice, kind = divmod(step, 11)
        stream = ("alarm", "live", "backlog")[choice % 3]
        match kind:
            case 0 | 1:
                gate.append(_ALARM if choice % 4 == 0 else _OTHER)
            case 2 | 3:
                gate.read(stream, 1 + choice % 4)
            case 4 | 5 | 6:
                gate.send(stream)
            case 7 | 8:
                gate.acknowledge(choice)
            case 9:
                gate.settle()
            case _:
                _kill(gate) if choice % 3 else gate.evict()
        _check(gate)
    _drain(gate)
    expected = set(range(1, gate.last_seq + 1)) - gate.evicted
    assert set(gate.first) | gate.evicted >= expected
    assert gate.stored.acknowledged == gate.last_seq
    assert gate.stored.done == ()


def _kill(gate: Gate) -> None:
    repeated = [seq for stream, seq in gate.sent_since if not _is_covered(gate.stored, stream, seq)]
    assert len(repeated) <= gate.window
    gate.connect()


def _is_covered(progress: Progress, stream: str, seq: int) -> bool:
    if stream == "alarm":
        return seq <= progress.alarm
    return seq <= progress.rest or any(a < seq <= b for a, b in progress.done)


def _check(gate: Gate) -> None:
    progress = gate.progress()
    present = {each.seq for each in gate.records}
    for seq in range(1, progress.forgettable("puback") + 1):
        assert seq in gate.acked or seq not in present
    for run in gate.runs.values():
        assert run.in_flight >= 0
    assert gate.unsettled <= gate.window
    for name, received in gate.received.items():
        firsts = [seq for n, seq in enumerate(received) if seq not in received[:n]]
        others = {seq for key, seqs in gate.received.items() if key != name for seq in seqs}
        own = [seq for seq in firsts if seq not in others]
        assert own == sorted(own)


def _drain(gate: Gate) -> None:
    gate.settle()
    gate.connect()
    for _ in range(2000):
        for stream in gate.runs:
            gate.read(stream, 3)
            gate.send(stream)
        gate.acknowledge(0)
        gate.settle()
        if gate.progress().acknowledged == gate.last_seq and not gate.flying:
            return
    raise AssertionError("it does not end")
