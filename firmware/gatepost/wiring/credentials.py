"""What is shown at the readers: a pass of the roster, a signed pass, or a proof."""

from collections.abc import Mapping
from contextlib import ExitStack

from gatepost.core.events import Holder, PassShown, ProofShown
from gatepost.core.faults import Fault
from gatepost.core.session import Need
from gatepost.wiring.passes import Passes
from gatepost_config.settings import Settings
from gatepost_hal.ports import Clock, Direction


def brings(settings: Settings) -> frozenset[Need]:
    """Return what can be shown at this gate besides a pass."""
    return frozenset(Need) if settings.passes.root_key else frozenset({Need.ESCORT})


class RosterOnly:
    """The roster's passes alone: every code is one of those, or of nobody."""

    def __init__(self, passes: Passes) -> None:
        self._passes = passes

    def shown(self, credential: str, direction: Direction, at_s: float) -> PassShown | ProofShown:
        """Return whose pass it is, and what is known of them."""
        return self._passes.shown(credential, direction, at_s)

    def use(self, _holder: Holder) -> str | None:
        """Return None: nothing is counted."""
        return None

    def give_back(self, _holder: Holder) -> None:
        """Do nothing."""

    def faults(self) -> Mapping[Fault, str | None]:
        """Return what is wrong with the roster by now; None is nothing."""
        return self._passes.roster_faults()


def credentials(settings: Settings, passes: Passes, clock: Clock, closing: ExitStack) -> RosterOnly:
    """Return what reads what is shown at this gate."""
    if not settings.passes.root_key:
        return RosterOnly(passes)
    # Imported here because a gate without signed codes need not pay for what reads them.
    from gatepost.wiring.signed_codes import SignedToo  # noqa: PLC0415

    return SignedToo(settings, passes, clock, closing)
