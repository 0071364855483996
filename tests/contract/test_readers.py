"""What holds for every pass reader, whatever it reads and however it is connected.

That nothing came is seen by what comes next: each test ends with a pass that has to be read.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gatepost_hal.ports import Direction, ReaderBack, ReaderFault, ReaderFaultKind
from gatepost_hal.readers.device import MOST_EVENTS, WINDOW_S

from .kernel_bench import LINES
from .reader_benches import (
    PtyScannerBench,
    ReaderBench,
    SimulatedKeyboardBench,
    SimulatedScannerBench,
    SimulatedWiegandBench,
    is_pass,
)

BENCHES: dict[str, Callable[..., ReaderBench]] = {
    "keyboard-simulated": SimulatedKeyboardBench,
    "scanner-simulated": SimulatedScannerBench,
    "wiegand-simulated": SimulatedWiegandBench,
    # A terminal of this machine's kernel, and the real thread.
    "scanner-pty": PtyScannerBench,
}
if LINES.exists():
    from .kernel_readers import KernelKeyboardBench, KernelWiegandBench

    BENCHES |= {
        "keyboard-kernel": KernelKeyboardBench,
        "scanner-kernel": PtyScannerBench,
        "wiegand-kernel": KernelWiegandBench,
    }
# A GPIO chip has no plug; in simulated time it is played all the same.
PLUGGED = sorted(BENCHES.keys() - {"wiegand-kernel"})
TRIES = 20
NO_PASS = {
    ReaderFaultKind.NOT_TEXT,
    ReaderFaultKind.TOO_LONG,
    ReaderFaultKind.INCOMPLETE,
    ReaderFaultKind.BAD_FRAME,
}


Make = Callable[..., ReaderBench]


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Callable[[str], Make]]:
    """Return what makes benches by name, and closes them at the end."""
    benches: list[ReaderBench] = []

    def maker(name: str) -> Make:
        def make(direction: Direction = Direction.ENTRY, *, plugged: bool = True) -> ReaderBench:
            benches.append(BENCHES[name](direction, folder=tmp_path, plugged=plugged))
            return benches[-1]

        return make

    yield maker
    for bench in benches:
        bench.close()


@pytest.fixture(params=sorted(BENCHES))
def make(request: pytest.FixtureRequest, made: Callable[[str], Make]) -> Make:
    return made(request.param)


@pytest.fixture(params=PLUGGED)
def make_plugged(request: pytest.FixtureRequest, made: Callable[[str], Make]) -> Make:
    return made(request.param)


@pytest.fixture
def reader(make: Make) -> ReaderBench:
    """A reader that has been seen to read."""
    bench = make()
    read(bench, 9999)
    return bench


@pytest.fixture
def plugged(make_plugged: Make) -> ReaderBench:
    """The same, with a plug."""
    bench = make_plugged()
    read(bench, 9999)
    return bench


def read(bench: ReaderBench, number: int) -> list[object]:
    """Show a pass, and return all that was told up to it."""
    bench.scan(number)
    return list(bench.until(is_pass(bench.text(number))))


def is_gone(event: object) -> bool:
    return isinstance(event, ReaderFault) and event.kind is ReaderFaultKind.GONE


def is_back(event: object) -> bool:
    return isinstance(event, ReaderBack)


@pytest.mark.parametrize("way", Direction)
def test_a_pass_is_read_once_and_says_which_way_it_is_for(make, way):
    bench = make(way)
    (first,) = read(bench, 1)
    (second,) = read(bench, 2)
    assert (first.credential, first.direction) == (bench.text(1), way)
    assert (second.credential, second.direction) == (bench.text(2), way)
    assert first.at_s <= second.at_s <= bench.now_s()


def test_passes_in_a_burst_are_each_read_once_in_their_order(reader):
    for number in range(1, MOST_EVENTS - 1):
        reader.scan(number)
    told = reader.until(is_pass(reader.text(MOST_EVENTS - 2)))
    assert [event.credential for event in told] == [
        reader.text(number) for number in range(1, MOST_EVENTS - 1)
    ]


@pytest.mark.parametrize("way", Direction)
def test_garbage_is_a_fault_and_no_pass_and_the_next_one_is_read(make, way):
    bench = make(way)
    bench.scan_garbage()
    fault, passed = read(bench, 2)
    assert fault.kind in NO_PASS
    assert fault.detail
    assert fault.direction is way
    assert passed.credential == bench.text(2)


def test_half_a_pass_is_a_fault_by_itself_and_no_part_of_the_next(reader):
    reader.scan_half(1)
    (half,) = reader.until(lambda event: isinstance(event, ReaderFault))
    assert half.kind in {ReaderFaultKind.INCOMPLETE, ReaderFaultKind.BAD_FRAME}
    (passed,) = read(reader, 2)
    assert passed.credential == reader.text(2)


@pytest.mark.parametrize("way", Direction)
def test_a_reader_that_vanishes_is_gone_once_and_back_once_and_reads_again(make_plugged, way):
    bench = make_plugged(way)
    read(bench, 1)
    bench.unplug()
    (gone,) = bench.until(is_gone)
    assert gone.direction is way
    bench.plug()
    # `until` sees to it that nothing is told twice: the last one awaited is the only one.
    (back,) = bench.until(is_back)
    assert back.direction is way
    (passed,) = read(bench, 2)
    assert passed.credential == bench.text(2)


def test_a_reader_may_vanish_again_and_again(plugged):
    for number in range(1, 4):
        plugged.unplug()
        (gone,) = plugged.until(is_gone)
        assert gone.kind is ReaderFaultKind.GONE
        plugged.plug()
        assert len(plugged.until(is_back)) == 1
        (passed,) = read(plugged, number)
        assert passed.credential == plugged.text(number)


def test_half_a_pass_before_the_plug_is_pulled_is_no_part_of_one_after_it(plugged):
    plugged.scan_half(1)
    plugged.unplug()
    plugged.until(is_gone)
    plugged.plug()
    plugged.until(is_back)
    (passed,) = read(plugged, 2)
    assert passed.credential == plugged.text(2)


def test_a_reader_that_comes_late_is_missed_once_and_then_read(make_plugged):
    bench = make_plugged(plugged=False)
    (gone,) = bench.until(is_gone)
    assert gone.detail
    bench.plug()
    (back,) = bench.until(is_back)
    assert isinstance(back, ReaderBack)
    (passed,) = read(bench, 1)
    assert passed.credential == bench.text(1)


def test_a_flood_is_bounded_and_the_reader_reads_on(reader):
    began_s = reader.now_s()
    reader.flood()
    flood = reader.within(3 * WINDOW_S)
    windows = (reader.now_s() - began_s) / WINDOW_S
    assert 0 < len(flood) <= MOST_EVENTS * (windows + 2)
    # One that comes in the midst of it is dropped with the rest; so it is shown until it is read.
    for _ in range(TRIES):
        reader.scan(2)
        if any(map(is_pass(reader.text(2)), reader.within(10 * WINDOW_S))):
            break
    else:
        pytest.fail("no pass was read after the flood")
