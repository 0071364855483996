"""The whole lane: the real drivers on a simulated bus and on mock pins, and what is wired to them.

The devices of `gatepost_hal.gpio` run unchanged on gpiozero's mock pins; `lines` and `turnstile`
play what is wired to those pins.
"""

from gpiozero.pins.mock import MockFactory

from gatepost_hal.gpio import GpioLane, LanePins
from gatepost_hal.mlx90614 import Mlx90614
from gatepost_hal.ports import Direction, InputName, Lamp
from gatepost_hal.readers.line import LineFramer
from gatepost_hal.simulated.announcer import SimulatedAnnouncer
from gatepost_hal.simulated.lines import SimulatedContact, SimulatedLine, SimulatedRelay
from gatepost_hal.simulated.mlx90614 import SimulatedI2cBus, SimulatedMlx90614
from gatepost_hal.simulated.turnstile import (
    TRIPOD,
    Mechanics,
    PassageOutput,
    SimulatedTurnstile,
)
from gatepost_hal.simulated.world import SimulatedMailbox, SimulatedSampler, World

PINS = LanePins(
    relays={Direction.ENTRY: 17, Direction.EXIT: 27},
    lamps={Lamp.GREEN: 5, Lamp.AMBER: 6, Lamp.RED: 13},
    buzzer=12,
    inputs={
        InputName.PRESENCE: 23,
        InputName.PASSAGE: 24,
        InputName.PASSAGE_EXIT: 22,
        InputName.EXIT_BUTTON: 25,
        InputName.STAFF_RELEASE: 26,
        InputName.MAINTENANCE_KEY: 20,
        InputName.EMERGENCY: 21,
        InputName.FIRE: 16,
        InputName.TAMPER: 19,
    },
    debounce_s=0.02,
)


class SimulatedReader:
    """A scanner that sends lines of bytes; behind it the framing of the real line reader."""

    def __init__(
        self,
        *,
        world: World,
        mailbox: SimulatedMailbox,
        direction: Direction = Direction.ENTRY,
    ) -> None:
        self._world = world
        self._mailbox = mailbox
        self._framer = LineFramer(direction)

    def send(self, data: bytes) -> None:
        """Deliver bytes as they come from the device."""
        for event in self._framer.feed(data, self._world.now_s()):
            self._mailbox.post(event)

    def scan(self, credential: str) -> None:
        """Deliver one pass."""
        self.send(credential.encode() + b"\r\n")


class SimulatedLane:
    """One lane: the drivers that the controller uses, and the outside that people touch.

    Controller's side: `world` (clock and timer), `mailbox`, `sampler`, `thermometer`, `gpio`,
    `announcer`.
    Outside: `chip`, `bus`, `reader`, `exit_reader`, `contacts`, `relays`, `turnstile`,
    `is_released`, `lit`, `is_sounding`, `push`.

    Args:
        world: the time in which all of it happens.
        seed: of the noise on the bus, and of the thermometer where `chip` is none.
        pins: what is wired; without the passage inputs when `mechanics` has no such output.
        mechanics: the variant of the turnstile.
        chip: the thermometer; None: a DCC on 3.0 V that reads right.
    """

    def __init__(
        self,
        world: World,
        *,
        seed: int = 0,
        pins: LanePins = PINS,
        mechanics: Mechanics = TRIPOD,
        chip: SimulatedMlx90614 | None = None,
    ) -> None:
        self.world = world
        self.mailbox = SimulatedMailbox(world)
        self.chip = chip or SimulatedMlx90614(world, seed=seed)
        self.bus = SimulatedI2cBus(self.chip, world=world, seed=seed)
        self.thermometer = Mlx90614(self.bus.open, clock=world, pause=world.spend, deadline_s=0.1)
        self.sampler = SimulatedSampler(self.thermometer, world=world, mailbox=self.mailbox)
        self.reader = SimulatedReader(world=world, mailbox=self.mailbox)
        self.exit_reader = SimulatedReader(
            world=world, mailbox=self.mailbox, direction=Direction.EXIT
        )
        self.announcer = SimulatedAnnouncer(world)
        if mechanics.passage is PassageOutput.NONE:
            pins = _without_passage(pins)
        self._pins = pins
        self._factory = MockFactory(pin_class=SimulatedLine)
        self.relays = {
            way: SimulatedRelay(self._factory.pin(pin), active_high=pins.relay_active_high)
            for way, pin in pins.relays.items()
        }
        self.gpio = GpioLane(
            pins, factory=self._factory, clock=world, timer=world, mailbox=self.mailbox
        )
        self.contacts = {
            name: SimulatedContact(self._factory.pin(pin), name, world=world)
            for name, pin in pins.inputs.items()
        }
        self.turnstile = SimulatedTurnstile(
            mechanics, relays=self.relays, contacts=self.contacts, world=world
        )

    @property
    def rotations(self) -> list[tuple[float, Direction]]:
        """Who really walked, and when: the truth, whatever the contacts said."""
        return self.turnstile.rotations

    def close(self) -> None:
        """Give the mock lines back."""
        self.gpio.close()
        self._factory.reset()

    def is_released(self, direction: Direction) -> bool:
        """Return whether the relay of `direction` is energised, as its line says."""
        return self.relays[direction].is_energised

    def lit(self) -> frozenset[Lamp]:
        """Return the lamps that are lit, as their lines say."""
        lamps = self._pins.lamps.items()
        return frozenset(lamp for lamp, pin in lamps if self._factory.pin(pin).state)

    def is_sounding(self) -> bool:
        """Return whether the buzzer sounds, as its line says."""
        return bool(self._factory.pin(self._pins.buzzer).state)

    def push(self, direction: Direction, *, force: bool = False, people: int = 1) -> bool:
        """Push the arm or the wing; see `SimulatedTurnstile.push`."""
        return self.turnstile.push(direction, force=force, people=people)


def _without_passage(pins: LanePins) -> LanePins:
    passage = {InputName.PASSAGE, InputName.PASSAGE_EXIT}
    wired = {name: pin for name, pin in pins.inputs.items() if name not in passage}
    return pins._replace(inputs=wired)
