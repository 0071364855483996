"""A whole gate on a simulated lane for the benches, with nothing around it."""

from collections.abc import Mapping

from gatepost.core.events import Holder, PassShown, ProofShown
from gatepost.core.facts import Category, Facts
from gatepost.core.faults import Fault
from gatepost.core.sensing import Sensing
from gatepost.gate import EventLog, Gate, Hardware, Surroundings
from gatepost.wiring import thermometer
from gatepost.wiring.hardware import Nothing
from gatepost.wiring.lane import policy
from gatepost.wiring.no_ledgers import NoLedgers
from gatepost_config.settings import Settings
from gatepost_hal.ports import Direction
from gatepost_hal.simulated.lane import SimulatedLane


class _Everybody:
    """A roster that knows every pass."""

    def shown(self, credential: str, direction: Direction, at_s: float) -> PassShown | ProofShown:
        known = Facts(direction, Category.RESIDENT)
        return PassShown(at_s, Holder(credential, "resident"), direction, known=known)

    def use(self, _holder: Holder) -> str | None:
        return None

    def give_back(self, _holder: Holder) -> None: ...

    def faults(self) -> Mapping[Fault, str | None]:
        return {}


def bench_gate(settings: Settings, lane: SimulatedLane, log: EventLog) -> Gate:
    """Return the controller of `lane`; every pass is known to it."""
    gpio, nothing = lane.gpio, Nothing()
    hardware = Hardware(
        lane.world, lane.mailbox, lane.sampler,
        gpio.turnstile, gpio.lamps, gpio.buzzer, gpio.inputs,
        display=nothing, speaker=nothing, watchdog=nothing,
    )  # fmt: skip
    surroundings = Surroundings(
        codes=_Everybody(),
        ledger=NoLedgers(),
        regime=lambda: (None, None),
        disinfection_due=lambda _a_day: None,
        disinfected=lambda: None,
        note_passage=lambda _subject, _way: None,
        forgive=lambda: None,
        asked=tuple,
        news=tuple,
        faults=dict,
        report=lambda _status: None,
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
