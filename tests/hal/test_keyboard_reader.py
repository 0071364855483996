"""A scanner that types: the kernel's input records in, passes and faults out."""

import os
import pty
import re
import string
import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatepost_hal.ports import Direction, PassRead, ReaderFault, ReaderFaultKind
from gatepost_hal.readers.keyboard import (
    ENTERS,
    INPUT_EVENT,
    KEYS,
    SHIFTS,
    KeyboardDecoder,
    KeyboardReader,
)
from gatepost_hal.readers.line import HALF_READ_S, MAX_PASS_BYTES
from gatepost_hal.simulated.keyboard import (
    CAPS_LOCK,
    ENTER,
    ESCAPE,
    F1,
    KEYPAD_1,
    KEYPAD_ENTER,
    LEFT_ALT,
    LEFT_CONTROL,
    LEFT_SHIFT,
    REPORT_S,
    RIGHT_SHIFT,
    KeyRecords,
    SimulatedKeyboard,
    reports_of,
    usage_of,
)
from gatepost_hal.simulated.world import SimulatedMailbox, World
from gatepost_hal.system import SystemClock, ThreadMailbox

PATIENCE_S = 20.0
NOW_S = 1000.0
PRINTABLE = string.ascii_letters + string.digits + string.punctuation + " "
# struct input_event of a kernel of 64 bits, and of 32.
LAYOUTS = {"64 bits": struct.Struct("=QQHHi"), "32 bits": struct.Struct("=IIHHi")}
NOTHING = frozenset()
A, SPACE = usage_of("a")[0], usage_of(" ")[0]

texts = st.text(PRINTABLE, min_size=1, max_size=30).filter(str.strip)


def typed(reports, *, kernel=None, began_s=NOW_S, every_s=REPORT_S):
    kernel = kernel or KeyRecords()
    records = []
    for place, down in enumerate(reports):
        records += kernel.report(down, began_s + place * every_s)
    return b"".join(records)


def decoded(reports, **more):
    return KeyboardDecoder().feed(typed(reports, **more), NOW_S + 100)


def told(events):
    return [event.credential if isinstance(event, PassRead) else event.kind for event in events]


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("enter", [ENTER, KEYPAD_ENTER], ids=["enter", "keypad enter"])
@settings(deadline=None)
@given(text=texts)
def test_every_printable_character_is_read_as_it_was_typed(layout, enter, text):
    decoder = KeyboardDecoder(record=layout)
    data = typed(reports_of(text, enter), kernel=KeyRecords(layout))
    assert told(decoder.feed(data, NOW_S)) == [text.strip()]


def test_the_records_have_this_machines_layout():
    assert INPUT_EVENT.size == (24 if struct.calcsize("P") == 8 else 16)
    assert struct.calcsize("=QQHHi") == 24
    assert struct.calcsize("=IIHHi") == 16


HEADER = Path("/usr/include/linux/input-event-codes.h")


@pytest.mark.skipif(not HEADER.exists(), reason="linux-libc-dev is not installed")
def test_the_codes_are_those_of_the_kernels_header():
    found = re.findall(r"^#define KEY_(\w+)\s+(\d+)\b", HEADER.read_text(), re.MULTILINE)
    names = {int(code): name for name, code in found}
    for code, key in KEYS.items():
        name = names[code]
        if key.plain.isalnum() and not name.startswith("KP"):
            assert name == key.plain.upper()
    assert {names[code] for code in ENTERS} == {"ENTER", "KPENTER"}
    assert {names[code] for code in SHIFTS} == {"LEFTSHIFT", "RIGHTSHIFT"}
    signs = {"MINUS": "-_", "EQUAL": "=+", "SLASH": "/?", "SEMICOLON": ";:", "GRAVE": "`~"}
    signs |= {"BACKSLASH": "\\|", "KPSLASH": "//", "KPASTERISK": "**", "KPDOT": "..", "KP7": "77"}
    signs |= {"KP0": "00", "KPMINUS": "--", "KPPLUS": "++", "SPACE": "  ", "APOSTROPHE": "'\""}
    codes = {name: code for code, name in names.items()}
    assert {name: "".join(KEYS[codes[name]]) for name in signs} == signs


def test_all_printable_characters_have_a_key():
    assert {sign for key in KEYS.values() for sign in key} == set(PRINTABLE)


def test_digits_of_the_keypad_are_digits():
    keys = [frozenset({KEYPAD_1 + place}) for place in range(10)]
    reports = [each for key in keys for each in (key, NOTHING)]
    assert told(decoded([*reports, frozenset({KEYPAD_ENTER})])) == ["1234567890"]


def test_a_key_that_repeats_is_one_key():
    kernel = KeyRecords()
    decoder = KeyboardDecoder()
    decoder.feed(b"".join(kernel.report(frozenset({A}), NOW_S)), NOW_S)
    for _ in range(20):
        decoder.feed(b"".join(kernel.repeat(A, NOW_S)), NOW_S)
    data = typed([NOTHING, frozenset({ENTER})], kernel=kernel)
    assert told(decoder.feed(data, NOW_S)) == ["a"]


def test_keys_that_overlap_are_typed_in_the_order_in_which_they_went_down():
    b = usage_of("b")[0]
    reports = [frozenset({A}), frozenset({A, b}), frozenset({b}), NOTHING, frozenset({ENTER})]
    assert told(decoded(reports)) == ["ab"]


@pytest.mark.parametrize("shift", [LEFT_SHIFT, RIGHT_SHIFT], ids=["left", "right"])
def test_a_shift_that_is_held_over_several_keys_shifts_each_of_them(shift):
    shifted = frozenset({shift})
    reports = [shifted, shifted | {A}, shifted, shifted | {A}, NOTHING, frozenset({ENTER})]
    assert told(decoded(reports)) == ["AA"]


@pytest.mark.parametrize(
    "stray",
    [
        pytest.param([frozenset({ESCAPE}), NOTHING], id="escape"),
        pytest.param([frozenset({F1}), NOTHING], id="function key"),
        pytest.param([frozenset({CAPS_LOCK}), NOTHING], id="caps lock"),
        pytest.param([frozenset({LEFT_CONTROL, A}), NOTHING], id="control"),
        pytest.param([frozenset({LEFT_ALT, KEYPAD_1}), NOTHING], id="alt and a number"),
    ],
)
def test_a_line_with_keys_that_are_no_characters_is_a_fault(stray):
    reports = [*reports_of("PASS", None), *stray, *reports_of("-1"), *reports_of("PASS-2")]
    assert told(decoded(reports)) == [ReaderFaultKind.NOT_TEXT, "PASS-2"]


def test_enter_alone_is_no_pass():
    assert decoded([frozenset({ENTER}), NOTHING] * 5) == []


def test_a_line_that_is_too_long_is_told_once_and_its_tail_is_no_pass():
    reports = [*reports_of("x" * (MAX_PASS_BYTES + 40)), *reports_of("PASS-2")]
    assert told(decoded(reports)) == [ReaderFaultKind.TOO_LONG, "PASS-2"]


# ----------------------------------------------------------------------------- half a pass, losses


def test_half_a_pass_lapses_by_the_time_stamps_however_late_they_are_read():
    kernel = KeyRecords()
    data = typed(reports_of("HALF", None), kernel=kernel)
    began_s = NOW_S + 10 * REPORT_S + HALF_READ_S
    data += typed(reports_of("PASS-2"), kernel=kernel, began_s=began_s)
    assert told(KeyboardDecoder().feed(data, NOW_S + 60)) == [ReaderFaultKind.INCOMPLETE, "PASS-2"]


def test_a_late_thread_does_not_cut_a_pass_in_two():
    kernel = KeyRecords()
    decoder = KeyboardDecoder()
    assert decoder.feed(typed(reports_of("PASS", None), kernel=kernel), NOW_S) == []
    data = typed(reports_of("-1"), kernel=kernel, began_s=NOW_S + 0.1)
    # Told by when it was read: the lane's time does not go back.
    assert decoder.feed(data, NOW_S + 60) == [PassRead(NOW_S + 60, "PASS-1")]


def test_the_slowest_scanner_is_fast_enough():
    """Datalogic's can be told to wait for 0.99 s between characters."""
    kernel = KeyRecords()
    decoder = KeyboardDecoder()
    reports = [each for each in reports_of("SLOW") if each]
    events = []
    for place, down in enumerate(reports):
        at_s = NOW_S + place * 0.99
        for record in kernel.report(down, at_s) + kernel.report(NOTHING, at_s):
            assert decoder.due_at_s > at_s
            events += decoder.feed(record, at_s)
    assert told(events) == ["SLOW"]


def test_half_a_pass_lapses_when_no_key_comes():
    decoder = KeyboardDecoder()
    decoder.feed(typed(reports_of("HALF", None)), NOW_S)
    last_s = NOW_S + 6 * REPORT_S  # the F went down
    assert decoder.due_at_s == pytest.approx(last_s + HALF_READ_S)
    (fault,) = decoder.lapse(NOW_S + 5)
    assert (fault.kind, fault.at_s) == (ReaderFaultKind.INCOMPLETE, NOW_S + 5)
    assert "4 bytes" in fault.detail
    assert decoder.due_at_s == float("inf")


def dropping(reports, lost):
    """Return the records of reports of which the kernel lost some, by the place of their first."""
    kernel = KeyRecords()
    data = b""
    for place, down in enumerate(reports):
        at_s = NOW_S + place * REPORT_S
        records = kernel.report(down, at_s)
        if place not in lost:
            data += b"".join(records)
        elif place + 1 not in lost:
            # The newest record is kept: a part of a report, behind the note.
            data += kernel.dropped(at_s) + records[-1]
    return data


def test_after_a_loss_what_is_left_of_the_pass_is_no_pass():
    data = dropping([*reports_of("PASS-1"), *reports_of("PASS-2")], lost=range(3, 8))
    events = KeyboardDecoder().feed(data, NOW_S)
    assert told(events) == [ReaderFaultKind.INCOMPLETE, "PASS-2"]
    assert "dropped" in events[0].detail


def test_after_a_loss_that_took_the_enter_the_next_pass_is_no_pass_either():
    # The 12 reports of PASS-1 end with those of Enter: nobody can tell that it ended.
    data = dropping(
        [*reports_of("PASS-1"), *reports_of("PASS-2"), *reports_of("PASS-3")], lost=range(6, 18)
    )
    assert told(KeyboardDecoder().feed(data, NOW_S)) == [ReaderFaultKind.INCOMPLETE, "PASS-3"]


def test_a_shift_that_was_let_go_in_a_loss_does_not_hang():
    reports = [*reports_of("Ab"), *reports_of("ab")]
    # The first report presses shift, the second lets it go.
    assert told(KeyboardDecoder().feed(dropping(reports, lost=[1]), NOW_S)) == [
        ReaderFaultKind.INCOMPLETE,
        "ab",
    ]


def test_the_rest_of_the_report_in_which_keys_were_lost_is_not_believed():
    """Kernel documentation, event-codes.rst: up to and with the next SYN_REPORT."""
    kernel = KeyRecords()
    enter = b"".join(kernel.report(frozenset({ENTER}), NOW_S))
    data = kernel.dropped(NOW_S) + enter
    data += typed([NOTHING, *reports_of("PASS-2"), *reports_of("PASS-3")], kernel=kernel)
    assert told(KeyboardDecoder().feed(data, NOW_S)) == [ReaderFaultKind.INCOMPLETE, "PASS-3"]


def test_silence_ends_what_a_loss_began():
    decoder = KeyboardDecoder()
    kernel = KeyRecords()
    decoder.feed(kernel.dropped(NOW_S) + b"".join(kernel.report(NOTHING, NOW_S)), NOW_S)
    data = typed(reports_of("PASS-2"), kernel=kernel, began_s=NOW_S + HALF_READ_S)
    assert told(decoder.feed(data, NOW_S + HALF_READ_S)) == ["PASS-2"]


@settings(deadline=None)
@given(st.lists(texts, min_size=1, max_size=6), st.data())
def test_whatever_the_kernel_loses_no_pass_comes_that_was_not_typed(shown, data):
    reports = [each for text in shown for each in reports_of(text)]
    lost = data.draw(st.sets(st.integers(0, len(reports) - 1)))
    records = dropping(reports, lost)
    events = KeyboardDecoder().feed(records, NOW_S)
    assert {e.credential for e in events if isinstance(e, PassRead)} <= {t.strip() for t in shown}
    assert lost == set() or any(isinstance(event, ReaderFault) for event in events)


@settings(deadline=None)
@given(st.lists(texts, max_size=5), st.lists(st.integers(1, 5000), max_size=10))
def test_however_the_records_are_cut_the_passes_are_the_same(shown, cuts):
    data = typed([each for text in shown for each in reports_of(text)])
    decoder = KeyboardDecoder()
    events = []
    for cut in [*(cut * INPUT_EVENT.size for cut in cuts), len(data)]:
        piece, data = data[:cut], data[cut:]
        events += decoder.feed(piece, NOW_S)
    assert told(events) == [text.strip() for text in shown]


@settings(deadline=None)
@given(st.lists(st.binary(max_size=500), max_size=5), st.floats(0, 1e9))
def test_any_bytes_are_events_and_never_an_error(pieces, at_s):
    decoder = KeyboardDecoder(Direction.EXIT)
    for piece in pieces:
        for event in decoder.feed(piece, at_s) + decoder.lapse(at_s):
            assert (event.direction, event.at_s) == (Direction.EXIT, at_s)


def test_a_thread_that_is_late_overflows_the_kernels_buffer_and_half_of_it_is_no_pass():
    world = World()
    mailbox = SimulatedMailbox(world)
    keyboard = SimulatedKeyboard(world=world, mailbox=mailbox)
    keyboard.scan("A-PASS-OF-SOME-LENGTH")
    keyboard.stall(0.06)
    world.advance(0.06)
    world.advance(1.0)
    keyboard.scan("PASS-2")
    world.advance(1.0)
    assert told(mailbox.wait(0.0)) == [ReaderFaultKind.INCOMPLETE, "PASS-2"]


# ------------------------------------------------------------------------------- the device itself


@pytest.fixture
def gone():
    """Return what is told of a device that cannot be used."""
    readers = []

    def open_device(path):
        clock = SystemClock()
        mailbox = ThreadMailbox(clock)
        readers.append(KeyboardReader(path, clock=clock, mailbox=mailbox))
        (event,) = mailbox.wait(clock.now_s() + PATIENCE_S)
        assert event.kind is ReaderFaultKind.GONE
        return event.detail

    yield open_device
    for reader in readers:
        reader.close()


def test_what_is_no_input_device_is_gone_with_the_remedy(gone, tmp_path):
    near, far = pty.openpty()
    file = tmp_path / "file"
    file.write_text("")
    remedy = "no input device; name one of /dev/input/by-id"
    for path in (Path(os.ttyname(far)), Path("/dev/null"), file):
        assert gone(path) == f"{path}: {remedy}"
    os.close(near)
    os.close(far)


def test_a_keyboard_that_is_not_there_is_gone(gone, tmp_path):
    path = tmp_path / "by-id"
    assert gone(path) == f"{path}: No such file or directory"
