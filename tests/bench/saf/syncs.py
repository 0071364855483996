"""How many fsyncs an edge spends on an event while the centre is down, counted by strace."""

import re
import shutil
import tempfile
from pathlib import Path

from gatepost.demo.broker import free_port
from saf.events import TOPIC
from saf.lineup import Peer
from saf.processes import Edge, EdgeError

EVENTS = 1000
_TIMEOUT_S = 120.0
_CALLS = "fsync,fdatasync,msync,sync_file_range"
_SYNC = re.compile(r"\b(?:fsync|fdatasync|msync|sync_file_range)\(")


def per_event(peer: Peer, events: int = EVENTS) -> float | None:
    """Return the fsyncs an event, those of the start among them; None without strace.

    Raises:
        EdgeError: the edge accepts nothing.
    """
    strace = shutil.which("strace")
    if strace is None:
        return None
    folder = Path(tempfile.mkdtemp(prefix="saf-"))
    trace, place = folder / "trace", folder / "edge"
    place.mkdir()
    options = ("-f", "-qq", "-e", f"trace={_CALLS}", "-e", "signal=none", "-o", str(trace))
    environment = {
        "SAF_DIR": str(place),
        "SAF_HOST": "127.0.0.1",
        "SAF_PORT": str(free_port()),  # nobody listens there
        "SAF_TOPIC": TOPIC,
        "SAF_LOCAL_PORT": str(free_port()),
        "SAF_FAST_RECONNECT": "1",
        **peer.environment,
    }
    command = [strace, *options, *peer.command]
    try:
        with Edge(command, events, environment, folder / "edge.err") as edge:
            edge.wait_ready()
            edge.wait_accepted(_TIMEOUT_S)
            accepted = edge.accepted
            calls = len(_SYNC.findall(trace.read_text(errors="replace")))
        return calls / accepted
    finally:
        shutil.rmtree(folder, ignore_errors=True)


__all__ = ["EVENTS", "EdgeError", "per_event"]
