"""A simulated lane as the gate's controller takes it."""

from gatepost.gate import Hardware
from gatepost_config.settings import Settings
from gatepost_hal.simulated.lane import SimulatedLane
from gatepost_hal.simulated.watchdog import SimulatedWatchdog


def simulated_hardware(lane: SimulatedLane, settings: Settings) -> Hardware:
    """Return all of a lane's devices, with a watchdog that barks after the settings' time."""
    return Hardware(
        clock=lane.world,
        mailbox=lane.mailbox,
        sampler=lane.sampler,
        turnstile=lane.gpio.turnstile,
        lamps=lane.gpio.lamps,
        buzzer=lane.gpio.buzzer,
        inputs=lane.gpio.inputs,
        display=lane.announcer,
        speaker=lane.announcer,
        watchdog=SimulatedWatchdog(lane.world, timeout_s=settings.watchdog.timeout_s),
    )
