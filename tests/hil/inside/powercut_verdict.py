"""What a power cut left of a gate's files, told before anybody writes to them again."""

import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec

from gatepost.core.offset import Offset
from gatepost.wiring.orders import StandingStore
from gatepost_config.calibration import load_calibrations
from gatepost_config.paths import Paths
from gatepost_services.credentials.replay import ReplayStore
from gatepost_services.journal import JournalError
from gatepost_services.journal.schema import ALL_CLASSES, STATE, State
from gatepost_services.journal.snapshot import snapshot
from gatepost_services.journal.verify import verify
from gatepost_services.roster import Roster
from gatepost_services.state_file import StateFileError, read_state
from gatepost_services.uplink.position import read_acknowledged
from gatepost_services.uplink.store import ProgressStore
from gatepost_services.whereabouts import Whereabouts

_DATABASE = ("", "-wal", "-journal")
_NOTHING = "there is nothing in it"

Json = Mapping[str, object]


class Verdict:
    """What was found: `problems`, in sentences, and `states`, what each file holds."""

    def __init__(self, disk: Path, paths: Paths, load_dir: Path) -> None:
        self.problems: list[str] = []
        self.states: dict[str, object] = {}
        self.journals = {
            "gate": self._journal(paths.journal, paths.acknowledged),
            "load": self._journal(load_dir / "journal.db", load_dir / "acknowledged"),
        }
        self.problems += [
            f"{path} was set aside" for path in disk.rglob("*") if ".broken" in path.name
        ]
        for look in (self._roster, self._calibration, self._offset, self._standing):
            self._try(look, paths)
        self._try(self._whereabouts, paths)
        self._try(self._progress, paths)
        self._pass_uses(load_dir / "credentials.db")

    def _try(self, look: Callable[[Paths], None], paths: Paths) -> None:
        try:
            look(paths)
        except (OSError, ValueError) as error:
            self.problems.append(f"{look.__name__}: {type(error).__name__}: {error}")

    def _journal(self, path: Path, acknowledged: Path) -> Json | None:
        """Return what a journal holds; None where there is none, or an empty one."""
        if not path.exists():
            return None
        delivered_seq = read_acknowledged(acknowledged)
        try:
            report = verify(path, delivered_seq=delivered_seq)
            if [each.text.endswith(_NOTHING) for each in report.findings] == [True]:
                return None  # cut before its first event
            with snapshot(path) as connection:
                state = State.of_row(connection.execute(STATE).fetchone())
                rows = [
                    (seq, digest.hex())
                    for each in ALL_CLASSES
                    for seq, digest in connection.execute(f"SELECT seq, hash FROM {each.label}")  # noqa: S608
                ]
        except JournalError as error:
            return {"rows": [], "pruned": 0, "last_seq": 0, "delivered_seq": 0, "why": str(error)}
        self.problems += [f"{path}: {found.kind}: {found.text}" for found in report.findings]
        return {
            "rows": rows,
            "pruned": state.pruned,
            "last_seq": report.last_seq,
            "delivered_seq": delivered_seq,
        }

    def _roster(self, paths: Paths) -> None:
        if paths.calibration_dir.exists() and any(paths.calibration_dir.glob("*.toml")):
            with Roster(paths.roster, paths.roster_key) as roster:
                self.states["roster"] = roster.check().version

    def _calibration(self, paths: Paths) -> None:
        found, problems = load_calibrations(paths.calibration_dir)
        self.problems += problems
        for record in found.values():
            self.states["calibration"] = int(record.by)  # the load numbers them there

    def _offset(self, paths: Paths) -> None:
        self.states |= offset_state(paths.offset)

    def _standing(self, paths: Paths) -> None:
        store = StandingStore(paths.standing)
        standing = sorted(each.name.lower() for each in store.load())
        self.problems += store.faults.values()
        self.states["standing"] = standing

    def _whereabouts(self, paths: Paths) -> None:
        with _copied(paths.whereabouts) as copy:
            if copy is not None:
                with Whereabouts(copy) as whereabouts:
                    rows = whereabouts.all().values()
                    self.states |= {f"whereabouts of {row.subject}": row.utc_s for row in rows}

    def _pass_uses(self, path: Path) -> None:
        with _copied(path) as copy:
            if copy is not None:
                ReplayStore(copy).close()  # raises what is damaged; it was never set aside
                with closing(sqlite3.connect(copy)) as connection:
                    ((step,),) = connection.execute("SELECT max(last_step) FROM uses")
                self.states["pass uses"] = -1 if step is None else step

    def _progress(self, paths: Paths) -> None:
        with _copied(paths.acknowledged.with_name("uplink.db")) as copy:
            if copy is not None:
                with ProgressStore(copy, copy.with_name("acknowledged"), "watermark") as store:
                    self.states["progress"] = store.progress.acknowledged


def offset_state(path: Path) -> dict[str, object]:
    """Return how many people taught the thermometer.

    Raises:
        ValueError, StateFileError: the file is none that a gate writes.
    """
    content = read_state(path)
    if content is None:
        return {}
    offsets = msgspec.json.decode(content, type=list[Offset])
    if not all(offset.is_sound() for offset in offsets):
        raise StateFileError(f"{path}: holds an offset that makes no sense")
    return {"offset": sum(offset.people for offset in offsets)}


@contextmanager
def _copied(path: Path) -> Iterator[Path | None]:
    """Yield a copy of a database, None if there is none: to open it would mend it."""
    if not path.exists():
        yield None
        return
    with tempfile.TemporaryDirectory(dir="/run") as folder:
        for suffix in _DATABASE:
            part = path.with_name(path.name + suffix)
            if part.exists():
                shutil.copy(part, folder)
        yield Path(folder) / path.name
