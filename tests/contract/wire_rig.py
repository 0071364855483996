"""The link as a process of its own, before a real broker with TLS, and a server on the other side.

What is waited for is waited for: a slow machine makes the tests slow, and not red.
"""

import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Self

from tests.services.tls_rig import Files, TlsBroker

from gatepost_services.commands.memory import CommandMemory
from gatepost_services.hub.messages import Broker, Incoming, Outgoing, Ticket
from gatepost_services.hub.mqtt import HubClient
from gatepost_services.inbox import InboxReader, Letter

DEADLINE_S = 30.0
ROOT = Path(__file__).parents[2]
_ACL = ROOT / "services/acl/mosquitto.acl"
# What needs it is marked: away from the checkout there is none.
ACL = _ACL.read_text(encoding="utf-8") if _ACL.exists() else ""
BASE = "gatepost/north/gate-1"


class Server:
    """A server's connection, and what came to it."""

    def __init__(self, broker: TlsBroker, files: Files, *topics: str, protocol: str = "5") -> None:
        self._changed = threading.Condition()
        self.came: list[Incoming] = []
        self.client = HubClient(
            Broker(broker.host, broker.port, protocol=protocol, tls=files.context),
            topics=topics,
            on_message=self._on_message,
        )

    def __enter__(self) -> Self:
        self.client.start()
        assert self.client.wait_trouble(DEADLINE_S) is None, self.client.trouble
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.client.stop()

    def publish(self, topic: str, payload: bytes, **about: object) -> Ticket:
        """Publish below the gate's prefix, or anywhere: a topic that begins with its root."""
        whole = topic if topic.startswith(("gatepost/", "homeassistant/")) else f"{BASE}/{topic}"
        ticket = self.client.publish(Outgoing(whole, payload, **about))
        ticket.wait(DEADLINE_S)
        return ticket

    def of(self, topic: str) -> list[Incoming]:
        return [each for each in list(self.came) if each.topic == f"{BASE}/{topic}"]

    def wait_for(self, count: int, topic: str) -> list[Incoming]:
        """Wait for so many messages on a topic of the gate; return them."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.of(topic)) >= count, DEADLINE_S), (
                topic,
                self.came,
            )
        return self.of(topic)

    def _on_message(self, message: Incoming) -> None:
        with self._changed:
            self.came.append(message)
            self._changed.notify_all()


class Wire:
    """One gate's folders, and its link."""

    def __init__(self, folder: Path, broker: TlsBroker, files: Files, **link: object) -> None:
        self.folder = folder
        for name in ("gate", "link", "run/gate", "run/link"):
            (folder / name).mkdir(parents=True)
        self._config = folder / "gatepost.toml"
        self._broker, self._lines = broker, {"reconnect_max_s": 1.0, "will_delay_s": 0, **link}
        self.use(files)
        self._log = folder / "link.log"
        self._process: subprocess.Popen[bytes] | None = None

    def use(self, files: Files) -> None:
        """Write the settings with these certificates."""
        lines = [f"{key} = {value!r}".replace("'", '"') for key, value in self._lines.items()]
        self._config.write_text(
            '[gate]\nsite = "north"\nname = "gate-1"\n[screening]\noffset_c = 2.4\n'
            f'[link]\nbroker_host = "{self._broker.host}"\nbroker_port = {self._broker.port}\n'
            + "\n".join(lines)
            + f'\n[tls]\nca = "{files.ca}"\ncertificate = "{files.certificate}"\n'
            f'key = "{files.key}"\nrevoked = "{files.revoked}"\n'
            f'[paths]\ngate_dir = "{self.folder}/gate"\nlink_dir = "{self.folder}/link"\n'
            f'run_dir = "{self.folder}/run"\n'
        )

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "gatepost", "uplink", "--config", str(self._config)],
                stderr=log,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            )

    def end(self, number: int = signal.SIGKILL) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(DEADLINE_S)
            self._process = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.end()

    def wait_told(self, text: str) -> str:
        """Wait until the link has said something; return all that it said."""
        pause = threading.Event()
        for _ in range(int(DEADLINE_S / 0.05)):
            said = self._log.read_text(encoding="utf-8")
            if text in said:
                return said
            pause.wait(0.05)
        raise AssertionError(f"it never said {text!r}, but: {said}")

    def letters(self) -> list[Letter]:
        """Return what is in the inbox."""
        path = self.folder / "link/inbox.db"
        if not path.exists():
            return []
        with InboxReader(path) as reader:
            return reader.after(b"", 0, 1000)

    def wait_letters(self, count: int) -> list[Letter]:
        """Wait until so many letters are in the inbox, and no more; return them."""
        pause = threading.Event()
        for _ in range(int(DEADLINE_S / 0.05)):
            with suppress(OSError):
                found = self.letters()
                if len(found) == count:
                    return found
            pause.wait(0.05)
        raise AssertionError(f"{len(self.letters())} letters in place of {count}")

    def answer(self, letter: Letter, body: bytes) -> None:
        """Answer as the gate would."""
        with CommandMemory.open(self.folder / "gate/commands.db") as memory:
            memory.end(letter, None, body)
