"""What a roster of 100,000 people costs: look-ups while another process changes it, imports, size.

The look-ups take turns with two peers: a dict in memory, which sees no change and no power cut,
and bare SQLite on the same file, which looks neither at the key nor at whether the file is the
same. Meanwhile another process applies one delta of 10,000 after another. Exit status 1 when a
figure is beyond its limit. Run with `make bench`; with `--kills N`, imports are killed instead, at
N random moments, and each must leave the old roster or the new one.
"""

import argparse
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from uuid import UUID

from gatepost_services.roster import Roster, RosterKey
from gatepost_services.roster.documents import read_document
from gatepost_services.roster.rows import digest_of
from gatepost_services.roster.writer import Delta, RosterWriter, Whole

PEOPLE, CHANGED, LOOK_UPS = 100_000, 10_000, 60_000
MEDIAN_LIMIT_MS, P99_LIMIT_MS, IMPORT_LIMIT_S, SIZE_LIMIT_MB = 0.2, 1.0, 10.0, 40.0
WRITER = """
import sys
from pathlib import Path
from gatepost_services.roster import Roster, RosterKey
from gatepost_services.roster.writer import Delta, RosterWriter
path, key_path = Path(sys.argv[1]), Path(sys.argv[2])
rows = Roster(path, key_path).rows()[1][: int(sys.argv[3])]
with RosterWriter.open(path, RosterKey.load(key_path)) as writer:
    print("ready", flush=True)
    while True:
        mark = "" if writer.state().version % 2 else "isolated"
        writer.apply(Delta([row._replace(mark=mark) for row in rows], [], 0))
"""
IMPORTER = """
import sys
from gatepost.cli.main import main
print("ready", flush=True)
sys.stdin.readline()
sys.exit(main(["roster", "--config", sys.argv[1], "import", sys.argv[2]]))
"""


def people(seed: int) -> str:
    """Return a CSV of 100,000 people in 30,000 households, with subjects as long as a UUID."""
    chance = random.Random(seed)
    lines = (
        f"CARD-{number:08d},{UUID(int=chance.getrandbits(128))},resident,house-{number % 30_000}\n"
        for number in range(PEOPLE)
    )
    return "credential,subject,category,household\n" + "".join(lines)


def timed(name: str, limit: float, unit: str, figure: float) -> bool:
    """Print a figure beside its limit; return whether it is within."""
    is_within = figure < limit
    print(f"  {name:<44} {figure:9.4f} {unit}   {'below' if is_within else 'NOT below'} {limit}")
    return is_within


def main() -> int:
    """Return 1 when a figure is beyond its limit, or a kill left neither roster."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=0, metavar="N")
    kills = parser.parse_args().kills
    with TemporaryDirectory() as name:
        folder = Path(name)
        return kill_imports(folder, kills) if kills else measure(folder)


# -------------------------------------------------------------------------------------- the measure


@contextmanager
def _clocked(took_s: dict[str, tuple[float, float]], name: str) -> Iterator[None]:
    """Note how long something took: by the clock, and of the processor."""
    began_s, used_s = time.perf_counter(), time.process_time()
    yield
    took_s[name] = time.perf_counter() - began_s, time.process_time() - used_s


def measure(folder: Path) -> int:
    """Print the figures."""
    key = RosterKey.load_or_make(folder / "roster.key")
    took_s: dict[str, tuple[float, float]] = {}
    texts = [people(seed) for seed in (1, 2)]
    with RosterWriter.open(folder / "roster.db", key) as writer:
        with _clocked(took_s, "first import"):
            whole = _whole(texts[0], key)
            writer.replace(whole)
        with _clocked(took_s, f"delta of {CHANGED:,}"):
            put = [row._replace(mark="isolated") for row in whole.rows[:CHANGED]]
            writer.apply(Delta(put, [], 0))
        with _clocked(took_s, "import in which everybody is another"):
            writer.replace(_whole(texts[1], key))
        with _clocked(took_s, "check of every page, and digest of all"):
            writer.check()
        size_mb = sum(path.stat().st_size for path in folder.glob("roster.db*")) / 1e6
    print(f"a roster of {PEOPLE:,} people, from CSV; each figure beside its limit")
    fits = [timed("file, after all of these", SIZE_LIMIT_MB, "MB", size_mb)]
    for name, (clock_s, processor_s) in took_s.items():
        fits.append(timed(name, IMPORT_LIMIT_S, "s ", clock_s))
        print(f"    of which processor {processor_s:33.4f} s")
    fits += look_ups(folder, {f"CARD-{n:08d}": row for n, row in enumerate(whole.rows)})
    return 0 if all(fits) else 1


def look_ups(folder: Path, known: dict[str, object]) -> list[bool]:
    """Print what look-ups take during deltas, beside the peers; return what is within."""
    key = RosterKey.load(folder / "roster.key")
    in_memory = {key.digest(credential): row for credential, row in known.items()}
    bare = sqlite3.connect(f"file:{folder}/roster.db?mode=ro", uri=True)
    by_digest = "SELECT subject, category, household, mark FROM members WHERE digest = ?"
    chance, subjects = random.Random(3), []
    path, key_path = folder / "roster.db", folder / "roster.key"
    with Roster(path, key_path) as roster, _writing(path, key_path) as writer:
        ways: dict[str, Callable[[str], object]] = {
            "dict in memory": lambda credential: in_memory.get(key.digest(credential)),
            "bare SQLite": lambda credential: bare.execute(
                by_digest, (key.digest(credential),)
            ).fetchone(),
            "by credential": roster.look_up,
        }
        taken_ms: dict[str, list[float]] = {name: [] for name in (*ways, "by subject")}
        first = roster.state().version
        for _ in range(LOOK_UPS):
            credential = f"CARD-{chance.randrange(PEOPLE):08d}"
            for name, way in ways.items():
                found = _taken(taken_ms[name], way, credential)
            subjects.append(getattr(found, "subject", ""))
            _taken(taken_ms["by subject"], roster.person, subjects[-1])
        deltas = roster.state().version - first
        if writer.poll() is not None or not all(subjects):
            raise RuntimeError("the writer died, or somebody was not found")
    bare.close()
    print(
        f"{LOOK_UPS:,} look-ups each, while another process applied {deltas} deltas of {CHANGED:,}"
    )
    fits = [deltas > 0]
    for name, times_ms in taken_ms.items():
        p99_ms = quantiles(times_ms, n=100)[-1]
        if name.startswith("by "):
            fits.append(timed(f"{name}, median", MEDIAN_LIMIT_MS, "ms", median(times_ms)))
            fits.append(timed(f"{name}, p99", P99_LIMIT_MS, "ms", p99_ms))
        else:
            print(f"  peer: {name:<38} {median(times_ms):9.4f} ms median, {p99_ms:.4f} ms p99")
    return fits


def _taken(into_ms: list[float], way: Callable[[str], object], asked: str) -> object:
    began_ns = time.perf_counter_ns()
    found = way(asked)
    into_ms.append((time.perf_counter_ns() - began_ns) / 1e6)
    return found


@contextmanager
def _writing(path: Path, key_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Run a process that applies one delta after another."""
    command = [sys.executable, "-c", WRITER, str(path), str(key_path), str(CHANGED)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            if process.stdout is None or process.stdout.readline() != "ready\n":
                raise RuntimeError("the writer does not start")
            yield process
        finally:
            process.kill()


# ---------------------------------------------------------------------------------------- the kills


def kill_imports(folder: Path, kills: int) -> int:
    """Kill imports at random moments; return 1 when one left neither the old nor the new roster."""
    config = folder / "gatepost.toml"
    config.write_text(
        '[gate]\nsite = "s"\nname = "g"\n[link]\nbroker_host = "127.0.0.1"\n'
        f'[paths]\nroster = "{folder}/roster.db"\nroster_key = "{folder}/roster.key"\n'
    )
    texts = [people(seed) for seed in (1, 2)]
    key = RosterKey.load_or_make(folder / "roster.key")
    digests = [digest_of(_whole(text, key).rows) for text in texts]
    files = [folder / f"{number}.csv" for number in range(len(texts))]
    for file, text in zip(files, texts, strict=True):
        file.write_text(text)
    took_s = _import(config, files[0], None)
    roster, chance, counts = (
        Roster(folder / "roster.db", folder / "roster.key"),
        random.Random(),
        [],
    )
    for _ in range(kills):
        was = digests.index(roster.check().digest)
        _import(config, files[1 - was], chance.uniform(0, 2.5 * took_s))
        counts.append(digests.index(roster.check().digest) == was)  # ValueError: neither
    print(
        f"{kills} imports killed: {sum(counts)} left the old roster, {kills - sum(counts)} the new"
    )
    return 0


def _whole(text: str, key: RosterKey) -> Whole:
    found = read_document(text.encode(), "people.csv", key, as_of_utc_s=0)
    if not isinstance(found, Whole):
        raise TypeError("a whole roster was written")
    return found


def _import(config: Path, file: Path, kill_after_s: float | None) -> float:
    """Import a file, and kill that after some time; return how long it took."""
    command = [sys.executable, "-c", IMPORTER, str(config), str(file)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        if process.stdout is None or process.stdin is None or not process.stdout.readline():
            raise RuntimeError("the importer does not start")
        began_s = time.perf_counter()
        process.stdin.write("\n")
        process.stdin.flush()
        if kill_after_s is not None:
            time.sleep(kill_after_s)
            process.send_signal(signal.SIGKILL)
        process.wait()
        return time.perf_counter() - began_s


if __name__ == "__main__":
    sys.exit(main())
