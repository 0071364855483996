"""A gate's folders with documents that a server offers, without the link and without signatures."""

from datetime import UTC, datetime, timedelta
from hashlib import sha256

import msgspec

from gatepost.wiring.documents import Documents
from gatepost.wiring.order_in_force import OrderInForce
from gatepost_config.load import parse
from gatepost_config.regimes import path_of
from gatepost_services.credentials import trust
from gatepost_services.credentials.signing import hex_of, key_of_seed
from gatepost_services.roster import Roster, RosterKey
from gatepost_services.sync.documents import Desired

ROOT = key_of_seed(b"r" * 32)
ROSTER = "credential,subject,category\nP1,anna,resident\nP2,ben,worker\n"
LATER = "credential,subject,category\nP1,anna,resident\nP3,carl,visitor\n"
DELTA = "change,credential,subject,category\nput,P4,dora,resident\nremove,P2,,\n"
ISSUED = datetime(2026, 11, 1, tzinfo=UTC)
_WAIT_S = 60.0


def regime(name="lockdown"):
    return path_of(name).read_bytes()


def trust_list(version, **more):
    made = trust.TrustList("s", version, ISSUED + timedelta(days=version), (), **more)
    return trust.issue(made, ROOT)


class Clock:
    def __init__(self):
        self.at_s = 100.0

    def now_s(self):
        return self.at_s

    def utc_s(self):
        return ISSUED.timestamp()

    def utc_quality(self):
        return "ntp"


class Rig:
    """One gate; `restart` is a kill and a new start."""

    def __init__(self, folder, *, order="normal", root=True, has_key=True, **regime_more):
        self.folder = folder
        self.clock = Clock()
        for name in ("gate", "link"):
            (folder / name).mkdir()
        self.settings = self._settings(order, root=root, more=regime_more)
        self.paths = self.settings.paths
        self.paths.incoming.mkdir()
        if has_key:
            RosterKey.load_or_make(self.paths.roster_key)
        self.restart()

    def _settings(self, order, *, root, more):
        folder = self.folder
        raw = {
            "gate": {"site": "s", "name": "north"},
            "link": {"broker_host": "localhost"},
            "regime": {"name": order, **more},
            "reader": {"exit_device": "/dev/ttyACM1"} if more.get("exits") else {},
            "passes": {"root_key": hex_of(ROOT.public_key())} if root else {},
            "paths": {
                "gate_dir": f"{folder}/gate",
                "link_dir": f"{folder}/link",
                "run_dir": f"{folder}/run",
                "roster": f"{folder}/gate/roster.db",
                "roster_key": f"{folder}/roster.key",
            },
        }
        return parse(raw, path=folder / "gatepost.toml")

    def restart(self):
        """Start anew from what is on the disk, as after a kill: nothing is closed in order."""
        if hasattr(self, "documents"):
            self.documents._roster.close()  # as the kernel does; nothing else comes to an end
        has_order = bool(self.settings.regime.name)
        self.order = OrderInForce(self.settings, self.clock) if has_order else None
        self.documents = Documents(self.settings, self.clock, self.order)

    def bring(self, content):
        """Do what the link does: leave a content under its digest."""
        content = content.encode() if isinstance(content, str) else content
        digest = sha256(content).hexdigest()
        (self.paths.incoming / digest).write_bytes(content)
        return digest, len(content)

    def desired(self, kind, version, content, **more):
        digest, size = self.bring(content)
        found = {"aud": "/gatepost/s/north", "iat": 1_700_000_000, "bytes": size, "digest": digest}
        return Desired(kind, version, **{**found, **more})

    def offer(self, kind, version, content, **more):
        return self.documents.offer(
            msgspec.json.encode(self.desired(kind, version, content, **more))
        )

    def settle(self):
        """Poll until nothing runs; return what is recorded, as (type, version, why)."""
        records = [*self.documents.poll()]
        while self.documents._jobs:
            for _, job in self.documents._jobs.values():
                wait(job)
            records += self.documents.poll()
        self.documents.poll()  # what is on the record is noted
        return [(r.type, r.data["version"], r.data.get("why")) for r in records]

    def applied(self, kind, version, content, **more):
        """Offer a document that is good."""
        assert self.offer(kind, version, content, **more) is None
        assert self.settle() == [("document.applied", version, None)]

    def state(self, kind):
        found = self.documents.reported()[kind]
        return found["version"], found["state"], found["why"]

    def roster(self):
        return Roster(self.paths.roster, self.paths.roster_key)

    def subjects(self):
        with self.roster() as roster:
            return sorted(row.subject for row in roster.rows()[1])

    def regime_name(self):
        return self.order.current()[0].name

    def close(self):
        self.documents.close()


def wait(job):
    """Wait for the end of a job, and leave what came of it to be asked for."""
    job._thread.join(_WAIT_S)
    assert not job._thread.is_alive()
