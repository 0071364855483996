"""What the controller may ask of a lane's hardware, and what the hardware may say.

Every driver, real or simulated, implements these protocols; the core and the loop know nothing
else of hardware. No vendor library may be imported here. Temperatures are degrees Celsius,
durations are seconds, and every ``*_at_s`` is an instant of the monotonic clock (`Clock.now_s`).
"""

from collections.abc import Callable, Mapping
from enum import Enum
from typing import Literal, NamedTuple, Protocol


class Direction(Enum):
    """Which way a person walks through the lane."""

    ENTRY = "entry"
    EXIT = "exit"


# ---------------------------------------------------------------------------- what hardware says


class SensorFaultKind(Enum):
    """Why a measurement yielded no temperature."""

    ABSENT = "absent"  # no such bus, or the sensor does not acknowledge
    BUS_ERROR = "bus_error"  # the adapter reports an error of its own (EIO and the like)
    TIMEOUT = "timeout"  # the bus or the sensor did not answer before the deadline
    BAD_PEC = "bad_pec"  # the packet error code does not fit the bytes
    FLAGGED = "flagged"  # the sensor sets its error flag (bit 15)
    IMPOSSIBLE_WORD = "impossible_word"  # a word outside the range that the part can send


class Chip(NamedTuple):
    """What a thermometer says of itself; that it stays the same is part of what can be trusted."""

    sensor_id: (
        str  # unlike that of any other one: the MLX90614's EEPROM 0x3C to 0x3F, 16 hex digits
    )
    emissivity: float  # that its object temperature was computed with, 0 to 1
    config: int  # its filters and gain, as the part codes them


class Reading(NamedTuple):
    """One measurement, made only from two words whose PEC, flag and range were checked.

    `object_c` is what the lens sees, `ambient_c` the temperature of the sensor's own die, both as
    the part gives them. `chip` is None for a thermometer without an identity, `distance_m` where
    nothing measures the distance. `repeats` transfers were disturbed and read again.
    """

    at_s: float
    object_c: float
    ambient_c: float
    chip: Chip | None = None
    distance_m: float | None = None
    repeats: int = 0


class SensorFault(NamedTuple):
    """A measurement that failed. It never carries a number that could pass for a temperature."""

    at_s: float
    kind: SensorFaultKind
    detail: str


class InputName(Enum):
    """The digital inputs of a lane, by what their active level means. Not every lane has all."""

    PRESENCE = "presence"  # somebody stands in front of the sensor
    PASSAGE = "passage"  # the arm turns: either way, or inwards where PASSAGE_EXIT is there too
    PASSAGE_EXIT = "passage_exit"  # the arm turns outwards
    EXIT_BUTTON = "exit_button"  # somebody inside asks to leave
    STAFF_RELEASE = "staff_release"  # staff lets the person at the entry in
    MAINTENANCE_KEY = "maintenance_key"  # the technician's key switch is turned
    EMERGENCY = "emergency"  # somebody broke the glass at the lane, or its wire is cut
    FIRE = "fire"  # the fire panel, or its cut wire, demands a free way
    TAMPER = "tamper"  # the housing is open, or its wire is cut


class InputChanged(NamedTuple):
    """A debounced input has a new level; `active` is its meaning, not its voltage."""

    at_s: float
    name: InputName
    active: bool


class PassRead(NamedTuple):
    """A reader delivered one pass (the text of a QR code, or a card number).

    `direction` is the way that the reader stands for.
    """

    at_s: float
    credential: str
    direction: Direction = Direction.ENTRY

    def __repr__(self) -> str:
        """Keep the credential out of logs and tracebacks: it opens the gate."""
        return f"PassRead(at_s={self.at_s!r}, credential=<{len(self.credential)} characters>)"


class ReaderFaultKind(Enum):
    """Why a reader's bytes are no pass."""

    GONE = "gone"  # unplugged, closed, or failing
    TOO_LONG = "too_long"  # more bytes than any pass has, without an end of line
    NOT_TEXT = "not_text"  # bytes that are not UTF-8, or control characters
    INCOMPLETE = "incomplete"  # half a pass, and then silence or a loss
    BAD_FRAME = "bad_frame"  # pulses that are no card: their number, their timing, their parity


class ReaderFault(NamedTuple):
    """Bytes from a reader that could not become a pass, or a reader that went away."""

    at_s: float
    kind: ReaderFaultKind
    detail: str
    direction: Direction = Direction.ENTRY


class ReaderBack(NamedTuple):
    """A reader that was gone is there again."""

    at_s: float
    direction: Direction = Direction.ENTRY


HardwareEvent = Reading | SensorFault | InputChanged | PassRead | ReaderFault | ReaderBack


# ------------------------------------------------------------------------ what hardware is asked


class Lamp(Enum):
    """The lamps that the person in the lane sees."""

    GREEN = "green"
    AMBER = "amber"
    RED = "red"


# How the wall clock came to its time: nobody set it; from a file, as it was before the power went;
# from a battery-backed clock, or a time server's of this boot that runs on by itself; a time server
# keeps it.
TimeQuality = Literal["none", "restored", "rtc", "ntp"]


class Clock(Protocol):
    """Two clocks: one that only goes forward, one that a human reads."""

    def now_s(self) -> float:
        """Return the monotonic instant. Its zero means nothing."""
        ...

    def utc_s(self) -> float:
        """Return the wall clock as POSIX seconds. It may jump and may be wrong by years."""
        ...

    def utc_quality(self) -> TimeQuality:
        """Return what the wall clock is worth."""
        ...


class Timer(Protocol):
    """Runs short actions at monotonic instants, whether or not the control loop still turns."""

    def call_at(self, at_s: float, action: Callable[[], None]) -> Callable[[], None]:
        """Run `action` once at `at_s` (at once when that is past); return what cancels it."""
        ...


class Thermometer(Protocol):
    """A contactless thermometer that is read one sample at a time."""

    def measure(self) -> Reading | SensorFault:
        """Take one sample. Blocks for the bus: one deadline a word, plus one kernel time-out."""
        ...


class Sampler(Protocol):
    """Takes samples beside the control loop, so that a hanging bus never holds up a fire input."""

    def request(self) -> None:
        """Ask for one sample; it arrives as an event. Ignored while the last one is outstanding."""
        ...


class Turnstile(Protocol):
    """The relays that free the turnstile. There is no way to energise one without an end."""

    def release(self, direction: Direction, hold_s: float) -> None:
        """Energise one direction for `hold_s`; the driver itself drops it when that is over.

        A further call before the end moves the end to `hold_s` from now.
        """
        ...

    def drop(self) -> None:
        """De-energise both directions now, but while a fire or emergency contact stands (S3)."""
        ...


class Lamps(Protocol):
    """The lamps at the lane."""

    def show(self, lit: frozenset[Lamp], *, blink_s: float = 0.0) -> None:
        """Light exactly these lamps; with `blink_s`, on and off for that long by turns."""
        ...


class Buzzer(Protocol):
    """The sounder at the lane."""

    def play(self, pattern_s: tuple[float, ...], *, repeat: bool = False) -> None:
        """Sound for the 1st, be silent for the 2nd, sound for the 3rd ... duration, then stop.

        A new pattern replaces one that still sounds; the empty pattern is silence. With `repeat`
        it begins again, until the next call; the pattern must then end with a silence.
        """
        ...


class Prompt(NamedTuple):
    """Something to tell the person in words: a key, and its text by language (BCP 47 tag)."""

    key: str
    texts: Mapping[str, str]


class Announcer(Protocol):
    """Tells the person in words: a speaker, a display."""

    def tell(self, prompt: Prompt) -> None:
        """Say or show the prompt. Never blocks; the newest replaces one that waits its turn."""
        ...


class Watchdog(Protocol):
    """A timer in hardware that restarts the machine when nobody pets it any more."""

    def pet(self) -> None:
        """Put the restart off by the timer's whole time. Never raises."""
        ...


class Inputs(Protocol):
    """The digital inputs. They start as inactive; every change of level arrives as an event."""

    def refresh(self) -> None:
        """Re-read all levels, so that a change whose edge was missed is reported all the same.

        To be called every turn of the loop: edges may be lost, levels stay.
        """
        ...

    def is_active(self, name: InputName) -> bool:
        """Return the level that was last told; False for an input that is not wired."""
        ...


class Mailbox(Protocol):
    """Where every thread and interrupt leaves its events; only the control loop takes them out."""

    def post(self, event: HardwareEvent) -> None:
        """Leave an event. Never blocks, never raises; may be called from any thread."""
        ...

    def wait(self, until_s: float) -> list[HardwareEvent]:
        """Return all events there are, waiting for the first one until `until_s` at the latest."""
        ...
