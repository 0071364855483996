"""Builds how the gate is told what to do: the technician's socket, and what it must remember."""

import logging
import os
import secrets
import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from gatepost.core.events import Tested, Verb
from gatepost.core.faults import Fault
from gatepost.core.states import Standing
from gatepost.gate import Asked, Errand
from gatepost_hal.ports import Clock
from gatepost_services.control import Call, ControlError, ControlSocket
from gatepost_services.state_file import StateFileError, read_state, write_state

_log = logging.getLogger(__name__)
DISINFECTED = "disinfected"
ACKNOWLEDGED = "acknowledged"
RESTART = "restart"
SETTINGS = "settings"
_NAMES = {standing.name.lower(): standing for standing in Standing}


class StandingStore:
    """The file that says whether the lane is locked or out of service, over a restart.

    One that cannot be read is told, and the lane starts as if nothing had been ordered: a damaged
    file must not lock a compound.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.faults: dict[Fault, str] = {}

    def load(self) -> frozenset[Standing]:
        """Return what stands."""
        try:
            content = read_state(self._path)
            names = msgspec.json.decode(content, type=list[str]) if content else []
            return frozenset(_NAMES[name] for name in names)
        except (StateFileError, ValueError, KeyError) as error:
            detail = f"{self._path}: cannot be read, nothing is taken as ordered: {error}"
            _log.error("%s", detail)
            self.faults[Fault.STANDING] = detail
            return frozenset()

    def keep(self, standing: frozenset[Standing]) -> str | None:
        """Write what stands; return why that could not be done, if so."""
        names = sorted(each.name.lower() for each in standing)
        try:
            write_state(self._path, msgspec.json.encode(names))
        except StateFileError as error:
            return str(error)
        return None


def restart() -> None:
    """End this process in good order, as the service manager would; the unit starts it again."""
    os.kill(os.getpid(), signal.SIGTERM)


class Orders:
    """What comes in on the control socket, as the loop wants it.

    Args:
        path: of the socket.
        clock: monotonic.
        settings: digest of those that this process runs with, for whoever asks.
        problem: why they are not those of the file, if so.
    """

    def __init__(
        self, path: Path, clock: Clock, *, settings: str = "", problem: str | None = None
    ) -> None:
        self.faults: dict[Fault, str] = {}
        self._clock = clock
        # `run` tells one start from the next.
        run = secrets.token_hex(8)
        self._settings = {SETTINGS: settings, "problem": problem, "run": run}
        self._socket: ControlSocket | None = None
        try:
            self._socket = ControlSocket(path)
        except (ControlError, ValueError) as error:
            # The turnstile turns without it.
            _log.error("%s", error)
            self.faults[Fault.CONTROL] = str(error)

    def asked(self) -> Sequence[Asked]:
        """Return what was asked since the last time; what is not for the loop is answered here."""
        if self._socket is None:
            return ()
        calls = self._socket.take(self._clock.now_s())
        for call in calls:
            if call.request.get("verb") == SETTINGS:
                call.reply(self._settings)
        return [
            asked
            for call in calls
            if call.request.get("verb") != SETTINGS and (asked := _asked(call)) is not None
        ]

    def close(self) -> None:
        """Close the socket."""
        if self._socket is not None:
            self._socket.close()


def _asked(call: Call) -> Asked | None:
    by, answer = f"uid {call.uid}", _answering(call)
    verb, tested = call.request.get("verb"), call.request.get("output")
    if verb == "status":
        return Asked(None, None, "", by, answer, call.is_waiting)
    if verb == DISINFECTED:
        return Asked(None, None, "", by, answer, call.is_waiting, disinfected=True)
    if verb == ACKNOWLEDGED:
        return Asked(None, None, "", by, answer, call.is_waiting, acknowledges=True)
    id_ = secrets.token_hex(8)
    if verb == RESTART:
        # At rest: not while somebody is in the lane, nor in a fire.
        errand = Errand(RESTART, restart, at_rest=True)
        return Asked(None, None, id_, by, answer, call.is_waiting, errand=errand)
    try:
        known = Verb(verb)
        output = None if tested is None else Tested(tested)
    except ValueError as error:
        call.reply({"done": False, "why": str(error)})
        return None
    return Asked(known, output, id_, by, answer, call.is_waiting)


def _answering(call: Call) -> Callable[[Mapping[str, object]], None]:
    def answer(content: Mapping[str, object]) -> None:
        call.reply(msgspec.json.decode(msgspec.json.encode(content)))

    return answer
