"""The mechanical and electrical lane: contacts that bounce, a turnstile, a reader, mock pins.

The devices of `gatepost_hal.gpio` run unchanged on gpiozero's mock pins; this module plays what
is wired to those pins.
"""

from functools import partial

from gpiozero.pins.mock import MockFactory, MockPin

from gatepost_hal.gpio import NORMALLY_CLOSED, GpioLane, LanePins
from gatepost_hal.mlx90614 import Mlx90614
from gatepost_hal.ports import Direction, InputName, Lamp
from gatepost_hal.readers.line import LineFramer
from gatepost_hal.simulated.mlx90614 import SimulatedI2cBus, SimulatedMlx90614
from gatepost_hal.simulated.world import SimulatedMailbox, SimulatedSampler, World

PINS = LanePins(
    relays={Direction.ENTRY: 17, Direction.EXIT: 27},
    lamps={Lamp.GREEN: 5, Lamp.AMBER: 6, Lamp.RED: 13},
    buzzer=12,
    inputs={
        InputName.PRESENCE: 23,
        InputName.PASSAGE: 24,
        InputName.EXIT_BUTTON: 25,
        InputName.FIRE: 16,
    },
    debounce_s=0.02,
)

# A contact closes and opens like this before it stands (seconds between the changes).
_BOUNCE_S = (0.001, 0.002, 0.001, 0.003)

_TURN_S = 0.8  # one rotation, hands on the arm to arm at rest
_PASSAGE_PULSE_S = 0.2  # in its middle the turnstile closes its passage contact


class SimulatedContact:
    """A switch between an input line and ground, with bounce."""

    def __init__(self, pin: MockPin, name: InputName, *, world: World) -> None:
        self._pin = pin
        self._normally_closed = name in NORMALLY_CLOSED
        self._world = world
        self._set(closed=self._normally_closed)

    def set(self, *, active: bool) -> None:
        """Bring the contact to its active or resting side, bouncing on the way."""
        closed = active != self._normally_closed
        at_s = self._world.now_s()
        level = closed
        for gap_s in _BOUNCE_S:
            self._world.call_at(at_s, partial(self._set, closed=level))
            at_s += gap_s
            level = not level
        self._world.call_at(at_s, partial(self._set, closed=closed))

    def touch(self, *, for_s: float, after_s: float) -> None:
        """Go to the active side for a moment: a bounce, a spark, a passing lorry."""
        at_s = self._world.now_s() + after_s
        active = not self._normally_closed
        self._world.call_at(at_s, partial(self._set, closed=active))
        self._world.call_at(at_s + for_s, partial(self._set, closed=not active))

    def lose_edges(self) -> None:
        """From now on the kernel reports no edge of this line; its level stays readable."""
        self._pin.when_changed = None

    def _set(self, *, closed: bool) -> None:
        if closed:
            self._pin.drive_low()
        else:
            self._pin.drive_high()


class SimulatedReader:
    """A scanner that sends lines of bytes; behind it the framing of the real line reader."""

    def __init__(self, *, world: World, mailbox: SimulatedMailbox) -> None:
        self._world = world
        self._mailbox = mailbox
        self._framer = LineFramer()

    def send(self, data: bytes) -> None:
        """Deliver bytes as they come from the device."""
        for event in self._framer.feed(data, self._world.now_s()):
            self._mailbox.post(event)

    def scan(self, credential: str) -> None:
        """Deliver one pass."""
        self.send(credential.encode() + b"\r\n")


class SimulatedLane:
    """One lane: the drivers that the controller uses, and the outside that people touch.

    Controller's side: `world` (clock and timer), `mailbox`, `sampler`, `thermometer`, `gpio`.
    Outside: `chip`, `bus`, `reader`, `contacts`, `is_released`, `lit`, `push`.
    """

    def __init__(self, world: World, *, seed: int = 0, pins: LanePins = PINS) -> None:
        self.world = world
        self.mailbox = SimulatedMailbox(world)
        self.chip = SimulatedMlx90614(world, seed=seed)
        self.bus = SimulatedI2cBus(self.chip, world=world, seed=seed)
        self.thermometer = Mlx90614(self.bus.open, clock=world, pause=world.spend, deadline_s=0.1)
        self.sampler = SimulatedSampler(self.thermometer, world=world, mailbox=self.mailbox)
        self.reader = SimulatedReader(world=world, mailbox=self.mailbox)
        self._factory = MockFactory()
        self._pins = pins
        self.gpio = GpioLane(
            pins, factory=self._factory, clock=world, timer=world, mailbox=self.mailbox
        )
        self.contacts = {
            name: SimulatedContact(self._factory.pin(pin), name, world=world)
            for name, pin in pins.inputs.items()
        }
        self._turning_until_s = world.now_s()
        self.rotations: list[tuple[float, Direction]] = []

    def close(self) -> None:
        """Give the mock lines back."""
        self.gpio.close()
        self._factory.reset()

    def is_released(self, direction: Direction) -> bool:
        """Return whether the relay of `direction` is energised, as its line says."""
        return bool(self._factory.pin(self._pins.relays[direction]).state)

    def lit(self) -> frozenset[Lamp]:
        """Return the lamps that are lit, as their lines say."""
        lamps = self._pins.lamps.items()
        return frozenset(lamp for lamp, pin in lamps if self._factory.pin(pin).state)

    def is_sounding(self) -> bool:
        """Return whether the buzzer sounds, as its line says."""
        return bool(self._factory.pin(self._pins.buzzer).state)

    def push(self, direction: Direction, *, force: bool = False) -> bool:
        """Push the arm; return whether it turns. It does when released, or when forced."""
        now_s = self.world.now_s()
        if now_s < self._turning_until_s or not (force or self.is_released(direction)):
            return False
        self._turning_until_s = now_s + _TURN_S
        self.rotations.append((now_s, direction))
        passage = self.contacts[InputName.PASSAGE]
        middle_s = now_s + (_TURN_S - _PASSAGE_PULSE_S) / 2
        self.world.call_at(middle_s, lambda: passage.set(active=True))
        self.world.call_at(middle_s + _PASSAGE_PULSE_S, lambda: passage.set(active=False))
        return True
