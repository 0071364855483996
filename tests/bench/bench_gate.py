"""A whole gate on a simulated lane for the benches, with nothing around it."""

from gatepost.core.events import Holder, PassShown
from gatepost.core.facts import Category, Facts
from gatepost.core.sensing import Sensing
from gatepost.gate import EventLog, Gate, Hardware, Surroundings
from gatepost.wiring import thermometer
from gatepost.wiring.hardware import Nothing
from gatepost.wiring.lane import policy
from gatepost.wiring.ledgers import NoLedgers
from gatepost_config.settings import Settings
from gatepost_hal.simulated.lane import SimulatedLane


def bench_gate(settings: Settings, lane: SimulatedLane, log: EventLog) -> Gate:
    """Return the controller of `lane`; every pass is known to it."""
    gpio, nothing = lane.gpio, Nothing()
    hardware = Hardware(
        lane.world, lane.mailbox, lane.sampler,
        gpio.turnstile, gpio.lamps, gpio.buzzer, gpio.inputs,
        display=nothing, speaker=nothing, watchdog=nothing,
    )  # fmt: skip
    surroundings = Surroundings(
        shown=lambda credential, way, at_s: PassShown(
            at_s, Holder(credential, "resident"), way, known=Facts(way, Category.RESIDENT)
        ),
        use=lambda _holder: None,
        give_back=lambda _holder: None,
        ledger=NoLedgers(),
        regime=lambda: (None, None),
        disinfection_due=lambda _a_day: None,
        disinfected=lambda: None,
        note_passage=lambda _subject, _way: None,
        forgive=lambda: None,
        asked=tuple,
        acknowledged_seq=lambda: 0,
        ring=lambda: None,
        keep_offset=lambda _offset: None,
        keep_standing=lambda _standing: None,
        is_quiet=lambda: False,
        notify=lambda _text: None,
    )
    return Gate(
        hardware,
        policy=policy(settings),
        sensing=Sensing(thermometer.setup(settings, {}), lane.world.now_s()),
        log=log,
        surroundings=surroundings,
    )
