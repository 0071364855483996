"""Relays, lamps, buzzer and inputs on GPIO lines, through gpiozero (lgpio on a Pi).

What stands behind the choices here (facts measured on gpiozero 2.0.1 and lgpio 0.2.2):

* Outputs are active-high. gpiozero claims a line low before it writes the initial value, so an
  active-low relay board is energised for a moment at every start.
* The pin factory is always given. With none, gpiozero takes GPIOZERO_PIN_FACTORY from the
  environment, and "mock" there turns the relay into nothing without a word.
* A callback that raises ends gpiozero's only event thread, and no input is ever seen again; one
  that blocks delays every other input. So callbacks only arm a timer, and levels are re-read.
"""

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

from gpiozero import DigitalInputDevice, DigitalOutputDevice, GPIOZeroError
from gpiozero.pins import Factory

from gatepost_hal.ports import Clock, Direction, InputChanged, InputName, Lamp, Mailbox, Timer


class LanePins(NamedTuple):
    """BCM line numbers of one lane. Inputs are contacts to ground; fire is normally closed."""

    relays: Mapping[Direction, int]
    lamps: Mapping[Lamp, int]
    buzzer: int
    inputs: Mapping[InputName, int]
    debounce_s: float


# Contacts that are closed while all is well, so that a cut wire is an alarm.
NORMALLY_CLOSED = frozenset({InputName.FIRE})

# No release is longer; more would be a bare "on" by another name.
MAX_HOLD_S = 60.0

# An alarm contact (normally closed) that finds no rest for this long is an alarm: a cut wire picks
# up hum, and its edges would put the end of the debounce time off for ever.
_UNREST_S = 0.1
# Freed by the driver itself for this long, before and without the control loop, which may wait for
# a disk; the loop renews it. Longer than the 10 s after which systemd kills a loop that hangs.
ALARM_HOLD_S = 12.0
# An alarm is over after this much rest: a loose wire must not lock and free the way by turns.
ALARM_REST_S = 1.0


class GpioError(OSError):
    """The GPIO lines cannot be used; the message says why and what to do."""


def lgpio_factory(run_dir: Path) -> Factory:
    """Return gpiozero's lgpio factory, the production choice on every Pi.

    lgpio puts a notification FIFO into its working directory at import; `run_dir` must be
    writable. Do not fork afterwards.

    Raises:
        GpioError: lgpio is missing or the empty 0.0.0.2, or this is no Pi whose GPIO chip may be
            opened. The message says what to do.
    """
    os.environ["LG_WD"] = str(run_dir)
    try:
        # Imported here because only a Pi has it.
        import lgpio  # noqa: PLC0415
        from gpiozero.pins.lgpio import LGPIOFactory  # noqa: PLC0415
    except (ImportError, AttributeError) as error:
        remedy = "pip install '.[pi]' in the checkout, or apt install python3-lgpio"
        raise GpioError(f"gpiozero cannot use lgpio ({error}); {remedy}") from error
    except FileNotFoundError as error:
        raise GpioError(f"{run_dir}: lgpio cannot make its FIFO here ({error})") from error
    try:
        return LGPIOFactory()
    except (GPIOZeroError, lgpio.error) as error:
        remedy = "run on a Pi, as a user of group gpio; elsewhere there is `gatepost demo`"
        raise GpioError(f"no GPIO chip: {error}; {remedy}") from error


@contextmanager
def _claiming(pin: int) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # gpiozero's errors and lgpio's have no root of their own
        raise GpioError(f"GPIO {pin} cannot be claimed ({error}); who else uses it?") from error


class ExpiringOutput:
    """An output that cannot be left on: every call states its end, and a timer keeps it.

    Thread-safe. The timer, not the control loop, ends the hold.
    """

    def __init__(self, device: DigitalOutputDevice, *, clock: Clock, timer: Timer) -> None:
        self._device = device
        self._clock = clock
        self._timer = timer
        self._lock = threading.Lock()
        self._ends_at_s = clock.now_s()

    def energise(self, hold_s: float) -> None:
        """Switch on until `hold_s` from now; a hold that is running ends then instead."""
        if not 0 < hold_s <= MAX_HOLD_S:
            raise ValueError(f"hold_s = {hold_s}: an output is held for 0 to {MAX_HOLD_S} s")
        with self._lock:
            self._ends_at_s = self._clock.now_s() + hold_s
            # Armed first: should switching on fail half-way, the end is already certain.
            self._timer.call_at(self._ends_at_s, self._expire)
            self._device.on()

    def drop(self) -> None:
        """Switch off now."""
        with self._lock:
            self._ends_at_s = self._clock.now_s()
            # Armed first, as above: should this fail, the timer tries until it succeeds.
            cancel = self._timer.call_at(self._ends_at_s, self._expire)
            self._device.off()
            cancel()

    def _expire(self) -> None:
        with self._lock:
            # An earlier hold's timer finds a later end when the hold was renewed.
            if self._clock.now_s() >= self._ends_at_s and not self._device.closed:
                self._device.off()


class GpioTurnstile:
    """A `Turnstile` with one relay for each direction."""

    def __init__(self, outputs: Mapping[Direction, ExpiringOutput]) -> None:
        self._outputs = outputs

    def release(self, direction: Direction, hold_s: float) -> None:
        """Energise one direction's relay for `hold_s`."""
        self._outputs[direction].energise(hold_s)

    def drop(self) -> None:
        """De-energise both relays now."""
        with ExitStack() as drops:  # each one, also when another fails
            for output in self._outputs.values():
                drops.callback(output.drop)


class GpioLamps:
    """`Lamps`, one line each."""

    def __init__(self, devices: Mapping[Lamp, DigitalOutputDevice]) -> None:
        self._devices = devices

    def show(self, lit: frozenset[Lamp]) -> None:
        """Light exactly these lamps."""
        for lamp, device in self._devices.items():
            device.value = lamp in lit


class GpioBuzzer:
    """A `Buzzer` on an active sounder. Each sound is an expiring hold; the timer strings them."""

    def __init__(self, output: ExpiringOutput, *, clock: Clock, timer: Timer) -> None:
        self._output = output
        self._clock = clock
        self._timer = timer
        self._lock = threading.Lock()
        self._cancel: Callable[[], None] = lambda: None
        self._played = 0

    def play(self, pattern_s: tuple[float, ...]) -> None:
        """Play the pattern; see `gatepost_hal.ports.Buzzer.play`."""
        with self._lock:
            self._cancel()
            # A step that the timer has taken already cannot be cancelled; it finds another number.
            self._played += 1
            self._output.drop()
            self._sound(pattern_s)

    def _sound(self, pattern_s: tuple[float, ...]) -> None:
        if not pattern_s:
            return
        sound_s, *rest = pattern_s
        self._output.energise(sound_s)
        if len(rest) > 1:
            next_at_s = self._clock.now_s() + sound_s + rest[0]
            step = partial(self._next, tuple(rest[1:]), self._played)
            self._cancel = self._timer.call_at(next_at_s, step)

    def _next(self, pattern_s: tuple[float, ...], played: int) -> None:
        with self._lock:
            if played == self._played:
                self._sound(pattern_s)


class _Contact:
    """One input line: an edge arms the debounce timer, the level when it ends is what counts."""

    def __init__(
        self,
        name: InputName,
        device: DigitalInputDevice,
        *,
        debounce_s: float,
        clock: Clock,
        timer: Timer,
        mailbox: Mailbox,
        on_active: Callable[[], None] = lambda: None,
    ) -> None:
        self._on_active = on_active
        self._name = name
        self._device = device
        self._debounce_s = debounce_s
        self._clock = clock
        self._timer = timer
        self._mailbox = mailbox
        self._lock = threading.Lock()
        self._reported = False
        self._cancel: Callable[[], None] | None = None
        self._cancel_unrest: Callable[[], None] = lambda: None
        device.when_activated = self._edge
        device.when_deactivated = self._edge

    def refresh(self) -> None:
        with self._lock:
            if self._cancel is None and self._level() != self._reported:
                self._arm()

    def _level(self) -> bool:
        # gpiozero calls a contact to ground with pull-up "active" while it is closed.
        return bool(self._device.is_active) != (self._name in NORMALLY_CLOSED)

    def _edge(self) -> None:
        with self._lock:
            self._arm()

    def _arm(self) -> None:
        """Begin to wait for rest, or begin anew."""
        if self._cancel is not None:
            self._cancel()
        elif self._name in NORMALLY_CLOSED:
            unrest_at_s = self._clock.now_s() + _UNREST_S
            self._cancel_unrest = self._timer.call_at(unrest_at_s, self._despair)
        is_alarm = self._reported and self._name in NORMALLY_CLOSED
        rest_s = ALARM_REST_S if is_alarm else self._debounce_s
        self._cancel = self._timer.call_at(self._clock.now_s() + rest_s, self._settle)

    def _despair(self) -> None:
        """Take an alarm contact that finds no rest for active."""
        with self._lock:
            if self._cancel is None or self._reported:
                return
            self._reported = True
            self._arm()  # it is over when it has come to rest
        self._tell(active=True)

    def _settle(self) -> None:
        with self._lock:
            self._cancel_unrest()
            self._cancel = None
            level = self._level()
            if level == self._reported:
                return
            self._reported = level
        self._tell(active=level)

    def _tell(self, *, active: bool) -> None:
        self._mailbox.post(InputChanged(self._clock.now_s(), self._name, active))
        if active:
            self._on_active()


class GpioInputs:
    """`Inputs` on GPIO lines, debounced by time rather than by the driver's own filter.

    gpiozero's `bounce_time` is ignored by its mock pins and has open reports of lost events with
    lgpio; one filter of ours behaves the same on both.
    """

    def __init__(self, contacts: list[_Contact]) -> None:
        self._contacts = contacts

    def refresh(self) -> None:
        """Re-read all levels; see `gatepost_hal.ports.Inputs.refresh`."""
        for contact in self._contacts:
            contact.refresh()


class GpioLane:
    """All GPIO devices of one lane, claimed together and given back together.

    Raises:
        GpioError: a line cannot be claimed, for instance because another process has it.
    """

    def __init__(
        self, pins: LanePins, *, factory: Factory, clock: Clock, timer: Timer, mailbox: Mailbox
    ) -> None:
        self._devices: list[DigitalInputDevice | DigitalOutputDevice] = []

        def output(pin: int) -> DigitalOutputDevice:
            with _claiming(pin):
                device = DigitalOutputDevice(
                    pin, active_high=True, initial_value=False, pin_factory=factory
                )
            self._devices.append(device)
            return device

        def expiring(pin: int) -> ExpiringOutput:
            return ExpiringOutput(output(pin), clock=clock, timer=timer)

        def free_both() -> None:
            for way in Direction:
                self.turnstile.release(way, ALARM_HOLD_S)

        def contact(name: InputName, pin: int) -> _Contact:
            with _claiming(pin):
                device = DigitalInputDevice(pin, pull_up=True, pin_factory=factory)
            self._devices.append(device)
            return _Contact(
                name,
                device,
                debounce_s=pins.debounce_s,
                clock=clock,
                timer=timer,
                mailbox=mailbox,
                on_active=free_both if name is InputName.FIRE else lambda: None,
            )

        self.turnstile = GpioTurnstile({way: expiring(pin) for way, pin in pins.relays.items()})
        self.lamps = GpioLamps({lamp: output(pin) for lamp, pin in pins.lamps.items()})
        self.buzzer = GpioBuzzer(expiring(pins.buzzer), clock=clock, timer=timer)
        self.inputs = GpioInputs([contact(name, pin) for name, pin in pins.inputs.items()])

    def close(self) -> None:
        """Drop the relays, then give every line back (gpiozero leaves them floating inputs)."""
        if not self._devices:
            return
        with ExitStack() as closing:  # each one, also when another fails; the last entered first
            while self._devices:
                closing.callback(self._devices.pop(0).close)
            closing.callback(self.turnstile.drop)
