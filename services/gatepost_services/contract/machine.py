"""What is told of the machine: its life, its faults, its thermometer, its clock, its health."""

from typing import Annotated

from msgspec import UNSET, Meta

from gatepost_services.contract.schemas import Data, event
from gatepost_services.contract.words import (
    Celsius,
    Count,
    NotNegative,
    Quality,
    Seconds,
    Sha256,
    Standing,
    Unset,
)

Fault = Annotated[
    str, Meta(pattern="^[a-z][a-z0-9_]*$", description="A fault; the reason table has them all.")
]


@event("controller.started")
class ControllerStarted(Data, frozen=True, kw_only=True):
    """The gate process controls the lane; the first event of each of its lives."""

    version: Annotated[str, Meta(description="Of Gatepost.")] | Unset = UNSET
    simulated: bool | Unset = UNSET
    standing: Annotated[list[Standing], Meta(description="What stood before, and stands still.")]


@event("controller.stopped")
class ControllerStopped(Data, frozen=True, kw_only=True):
    """The gate process was asked to end, and did; the relays are dropped."""


@event("controller.failed")
class ControllerFailed(Data, frozen=True, kw_only=True):
    """The gate process ended by an error, in the safe state; it is started again."""

    error: Annotated[str, Meta(description="The kind of error, no text of it.")]


@event("controller.overrun")
class ControllerOverrun(Data, frozen=True, kw_only=True):
    """Turns of the control loop took too long; at most one such event a minute."""

    count: Count
    worst_s: Annotated[dict[str, Seconds], Meta(description="The longest, by part of a turn.")]
    limit_s: Seconds


@event("fault.raised")
class FaultRaised(Data, frozen=True, kw_only=True):
    """Something is wrong with the gate itself; told once until it is over."""

    fault: Fault
    detail: str
    effect: Annotated[str, Meta(description="What it does to the lane.")]
    remedy: str


@event("fault.cleared")
class FaultCleared(Data, frozen=True, kw_only=True):
    """A fault is over."""

    fault: Fault
    lasted_s: Seconds


class Learnt(Data, frozen=True, kw_only=True):
    """What is known of the offset between skin and index."""

    device: Annotated[str, Meta(description="Sensor and calibration that it belongs to.")]
    offset_c: Celsius
    settled_c: Annotated[float | None, Meta(description="Degrees Celsius; null: still learning.")]
    middle_c: Annotated[float, Meta(description="The middle of the people, degrees Celsius.")]
    people: Count
    drifted: bool


@event("thermometer.found")
class ThermometerFound(Learnt, frozen=True, kw_only=True):
    """A thermometer answers that is another one than before."""

    sensor_id: str | None
    emissivity: float | None
    config: Annotated[int | None, Meta(description="The part's configuration register.")]
    calibration: Annotated[str | None, Meta(description="Its calibration; null: none.")]


@event("thermometer.learnt")
class ThermometerLearnt(Learnt, frozen=True, kw_only=True):
    """What the thermometer learnt from the people was written down."""


@event("config.changed")
class ConfigChanged(Data, frozen=True, kw_only=True):
    """The gate started with other settings than the last time."""

    digest: Sha256
    before: Annotated[Sha256 | None, Meta(description="SHA-256; null: not known.")]


@event("clock.changed")
class ClockChanged(Data, frozen=True, kw_only=True):
    """The wall clock is worth something else than before, or than in the last run."""

    before: Annotated[Quality | None, Meta(description="Null: the first start ever.")]
    quality: Quality


@event("clock.stepped")
class ClockStepped(Data, frozen=True, kw_only=True):
    """The wall clock moved against the monotonic one by more than a second."""

    by_s: Annotated[float, Meta(description="Seconds; negative is back.")]
    quality: Quality


@event("clock.behind")
class ClockBehind(Data, frozen=True, kw_only=True):
    """The wall clock shows a time before that of events which the journal holds already."""

    behind_s: Seconds
    quality: Quality


@event("health.reported")
class HealthReported(Data, frozen=True, kw_only=True):
    """Figures of the machine, for a curve; null is what it does not tell."""

    uptime_s: NotNegative | None
    memory_available_mb: NotNegative | None
    cpu_c: Annotated[float | None, Meta(description="Degrees Celsius of the processor.")]
    disk_free_mb: NotNegative | None
    load_1m: Annotated[NotNegative | None, Meta(description="Processes that run or wait.")]
    undervoltage: Annotated[bool | None, Meta(description="Now, by the board's own sensor.")]
    rss_mb: Annotated[NotNegative | None, Meta(description="Of the gate process.")]
    threads: Annotated[Count | None, Meta(description="Of the gate process.")]
