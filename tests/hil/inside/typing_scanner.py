"""Run by pytest in the guest (see tests/hil/test_readers.py): a scanner that types is had alone.

Beneath the reader are the kernel's own input layer and evdev, as on a Pi; uinput plays the USB.
"""

import contextlib
import os
from pathlib import Path
from threading import Event

import pytest
from tests.contract.kernel_readers import KernelKeyboard, KernelKeyboardBench, heard_by
from tests.contract.reader_benches import is_pass

from gatepost_hal.ports import Direction, PassRead, ReaderFault, ReaderFaultKind
from gatepost_hal.readers.keyboard import KeyboardReader
from gatepost_hal.simulated.keyboard import reports_of
from gatepost_hal.system import SystemClock, ThreadMailbox

CODE = "PASS-1"


@pytest.fixture
def bench(tmp_path):
    made = KernelKeyboardBench(Direction.ENTRY, folder=tmp_path)
    yield made
    made.close()


def test_without_the_reader_others_hear_the_keys(tmp_path):
    """What the tests below stand on."""
    keyboard = KernelKeyboard(tmp_path / "keyboard")
    keyboard.plug()
    heard = heard_by(tmp_path / "keyboard")
    keyboard.press(reports_of(CODE))
    assert len(heard()) > 0
    keyboard.unplug()


def test_nobody_else_hears_the_keys(bench):
    heard = heard_by(bench.path)
    for number in range(3):
        bench.scan(number)
        bench.until(is_pass(bench.text(number)))
    assert heard() == b""


def test_the_console_gets_nothing_of_a_pass(bench, tmp_path):
    console = os.open("/dev/tty0", os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)

    def typed():
        Event().wait(0.5)
        told = b""
        with contextlib.suppress(BlockingIOError):
            while True:  # a line at a time
                told += os.read(console, 100)
        return told

    loose = KernelKeyboard(tmp_path / "loose")
    loose.plug()
    loose.press(reports_of("ls"))
    assert typed().endswith(b"ls\n")  # behind what other tests typed
    bench.scan(1)
    bench.until(is_pass(bench.text(1)))
    loose.press(reports_of("ls"))
    assert typed() == b"ls\n"
    loose.unplug()
    os.close(console)


def test_what_another_program_has_grabbed_is_told_until_it_lets_go(bench):
    clock = SystemClock()
    mailbox = ThreadMailbox(clock)
    second = KeyboardReader(bench.path, clock=clock, mailbox=mailbox)
    (gone,) = mailbox.wait(clock.now_s() + 5)
    assert (gone.kind, "another program has grabbed it" in gone.detail) == (
        ReaderFaultKind.GONE,
        True,
    )
    second.close()


def test_keys_faster_than_anybody_reads_are_a_loss_and_no_pass(bench):
    """The kernel's own SYN_DROPPED: it keeps 64 records."""
    bench.keyboard.press_at_once(reports_of("A" * 200))
    events = bench.within(3.0)
    assert any(
        isinstance(event, ReaderFault) and event.kind is ReaderFaultKind.INCOMPLETE
        for event in events
    )
    assert not any(isinstance(event, PassRead) for event in events)
    bench.scan(1)
    assert len(bench.until(is_pass(bench.text(1)))) == 1


def test_a_device_that_is_pulled_says_what_the_kernel_says(bench):
    bench.unplug()
    (gone,) = bench.until(lambda event: isinstance(event, ReaderFault))
    assert gone.detail == f"{Path(bench.path)}: No such device"
