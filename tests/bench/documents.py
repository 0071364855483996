"""What a roster of 100,000 costs from the server to the gate, and what the gate's loop feels of it.

A real mosquitto, the reference server, a link and a whole gate on a simulated lane in real time,
each a process of its own but for the server. The loop's turns while the roster is taken are
compared with those of the same run while nothing is: how long a turn is busy, and how late the
loop wakes, which is the machine's as much as ours. Exit status 1 when the roster is another one in
the end, or a turn in a hundred is busy for longer than the limit of an overrun.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from roster import PEOPLE, people

from gatepost.demo.broker import LocalBroker
from gatepost_services.credentials import trust
from gatepost_services.credentials.keys import TrustedKey, Use
from gatepost_services.credentials.signing import hex_of, key_of_seed, kid_of
from gatepost_services.hub.desired import DesiredServer
from gatepost_services.hub.messages import Broker
from gatepost_services.roster import Roster, RosterKey
from gatepost_services.sync.documents import Desired

SITE, GATE = "s", "g"
ROOT, ADMIN = key_of_seed(b"r" * 32), key_of_seed(b"a" * 32)
# A part of a turn that takes longer is an overrun, which the gate records (gate/phases.py).
LIMIT_MS = 50.0
_DEADLINE_S = 300.0
LINK = """
import sys, threading
from pathlib import Path
from random import Random
from gatepost_config.load import load
from gatepost_services.doorbell import DoorbellListener
from gatepost_services.inbox import Inbox
from gatepost_services.journal import JournalReader
from gatepost_services.uplink.backoff import Backoff
from gatepost_services.uplink.link import Link
from gatepost_services.uplink.session import MqttSession
from gatepost_services.uplink.store import ProgressStore
from gatepost_services.uplink.sync import SyncDesk
settings = load(Path(sys.argv[1]))
paths, link = settings.paths, settings.link
inbox = Inbox.open(paths.inbox)
desk = SyncDesk(site="s", gate="g", folder=paths.incoming, put=lambda t: inbox.put("desired", t),
    min_free_bytes=0, backoff=Backoff(1.0, 300.0, Random(1)))
Link(site="s", gate="g", journal=JournalReader(paths.journal),
    store=ProgressStore.open(paths.link_dir / "uplink.db", paths.acknowledged, "puback"),
    doorbell=DoorbellListener(paths.doorbell), backoff=Backoff(0.5, 1.0, Random(1)), desks=[desk],
    new_session=lambda: MqttSession(host=link.broker_host, port=link.broker_port, client_id="l",
        hold_without_subscriber=False),
).run(lambda: False)
"""
GATE_CODE = """
import json, sys, threading, time, uuid
from pathlib import Path
from gatepost.gate import Hardware
from gatepost.wiring import documents
from gatepost.wiring.lane import gate
from gatepost_config.load import load
from gatepost_hal.simulated.lane import SimulatedLane
from gatepost_hal.simulated.watchdog import SimulatedWatchdog
from gatepost_hal.simulated.world import World
settings = load(Path(sys.argv[1]))
late_ms, busy_ms = {"idle": [], "taking": []}, {"idle": [], "taking": []}
made, stopping, began_s = [], threading.Event(), time.monotonic()
def bucket():
    return "taking" if made and made[0]._jobs else "idle"
def pace(at_s):
    left_s = began_s + at_s - time.monotonic()
    if left_s > 0:
        time.sleep(left_s)
        late_ms[bucket()].append(1e3 * (time.monotonic() - began_s - at_s))
class Mailbox:
    waited_s = 0.0
    def __init__(self, real):
        self.real = real
    def __getattr__(self, name):
        return getattr(self.real, name)
    def wait(self, until_s):
        at_s = time.perf_counter()
        try:
            return self.real.wait(until_s)
        finally:
            Mailbox.waited_s += time.perf_counter() - at_s
real_init, real_poll = documents.Documents.__init__, documents.Documents.poll
def init(self, *args):
    real_init(self, *args)
    made.append(self)
def poll(self):
    found = real_poll(self)
    for each in found:
        print(json.dumps([each.type, time.monotonic(), dict(each.data)]), flush=True)
    return found
documents.Documents.__init__, documents.Documents.poll = init, poll
world = World(start_utc_s=time.time(), pace=pace)
lane = SimulatedLane(world, seed=1)
mailbox = Mailbox(lane.mailbox)
hardware = Hardware(world, mailbox, lane.sampler, lane.gpio.turnstile, lane.gpio.lamps,
    lane.gpio.buzzer, lane.gpio.inputs, display=lane.announcer, speaker=lane.announcer,
    watchdog=SimulatedWatchdog(world, timeout_s=15))
turn = [None, 0.0]
def stop():
    now_s = time.perf_counter()
    if turn[0] is not None:
        busy_ms[bucket()].append(1e3 * (now_s - turn[0] - (Mailbox.waited_s - turn[1])))
    turn[0], turn[1] = time.perf_counter(), Mailbox.waited_s
    return stopping.is_set()
threading.Thread(target=lambda: (sys.stdin.read(), stopping.set()), daemon=True).start()
with gate(settings, hardware, boot_id=str(uuid.uuid4()), notify=lambda _: None) as controller:
    print("ready", flush=True)
    controller.run(stop, about={})
lane.close()
print(json.dumps(["figures", 0, {"late_ms": late_ms, "busy_ms": busy_ms}]), flush=True)
"""


def site(folder: Path, port: int) -> Path:
    """Make a gate's folders, keys and settings; return the file of the settings."""
    for name in ("gate", "link", "run", "run/link", "run/gate"):
        (folder / name).mkdir()
    now = datetime.now(UTC)
    admin = TrustedKey(
        kid_of(ADMIN.public_key()),
        ADMIN.public_key(),
        frozenset({Use.ADMINISTRATOR}),
        now - timedelta(days=1),
        now + timedelta(days=1),
    )
    held = trust.issue(trust.TrustList(SITE, 1, now, (admin,)), ROOT)
    (folder / "gate" / "trust.cose").write_bytes(held)
    RosterKey.load_or_make(folder / "roster.key")
    config = folder / "gatepost.toml"
    config.write_text(
        f'[gate]\nsite = "{SITE}"\nname = "{GATE}"\n[screening]\noffset_c = 2.4\n'
        '[sensor]\ncalibration = "factory"\nsupply_v = 3.0\n'
        f'[passes]\nroot_key = "{hex_of(ROOT.public_key())}"\n'
        '[regime]\nname = "normal"\n'
        f'[link]\nbroker_host = "127.0.0.1"\nbroker_port = {port}\ntransport = "plain"\n'
        f'[paths]\ngate_dir = "{folder}/gate"\nlink_dir = "{folder}/link"\n'
        f'run_dir = "{folder}/run"\nroster = "{folder}/gate/roster.db"\n'
        f'roster_key = "{folder}/roster.key"\n',
        encoding="utf-8",
    )
    return config


class GateProcess:
    """The gate of the bench; what it says comes one JSON a line."""

    def __init__(self, config: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", GATE_CODE, str(config)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        while self.process.stdout.readline() != "ready\n":
            if self.process.poll() is not None:
                raise SystemExit("the gate ended")

    def wait(self, what: str) -> dict[str, object]:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith("["):
                found, _, data = json.loads(line)
                if found == what:
                    return dict(data)
                print(f"  {found} {data}")
        raise SystemExit(f"the gate ended without {what}")

    def stop(self) -> dict[str, object]:
        assert self.process.stdin is not None
        self.process.stdin.close()
        found = self.wait("figures")
        self.process.wait()
        return found


def desired(version: int, content: bytes, digest: str, **more: object) -> Desired:
    """Return what the letter says."""
    iat = int(time.time())
    aud = f"/gatepost/{SITE}/{GATE}"
    return Desired("roster", version, digest, len(content), aud, iat, **more)  # type: ignore[arg-type]


def percentile(values: list[float], share: float) -> float:
    """Return a percentile of figures."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def told(name: str, values: list[float]) -> None:
    """Print what a figure came to."""
    found = " ".join(f"{share:.0%} {percentile(values, share):8.3f}" for share in (0.5, 0.99, 1.0))
    print(f"  {name:<32} {len(values):>6} turns  {found} ms")


def push(
    folder: Path,
    server: DesiredServer,
    gate: GateProcess,
    what: tuple[int, bytes, dict[str, object]],
) -> None:
    """Push one document, wait until it is in force, and say how long that took."""
    version, content, more = what
    began_s = time.monotonic()
    wanted = desired(version, content, server.serve(content), **more)
    server.push([GATE], wanted, ADMIN)
    file = folder / "link" / "incoming" / wanted.digest
    while not file.exists():
        time.sleep(0.01)
    came_s = time.monotonic() - began_s
    gate.wait("document.applied")
    print(
        f"version {version}: {len(content) / 1e6:.1f} MB; on the gate's disk after "
        f"{came_s:.1f} s, in force after {time.monotonic() - began_s:.1f} s"
    )


def rehearse(folder: Path, idle_s: float) -> bool:
    """Push a roster, a delta and the first roster again; return whether all is within its limit."""
    broker = LocalBroker(folder)
    broker.start()
    config = site(folder, broker.address.port)
    link = subprocess.Popen([sys.executable, "-c", LINK, str(config)])
    gate = GateProcess(config)
    try:
        with DesiredServer(Broker("127.0.0.1", broker.address.port), SITE) as server:
            trouble = server.wait_trouble(_DEADLINE_S)
            if trouble is not None:
                raise SystemExit(trouble)
            time.sleep(idle_s)
            first = people(1).encode()
            changes = "change,credential,subject,category,household\n" + "".join(
                f"put,NEW-{n:08d},new-{n},resident,house-{n}\n" for n in range(10_000)
            )
            for version, content, more in (
                (1, first, {}),
                (2, changes.encode(), {"mode": "delta", "base_version": 1}),
                (3, first, {}),
            ):
                push(folder, server, gate, (version, content, more))
            time.sleep(idle_s)
    finally:
        figures = gate.stop()
        link.kill()
        link.wait()
        broker.stop()
    return judged(folder, figures)


def judged(folder: Path, figures: Mapping[str, Any]) -> bool:
    """Print the figures of a gate; return whether all is within its limit."""
    with Roster(folder / "gate" / "roster.db", folder / "roster.key") as roster:
        state = roster.check()
    print(f"roster: version {state.version}, {state.members} passes")
    is_good = (state.version, state.members) == (3, PEOPLE)
    for name, found in figures.items():
        for bucket, values in found.items():
            told(f"{name} {bucket}", values)
        p99 = percentile(found["taking"], 0.99)
        ratio = p99 / percentile(found["idle"], 0.99)
        print(f"  p99 of {name}, taking a roster: {ratio:.2f} of idle")
        is_good = is_good and (name != "busy_ms" or p99 < LIMIT_MS)
    return is_good


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--idle", type=float, default=10.0, metavar="S", help="before and after")
    args = parser.parse_args()
    with TemporaryDirectory() as folder:
        return 0 if rehearse(Path(folder), args.idle) else 1


if __name__ == "__main__":
    sys.exit(main())
