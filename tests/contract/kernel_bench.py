"""The lane's drivers on the interfaces of a real kernel, and the hand that works them from outside.

The drivers, gpiozero, lgpio, smbus2, /dev/gpiochip0 and /dev/i2c-3 are those of a Pi. What is
played lies below the kernel: gpio-sim's lines and the adapter of `guest/mlx90614_sim.c`.
"""

import os
import re
import struct
import threading
from collections.abc import Iterator
from functools import cache, partial
from itertools import pairwise
from pathlib import Path

from gatepost_hal.gpio import NORMALLY_CLOSED, GpioLane, LanePins, lgpio_factory
from gatepost_hal.mlx90614 import Mlx90614, open_linux_bus
from gatepost_hal.ports import Direction, HardwareEvent, InputName, Lamp, Reading, SensorFault
from gatepost_hal.simulated.lines import BOUNCE_S
from gatepost_hal.simulated.mlx90614 import ChipFault, SimulatedMlx90614
from gatepost_hal.simulated.world import World
from gatepost_hal.system import SystemClock, ThreadMailbox, ThreadSampler, ThreadTimer

LINES = Path("/sys/devices/platform/gpio-sim.0/gpiochip0")
BUS = 3
PART = Path(f"/sys/kernel/debug/mlx90614-sim.{BUS}")
TRACING = Path("/sys/kernel/tracing")

AMBIENT, OBJECT = 0x06, 0x07
_SERIES_WORDS = 512
_AT_ONCE_S = 0.002
_SLACK_NS = 2_000_000
_NO_FAULT = {"error": 0, "error_ms": 0, "bad_pec": 0, "stuck": 0, "flag": 0}
# FROZEN has no place here: its bytes are good, and the driver is not asked to find it.
_FAULTS = {
    ChipFault.NACK: {"error": 121},
    ChipFault.STUCK_BUS: {"error": 110, "error_ms": 1000},
    ChipFault.BAD_PEC: {"bad_pec": 100},
    ChipFault.PEC_STORM: {"bad_pec": 50},
    ChipFault.ALL_ONES: {"stuck": 2},
    ChipFault.ALL_ZEROS: {"stuck": 1},
    ChipFault.ERROR_FLAG: {"flag": 1},
}


class KernelPart:
    """The MLX90614 on the bus, worked from outside."""

    def show(self, object_c: float, room_c: float) -> None:
        """Feed the words of a scene, with the noise that the simulated part has there."""
        world = World()
        part = SimulatedMlx90614(world, seed=7, room_c=room_c)
        part.scene = lambda _at_s: object_c
        words = []
        for _ in range(_SERIES_WORDS):
            world.advance(part.part.update_s)
            words.append(part.word(OBJECT))
        self.feed("object", words[2:])  # without those of the first quarter second
        self.feed("ambient", [part.word(AMBIENT)])
        (PART / "update_ms").write_text(str(round(part.part.update_s * 1000)))

    def feed(self, register: str, words: list[int]) -> None:
        """Let a register go through these words."""
        # In one write, as the module wants it.
        (PART / register).write_bytes(struct.pack(f"={len(words)}H", *words))

    def set_fault(self, fault: ChipFault | None) -> None:
        """Break the part or its wires in this way, or mend it."""
        self.set(**_NO_FAULT | (_FAULTS[fault] if fault else {}))

    def set(self, **values: int) -> None:
        """Write what the module offers by these names."""
        for name, value in values.items():
            (PART / name).write_text(str(value))


class KernelContact:
    """A switch between an input line and ground, with the simulated one's bounce."""

    def __init__(self, line: int, name: InputName, *, clock: SystemClock, hand: ThreadTimer):
        self._line = line
        self._normally_closed = name in NORMALLY_CLOSED
        self._clock = clock
        self._hand = hand
        self._is_cut = False
        # As a Pi's line is when nobody has claimed it: only the driver pulls it up.
        pull(line, "pull-down")
        self._set(closed=self._normally_closed)

    def set(self, *, active: bool) -> None:
        """Bring the contact to its active or resting side, bouncing on the way."""
        closed = active != self._normally_closed
        at_s = self._clock.now_s()
        level = closed
        for gap_s in BOUNCE_S:
            self._hand.call_at(at_s, partial(self._set, closed=level))
            at_s += gap_s
            level = not level
        self._hand.call_at(at_s, partial(self._set, closed=closed))

    def bounce(self, *, times: int, gap_s: float) -> None:
        """Go to the active side for half of each gap."""
        active = not self._normally_closed
        began_s = self._clock.now_s()
        for number in range(times):
            at_s = began_s + number * gap_s
            self._hand.call_at(at_s, partial(self._set, closed=active))
            self._hand.call_at(at_s + gap_s / 2, partial(self._set, closed=not active))

    def cut(self) -> None:
        """Cut the wire: the switch is heard of no more."""
        self._is_cut = True
        self._set(closed=False)

    def _set(self, *, closed: bool) -> None:
        pull(self._line, "ground" if closed and not self._is_cut else "open")


class LineTrace:
    """The kernel's own record of what the outputs were told: no moment is too short for it."""

    def __init__(self) -> None:
        self._instance = TRACING / "instances" / "gatepost"
        self._instance.mkdir(exist_ok=True)
        said = (TRACING.parent / "debug" / "gpio").read_text()
        self._base = int(re.findall(r"^gpiochip0: GPIOs (\d+)-", said, re.MULTILINE)[0])
        (self._instance / "buffer_size_kb").write_text("4096")
        events = self._instance / "events" / "gpio"
        (events / "gpio_value" / "filter").write_text("get == 0")
        (events / "enable").write_text("1")

    def clear(self) -> None:
        """Forget what was."""
        (self._instance / "trace").write_text("")

    def pulses(self, line: int, *, active_high: bool) -> int:
        """Return how often the relay on a line was energised."""
        levels = [level == active_high for level in self._levels(line, rest=not active_high)]
        return sum(on and not was_on for was_on, on in pairwise([False, *levels]))

    def _levels(self, line: int, *, rest: bool) -> Iterator[bool]:
        told = (self._instance / "trace").read_text()
        event = rf"gpio_(?:value|direction): {self._base + line} +(set 1|set 0|in|out)"
        for does in re.findall(event, told):
            if does != "out":  # its level has been told in the line before
                yield rest if does == "in" else does == "set 1"


# One for all benches of a process: to make it is the tracing file system's slowest action.
line_trace = cache(LineTrace)


@cache
def _opened(line: int, name: str) -> int:
    """Return a file of a line from outside. It stays open: thousands of edges go through it."""
    return os.open(LINES / f"sim_gpio{line}" / name, os.O_RDWR)


def pull(line: int, how: str) -> None:
    """Connect a line from outside: "ground" or "open", or a resistor: "pull-up", "pull-down"."""
    os.write(_opened(line, "pull"), how.encode())


def level(line: int) -> bool:
    """Return the level of a line, as a voltmeter shows it."""
    return os.pread(_opened(line, "value"), 1, 0) == b"1"


def rarely_wake_lgpio() -> None:
    """Let lgpio's own threads sleep longer; they tell an edge up to 2 ms later for it.

    One of them wakes 1800 times a second, and in virtual time wakes are all that takes long: the
    suite takes five times as long without this.
    """
    ours = {thread.native_id for thread in threading.enumerate()}
    for task in Path("/proc/self/task").iterdir():
        if int(task.name) not in ours:
            Path(f"/proc/{task.name}/timerslack_ns").write_text(str(_SLACK_NS))


class KernelBench:
    """The `Bench` of the contract suite on kernel devices; it needs the guest of `machine.py`."""

    def __init__(self, pins: LanePins) -> None:
        self._pins = pins
        self._waited_until_s = 0.0
        self._clock = SystemClock()
        self._hand = ThreadTimer(self._clock, name="hand")
        self._timer = ThreadTimer(self._clock, name="timer")
        self._mailbox = ThreadMailbox(self._clock)
        for line in (*pins.lamps.values(), pins.buzzer):
            pull(line, "pull-down")
        for line in pins.relays.values():  # the board's resistor, which keeps a relay at rest
            pull(line, "pull-down" if pins.relay_active_high else "pull-up")
        self._contacts = {
            name: KernelContact(line, name, clock=self._clock, hand=self._hand)
            for name, line in pins.inputs.items()
        }
        self._part = KernelPart()
        self._part.set_fault(None)
        self._trace = line_trace()
        self._trace.clear()
        self._factory = lgpio_factory(Path("/run"))
        self.gpio = GpioLane(
            pins,
            factory=self._factory,
            clock=self._clock,
            timer=self._timer,
            mailbox=self._mailbox,
        )
        rarely_wake_lgpio()
        self._thermometer = Mlx90614(
            partial(open_linux_bus, BUS), clock=self._clock, pause=threading.Event().wait
        )
        self._sampler = ThreadSampler(self._thermometer, self._mailbox)

    def measure(self) -> Reading | SensorFault:
        self._sampler.request()
        (sample,) = self._mailbox.wait(self.now_s() + 10)
        assert isinstance(sample, Reading | SensorFault)
        return sample

    def now_s(self) -> float:
        return self._clock.now_s()

    def show_scene(self, object_c: float, room_c: float) -> None:
        self._part.show(object_c, room_c)

    def set_chip_fault(self, fault: ChipFault | None) -> None:
        self._part.set_fault(fault)

    def set_contact(self, name: InputName, *, active: bool) -> None:
        self._contacts[name].set(active=active)

    def bounce_contact(self, name: InputName, *, times: int, gap_s: float) -> None:
        self._contacts[name].bounce(times=times, gap_s=gap_s)

    def cut_wire(self, name: InputName) -> None:
        self._contacts[name].cut()

    def lose_edges(self, name: InputName) -> None:
        """Stop the line's notifications; a kernel loses no edge on demand."""
        self._factory.pin(self._pins.inputs[name]).when_changed = None

    def is_released(self, direction: Direction) -> bool:
        return level(self._pins.relays[direction]) == self._pins.relay_active_high

    def pulses(self, direction: Direction) -> int:
        line = self._pins.relays[direction]
        return self._trace.pulses(line, active_high=self._pins.relay_active_high)

    def lit(self) -> frozenset[Lamp]:
        return frozenset(lamp for lamp, line in self._pins.lamps.items() if level(line))

    def is_sounding(self) -> bool:
        return level(self._pins.buzzer)

    def events_within(self, duration_s: float) -> list[HardwareEvent]:
        now_s = self.now_s()
        # Every wait ends a little late; of waits in a row, that must not add up.
        began_s = self._waited_until_s if now_s - self._waited_until_s < _AT_ONCE_S else now_s
        self._waited_until_s = began_s + duration_s
        events: list[HardwareEvent] = []
        while self.now_s() < self._waited_until_s:
            events += self._mailbox.wait(self._waited_until_s)
        return events

    def close(self) -> None:
        self._hand.close()
        self._sampler.close()
        self._thermometer.close()
        self.gpio.close()
        self._factory.close()
        self._timer.close()
