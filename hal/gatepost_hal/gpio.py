"""All that one lane has on GPIO lines, through gpiozero (lgpio on a Pi).

What stands behind the choices here (facts measured on gpiozero 2.0.1 and lgpio 0.2.2):

* gpiozero claims a line low before it writes the initial value: on an active-low relay board that
  is an energised relay at every start. `gatepost_hal.lgpio_lines` claims in one step instead.
* The pin factory is always given. With none, gpiozero takes GPIOZERO_PIN_FACTORY from the
  environment, and "mock" there turns the relay into nothing without a word.
* A callback that raises ends gpiozero's only event thread, and no input is ever seen again; one
  that blocks delays every other input. So callbacks only arm a timer, and levels are re-read.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from gpiozero import DigitalInputDevice, DigitalOutputDevice, GPIOZeroError
from gpiozero.pins import Factory

from gatepost_hal.contacts import Contact, ContactKind, GpioInputs
from gatepost_hal.outputs import (
    ALARM_HOLD_S,
    ExpiringOutput,
    GpioBuzzer,
    GpioLamps,
    GpioTurnstile,
)
from gatepost_hal.ports import Clock, Direction, InputName, Lamp, Mailbox, Timer


class LanePins(NamedTuple):
    """BCM line numbers of one lane: `inputs` has those that are wired, and no other.

    Inputs are contacts to ground, closed when active but for `NORMALLY_CLOSED`. A relay is
    energised by a high line, or by a low one where `relay_active_high` is False.
    """

    relays: Mapping[Direction, int]
    lamps: Mapping[Lamp, int]
    buzzer: int
    inputs: Mapping[InputName, int]
    debounce_s: float
    relay_active_high: bool = True


# Contacts that are closed while all is well, so that a cut wire is an alarm.
NORMALLY_CLOSED = frozenset({InputName.FIRE, InputName.EMERGENCY, InputName.TAMPER})
# Of these, the ones that free the way.
FREEING = frozenset({InputName.FIRE, InputName.EMERGENCY})

# An alarm is over after this much rest: a loose wire must not lock and free the way by turns.
ALARM_REST_S = 1.0
# Somebody at the edge of the zone comes and goes; gone is who was not seen for this long.
PRESENCE_REST_S = 0.3


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

        from gatepost_hal.lgpio_lines import LevelFactory  # noqa: PLC0415
    except (ImportError, AttributeError) as error:
        remedy = "pip install '.[pi]' in the checkout, or apt install python3-lgpio"
        raise GpioError(f"gpiozero cannot use lgpio ({error}); {remedy}") from error
    except FileNotFoundError as error:
        raise GpioError(f"{run_dir}: lgpio cannot make its FIFO here ({error})") from error
    try:
        return LevelFactory()
    except (GPIOZeroError, lgpio.error) as error:
        remedy = "run on a Pi, as a user of group gpio; elsewhere there is `gatepost demo`"
        raise GpioError(f"no GPIO chip: {error}; {remedy}") from error


@contextmanager
def _claiming(pin: int) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # gpiozero's errors and lgpio's have no root of their own
        raise GpioError(f"GPIO {pin} cannot be claimed ({error}); who else uses it?") from error


def _kind_of(name: InputName, debounce_s: float) -> ContactKind:
    if name in NORMALLY_CLOSED:
        end_rest_s = ALARM_REST_S
    elif name is InputName.PRESENCE:
        end_rest_s = PRESENCE_REST_S
    else:
        end_rest_s = debounce_s
    return ContactKind(name in NORMALLY_CLOSED, debounce_s, max(end_rest_s, debounce_s))


class GpioLane:
    """All GPIO devices of one lane, claimed together and given back together.

    Raises:
        GpioError: a line cannot be claimed, for instance because another process has it.
    """

    def __init__(
        self, pins: LanePins, *, factory: Factory, clock: Clock, timer: Timer, mailbox: Mailbox
    ) -> None:
        self._devices: list[DigitalInputDevice | DigitalOutputDevice] = []

        def output(pin: int, *, active_high: bool = True) -> DigitalOutputDevice:
            with _claiming(pin):
                device = DigitalOutputDevice(
                    pin, active_high=active_high, initial_value=False, pin_factory=factory
                )
            self._devices.append(device)
            return device

        def relay(pin: int) -> ExpiringOutput:
            device = output(pin, active_high=pins.relay_active_high)
            return ExpiringOutput(device, clock=clock, timer=timer)

        def free_all() -> None:
            self.turnstile.release_all(ALARM_HOLD_S)

        def contact(name: InputName, pin: int) -> Contact:
            with _claiming(pin):
                device = DigitalInputDevice(pin, pull_up=True, pin_factory=factory)
            self._devices.append(device)
            return Contact(
                name,
                device,
                _kind_of(name, pins.debounce_s),
                clock=clock,
                timer=timer,
                mailbox=mailbox,
                on_active=free_all if name in FREEING else lambda: None,
            )

        def is_alarmed() -> bool:
            return any(alarm.is_active for alarm in alarms)

        alarms: list[Contact] = []
        relays = {way: relay(pin) for way, pin in pins.relays.items()}
        self.turnstile = GpioTurnstile(relays, is_alarmed=is_alarmed)
        lamps = {lamp: output(pin) for lamp, pin in pins.lamps.items()}
        self.lamps = GpioLamps(lamps, clock=clock, timer=timer)
        sounder = ExpiringOutput(output(pins.buzzer), clock=clock, timer=timer)
        self.buzzer = GpioBuzzer(sounder, clock=clock, timer=timer)
        contacts = {name: contact(name, pin) for name, pin in pins.inputs.items()}
        alarms += [contacts[name] for name in FREEING if name in contacts]
        self.inputs = GpioInputs(list(contacts.values()))

    def close(self) -> None:
        """Drop the relays, then give every line back (gpiozero leaves them floating inputs)."""
        if not self._devices:
            return
        with ExitStack() as closing:  # each one, also when another fails; the last entered first
            while self._devices:
                device = self._devices.pop(0)
                closing.callback(device.close)
                if isinstance(device, DigitalInputDevice):
                    # Its `close` leaves lgpio's callback, which fails on the next lane's edges.
                    closing.callback(setattr, device.pin, "when_changed", None)
            # The timer must find nothing more to do on a line that is no longer ours.
            closing.callback(self.lamps.show, frozenset())
            closing.callback(self.buzzer.play, ())
            closing.callback(self.turnstile.let_go)
