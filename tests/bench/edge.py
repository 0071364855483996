"""Our journal and our link as one process, for a harness of store-and-forward.

Its protocol is in `saf/__init__.py`. The journal, its opening after a crash, its keeper and the
link are the real ones with their real settings, but for this: the event is the harness's, with the
chain's hash in it; all goes out on the harness's topic; the backlog has no limit to its rate; and
what is delivered is deleted at once, as the others do it. The main thread appends, the link has a
thread of its own.

`SAF_GROUP`: how many events to a commit, 1 where it is not set.
"""

import os
import threading
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any
from unittest.mock import patch

from saf.events import body

from gatepost.wiring import link as wiring
from gatepost_config.load import parse
from gatepost_config.settings import Settings
from gatepost_services.doorbell import Doorbell
from gatepost_services.journal import Entry, Journal
from gatepost_services.journal.bounds import Limits
from gatepost_services.journal.keeper import Keeper
from gatepost_services.journal.opening import open_journal
from gatepost_services.record import JsonValue
from gatepost_services.uplink.position import read_acknowledged
from gatepost_services.uplink.session import MqttSession

_RECONNECT_MOST_S = 2.0  # as the others are set
_KEEP_HOUSE_EACH_S = 1.0
_STEPS_AT_ONCE = 50
_NUMBER = "number"
# No number of the harness: what the journal has to tell of itself.
_OWN = 1_000_000_000


class HarnessEnvelope:
    """Seals an entry into the harness's event, with the hash of the one before at its end."""

    def seal(self, entry: Entry, seq: int, previous: bytes) -> bytes:
        """Return the body."""
        number = entry.data.get(_NUMBER, _OWN + seq)
        assert isinstance(number, int)
        # The journal looks for both of them in every body that it reads again.
        chain = b'"sequence":"%019d","previoushash":"%b"' % (seq, previous.hex().encode())
        return b"%b,%b}" % (body(number)[:-1], chain)


class HarnessSession(MqttSession):
    """A session on which every event goes out on the harness's topic."""

    def publish(self, topic: str, payload: bytes, **options: Any) -> int:
        """Send one event; see `MqttSession.publish`."""
        is_event = "/event/" in topic
        return super().publish(os.environ["SAF_TOPIC"] if is_event else topic, payload, **options)


def settings(folder: Path) -> Settings:
    """Return the settings of a gate that keeps its things in `folder`; no server watermarks."""
    for name in ("gate", "link", "run/gate", "run/link"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    return parse(
        {
            "gate": {"site": "north", "name": "gate-1"},
            "link": {
                "broker_host": os.environ["SAF_HOST"],
                "broker_port": int(os.environ["SAF_PORT"]),
                "transport": "plain",
                "reconnect_max_s": _RECONNECT_MOST_S,
                "keep_until": "puback",
                "backlog_rate": 0,
            },
            "paths": {
                "gate_dir": str(folder / "gate"),
                "link_dir": str(folder / "link"),
                "run_dir": str(folder / "run"),
                "calibration_dir": "/nonexistent",
            },
        },
        path=Path("edge"),
    )


def stamped(type_: str, data: Mapping[str, JsonValue]) -> Entry:
    """Return an entry of this moment."""
    return Entry(type_, time.monotonic(), time.time(), data)


def groups(events: int, size: int) -> Iterator[list[Entry]]:
    """Yield the events, so many at a time."""
    for first in range(0, events, size):
        numbers = range(first, min(first + size, events))
        yield [stamped("visit.admitted", {_NUMBER: number}) for number in numbers]


def forward(of: Settings) -> None:
    """Run the link, for ever; if it ends by an error, end the process, as systemd would see it."""
    try:
        with patch.object(wiring, "MqttSession", HarnessSession), wiring.link(of) as link:
            link.run(lambda: False)
    finally:
        traceback.print_exc()
        os._exit(1)


def keep_house(journal: Journal, of: Settings) -> None:
    """Delete what is delivered and give the room back, for ever."""
    limits = Limits(keep_delivered_s=0.0)
    keeper = Keeper(journal, limits, stamped, time.time, {})
    while True:
        for _ in range(_STEPS_AT_ONCE):
            if not keeper.step(read_acknowledged(of.paths.acknowledged)):
                break
        time.sleep(_KEEP_HOUSE_EACH_S)


def main() -> None:
    """Accept what is asked for, and forward until killed."""
    of = settings(Path(os.environ["SAF_DIR"]))
    events, group = int(os.environ["SAF_N"]), int(os.environ.get("SAF_GROUP", "1"))
    delivered_seq = read_acknowledged(of.paths.acknowledged)
    opened = open_journal(
        of.paths.journal, HarnessEnvelope(), delivered_seq=delivered_seq, stamp=stamped
    )
    with closing(opened.journal) as journal:
        threading.Thread(target=forward, args=(of,), daemon=True).start()
        print("READY", flush=True)
        for entries in groups(events, group):
            journal.append(entries)
        if events:
            print("ACCEPTED", events, flush=True)
            Doorbell(of.paths.doorbell).ring()
        keep_house(journal, of)


if __name__ == "__main__":
    main()
