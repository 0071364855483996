"""What is told of the lane as a whole: what stands, and who said so."""

from msgspec import UNSET

from gatepost_services.contract.schemas import Data, event
from gatepost_services.contract.words import By, Tested, Unset


@event("fire.raised")
class FireRaised(Data, frozen=True, kw_only=True):
    """The fire contact is open: both ways are free until it clears."""


@event("fire.cleared")
class FireCleared(Data, frozen=True, kw_only=True):
    """The fire contact is as it should be: the lane is locked again."""


@event("emergency.raised")
class EmergencyRaised(Data, frozen=True, kw_only=True):
    """The emergency button is pressed: both ways are free until it is let go."""


@event("emergency.cleared")
class EmergencyCleared(Data, frozen=True, kw_only=True):
    """The emergency button is let go: the lane is locked again."""


@event("tamper.raised")
class TamperRaised(Data, frozen=True, kw_only=True):
    """The housing is open: nobody is let in by a pass."""


@event("tamper.cleared")
class TamperCleared(Data, frozen=True, kw_only=True):
    """The housing is closed again."""


class Ordered(Data, frozen=True, kw_only=True):
    """Something that a person or the central server ordered."""

    by: By


@event("lane.locked")
class LaneLocked(Ordered, frozen=True, kw_only=True):
    """A lock-down begins: nobody is let in by a pass; the exit is as the site decided."""


@event("lane.unlocked")
class LaneUnlocked(Ordered, frozen=True, kw_only=True):
    """The lock-down is over."""


@event("lane.closed")
class LaneClosed(Ordered, frozen=True, kw_only=True):
    """The lane is out of service: nobody is let in, and everybody out."""


@event("lane.opened")
class LaneOpened(Ordered, frozen=True, kw_only=True):
    """The lane is in service again."""


class Serviced(Data, frozen=True, kw_only=True):
    """Maintenance; `by` is missing where the key at the lane was turned."""

    by: By | Unset = UNSET


@event("maintenance.begun")
class MaintenanceBegun(Serviced, frozen=True, kw_only=True):
    """A technician works at the lane: nobody is let in."""


@event("maintenance.ended")
class MaintenanceEnded(Serviced, frozen=True, kw_only=True):
    """The technician is done."""


@event("maintenance.tested")
class MaintenanceTested(Data, frozen=True, kw_only=True):
    """One output was switched on for a moment, in maintenance."""

    tested: Tested


@event("disinfection.done")
class DisinfectionDone(Data, frozen=True, kw_only=True):
    """Somebody disinfected what people touch here, and said so."""

    by: By
