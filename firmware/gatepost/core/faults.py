"""What can be wrong with the gate itself, and what follows: one table.

A fault is told once when it begins and once when it ends, however often it shows in between.
"""

from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

from gatepost.core.events import Json, Record


class Fault(Enum):
    """Something that is wrong until it is mended."""

    SENSOR = "sensor"  # the thermometer fails again and again
    SENSOR_UNTRUSTED = "sensor_untrusted"  # not the chip that was calibrated, or never calibrated
    SENSOR_FROZEN = "sensor_frozen"  # the same value for ever
    SENSOR_ERRATIC = "sensor_erratic"  # an ambient that no gate can have
    SENSOR_DISTURBED = "sensor_disturbed"  # too many transfers have to be repeated
    SENSOR_UNBALANCED = "sensor_unbalanced"  # warming up, or in wind or sun
    SENSOR_DRIFTED = "sensor_drifted"  # the middle of the people has moved away
    CALIBRATION_DUE = "calibration_due"  # past its date, or the offset moved as far as it may
    READER = "reader"  # the pass reader is gone
    EXIT_READER = "exit_reader"
    ROSTER = "roster"  # nobody knows which passes are known
    ROSTER_STALE = "roster_stale"  # nobody has said for long which passes are known
    TRUST = "trust"  # whose signed passes count is not known, or not of late
    REGIME = "regime"  # the order that is set cannot be used
    DISINFECTION = "disinfection"  # what people touch here is due (R220)
    JOURNAL = "journal"  # events cannot be written
    WHEREABOUTS = "whereabouts"  # who is inside cannot be remembered over a restart
    LEDGER = "ledger"  # nor who was brought in by whom, and who is on duty
    STANDING = "standing"  # nor that the lane is locked, or out of service
    WATCHDOG = "watchdog"  # the machine's own is not to be had
    CONTROL = "control"  # the technician's socket is not to be had
    COMMANDS = "commands"  # nor what the central server commands
    DOCUMENT = "document"  # the server wants another order, roster or trust list than can be had
    SETTINGS = "settings"  # the gate's file cannot be used, and the last good settings count


class Consequence(NamedTuple):
    """What a fault does to the lane, in words for whoever reads the event, and its remedy."""

    effect: str
    remedy: str


_NO_PASS = "entries end with staff: no information is never a pass"

FAULTS = {
    Fault.SENSOR: Consequence(
        _NO_PASS,
        "check the sensor's wiring, supply and I2C bus",
    ),
    Fault.SENSOR_UNTRUSTED: Consequence(
        _NO_PASS,
        "run gatepost calibrate for this sensor, or put the calibrated one back",
    ),
    Fault.SENSOR_FROZEN: Consequence(_NO_PASS, "switch the sensor's supply off and on; replace it"),
    Fault.SENSOR_ERRATIC: Consequence(
        _NO_PASS, "check the sensor's supply and its place; replace it"
    ),
    Fault.SENSOR_DISTURBED: Consequence(
        _NO_PASS, "shorten or shield the sensor's cable, give it a bus of its own"
    ),
    Fault.SENSOR_UNBALANCED: Consequence(
        _NO_PASS, "it ends by itself; if it returns, keep sun, wind and heat off the sensor"
    ),
    Fault.SENSOR_DRIFTED: Consequence(
        _NO_PASS, "clean the lens and calibrate; if the sensor is right, many people have a fever"
    ),
    Fault.CALIBRATION_DUE: Consequence(
        "none yet: the calibration goes on to count", "run gatepost calibrate with a blackbody"
    ),
    Fault.READER: Consequence(
        "no pass can be read; exit and fire work", "check the reader's plug; it is looked for"
    ),
    Fault.EXIT_READER: Consequence(
        "who leaves is not known; exit (free for all) and fire work", "check the exit reader's plug"
    ),
    Fault.ROSTER: Consequence(
        "every pass is unknown, so entry refuses; exit (free for all) and fire work",
        "bring the whole roster in: gatepost roster import; the gate follows by itself",
    ),
    Fault.ROSTER_STALE: Consequence(
        "none for whom it knows; who came since is unknown, and who went is still known",
        "see that the link reaches the server, or bring a newer one in: gatepost roster import",
    ),
    Fault.TRUST: Consequence(
        "signed passes are refused, or, where the list is old, revoked ones may still count",
        "see that the link is up, or run gatepost trust install with a new list",
    ),
    Fault.REGIME: Consequence(
        "the last good order stays in force; without one, normal control",
        "run gatepost regime check with the file and the site's file",
    ),
    Fault.DISINFECTION: Consequence(
        "none: the lane works on",
        "disinfect what people touch here, then say so: gatepost lane disinfected",
    ),
    Fault.JOURNAL: Consequence(
        "entry refuses, exit releases, unwritten events are counted",
        "free disk space, or replace the SD card",
    ),
    Fault.WHEREABOUTS: Consequence(
        "after a restart a pass that is inside may enter again",
        "free disk space, or replace the SD card",
    ),
    Fault.LEDGER: Consequence(
        "after a restart escorts and duty are not known, and not told as closed",
        "free disk space, or replace the SD card",
    ),
    Fault.STANDING: Consequence(
        "after a restart the lane may not be locked, or out of service, as it was told to be",
        "free disk space, or replace the SD card; give the order again",
    ),
    Fault.WATCHDOG: Consequence(
        "a machine that hangs is not restarted by its own watchdog",
        "give it to one: systemd's RuntimeWatchdogSec, or [watchdog] device",
    ),
    Fault.CONTROL: Consequence(
        "gatepost lane cannot talk to the gate", "see that no second gate runs, and the folder"
    ),
    Fault.COMMANDS: Consequence(
        "no command of the central server is obeyed; the lane works on",
        "see that the link runs, and free space on the disk, or replace the SD card",
    ),
    Fault.DOCUMENT: Consequence(
        "the last good one stays in force",
        "see what the server sent (the retained `reported` says why), and send a good one",
    ),
    Fault.SETTINGS: Consequence(
        "the last good settings stay in force",
        "correct the file, see that gatepost config check likes it, then: gatepost lane restart",
    ),
}


# Those that `gatepost.core.sensing` finds.
SENSOR_FAULTS = (
    Fault.SENSOR,
    Fault.SENSOR_UNTRUSTED,
    Fault.SENSOR_FROZEN,
    Fault.SENSOR_ERRATIC,
    Fault.SENSOR_DISTURBED,
    Fault.SENSOR_UNBALANCED,
    Fault.SENSOR_DRIFTED,
    Fault.CALIBRATION_DUE,
)


@dataclass(slots=True)
class FaultBook:
    """Which faults stand. `raised` and `cleared` return the record to write, if any."""

    _since_s: dict[Fault, float] = field(default_factory=dict)

    def raised(self, fault: Fault, at_s: float, detail: str) -> tuple[Record, ...]:
        """Note a fault; the first time it is a record."""
        if fault in self._since_s:
            return ()
        self._since_s[fault] = at_s
        consequence = FAULTS[fault]
        data: dict[str, Json] = {
            "fault": fault.value,
            "detail": detail,
            "effect": consequence.effect,
            "remedy": consequence.remedy,
        }
        return (Record("fault.raised", at_s, data),)

    def cleared(self, fault: Fault, at_s: float) -> tuple[Record, ...]:
        """Note that a fault is over; if it stood, that is a record."""
        since_s = self._since_s.pop(fault, None)
        if since_s is None:
            return ()
        data: dict[str, Json] = {"fault": fault.value, "lasted_s": round(at_s - since_s, 3)}
        return (Record("fault.cleared", at_s, data),)

    def standing(self) -> tuple[Fault, ...]:
        """Return the faults that stand, the oldest first."""
        return tuple(self._since_s)
