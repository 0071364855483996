"""kill -9 of gate and link, again and again: nothing lost, nothing out of order, few repeats.

    python tests/bench/kills.py --kills 1000 --seed 1

One long run over one journal. The gate process here is the event log as the gate has it
(`gatepost.wiring.records`), fed as fast as its disk takes it, a pause now and then; the link
is `gatepost uplink`; the broker a real mosquitto, the server `gatepost_services.hub`, which sends
watermarks. What the gate's log said to be durable is written down by this process, out of reach of
the kills. Ends with status 1 if an event is lost, comes out of order in its stream, breaks the
chain, or if more than a window of them comes twice for each kill of the link.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from random import Random

from gatepost.demo.broker import LocalBroker
from gatepost.wiring.records import event_log
from gatepost_config.load import load
from gatepost_config.settings import Settings
from gatepost_hal.system import SystemClock
from gatepost_services.contract.events import WireEvent, event_source
from gatepost_services.hub.subscriber import Subscriber
from gatepost_services.journal import Entry, JournalReader
from gatepost_services.uplink.position import read_acknowledged

SITE, GATE = "bench", "kills"
TYPES = (
    "visit.admitted",
    "passage.entered",
    "visit.referred",
    "controller.overrun",
    "fault.raised",
)
_DRAIN_S = 120.0
_BURST = 40
_PAUSE_S = 0.02


def write(config: Path, first: int) -> None:
    """Be the gate: append events number `first` and on; print the number of what is durable."""
    settings = load(config)
    clock = SystemClock()
    chance = Random(first)
    with ExitStack() as closing:
        log = event_log(settings, clock, f"boot-{first}", closing)
        number = first
        while True:
            for _ in range(chance.randint(1, _BURST)):
                count = chance.choice((1, 1, 1, 2, 5))
                log.append(
                    Entry(
                        chance.choice(TYPES),
                        clock.now_s(),
                        clock.utc_s(),
                        {"n": number + k, "pad": "x" * chance.randint(0, 400)},
                    )
                    for k in range(count)
                )
                number += count
                os.write(1, b"%d\n" % number)  # those below are durable
            log.keep_house(read_acknowledged(settings.paths.acknowledged))
            time.sleep(_PAUSE_S)


class Killed:
    """A process that is started again each time it is killed."""

    def __init__(self, start: Callable[[], "subprocess.Popen[bytes]"]) -> None:
        self._start = start
        self.kills = 0
        self.process = start()

    def kill(self) -> None:
        """kill -9, and start the next one."""
        self.end()
        self.kills += 1
        self.process = self._start()

    def end(self) -> None:
        """kill -9."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


class Ledger:
    """What the gate's processes said to be durable."""

    def __init__(self, config: Path) -> None:
        self._config = config
        self.durable = 0
        self._reader: threading.Thread | None = None

    def start(self) -> "subprocess.Popen[bytes]":
        """Start a gate process that goes on where the last one was."""
        if self._reader is not None:
            self._reader.join()
        process = subprocess.Popen(
            [sys.executable, __file__, "--write", str(self._config), "--first", str(self.durable)],
            stdout=subprocess.PIPE,
        )
        self._reader = threading.Thread(target=self._read, args=[process], daemon=True)
        self._reader.start()
        return process

    def _read(self, process: "subprocess.Popen[bytes]") -> None:
        assert process.stdout is not None
        for line in process.stdout:
            self.durable = int(line)


class Arrivals:
    """What the server got: each number of the gate's, and how often."""

    def __init__(self) -> None:
        self.numbers: set[int] = set()
        self.repeats = 0

    def note(self, event: WireEvent, is_new: bool) -> None:
        """Take one event."""
        number = event.data.get("n")
        if not is_new:
            self.repeats += 1
        elif isinstance(number, int):
            self.numbers.add(number)


def run(folder: Path, kills: int, seed: int) -> dict[str, object]:
    """Return what a run of so many kills showed."""
    chance = Random(seed)
    broker = LocalBroker(folder)
    arrivals = Arrivals()
    broker.start()
    config = _configure(folder, broker.address.port)
    settings = load(config)
    server = Subscriber(
        host="127.0.0.1", port=broker.address.port, client_id="kills", on_event=arrivals.note
    )
    with ExitStack() as closing:
        closing.callback(broker.stop)
        closing.enter_context(server)
        ledger = Ledger(config)
        gate = Killed(ledger.start)
        closing.callback(gate.end)
        uplink = [sys.executable, "-m", "gatepost", "uplink", "--config", str(config)]
        link = Killed(lambda: subprocess.Popen(uplink, stderr=subprocess.DEVNULL))
        closing.callback(link.end)
        for _ in range(kills):
            time.sleep(chance.uniform(0.05, 0.9))
            chance.choice((gate, link)).kill()
        time.sleep(1.0)
        gate.end()
        drained = _wait_drained(settings, server)
        snapshot = server.snapshot()
    lost = [n for n in range(ledger.durable) if n not in arrivals.numbers]
    window = settings.link.window
    return {
        "kills": {"gate": gate.kills, "link": link.kills},
        "durable": ledger.durable,
        "received": snapshot.received,
        "lost": len(lost),
        "out_of_order": snapshot.out_of_order,
        "chain_breaks": snapshot.breaks,
        "repeats": arrivals.repeats,
        "repeats_allowed": window * link.kills,
        "drained": drained,
    }


def _wait_drained(settings: Settings, server: Subscriber) -> bool:
    with JournalReader(settings.paths.journal) as journal:
        last_seq = journal.last_seq()
    source = event_source(SITE, GATE)
    return server.wait_until(
        lambda tally: tally.complete_through.get(source, 0) >= last_seq, _DRAIN_S
    )


def _configure(folder: Path, port: int) -> Path:
    for name in ("gate", "link", "run/gate", "run/link"):
        (folder / name).mkdir(parents=True)
    config = folder / "gatepost.toml"
    paths = {name: str(folder / name) for name in ("gate", "link", "run")}
    config.write_text(
        f'[gate]\nsite = "{SITE}"\nname = "{GATE}"\n[screening]\noffset_c = 2.4\n'
        f'[link]\nbroker_host = "127.0.0.1"\nbroker_port = {port}\n'
        'transport = "plain"\nreconnect_max_s = 1.0\n'
        "backlog_rate = 0\n"
        f"[journal]\nkeep_delivered_days = 0\nmin_free_megabytes = 10\n"
        + "[paths]\n"
        + "".join(f"{name}_dir = {json.dumps(path)}\n" for name, path in paths.items())
    )
    return config


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--write", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--first", type=int, default=0, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.write:
        write(chosen.write, chosen.first)
    began_s = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="gatepost-kills-") as folder:
        found = run(Path(folder), chosen.kills, chosen.seed)
    print(json.dumps({**found, "seconds": round(time.monotonic() - began_s)}))
    repeats, allowed = found["repeats"], found["repeats_allowed"]
    assert isinstance(repeats, int)
    assert isinstance(allowed, int)
    is_whole = found["drained"] and not any(
        found[name] for name in ("lost", "out_of_order", "chain_breaks")
    )
    return 0 if is_whole and repeats <= allowed else 1


if __name__ == "__main__":
    sys.exit(main())
