"""What lives and dies with the controller's process, and what outlasts it on the lane."""

import errno
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from gpiozero import DigitalInputDevice

from gatepost.core.events import Holder, PassShown, ProofShown
from gatepost.core.facts import Category, Facts
from gatepost.core.faults import Fault
from gatepost_hal.gpio import GpioLane
from gatepost_hal.mlx90614 import Mlx90614
from gatepost_hal.ports import Direction
from gatepost_hal.simulated.lane import SimulatedLane, SimulatedReader
from gatepost_hal.simulated.world import SimulatedMailbox, SimulatedSampler, World
from gatepost_services.journal import Entry, JournalError

if TYPE_CHECKING:
    from gatepost.core.passback import Objection


class KilledError(BaseException):
    """The process is gone, in the middle of whatever it did."""


class Life:
    """One life of a process: a `Timer` that dies with it, and the things that it holds.

    `turns`: its main thread runs. `times`: its timer's thread runs.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self.began_s = world.now_s()
        self.turns = self.times = True

    def call_at(self, at_s: float, action: Callable[[], None]) -> Callable[[], None]:
        """Run `action` at `at_s`, unless the process is dead by then."""
        return self._world.call_at(at_s, lambda: action() if self.times else None)

    def end(self) -> None:
        """Kill it: whatever it holds is out of its reach from now on."""
        self.turns = self.times = False

    def holds(self, thing: Any) -> Any:
        """Return `thing`, as only this process can use it."""
        return _Held(thing, self)


class _Held:
    def __init__(self, thing: Any, life: Life) -> None:
        self._thing = thing
        self._life = life

    def __getattr__(self, name: str) -> Any:
        if not self._life.turns:
            raise KilledError
        return getattr(self._thing, name)

    def __call__(self, *arguments: Any) -> Any:
        if not self._life.turns:
            raise KilledError
        return self._thing(*arguments)


def claim(lane: SimulatedLane, life: Life) -> None:
    """Let a new process take over the lane, as after a kill: a line keeps its level until then."""
    world, factory, pins = lane.world, lane._factory, lane._pins
    lines = [factory.pin(number) for number in pins.inputs.values()]
    levels = [line.state for line in lines]
    for line in lines:
        line.when_changed = None
    for device in lane.gpio._devices:
        factory.release_all(device)
        device._pin = None  # a dead process has no line, and its garbage closes none
    lane.mailbox = SimulatedMailbox(world)
    lane.gpio = GpioLane(pins, factory=factory, clock=world, timer=life, mailbox=lane.mailbox)
    for line, level in zip(lines, levels, strict=True):
        line._state = level  # the contact held it, whatever the mock pin's pull-up did
    for device in lane.gpio._devices:
        if isinstance(device, DigitalInputDevice):
            device._last_active = device.is_active
    lane.thermometer = Mlx90614(lane.bus.open, clock=world, pause=world.spend, deadline_s=0.1)
    lane.sampler = SimulatedSampler(lane.thermometer, world=world, mailbox=lane.mailbox)
    lane.reader = SimulatedReader(world=world, mailbox=lane.mailbox)
    lane.exit_reader = SimulatedReader(world=world, mailbox=lane.mailbox, direction=Direction.EXIT)


class MemoryLog:
    """An event log whose disk can fail, and which asks `spy` before each write.

    `entries` is what is on the disk, `tried` all that was to be, each with whether it is; `wrote`
    is told of each write when it is on the disk.
    """

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.tried: list[tuple[bool, Entry]] = []
        self.broken = False
        self.delivered_seq = 0
        self.lost: list[Entry] = []
        self.spy: Callable[[list[Entry]], None] = lambda _entries: None
        self.wrote: Callable[[list[Entry]], None] = lambda _entries: None

    def append(
        self, entries: Iterable[Entry], _give_up: Callable[[], bool] = lambda: False
    ) -> None:
        entries = list(entries)
        self.spy(entries)
        self.tried += [(not self.broken, entry) for entry in entries]
        if self.broken:
            raise JournalError(errno.ENOSPC, "No space left on device")
        self.entries += entries
        self.wrote(entries)

    def keep_house(self, delivered_seq: int) -> None:
        self.delivered_seq = delivered_seq

    def take_lost(self) -> list[Entry]:
        lost, self.lost = self.lost, []
        return lost


class Notebook:
    """What the gate knows of passes, on paper: `gatepost.wiring.passes.Passes` fits in its place.

    `objections` by subject; `walked` is who went through; `forgetful` why that cannot be kept.
    """

    def __init__(self) -> None:
        self.roster = {"KNOWN": Holder("subject-1", "resident")}
        self.facts = Facts(Direction.ENTRY, Category.UNKNOWN)  # besides direction and category
        self.proofs: dict[str, ProofShown] = {}
        self.used: list[str] = []  # by signed passes, and not given back
        self.useless: str | None = None  # why none may be used
        self.objections: dict[str, Objection] = {}
        self.walked: list[tuple[str, Direction]] = []
        self.forgetful: str | None = None

    def shown(self, credential: str, direction: Direction, at_s: float) -> PassShown | ProofShown:
        if (proof := self.proofs.get(credential)) is not None:
            return proof._replace(at_s=at_s, direction=direction)
        holder = self.roster.get(credential)
        if holder is None:
            return PassShown(at_s, None, direction)
        enters = direction is Direction.ENTRY
        objection = self.objections.get(holder.subject) if enters else None
        known = replace(self.facts, direction=direction, category=Category(holder.category))
        return PassShown(at_s, holder, direction, objection, known)

    def use(self, holder: Holder) -> str | None:
        self.used.append(holder.subject)
        return self.useless

    def give_back(self, holder: Holder) -> None:
        self.used.remove(holder.subject)

    def faults(self) -> Mapping[Fault, str | None]:
        return {}

    def note(self, subject: str, way: Direction) -> str | None:
        self.walked.append((subject, way))
        return self.forgetful

    def forgive(self) -> str | None:
        self.walked.clear()
        return self.forgetful


class NoDisinfection:
    """A gate where nobody is reminded: `gatepost.wiring.disinfection` fits in its place."""

    def due(self, _a_day: int) -> str | None:
        return None

    def done(self) -> str | None:
        return None
