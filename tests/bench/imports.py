"""What starting a process costs in imports, beside the four libraries that the project builds on.

Run with `make bench`. What counts is the processor time of each process, and they take turns, so
that a noisy machine disturbs the figures little and all of them alike. All of it is compiled, as
pip leaves an installed package; a first round makes that so.
"""

import os
import statistics
import sys
import tempfile

ROUNDS = 15
BASE = "import gpiozero, smbus2, paho.mqtt.client, adafruit_mlx90614"
ROWS = {
    "gpiozero + smbus2 + paho + Adafruit driver": BASE,
    "gatepost run (the gate)": "import gatepost.cli.run",
    "gatepost uplink (the link)": "import gatepost.cli.uplink",
}
LIMIT = 1.5


def seconds(code: str, compiled: str) -> float:
    """Return the processor time of one Python that runs `code`, user and system."""
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": compiled}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    process = os.posix_spawn(sys.executable, [sys.executable, "-c", code], environment)
    _, status, used = os.wait4(process, 0)
    if status:
        raise SystemExit(f"{code}: status {status}")
    return used.ru_utime + used.ru_stime


def main() -> None:
    bare: list[float] = []
    taken: dict[str, list[float]] = {name: [] for name in ROWS}
    with tempfile.TemporaryDirectory() as compiled:
        for code in ROWS.values():
            seconds(code, compiled)
        for _ in range(ROUNDS):
            bare.append(seconds("pass", compiled))
            for name, code in ROWS.items():
                taken[name].append(seconds(code, compiled))
    bare_s = statistics.median(bare)
    base = taken[next(iter(ROWS))]
    print(
        f"import, processor time, median of {ROUNDS}, net of bare Python's {bare_s * 1000:.0f} ms"
    )
    for name, times in taken.items():
        net_s = statistics.median(times) - bare_s
        # The ratio is taken within each round: neighbours in time are disturbed alike.
        ratio = statistics.median(
            (one - bare_s) / (other - bare_s) for one, other in zip(times, base, strict=True)
        )
        print(f"  {name:<44} {net_s * 1000:6.0f} ms   ratio {ratio:.2f} (limit {LIMIT})")


if __name__ == "__main__":
    main()
