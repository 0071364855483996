"""Who takes part: ours and the others, and how to have them.

What others need is installed below .cache of the checkout, with the versions named here. What
cannot be had is left out, and said.
"""

import shutil
import subprocess
import sys
import venv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from gatepost_config.settings import Link

ROOT = Path(__file__).parents[3]
CACHE = ROOT / ".cache" / "saf"
PEERS = Path(__file__).with_name("peers")
BENCH = Path(__file__).parents[1]
OURS = "gatepost"
# What of ours may come twice after a crash.
WINDOW = Link(broker_host="localhost").window
IN_MEMORY = "paho-memory"
PIP_PACKAGES = ("paho-mqtt==2.2.0", "persist-queue==1.1.0")
NPM_PACKAGES = ("mqtt@5.16.0", "mqtt-level-store@3.1.0")
# mosquitto's bridge begins its restart_timeout at 5 to 30 s.
_BRIDGE_BACKOFF_S = 45.0
_USUAL_BACKOFF_S = 12.0


class Unavailable(RuntimeError):  # noqa: N818 - it states what is
    """A peer that cannot be had here; the text says why."""


class Peer(NamedTuple):
    """Something that keeps and forwards events.

    `is_third_party`: somebody uses it as it is; else it is ours, or written for this comparison.
    `first_within_s`: how long after an outage its first event may take.
    """

    name: str
    title: str
    command: Sequence[str]
    environment: Mapping[str, str]
    is_third_party: bool = True
    first_within_s: float = _USUAL_BACKOFF_S


NAMES = {
    OURS: "Gatepost: journal and link",
    IN_MEMORY: "paho-mqtt, in memory",
    "mosquitto-default": "mosquitto bridge, defaults",
    "mosquitto-best": "mosquitto bridge at its best (2,000/s in)",
    "mqttjs-level": "mqtt.js + mqtt-level-store",
    "persist-queue": "persist-queue SQLiteAckQueue + paho",
    "sqlite-outbox": "minimal SQLite outbox + paho (for comparison)",
}


def peer(name: str) -> Peer:
    """Return a peer, installed.

    Raises:
        Unavailable: not to be had on this machine.
    """
    title, python = NAMES[name], _PYTHON
    match name:
        case "gatepost":
            script = str(BENCH / "edge.py")
            return Peer(name, title, [*python, script], {}, is_third_party=False)
        case "paho-memory":
            return Peer(name, title, [*python, str(PEERS / "paho_memory.py")], _PATH)
        case "sqlite-outbox":
            script = str(PEERS / "sqlite_outbox.py")
            return Peer(name, title, [*python, script], _PATH, is_third_party=False)
        case "mosquitto-default" | "mosquitto-best":
            # Faster in, it is all within one autosave; that this loses everything is no news.
            mode = ["best", "2000"] if name == "mosquitto-best" else ["default"]
            command = [*python, str(PEERS / "mosquitto_bridge.py"), *mode]
            return Peer(name, title, command, _PATH, first_within_s=_BRIDGE_BACKOFF_S)
        case "persist-queue":
            command = [str(_python_with_peers()), str(PEERS / "persist_queue.py")]
            return Peer(name, title, command, _PATH)
        case _:
            node, modules = _node_with_peers()
            command = [node, str(PEERS / "mqttjs_level.js")]
            return Peer(name, title, command, {"NODE_PATH": str(modules)})


_PYTHON = [sys.executable]
_PATH = {"PYTHONPATH": str(BENCH)}


def _python_with_peers() -> Path:
    folder = CACHE / "venv"
    python = folder / "bin" / "python"
    if _is_installed(folder, PIP_PACKAGES):
        return python
    try:
        venv.create(folder, clear=True, with_pip=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise Unavailable(f"no virtual environment in {folder}: {error}") from error
    _install([str(python), "-m", "pip", "install", "--quiet", *PIP_PACKAGES], folder)
    _note_installed(folder, PIP_PACKAGES)
    return python


def _node_with_peers() -> tuple[str, Path]:
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        raise Unavailable("no node and npm here: apt-get install nodejs npm")
    folder = CACHE / "js"
    if not _is_installed(folder, NPM_PACKAGES):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        options = ("--no-audit", "--no-fund", "--silent", "--prefix", str(folder))
        _install([npm, "install", *options, *NPM_PACKAGES], folder)
        _note_installed(folder, NPM_PACKAGES)
    return node, folder / "node_modules"


def _is_installed(folder: Path, packages: Sequence[str]) -> bool:
    note = folder / "installed"
    return note.exists() and note.read_text() == "\n".join(packages)


def _note_installed(folder: Path, packages: Sequence[str]) -> None:
    (folder / "installed").write_text("\n".join(packages))


def _install(command: Sequence[str], folder: Path) -> None:
    print(f"installing into {folder}", flush=True)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise Unavailable(f"{' '.join(command[:3])} failed: {last}")


def mosquitto(search_path: str) -> str | None:
    """Return where mosquitto is, None when it is not installed."""
    return shutil.which("mosquitto", path=search_path)
