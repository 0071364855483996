"""A gate process: the real wiring, threads and drivers of `gatepost run`, on mock lines.

`python mock_gate.py CONFIG [LINE=LEVEL ...]`: the levels are those that the lines have kept from a
process before. It prints each line that it claims ("claims 17 low") and each change of a relay
("17 high"). SIGUSR1 is staff's button; after SIGUSR2 the loop hangs for ever where it waits.
Neither does its work in the handler: the loop that it interrupts may hold a lock of the drivers.
"""

import os
import signal
import sys
import threading
import uuid
from pathlib import Path

from gpiozero.pins.mock import MockFactory

from gatepost.cli.process import Stopper
from gatepost.gate import Hardware
from gatepost.wiring import thermometer
from gatepost.wiring.hardware import Nothing, lane_pins
from gatepost.wiring.lane import gate
from gatepost_config.load import load
from gatepost_hal.gpio import NORMALLY_CLOSED, GpioLane
from gatepost_hal.ports import HardwareEvent, InputName
from gatepost_hal.simulated.lines import SimulatedLine
from gatepost_hal.system import SystemClock, ThreadMailbox, ThreadSampler, ThreadTimer
from gatepost_services.sd_notify import notify


def tell(words: str) -> None:
    os.write(sys.stdout.fileno(), f"{words}\n".encode())


def tell_level(line: SimulatedLine) -> None:
    tell(f"{line.info.name} {'high' if line.state else 'low'}")


class HangingMailbox(ThreadMailbox):
    """A mailbox at which the loop may wait for ever."""

    def __init__(self, clock: SystemClock) -> None:
        super().__init__(clock)
        self.hangs = False

    def wait(self, until_s: float) -> list[HardwareEvent]:
        if self.hangs:
            threading.Event().wait()
        return super().wait(until_s)

    def hang(self) -> None:
        self.hangs = True


class ToldLine(SimulatedLine):
    """A line whose level can be read from outside of the process."""

    def output_with_state(self, state: bool) -> None:
        tell(f"claims {self.info.name} {'high' if state else 'low'}")
        super().output_with_state(state)


def main(config: str, *kept: str) -> int:
    settings = load(Path(config))
    pins = lane_pins(settings)
    factory = MockFactory(pin_class=ToldLine)
    for pin in pins.relays.values():
        line = factory.pin(pin)
        line._state = f"{line.info.name}=high" in kept
        line.on_level = lambda line=line: tell(
            f"{line.info.name} {'high' if line.state else 'low'}"
        )
    clock, stop = SystemClock(), Stopper()
    mailbox, timer = HangingMailbox(clock), ThreadTimer(clock, name="timer")
    lane = GpioLane(pins, factory=factory, clock=clock, timer=timer, mailbox=mailbox)
    for name in NORMALLY_CLOSED & pins.inputs.keys():
        factory.pin(pins.inputs[name]).drive_low()
    button = factory.pin(pins.inputs[InputName.STAFF_RELEASE])
    press = threading.Thread(target=button.drive_low)
    signal.signal(signal.SIGUSR1, lambda *_: press.start())
    signal.signal(signal.SIGUSR2, lambda *_: mailbox.hang())
    hardware = Hardware(
        clock,
        mailbox,
        ThreadSampler(thermometer.driver(settings, clock), mailbox),
        lane.turnstile,
        lane.lamps,
        lane.buzzer,
        lane.inputs,
        display=Nothing(),
        speaker=Nothing(),
        watchdog=Nothing(),
    )
    with gate(settings, hardware, boot_id=str(uuid.uuid4()), notify=notify) as controller:
        controller.run(stop, about={})
    lane.close()
    return 1 if stop.crashed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
