"""What applies a document, beside the control loop.

The small ones have a thread, a roster a child process of the lowest priority. A job is begun, and
asked until it is done. None of them raises: what goes wrong is its outcome.
"""

import logging
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from gatepost_config.settings import NOTHING, Settings
from gatepost_services.state_file import StateFileError
from gatepost_services.sync.content import read_content
from gatepost_services.sync.documents import Desired, DocumentError, Why
from gatepost_services.sync.task import Taken, Task

if TYPE_CHECKING:
    from gatepost.core.regime import Regime
    from gatepost.wiring.server_order import ServerOrder
    from gatepost_services.credentials.trust import TrustFile

_log = logging.getLogger(__name__)

_CHILD = ("-P", "-m", "gatepost_services.sync.taking")
_STOP_S = 5.0
# A roster of 100,000 takes seconds here, and a minute on the smallest Pi.
_LONGEST_S = 900.0


class Outcome(NamedTuple):
    """What came of a document: `why` None is applied.

    `order`: a regime's, to be followed; `trust`: the list's file, as it is read already.
    """

    why: Why | None
    detail: str = ""
    order: "tuple[ServerOrder, Mapping[str, Regime]] | None" = None
    trust: "TrustFile | None" = None


class Job:
    """One document that is being applied, in a thread: nothing of it may hold the loop up."""

    def __init__(self, apply: Callable[[], Outcome], name: str) -> None:
        self._outcome: Outcome | None = None
        self._apply = apply
        self._thread = threading.Thread(target=self._run, name=f"document-{name}", daemon=True)
        self._thread.start()

    def outcome(self) -> Outcome | None:
        """Return what came of it, None while nobody knows."""
        return self._outcome

    def stop(self) -> None:
        """Wait for its end, seconds at the most: the document is the old one, or the new one."""
        self._thread.join(_STOP_S)

    def _run(self) -> None:
        try:
            self._outcome = self._apply()
        except DocumentError as error:
            self._outcome = Outcome(error.why, str(error))
        except StateFileError as error:
            self._outcome = Outcome(Why.DISK, str(error))
        except Exception as error:  # noqa: BLE001 - a document must not be able to end the gate
            _log.exception("a document could not be applied")
            self._outcome = Outcome(Why.FAILED, type(error).__name__)


class ChildJob(Job):
    """A roster, by a process of its own; the thread starts it and waits."""

    def __init__(self, task: Task) -> None:
        self._command = [sys.executable, *_CHILD, msgspec.json.encode(task).decode()]
        self._child: subprocess.Popen[bytes] | None = None
        self._is_stopped = False
        super().__init__(self._take, task.desired.document)

    def stop(self) -> None:
        """Kill it, and wait: SQLite leaves the old roster or the new one."""
        self._is_stopped = True
        if self._child is not None:
            self._child.kill()
        super().stop()

    def _take(self) -> Outcome:
        try:
            child = subprocess.Popen(  # noqa: S603 - our own module
                self._command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
            )
        except OSError as error:
            return Outcome(Why.FAILED, f"no process for a roster: {error.strerror}")
        self._child = child
        with child:
            if self._is_stopped:  # before there was one to be killed
                child.kill()
            try:
                said, _ = child.communicate(timeout=_LONGEST_S)
            except subprocess.TimeoutExpired:
                child.kill()
                return Outcome(Why.FAILED, f"took longer than {_LONGEST_S:g} s")
        try:
            taken = msgspec.json.decode(said, type=Taken)
        except msgspec.DecodeError:
            return Outcome(Why.FAILED, f"what takes rosters ended with {child.returncode}")
        return Outcome(taken.why, taken.detail)


def begin(desired: Desired, settings: Settings) -> Job:
    """Begin to apply a document."""
    match desired.document:
        case "roster":
            paths = settings.paths
            content = str(paths.incoming / desired.digest)
            return ChildJob(Task(desired, content, str(paths.roster), str(paths.roster_key)))
        case "regime":
            return Job(lambda: _regime(desired, settings), desired.document)
        case "trust":
            return Job(lambda: _trust(desired, settings), desired.document)


def _regime(desired: Desired, settings: Settings) -> Outcome:
    # Imported in the thread: neither the start of a gate nor its loop need pay for it.
    from gatepost.wiring import server_order  # noqa: PLC0415
    from gatepost.wiring.order_in_force import check_leavers  # noqa: PLC0415
    from gatepost_config.load import ConfigError  # noqa: PLC0415
    from gatepost_config.regimes import read_source  # noqa: PLC0415

    content = read_content(settings.paths.incoming / desired.digest, desired)
    try:
        texts = server_order.texts_of(content)
        site = texts.site
        if site is None and settings.regime.site != NOTHING:
            site = read_source(settings.regime.site).text
        order = server_order.ServerOrder(desired.version, desired.digest, texts.regime, site)
        regimes = server_order.built(order, settings.gate.name)
        check_leavers(settings, regimes)
    except ConfigError as error:
        return Outcome(Why.INVALID, "; ".join(error.problems))
    server_order.save_order(server_order.order_path(settings.paths), order)
    return Outcome(None, order=(order, regimes))


def _trust(desired: Desired, settings: Settings) -> Outcome:
    from gatepost_services.credentials import trust  # noqa: PLC0415
    from gatepost_services.credentials.signing import key_of_hex  # noqa: PLC0415

    roots = [key_of_hex(each) for each in settings.passes.root_key.split()]
    content = read_content(settings.paths.incoming / desired.digest, desired)
    try:
        offered = trust.read(content, roots=roots, site=settings.gate.site)
        if offered.version == desired.version:
            file = trust.TrustFile(settings.paths.trust_list, roots, settings.gate.site)
            file.install(content)
            return Outcome(None, trust=file)
        said = f"version {offered.version} of the list, in a letter of version {desired.version}"
    except trust.TrustError as error:
        said = str(error)
    return Outcome(Why.INVALID, said)
