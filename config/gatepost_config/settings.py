"""Every setting of a gate, with its unit in its name, its range beside its type, and its default.

The loader (`gatepost_config.load`) reads a TOML file into `Settings`; nothing else does. A value
without a default must be in the file. What each does, for people, stands in `reference.toml`, from
which the example file and `config/REFERENCE.md` are made; the comments here say why it is so.
"""

from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from gatepost_config.link_settings import NAME_FORM, HomeAssistant, Link, Tls
from gatepost_config.paths import Paths

HOURS_FORM = r"^(|([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-3]):[0-5][0-9])\Z"
REGIME_FORM = r"^(|[a-z0-9][a-z0-9-]{0,62}|/[^\x00]{1,200})\Z"
ROOT_KEY_FORM = r"^(|[0-9a-f]{64}( [0-9a-f]{64})?)\Z"
# A name that goes into MQTT topics and event ids.
Name = Annotated[str, Meta(pattern=NAME_FORM)]
# Local times of day, as "22:00-06:00", or none.
Hours = Annotated[str, Meta(pattern=HOURS_FORM)]
# A regime: a name, the path of a file, or none.
RegimeName = Annotated[str, Meta(pattern=REGIME_FORM)]
# Ed25519 public keys in hexadecimal: none, one, or the old one and the next.
RootKey = Annotated[str, Meta(pattern=ROOT_KEY_FORM)]
# The BCM number of a line on the Pi's 40-pin header. 0 and 1 belong to the HAT EEPROM.
BcmPin = Annotated[int, Meta(ge=2, le=27)]
# The same, and 0 for a line that is not wired.
OptionalPin = Annotated[int, Meta(ge=0, le=27)]
# What a pass reader is connected as.
ReaderKind = Literal["line", "keyboard", "wiegand26", "wiegand34"]
# A path that means that there is nothing.
NOTHING = Path("/dev/null")


class _Section(Struct, frozen=True, forbid_unknown_fields=True):
    """A table of the file. An unknown key is an error, never a silent default."""


class Gate(_Section, frozen=True):
    """Who this gate is."""

    site: Name
    name: Name


class Lane(_Section, frozen=True):
    """In which order the lane checks, how long it waits, and how often it tries."""

    # What comes first, the pass or the measurement: the documents disagree (R048, R067).
    order: Literal["pass_first", "measure_first"] = "pass_first"
    # A pass must be shown within this time of somebody stepping up.
    pass_timeout_s: Annotated[float, Meta(ge=2, le=120)] = 15.0
    # A proof or an escort that the order asks for must be shown within this time; it is looked for
    # in a phone. Each that is shown begins it anew.
    proof_timeout_s: Annotated[float, Meta(ge=5, le=180)] = 30.0
    # One attempt to measure ends here, with or without enough samples.
    measure_timeout_s: Annotated[float, Meta(ge=2, le=30)] = 6.0
    # Attempts to measure one person before staff takes over. Ours: no document says.
    measure_attempts: Annotated[int, Meta(ge=1, le=10)] = 3
    # How long "try again" shows before the next attempt begins.
    recheck_pause_s: Annotated[float, Meta(ge=0.5, le=30)] = 2.0
    # How long "no entry" shows before the lane is ready for the next person.
    refused_show_s: Annotated[float, Meta(ge=1, le=60)] = 4.0
    # How long "please wait for staff" shows.
    referred_show_s: Annotated[float, Meta(ge=1, le=600)] = 20.0
    # How long a pressed exit button is remembered while somebody is being measured or lets in.
    exit_wish_s: Annotated[float, Meta(ge=1, le=60)] = 10.0
    # Whether one may leave in a lock-down. Fire, emergency and staff let out in any case.
    exit_in_lockdown: bool = True


class Turnstile(_Section, frozen=True):
    """What the turnstile wants, and what it tells. See hal/WIRING.md."""

    # It is free this long at most; the relay driver ends it by itself.
    release_hold_s: Annotated[float, Meta(ge=0.1, le=30)] = 5.0
    # "hold" energises the relay for as long as the way is free. "pulse" is for a turnstile that
    # keeps itself free until somebody walked.
    release: Literal["hold", "pulse"] = "hold"
    pulse_s: Annotated[float, Meta(ge=0.1, le=5)] = 0.5
    # What energises the relay board. "low" only on lines 2 to 8, which are pulled up at power-on.
    relay_active: Literal["high", "low"] = "high"
    # What it tells of a turn: nothing, one contact, or one for each way.
    passage: Literal["none", "single", "per_direction"] = "single"
    # The passage contact closes at most this long after somebody stepped into the arm.
    turn_s: Annotated[float, Meta(ge=0.2, le=5)] = 1.5
    # An arm that is not back at rest by then is held open.
    held_s: Annotated[float, Meta(ge=2, le=120)] = 10.0
    # Another turn within this time of somebody's is a second person on one admission.
    tailgate_s: Annotated[float, Meta(ge=0.2, le=10)] = 2.0
    # How long the alarm of a forced turn shows and sounds.
    alarm_s: Annotated[float, Meta(ge=1, le=60)] = 10.0
    # How long maintenance energises what it tests.
    test_s: Annotated[float, Meta(ge=0.5, le=10)] = 2.0


class Passback(_Section, frozen=True):
    """Whether a pass may enter that is inside already. Nobody is ever held in by it."""

    # "soft" tells, "hard" refuses until an exit with the same pass (it needs an exit reader),
    # "timed" refuses for a while.
    mode: Literal["off", "soft", "hard", "timed"] = "off"
    window_s: Annotated[float, Meta(ge=10, le=86400)] = 600.0
    # The same pass does not enter twice within this time; 0 is no such rule.
    pass_interval_s: Annotated[float, Meta(ge=0, le=86400)] = 0.0


class Signals(_Section, frozen=True):
    """What the lane says in words, and when it is quiet."""

    # Which languages, the first one first.
    languages: Literal["zh-CN", "en", "zh-CN+en", "en+zh-CN"] = "zh-CN+en"
    # Local time of day, as "22:00-06:00": sounds become ticks, the voice is silent. Never alarms.
    quiet_hours: Hours = ""
    # Recordings, one folder a language, one WAV file a prompt, played by aplay. "/dev/null": none.
    voice_dir: Path = Path("/dev/null")
    # Where the texts are shown: a terminal. "/dev/null": nowhere.
    display: Path = Path("/dev/null")


class Roster(_Section, frozen=True):
    """Who has a pass."""

    # An older roster is a fault that is told; it goes on to count. 0: never.
    max_age_days: Annotated[float, Meta(ge=0, le=3650)] = 0.0


class Watchdog(_Section, frozen=True):
    """The machine's own watchdog, beside that of systemd."""

    # "/dev/watchdog" where systemd's RuntimeWatchdogSec does not have it. "/dev/null": none.
    device: Path = Path("/dev/null")
    # The Pi's own counts to 15 at most.
    timeout_s: Annotated[int, Meta(ge=5, le=15)] = 15


class Screening(_Section, frozen=True):
    """When a measured person passes. It is a screening, never a diagnosis."""

    # Strictly more than this is referred (R004 to R006).
    limit_c: Annotated[float, Meta(ge=37, le=42)] = 37.3
    # Within this distance of the limit the person is measured once more: one standard uncertainty
    # of a calibrated instrument.
    guard_c: Annotated[float, Meta(ge=0, le=1)] = 0.25
    # Samples of one attempt; the median counts.
    samples: Annotated[int, Meta(ge=5, le=25)] = 7
    # Skin temperature to index. With `learns` only where learning starts; the device's own is
    # learnt from the first 50 people, and follows slowly.
    offset_c: Annotated[float, Meta(ge=0, le=6)] = 2.5
    learns: bool = True
    # Where the ambient term holds: nobody was studied outside.
    ambient_low_c: Annotated[float, Meta(ge=-30, le=24)] = 20.0
    ambient_high_c: Annotated[float, Meta(ge=24, le=45)] = 29.0
    # What a measurement outside is: no information, or one with a guard band that widens.
    outside_ambient: Literal["no_information", "widen"] = "no_information"


class Regime(_Section, frozen=True):
    """The order in force: `gatepost regime list`. It decides on entries, by category."""

    # A shipped regime by name, or the path of a file. "": only the limit below, and a known pass.
    name: RegimeName = ""
    # The site's own lines, which change the order's. "/dev/null": there are none.
    site: Path = Path("/dev/null")
    # Who leaves: anybody who presses the button, or whose pass the order lets out (it needs an
    # exit reader). Fire, emergency and staff let out in any case.
    exits: Literal["free", "by_pass"] = "free"
    # A visitor who was brought in and has not left by then is told of, where an exit reader is
    # (R077 says "in time"; the number is ours).
    escort_hours: Annotated[float, Meta(ge=0.25, le=72)] = 4.0
    # Whom a decision wants to be told is told again after so long, six times at most, until
    # somebody acknowledges it: gatepost lane acknowledged. 0: never.
    repeat_minutes: Annotated[float, Meta(ge=0, le=1440)] = 10.0


class Sensor(_Section, frozen=True):
    """The MLX90614 and its bus."""

    # Its ordering code, printed on the can: field of view, noise and pace follow from it.
    part: Literal["BAA", "DAA", "BBA", "BCC", "DCC", "BCK", "BCH", "DCH", "BCF", "BCI", "DCI"] = (
        "DCC"
    )
    # From the can to the forehead.
    distance_cm: Annotated[float, Meta(ge=0.5, le=60)] = 5.0
    # Measured at the sensor: both temperatures move by 0.6 C for each volt (datasheet p. 36).
    supply_v: Annotated[float, Meta(ge=2.6, le=3.6)] = 3.3
    # Of skin. The part itself computes with 1.0 and is never written to.
    emissivity: Annotated[float, Meta(ge=0.9, le=1)] = 0.98
    # Whether a sensor that `gatepost calibrate` did not see here may be trusted.
    calibration: Literal["required", "factory"] = "required"
    # Nothing counts for this long after the sensor, or this process, was switched on.
    warm_up_s: Annotated[float, Meta(ge=0, le=7200)] = 120.0
    # A can that drifts faster lags behind its room: at 0.1 the index errs by up to 0.13 C. Where an
    # air conditioner cycles it may have to be more.
    max_drift_c_per_min: Annotated[float, Meta(ge=0.02, le=1)] = 0.1
    # /dev/i2c-N. A bus of its own: other traffic couples into the reading (datasheet p. 46).
    i2c_bus: Annotated[int, Meta(ge=0, le=255)] = 3
    address: Annotated[int, Meta(ge=0x08, le=0x77)] = 0x5A
    # One word, with its repeats, must be there within this time.
    deadline_s: Annotated[float, Meta(ge=0.01, le=2)] = 0.1


class Pins(_Section, frozen=True):
    """BCM lines. Outputs are active-high; inputs are contacts to ground with the pull-up on."""

    entry_relay: BcmPin = 17
    exit_relay: BcmPin = 27
    green_lamp: BcmPin = 5
    amber_lamp: BcmPin = 6
    red_lamp: BcmPin = 13
    buzzer: BcmPin = 12
    presence: BcmPin = 23
    passage: BcmPin = 24
    exit_button: BcmPin = 25
    # Normally closed: an open contact, and so a cut wire, is fire.
    fire: BcmPin = 16
    # These are there or not; 0 is not wired. With a contact for each way, `passage` is inwards.
    passage_exit: OptionalPin = 0
    # Staff lets the person at the entry in, once a press.
    staff_release: OptionalPin = 0
    maintenance_key: OptionalPin = 0
    # Break glass at the lane, and the housing's contact: normally closed, as fire.
    emergency: OptionalPin = 0
    tamper: OptionalPin = 0
    # A level must stand this long to count. Less than a contact bounces makes one passage many.
    debounce_s: Annotated[float, Meta(ge=0.005, le=0.05)] = 0.02


class Reader(_Section, frozen=True):
    """The pass readers: one for the entry and, where there is one, one on the inside."""

    # "line": a terminal, a serial scanner, anything that ends a pass with a line end. "keyboard": a
    # scanner that types; nobody else gets its keys. "wiegand26", "wiegand34": two data lines.
    kind: ReaderKind = "line"
    # For a Wiegand reader the GPIO chip of the 40-pin header. "/dev/null": there is none.
    device: Path = Path("/dev/stdin")
    d0: OptionalPin = 0
    d1: OptionalPin = 0
    # The reader on the inside. It tells who left; the way out is free without it.
    exit_kind: ReaderKind = "line"
    exit_device: Path = NOTHING
    exit_d0: OptionalPin = 0
    exit_d1: OptionalPin = 0
    # Of a scanner on a UART; one on USB takes any.
    baud: Literal[1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200, 230400] = 115200


class Passes(_Section, frozen=True):
    """Signed passes, which the gate verifies by itself. See services/CREDENTIALS.md."""

    # Who signs the site's trust list: from `gatepost pass keygen`. "": no code is taken as a pass.
    root_key: RootKey = ""
    # A trust list older than this is stale; 0 is no limit. What was revoked since may still pass.
    max_list_age_hours: Annotated[float, Meta(ge=0, le=8760)] = 168.0
    # The site's secret for passes that are good for a moment only. "/dev/null": there are none.
    step_secret: Path = NOTHING


class Journal(_Section, frozen=True):
    """What the gate keeps of what happened, and for how long."""

    # What does not fit goes: first what the server has, then telemetry, bookkeeping, decisions and,
    # last, alarms; each loss is told by an event.
    max_events: Annotated[int, Meta(ge=1_000, le=10_000_000)] = 1_000_000
    max_megabytes: Annotated[int, Meta(ge=10, le=100_000)] = 1_000
    # Of the disk, for everything else that runs there.
    min_free_megabytes: Annotated[int, Meta(ge=10, le=100_000)] = 200
    # Health data: what no server has taken by then is deleted, and that told.
    max_age_days: Annotated[float, Meta(ge=1, le=3650)] = 90.0
    # How long a server may ask for what it had already.
    keep_delivered_days: Annotated[float, Meta(ge=0, le=3650)] = 7.0
    # How long a person waits for a disk that stalls, before entry is refused.
    append_deadline_s: Annotated[float, Meta(ge=0.1, le=5)] = 2.0
    # How often the gate tells how it is: memory, disk, temperature of the machine. 0: never.
    health_minutes: Annotated[float, Meta(ge=0, le=1440)] = 60.0


class Settings(_Section, frozen=True):
    """All of one gate's settings."""

    gate: Gate
    link: Link
    tls: Tls = field(default_factory=Tls)
    home_assistant: HomeAssistant = field(default_factory=HomeAssistant)
    lane: Lane = field(default_factory=Lane)
    turnstile: Turnstile = field(default_factory=Turnstile)
    passback: Passback = field(default_factory=Passback)
    signals: Signals = field(default_factory=Signals)
    screening: Screening = field(default_factory=Screening)
    regime: Regime = field(default_factory=Regime)
    sensor: Sensor = field(default_factory=Sensor)
    pins: Pins = field(default_factory=Pins)
    reader: Reader = field(default_factory=Reader)
    roster: Roster = field(default_factory=Roster)
    passes: Passes = field(default_factory=Passes)
    watchdog: Watchdog = field(default_factory=Watchdog)
    journal: Journal = field(default_factory=Journal)
    paths: Paths = field(default_factory=Paths)


def decode_path(kind: type, value: object) -> object:
    """Return a `Path` from a TOML string: the one type that msgspec needs help with.

    Raises:
        ValueError: no absolute path; msgspec makes it a ValidationError.
    """
    if kind is Path and isinstance(value, str) and value.startswith("/") and "\0" not in value:
        return Path(value)
    raise ValueError(value)
