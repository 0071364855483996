"""A whole site in the guest: broker, gate, link, and the central server that subscribes."""

import os
import threading
from pathlib import Path

from gatepost.demo.broker import LocalBroker
from gatepost_services.contract.events import WireEvent
from gatepost_services.hub.subscriber import Subscriber

from . import lane
from .processes import SCANNER, Process, prepare, run

# The wire behind the scanner: what is written here is what it reads off a pass.
_FEED = Path("/dev/ttyS1")
# Longer than anything that the firmware waits for.
_PATIENCE_S = 120.0
# Python comes from the host's disk at a start, and virtual time runs on meanwhile.
_START_S = 3600.0
_END_S = 20.0


class Site:
    """The processes of a site, whose files are in `folder`. `close` ends them."""

    def __init__(self, folder: Path, settings: str = "") -> None:
        self._folder = folder
        self._broker = LocalBroker(folder)
        self.has_broker = False
        self.config = prepare(folder, settings, self._broker.address.port)
        self.events: list[WireEvent] = []
        self._arrived = threading.Condition()
        self._hub = Subscriber(
            host="127.0.0.1",
            port=self._broker.address.port,
            client_id="hub",
            on_event=self._note,
        )
        self.gate: Process | None = None
        self.link: Process | None = None

    def start(self) -> None:
        """Start everything; the gate is ready at the end."""
        self.start_broker()
        self._hub.start()
        assert self._hub.wait_subscribed(_START_S), "the broker takes no subscription"
        self.link = run(self.config, "uplink")
        self.start_gate()

    def start_gate(self) -> None:
        """Start the gate and wait until its first event has arrived."""
        mark = len(self.events)
        gate = self.gate = run(self.config, "run")
        lane.wait_until(
            lambda: len(self.events) > mark or gate.poll() is not None,
            "the gate's first event",
            _START_S,
        )
        self.wait_event("controller.started", mark)
        lane.wait_until(self.gate_has_scanner, f"the gate opens {SCANNER}")

    def gate_has_scanner(self) -> bool:
        """Return whether the gate has the scanner open: what came before, nobody reads."""
        assert self.gate is not None
        files = Path(f"/proc/{self.gate.pid}/fd").iterdir()
        return any(os.path.realpath(file) == str(SCANNER) for file in files)

    def close(self) -> None:
        """End whatever still runs."""
        for process in (self.gate, self.link):
            if process is not None and process.poll() is None:
                process.kill()
                process.wait(_END_S)
        self._hub.stop()
        self.stop_broker()

    def start_broker(self) -> None:
        """Start the broker, on the same port and with the sessions that it had."""
        self._broker.start()
        self.has_broker = True

    def stop_broker(self) -> None:
        """Stop the broker."""
        self._broker.stop()
        self.has_broker = False

    def wait_event(self, type_: str, since: int = 0, **data: object) -> WireEvent:
        """Return the first event from number `since` of this type, with this in its data.

        Raises:
            LaneError: none arrived; the message tells what did, and what the processes logged.
        """

        def found() -> WireEvent | None:
            for event in self.events[since:]:
                if event.type == f"gatepost.{type_}" and data.items() <= dict(event.data).items():
                    return event
            return None

        with self._arrived:
            self._arrived.wait_for(found, _PATIENCE_S)
        event = found()
        if event is None:
            arrived = [each.type for each in self.events[since:]]
            raise lane.LaneError(f"no {type_} {data} among {arrived}\n{self.logs()}")
        return event

    def types(self, since: int = 0) -> list[str]:
        """Return the types of what has arrived."""
        return [event.type.removeprefix("gatepost.") for event in self.events[since:]]

    def logs(self) -> str:
        """Return the end of what the processes logged."""
        return "\n".join(
            f"--- {path.name}\n{path.read_text(errors='replace')[-1500:]}"
            for path in sorted(self._folder.glob("*.log"))
        )

    def _note(self, event: WireEvent, is_new: bool) -> None:
        assert is_new, event
        with self._arrived:
            self.events.append(event)
            self._arrived.notify_all()


def show_pass(credential: str) -> None:
    """Hold a pass before the scanner."""
    fd = os.open(_FEED, os.O_WRONLY | os.O_NOCTTY)
    try:
        os.write(fd, f"{credential}\r".encode())
    finally:
        os.close(fd)
