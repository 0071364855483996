"""Where a gate keeps its files: what may be set, and what follows from it."""

from pathlib import Path

from msgspec import Struct

# In the gate's folder. Named for whoever cannot read which folder that is.
LAST_GOOD = "settings.json"


class Paths(Struct, frozen=True, forbid_unknown_fields=True):
    """Where the two processes keep what must survive. Each writes only its own folder."""

    gate_dir: Path = Path("/var/lib/gatepost/gate")
    link_dir: Path = Path("/var/lib/gatepost/link")
    run_dir: Path = Path("/run/gatepost")
    # Who has a pass: a database, written by `gatepost roster`, also for the gate, which reads it.
    roster: Path = Path("/var/lib/gatepost/gate/roster.db")
    # The site's key, without which that opens nothing; the first import makes it.
    roster_key: Path = Path("/etc/gatepost/roster.key")
    # One file a sensor, named by its id, written by `gatepost calibrate`.
    calibration_dir: Path = Path("/etc/gatepost/calibration")

    @property
    def journal(self) -> Path:
        """The event log, written by the gate alone."""
        return self.gate_dir / "journal.db"

    @property
    def offset(self) -> Path:
        """What was learnt about the thermometer, written by the gate alone."""
        return self.gate_dir / "offset.json"

    @property
    def standing(self) -> Path:
        """Whether the lane is locked or out of service, written by the gate alone."""
        return self.gate_dir / "standing.json"

    @property
    def regime(self) -> Path:
        """The last good order, as it was read, written by the gate alone."""
        return self.gate_dir / "regime.json"

    @property
    def disinfection(self) -> Path:
        """When the gate was last disinfected, written by the gate alone."""
        return self.gate_dir / "disinfection.json"

    @property
    def ledger(self) -> Path:
        """Escorts, duty, and escalations that wait, written by the gate alone."""
        return self.gate_dir / "ledger.json"

    @property
    def whereabouts(self) -> Path:
        """Which passes are inside, written by the gate alone; empty without anti-passback."""
        return self.gate_dir / "whereabouts.db"

    @property
    def trust_list(self) -> Path:
        """Whose signed passes count, written by `gatepost trust install` or the gate."""
        return self.gate_dir / "trust.cose"

    @property
    def pass_uses(self) -> Path:
        """How often each counted pass was used, written by the gate alone."""
        return self.gate_dir / "credentials.db"

    @property
    def commands(self) -> Path:
        """Which commands were obeyed or refused, and what was answered, written by the gate."""
        return self.gate_dir / "commands.db"

    @property
    def device_key(self) -> Path:
        """The gate's own key, which signs how far its journal has come; the gate's alone."""
        return self.gate_dir / "device.key"

    @property
    def settings_digest(self) -> Path:
        """What the settings were at the last start, written by the gate alone."""
        return self.gate_dir / "settings.digest"

    @property
    def last_good(self) -> Path:
        """The settings of the last start that went well, written by the gate alone."""
        return self.gate_dir / LAST_GOOD

    @property
    def board(self) -> Path:
        """Where the gate leaves what the link publishes: how it is, and its signed head."""
        return self.run_dir / "board"

    @property
    def inbox(self) -> Path:
        """What came from the central server, as it came, written by the link alone."""
        return self.link_dir / "inbox.db"

    @property
    def incoming(self) -> Path:
        """Documents from the central server, whole and in part, written by the link alone."""
        return self.link_dir / "incoming"

    @property
    def control(self) -> Path:
        """The Unix socket on which the technician talks to the gate; only its user and root may."""
        return self.run_dir / "gate" / "control.sock"

    @property
    def acknowledged(self) -> Path:
        """How far the server has the events, written by the link alone."""
        return self.link_dir / "acknowledged"

    @property
    def doorbell(self) -> Path:
        """The Unix socket on which the gate tells the link to look again; the link makes it."""
        return self.run_dir / "link" / "link.sock"

    @property
    def gpio_run_dir(self) -> Path:
        """Where lgpio keeps its FIFO. The gate's alone: whoever writes there can feign edges."""
        return self.run_dir / "gate"
