"""The demo's run: sets up a folder, starts everything, follows it, counts at the subscriber."""

import json
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from gatepost.demo.broker import Address, LocalBroker
from gatepost.demo.processes import Service
from gatepost.demo.sensor import simulated_calibration
from gatepost_config.calibration import as_toml
from gatepost_config.load import load
from gatepost_hal.simulated.people.crowd import people
from gatepost_services.contract.events import WireEvent, events_topic
from gatepost_services.hub.subscriber import Subscriber
from gatepost_services.hub.tally import TallySnapshot
from gatepost_services.journal import JournalReader, JournalUnavailable
from gatepost_services.roster import RosterKey, Row
from gatepost_services.roster.writer import RosterWriter, Whole

# That of the thermal camera that the readings come from (`make bench`), and what 5 cm cost.
_OFFSET_C = 2.55
_POLL_S = 0.05
_CONNECT_TIMEOUT_S = 10.0
_DRAIN_TIMEOUT_S = 60.0
# Even somebody who is measured three times and then waits for staff is through by then.
_LONGEST_VISIT_S = 60.0
_START_S = 30.0
# The outage lasts while this part of the people comes through.
_OUTAGE_FROM, _OUTAGE_TO = 0.4, 0.6


class DemoError(RuntimeError):
    """The demo cannot go on; the message says why."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What came of it. All but `people` and `events_written` was counted at the subscriber."""

    people: int
    admitted: int
    referred: int
    rechecked: int
    denied: int
    events_written: int
    events_received: int
    lost: int
    duplicates: int
    out_of_order: int

    @property
    def is_good(self) -> bool:
        """Return whether everything arrived, in order."""
        return not (self.lost or self.out_of_order)

    def to_json(self) -> str:
        """Return one line of JSON."""
        return json.dumps(asdict(self), separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Progress:
    """How things stand, for whoever shows them. `lane` is a line of `gatepost simulate --trace`."""

    lane: dict[str, object]
    written: int
    tally: TallySnapshot
    broker: str
    restarts: dict[str, int]


class Demo:
    """One demo in one folder.

    Args:
        folder: for everything that the processes write; must exist.
        count: how many people.
        seed: of who comes, and of the sensor's noise.
        speed: times faster than life.
        broker: the address of somebody's broker, or one of our own.
        outage: stop our own broker in the middle and start it again.
        on_event: told each event that the subscriber receives, and whether it is new.
    """

    def __init__(
        self,
        folder: Path,
        *,
        count: int,
        seed: int,
        speed: float,
        broker: Address | LocalBroker,
        outage: bool,
        on_event: Callable[[WireEvent, bool], None] = lambda _event, _new: None,
    ) -> None:
        self._folder = folder
        self._count = count
        self._seed = seed
        self._speed = speed
        self._outage = outage
        # On somebody else's broker another demo may be running, or may have left a session.
        self._site = f"demo-{uuid4().hex[:8]}"
        self._local = broker if isinstance(broker, LocalBroker) else None
        self._address = broker.address if isinstance(broker, LocalBroker) else broker
        self._broker_state = "running"
        self._on_event = on_event
        self._tally: TallySnapshot | None = None
        self._lane_lock = threading.Lock()
        self._lane: dict[str, object] = {}

    def run(self, show: Callable[[Progress], None]) -> Summary:
        """Run the demo, calling `show` some twenty times a second; return what came of it.

        Raises:
            DemoError: the broker cannot be reached, or a process never gets anywhere.
            BrokerError: our own broker does not start.
        """
        config = self._write_folder()
        journal = JournalReader(self._folder / "gate" / "journal.db")
        gate = Service("gate", self._gate_arguments(config), self._folder, on_line=self._see)
        uplink = Service("link", ["uplink", "--config", str(config)], self._folder)
        subscriber = self._subscriber()
        try:
            if self._local:
                self._local.start()
            subscriber.start()
            if not subscriber.wait_subscribed(_CONNECT_TIMEOUT_S):
                raise DemoError(f"no subscription at {self._address}; is a broker running there?")
            uplink.start()
            gate.start()
            self._follow(gate, uplink, journal, subscriber, show)
        finally:
            gate.stop()
            uplink.stop()
            subscriber.stop()
            if self._local:
                self._local.stop()
        try:
            written = journal.last_seq()
        except JournalUnavailable as error:
            raise DemoError(str(error)) from error
        finally:
            journal.close()
        self._tally = subscriber.snapshot()
        return self._summary(written, self._tally)

    def count_of(self, type_: str) -> int:
        """Return how many events of a type the subscriber had at the end."""
        return 0 if self._tally is None else self._tally.by_type.get(type_, 0)

    def _follow(
        self,
        gate: Service,
        uplink: Service,
        journal: JournalReader,
        subscriber: Subscriber,
        show: Callable[[Progress], None],
    ) -> None:
        """Watch until everybody is through and everything written has been received."""
        until_s = time.monotonic() + _START_S + self._count * _LONGEST_VISIT_S / self._speed
        drain_until_s: float | None = None
        while True:
            tally = subscriber.snapshot()
            written = _last_seq(journal)
            with self._lane_lock:
                lane = dict(self._lane)
            done = lane.get("done", 0)
            self._stage_outage(done if isinstance(done, int) else 0, over=gate.finished.is_set())
            restarts = {service.name: service.restarts for service in (gate, uplink)}
            show(Progress(lane, written, tally, self._broker_state, restarts))
            now_s = time.monotonic()
            if failure := gate.failure or uplink.failure:
                raise DemoError(failure)
            if gate.finished.is_set():
                drain_until_s = drain_until_s or now_s + _DRAIN_TIMEOUT_S
                if tally.received >= written or now_s >= drain_until_s:
                    return
            elif now_s >= until_s:
                raise DemoError(f"the gate gets nowhere; see {gate.log} and {uplink.log}")
            gate.finished.wait(_POLL_S)
            if drain_until_s is not None:
                subscriber.wait_received(written, _POLL_S)

    def _stage_outage(self, done: int, *, over: bool) -> None:
        if not self._outage or self._local is None:
            return
        if self._broker_state == "running" and done >= self._count * _OUTAGE_FROM:
            self._local.stop()
            self._broker_state = "down"
        if self._broker_state == "down" and (over or done >= self._count * _OUTAGE_TO):
            self._local.start()
            self._broker_state = "back"

    def _see(self, line: str) -> None:
        """Take one line of the simulated gate's trace."""
        try:
            lane = json.loads(line)
        except ValueError:
            return  # the half line of a gate that was killed
        with self._lane_lock:
            self._lane = lane

    def _gate_arguments(self, config: Path) -> list[str]:
        return [
            *("simulate", "--config", str(config), "--trace"),
            *("--people", str(self._count), "--seed", str(self._seed)),
            *("--speed", str(self._speed), "--progress", str(self._folder / "progress")),
        ]

    def _subscriber(self) -> Subscriber:
        return Subscriber(
            host=self._address.host,
            port=self._address.port,
            protocol=self._address.protocol,
            client_id=f"gatepost-{self._site}-hub",
            topic=events_topic(self._site, "lane-1"),
            session_expiry_s=600,
            on_event=self._on_event,
        )

    def _write_folder(self) -> Path:
        for name in ("gate", "link", "run/gate", "run/link"):
            (self._folder / name).mkdir(parents=True, exist_ok=True)
        roster, roster_key = self._folder / "roster.db", self._folder / "roster.key"
        key = RosterKey.load_or_make(roster_key)
        known = people(self._count, seed=0)
        rows = [Row(key.digest(who.credential), who.subject, "resident") for who in known]
        with RosterWriter.open(roster, key) as writer:
            writer.replace(Whole(rows, int(time.time())))
        config = self._folder / "gatepost.toml"
        config.write_text(
            f'[gate]\nsite = "{self._site}"\nname = "lane-1"\n\n'
            f"[screening]\noffset_c = {_OFFSET_C}\nlearns = false\n\n"
            "[sensor]\nsupply_v = 3.0\n\n"
            f'[link]\nbroker_host = "{self._address.host}"\nbroker_port = {self._address.port}\n'
            'transport = "plain"\n'
            f'mqtt_version = "{self._address.protocol}"\nreconnect_max_s = 1.0\n\n'
            f"[paths]\ngate_dir = {_toml(self._folder / 'gate')}\n"
            f"link_dir = {_toml(self._folder / 'link')}\n"
            f"run_dir = {_toml(self._folder / 'run')}\n"
            f"roster = {_toml(roster)}\nroster_key = {_toml(roster_key)}\n"
            f"calibration_dir = {_toml(self._folder / 'calibration')}\n",
            encoding="utf-8",
        )
        self._calibrate(config)
        return config

    def _calibrate(self, config: Path) -> None:
        record = simulated_calibration(load(config).sensor, datetime.now(UTC).date())
        folder = self._folder / "calibration"
        folder.mkdir(exist_ok=True)
        (folder / f"{record.sensor_id}.toml").write_text(as_toml(record), encoding="utf-8")

    def _summary(self, written: int, tally: TallySnapshot) -> Summary:
        return Summary(
            people=self._count,
            admitted=tally.by_type.get("gatepost.visit.admitted", 0),
            referred=tally.by_type.get("gatepost.visit.referred", 0),
            rechecked=tally.by_type.get("gatepost.visit.rechecked", 0),
            denied=tally.by_type.get("gatepost.visit.denied", 0),
            events_written=written,
            events_received=tally.received,
            lost=written - tally.received,
            duplicates=tally.duplicates,
            out_of_order=tally.out_of_order,
        )


def _toml(path: Path) -> str:
    return json.dumps(str(path), ensure_ascii=False)  # every JSON string is one of TOML


def _last_seq(journal: JournalReader) -> int:
    try:
        return journal.last_seq()
    except JournalUnavailable:
        return 0  # the gate has not made it yet
