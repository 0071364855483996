"""Cards on two data lines: the kernel's records of edges in, passes and faults out."""

import itertools
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatepost_hal.ports import Direction, PassRead, ReaderFault, ReaderFaultKind
from gatepost_hal.readers.wiegand import (
    CLOSEST_S,
    GAP_S,
    LINE_EVENT,
    WiegandDecoder,
    WiegandReader,
)
from gatepost_hal.simulated.wiegand import (
    D1,
    PERIOD_S,
    PULSE_S,
    EdgeRecords,
    SimulatedWiegand,
    frame,
)
from gatepost_hal.simulated.world import SimulatedMailbox, World
from gatepost_hal.system import SystemClock, ThreadMailbox

PATIENCE_S = 20.0
NOW_S = 1000.0

cards = st.tuples(st.just(26), st.integers(0, 255), st.integers(0, 65535)) | st.tuples(
    st.just(34), st.integers(0, 65535), st.integers(0, 65535)
)


def replayed(bits, pulses, decoder=None, began_s=NOW_S):
    """Return what (bit, at_s) pulses make, read all at once, 50 ms late."""
    decoder = decoder or WiegandDecoder(bits, d1=D1)
    kernel = EdgeRecords()
    records = b"".join(kernel.fall(bit, began_s + at_s) for bit, at_s in pulses)
    late_s = began_s + 0.05
    return decoder.feed(records, late_s) + decoder.lapse(late_s + GAP_S)


def at_pace(bits, period_s=PERIOD_S):
    return [(bit, place * period_s) for place, bit in enumerate(bits)]


def refusal(events):
    (event,) = events
    assert (type(event), event.kind) == (ReaderFault, ReaderFaultKind.BAD_FRAME)
    return event.detail


@settings(deadline=None)
@given(cards)
def test_every_valid_frame_of_50_us_pulses_1_ms_apart_is_read(card):
    bits, facility, number = card
    events = replayed(bits, at_pace(frame(*card)))
    assert events == [PassRead(NOW_S + 0.05 + GAP_S, f"W{bits}:{facility}:{number}")]


@pytest.mark.parametrize(
    ("facility", "card", "sent"),
    [
        # Worked by hand after H10301: even parity, 8 bits, 16 bits, odd parity.
        (0, 0, "0" + "00000000" + "0000000000000000" + "1"),
        (255, 65535, "0" + "11111111" + "1111111111111111" + "1"),
        (1, 1, "1" + "00000001" + "0000000000000001" + "0"),
        (123, 45678, "1" + "01111011" + "1011001001101110" + "1"),
    ],
)
def test_a_frame_of_26_bits_is_laid_out_as_h10301(facility, card, sent):
    assert frame(26, facility, card) == [int(bit) for bit in sent]
    (read,) = replayed(26, at_pace([int(bit) for bit in sent]))
    assert read.credential == f"W26:{facility}:{card}"


def test_a_frame_of_34_bits_has_16_and_16():
    sent = "1" + "0000000000000001" + "0000000000000011" + "1"
    (read,) = replayed(34, at_pace([int(bit) for bit in sent]))
    assert read.credential == "W34:1:3"


@settings(deadline=None)
@given(cards)
def test_every_single_flipped_bit_is_refused(card):
    bits = card[0]
    good = frame(*card)
    for place in range(bits):
        bad = [bit ^ (at == place) for at, bit in enumerate(good)]
        half = "even" if place < bits // 2 else "odd"
        assert half in refusal(replayed(bits, at_pace(bad)))


@settings(deadline=None)
@given(cards)
def test_every_dropped_pulse_is_refused(card):
    pulses = at_pace(frame(*card))
    for place in range(len(pulses)):
        told = refusal(replayed(card[0], pulses[:place] + pulses[place + 1 :]))
        assert f"number of pulses {card[0] - 1}," in told


@settings(deadline=None)
@given(cards, st.floats(0.000_001, 0.000_99))
def test_every_doubled_pulse_is_refused(card, after_s):
    pulses = at_pace(frame(*card))
    for place, (bit, at_s) in enumerate(pulses):
        twice = [*pulses[: place + 1], (bit, at_s + after_s), *pulses[place + 1 :]]
        refusal(replayed(card[0], twice))


@settings(deadline=None)
@given(cards, st.data())
def test_any_number_of_dropped_pulses_is_refused(card, data):
    """Also 8 of 34, which leave a frame of the other length."""
    pulses = at_pace(frame(*card))
    kept = data.draw(st.lists(st.sampled_from(pulses), max_size=card[0] - 1, unique=True))
    if kept:
        assert isinstance(
            replayed(card[0], sorted(kept, key=lambda pulse: pulse[1]))[0], ReaderFault
        )


@settings(deadline=None)
@given(cards, st.data())
def test_two_flipped_bits_are_seen_unless_they_are_in_one_half(card, data):
    """The limit of the format: what parity cannot see is another card."""
    bits = card[0]
    first, second = data.draw(
        st.lists(st.integers(0, bits - 1), min_size=2, max_size=2, unique=True)
    )
    bad = [bit ^ (at in (first, second)) for at, bit in enumerate(frame(*card))]
    (event,) = replayed(bits, at_pace(bad))
    in_one_half = (first < bits // 2) == (second < bits // 2)
    assert isinstance(event, PassRead) == in_one_half


@pytest.mark.parametrize("apart_s", [0.0, PULSE_S, CLOSEST_S * 0.9])
def test_both_lines_at_once_are_refused_with_the_reason(apart_s):
    pulses = at_pace(frame(26, 1, 2))
    pulses[7] = (1 - pulses[6][0], pulses[6][1] + apart_s)
    assert "D0 and D1 touch" in refusal(replayed(26, pulses))


def test_a_reader_at_the_limits_of_the_standard_is_read():
    for period_s in (0.0002, 0.02):
        (event,) = replayed(26, at_pace(frame(26, 7, 8), period_s))
        assert event.credential == "W26:7:8"


def test_a_frame_ends_with_the_gap_and_not_before_it():
    decoder = WiegandDecoder(26, d1=D1)
    kernel = EdgeRecords()
    sent = frame(26, 7, 8)
    last_s = NOW_S
    for place, bit in enumerate(sent):
        last_s = NOW_S + place * PERIOD_S
        assert decoder.feed(kernel.fall(bit, last_s), last_s) == []
        assert decoder.due_at_s == last_s + GAP_S
    assert [event.credential for event in decoder.lapse(decoder.due_at_s)] == ["W26:7:8"]
    assert decoder.due_at_s == float("inf")


def test_two_cards_in_one_late_batch_are_told_apart_by_their_time_stamps():
    first = at_pace(frame(26, 1, 10))
    second = [(bit, at_s + 0.06) for bit, at_s in at_pace(frame(26, 1, 11))]
    events = replayed(26, first + second)
    assert [event.credential for event in events] == ["W26:1:10", "W26:1:11"]


def test_records_that_the_kernel_hands_over_out_of_order_are_put_in_order():
    kernel = EdgeRecords()
    records = [kernel.fall(bit, NOW_S + at_s) for bit, at_s in at_pace(frame(26, 3, 4))]
    records[4], records[5] = records[5], records[4]
    decoder = WiegandDecoder(26, d1=D1)
    assert decoder.feed(b"".join(records), NOW_S) == []
    assert decoder.lapse(NOW_S + 1)[0].credential == "W26:3:4"


@settings(deadline=None)
@given(cards, st.integers(0, 33), st.integers(1, 3))
def test_edges_that_the_kernel_lost_spoil_the_frame(card, place, lost):
    """Its numbers tell, also where what is left looks like a card."""
    kernel = EdgeRecords()
    records = []
    for at, (bit, at_s) in enumerate(at_pace(frame(*card))):
        if at == place % card[0]:
            for _ in range(lost):
                kernel.fall(bit, NOW_S + at_s)
        records.append(kernel.fall(bit, NOW_S + at_s))
    decoder = WiegandDecoder(card[0], d1=D1)
    events = decoder.feed(b"".join(records), NOW_S) + decoder.lapse(NOW_S + 1)
    assert "the kernel lost pulses" in refusal(events)


def test_after_a_loss_between_two_cards_neither_is_believed():
    kernel = EdgeRecords()
    decoder = WiegandDecoder(26, d1=D1)
    first = [kernel.fall(bit, NOW_S + at_s) for bit, at_s in at_pace(frame(26, 1, 1))]
    kernel.fall(0, NOW_S)
    second = [kernel.fall(bit, NOW_S + 1 + at_s) for bit, at_s in at_pace(frame(26, 1, 2))]
    events = decoder.feed(b"".join(first + second), NOW_S + 2) + decoder.lapse(NOW_S + 3)
    assert [event.kind for event in events] == [ReaderFaultKind.BAD_FRAME] * 2


def test_a_line_that_hums_is_told_once_and_the_card_after_it_is_read():
    hum = [(place % 2, place * 0.01) for place in range(1000)]
    card = [(bit, 10.1 + at_s) for bit, at_s in at_pace(frame(26, 5, 6))]
    events = replayed(26, hum + card)
    assert "without a gap" in refusal(events[:1])
    assert [event.credential for event in events[1:]] == ["W26:5:6"]


def test_a_single_spark_is_a_fault_that_says_so():
    assert refusal(replayed(26, [(0, 0.0)])) == "number of pulses 1, a card's is 26"


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 1), st.floats(0.0, 0.03)), max_size=120),
    st.sampled_from([26, 34]),
)
def test_noise_is_a_card_only_where_it_is_a_frame_in_every_respect(noise, bits):
    at_s = 0.0
    pulses = []
    for bit, apart_s in noise:
        at_s += apart_s
        pulses.append((bit, at_s))
    for event in replayed(bits, pulses):
        if isinstance(event, PassRead):
            _, facility, card = event.credential.split(":")
            sent = frame(bits, int(facility), int(card))
            runs = [list(run) for run in _frames(pulses)]
            assert sent in [[bit for bit, _ in run] for run in runs]


def _frames(pulses):
    """Yield the pulses between gaps."""
    numbers = itertools.accumulate(
        (int(b[1] - a[1] >= GAP_S * 0.999) for a, b in itertools.pairwise(pulses)), initial=0
    )
    for _, run in itertools.groupby(zip(numbers, pulses, strict=True), key=lambda each: each[0]):
        yield [pulse for _, pulse in run]


@settings(deadline=None)
@given(st.binary(max_size=500), st.floats(0, 1e6))
def test_any_bytes_are_events_and_never_an_error(data, at_s):
    decoder = WiegandDecoder(26, d1=D1, direction=Direction.EXIT)
    for event in decoder.feed(data, at_s) + decoder.lapse(at_s):
        assert event.direction is Direction.EXIT


def test_a_thread_that_is_late_for_seven_frames_reads_them_all():
    world = World()
    mailbox = SimulatedMailbox(world)
    reader = SimulatedWiegand(world=world, mailbox=mailbox, bits=34)
    reader.stall(0.6)
    for card in range(7):
        reader.scan(9, card)
    world.advance(1.0)
    assert [event.credential for event in mailbox.wait(0.0)] == [f"W34:9:{n}" for n in range(7)]


def test_a_thread_that_is_later_still_tells_of_a_loss_and_makes_no_card_of_it():
    world = World()
    mailbox = SimulatedMailbox(world)
    reader = SimulatedWiegand(world=world, mailbox=mailbox, bits=34)
    reader.stall(2.0)
    for card in range(12):
        reader.scan(9, card)
    world.advance(3.0)
    events = mailbox.wait(0.0)
    assert isinstance(events[0], ReaderFault)
    assert "lost" in events[0].detail
    read = {event.credential for event in events if isinstance(event, PassRead)}
    assert read <= {f"W34:9:{n}" for n in range(12)}


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("/dev/null", "no GPIO chip; name one as /dev/gpiochip0"),
        ("/nonexistent/gpiochip0", "No such file or directory"),
    ],
)
def test_a_chip_that_is_none_is_gone_with_the_reason(name, reason):
    clock = SystemClock()
    mailbox = ThreadMailbox(clock)
    reader = WiegandReader(name, d0=20, d1=21, bits=26, clock=clock, mailbox=mailbox)
    (gone,) = mailbox.wait(clock.now_s() + PATIENCE_S)
    reader.close()
    assert gone.kind is ReaderFaultKind.GONE
    assert gone.detail == f"{name} lines 20 (D0) and 21 (D1): {reason}"


def test_the_records_have_the_size_that_the_kernel_gives_them():
    assert LINE_EVENT.size == 48  # pahole of struct gpio_v2_line_event


def test_a_reader_leaves_no_file_open():
    before = set(Path("/proc/self/fd").iterdir())
    clock = SystemClock()
    mailbox = ThreadMailbox(clock)
    reader = WiegandReader("/dev/null", d0=20, d1=21, bits=26, clock=clock, mailbox=mailbox)
    mailbox.wait(clock.now_s() + PATIENCE_S)
    reader.close()
    assert set(Path("/proc/self/fd").iterdir()) <= before
