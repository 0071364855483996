"""How many events a second `gatepost watch` takes of a site with 1,000 gates.

    python tests/bench/watch.py [--gates 1000] [--events 20]

The events wait at a mosquitto of our own, in a session made before; then one client takes them all
and the watch looks at each: sequence, hash chain, what is to be told. Beside it the same without
the watch, and the drawing of the table, which is done four times a second.
"""

import argparse
import io
import tempfile
import time
from hashlib import sha256
from pathlib import Path
from queue import SimpleQueue

from rich.console import Console

from gatepost.cli.watch_table import Picture
from gatepost.demo.broker import LocalBroker
from gatepost_services.contract.events import Envelope, event_topic
from gatepost_services.hub.messages import Broker, Incoming, Outgoing
from gatepost_services.hub.mqtt import HubClient
from gatepost_services.hub.watch import SiteWatch, topics
from gatepost_services.hub.watch_text import line
from gatepost_services.record import NO_HASH, Entry

_DEADLINE_S = 300.0
_SESSION_S = 3600
_WIDTH, _HEIGHT = 120, 40
_DRAWINGS = 20


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gates", type=int, default=1000)
    parser.add_argument("--events", type=int, default=20, help="of each gate")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="gatepost-watch-") as folder:
        local = LocalBroker(Path(folder))
        local.start()
        try:
            measure(Broker(local.address.host, local.address.port), args.gates, args.events)
        finally:
            local.stop()


def measure(broker: Broker, gates: int, events: int) -> None:
    """Measure with a broker that listens."""
    total = gates * events
    for name in ("bare", "watch"):  # makes the sessions, and goes
        with _client(broker, name, SimpleQueue()) as client:
            assert client.wait_subscribed(_DEADLINE_S)
    _publish(broker, gates, events)
    arrived: SimpleQueue[Incoming] = SimpleQueue()
    taken_s = _take(broker, "bare", arrived, SiteWatch(), total, looks=False)
    print(f"{total} events of {gates} gates waited at the broker")
    print(f"client alone         {total / taken_s:10,.0f} events/s")
    site = SiteWatch()
    taken_s = _take(broker, "watch", arrived, site, total, looks=True)
    print(f"client and watch     {total / taken_s:10,.0f} events/s")
    assert site.events == total
    assert all(row.sequence == "complete" for row in site.rows)
    print(f"drawing the table    {1000 * _drawing_s(site):10.1f} ms, each time")


def _client(broker: Broker, name: str, arrived: "SimpleQueue[Incoming]") -> HubClient:
    return HubClient(
        broker,
        client_id=f"bench-{name}",
        topics=topics("+"),
        on_message=arrived.put,
        session_expiry_s=_SESSION_S,
    )


def _publish(broker: Broker, gates: int, events: int) -> None:
    with HubClient(broker) as client:
        sealed = [(f"gate-{n}", Envelope("north", f"gate-{n}", "boot")) for n in range(gates)]
        previous = [NO_HASH] * gates
        ticket = None
        for seq in range(1, events + 1):
            entry = Entry("visit.admitted", 1.0 * seq, 1e9 + seq, {"pad": "x" * 300}, "ntp")
            for n, (gate, envelope) in enumerate(sealed):
                body = envelope.seal(entry, seq, previous[n])
                previous[n] = sha256(body).digest()
                ticket = client.publish(Outgoing(event_topic("north", gate, "live"), body))
        assert ticket is not None
        assert ticket.wait(_DEADLINE_S)


def _take(
    broker: Broker,
    name: str,
    arrived: "SimpleQueue[Incoming]",
    site: SiteWatch,
    total: int,
    *,
    looks: bool,
) -> float:
    began_s = time.monotonic()
    with _client(broker, name, arrived):
        for _ in range(total):
            message = arrived.get(timeout=_DEADLINE_S)
            if looks:
                for happening in site.take(message, began_s):
                    line(happening)
        return time.monotonic() - began_s


def _drawing_s(site: SiteWatch) -> float:
    picture = Picture("broker", personal=False)
    console = Console(file=io.StringIO(), width=_WIDTH, height=_HEIGHT)
    began_s = time.monotonic()
    for _ in range(_DRAWINGS):
        console.print(picture.render(site, None, _WIDTH, _HEIGHT, 2e9))
    return (time.monotonic() - began_s) / _DRAWINGS


if __name__ == "__main__":
    main()
