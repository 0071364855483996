"""Builds the lane's devices on this machine."""

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import NamedTuple

from gatepost.core.faults import Fault
from gatepost.gate import Hardware
from gatepost.wiring import thermometer
from gatepost.wiring.readers import open_readers
from gatepost_config.settings import NOTHING, Pins, Settings
from gatepost_hal.announcers import AlsaSpeaker, TerminalDisplay
from gatepost_hal.gpio import GpioLane, LanePins, lgpio_factory
from gatepost_hal.ports import Announcer, Direction, InputName, Lamp, Prompt, Watchdog
from gatepost_hal.system import SystemClock, ThreadMailbox, ThreadSampler, ThreadTimer
from gatepost_hal.watchdog import HardwareWatchdog, WatchdogError

_log = logging.getLogger(__name__)


class Nothing:
    """An `Announcer` and a `Watchdog` where there is none."""

    def tell(self, prompt: Prompt) -> None:
        """Tell nobody."""

    def pet(self) -> None:
        """Pet nobody."""


class Equipment(NamedTuple):
    """The devices that are there, and what is wrong with those that are not."""

    hardware: Hardware
    faults: dict[Fault, str]


def lane_pins(settings: Settings) -> LanePins:
    """Return the line numbers in the terms of the drivers."""
    pins = settings.pins
    return LanePins(
        relays={Direction.ENTRY: pins.entry_relay, Direction.EXIT: pins.exit_relay},
        lamps={Lamp.GREEN: pins.green_lamp, Lamp.AMBER: pins.amber_lamp, Lamp.RED: pins.red_lamp},
        buzzer=pins.buzzer,
        inputs=_inputs(pins, has_passage=settings.turnstile.passage != "none"),
        debounce_s=pins.debounce_s,
        relay_active_high=settings.turnstile.relay_active == "high",
    )


def _inputs(pins: Pins, *, has_passage: bool) -> dict[InputName, int]:
    lines = {
        InputName.PRESENCE: pins.presence,
        InputName.PASSAGE: pins.passage if has_passage else 0,
        InputName.PASSAGE_EXIT: pins.passage_exit,
        InputName.EXIT_BUTTON: pins.exit_button,
        InputName.STAFF_RELEASE: pins.staff_release,
        InputName.MAINTENANCE_KEY: pins.maintenance_key,
        InputName.EMERGENCY: pins.emergency,
        InputName.FIRE: pins.fire,
        InputName.TAMPER: pins.tamper,
    }
    return {name: line for name, line in lines.items() if line}


@contextmanager
def real_hardware(settings: Settings) -> Iterator[Equipment]:
    """Yield the lane's devices on this machine; drop the relays and close everything at the end.

    Raises:
        GpioError: the GPIO lines cannot be used. (A missing sensor, reader, display or watchdog is
            a fault that the gate reports: fire and exit work without them.)
    """
    with ExitStack() as closing:
        clock = SystemClock()
        mailbox = ThreadMailbox(clock)
        # One thread for all that has its instant: ends of releases, sounds, rest of contacts. It
        # waits for nothing but GPIO lines.
        timer = ThreadTimer(clock, name="timer")
        closing.callback(timer.close)
        gpio = GpioLane(
            lane_pins(settings),
            factory=lgpio_factory(settings.paths.gpio_run_dir),
            clock=clock,
            timer=timer,
            mailbox=mailbox,
        )
        closing.callback(gpio.close)
        # Not closed here: its thread may be in the middle of a transfer, and the process ends.
        sampler = ThreadSampler(thermometer.driver(settings, clock), mailbox)
        closing.callback(sampler.close)
        open_readers(settings.reader, clock=clock, mailbox=mailbox, closing=closing)
        faults: dict[Fault, str] = {}
        yield Equipment(
            Hardware(
                clock,
                mailbox,
                sampler,
                gpio.turnstile,
                gpio.lamps,
                gpio.buzzer,
                gpio.inputs,
                display=_display(settings, closing),
                speaker=_speaker(settings, closing),
                watchdog=_watchdog(settings, faults, closing),
            ),
            faults,
        )


def _languages(settings: Settings) -> list[str]:
    return settings.signals.languages.split("+")


def _display(settings: Settings, closing: ExitStack) -> Announcer:
    path = settings.signals.display
    if path == NOTHING:
        return Nothing()
    try:
        stream = closing.enter_context(path.open("w", encoding="utf-8"))
    except OSError as error:
        _log.error("%s: no display: %s", path, error.strerror)
        return Nothing()
    display = TerminalDisplay(stream, _languages(settings))
    closing.callback(display.close)
    return display


def _speaker(settings: Settings, closing: ExitStack) -> Announcer:
    folder = settings.signals.voice_dir
    if folder == NOTHING:
        return Nothing()
    speaker = AlsaSpeaker(folder, _languages(settings))
    closing.callback(speaker.close)
    return speaker


def _watchdog(settings: Settings, faults: dict[Fault, str], closing: ExitStack) -> Watchdog:
    device, timeout_s = settings.watchdog.device, settings.watchdog.timeout_s
    if device == NOTHING:
        return Nothing()
    try:
        watchdog = HardwareWatchdog(device, timeout_s)
    except WatchdogError as error:
        _log.error("%s", error)
        faults[Fault.WATCHDOG] = str(error)
        return Nothing()
    closing.callback(watchdog.close)
    return watchdog
