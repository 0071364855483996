"""What starting a process costs in imports, beside the four libraries that the project builds on.

Run with `make bench`. The processes take turns, so that a noisy machine disturbs all alike.
"""

import statistics
import subprocess
import sys
import time

ROUNDS = 15
BASE = "import gpiozero, smbus2, paho.mqtt.client, adafruit_mlx90614"
ROWS = {
    "gpiozero + smbus2 + paho + Adafruit driver": BASE,
    "gatepost run (the gate)": "import gatepost.cli.run",
    "gatepost uplink (the link)": "import gatepost.cli.uplink",
}
LIMIT = 1.5


def seconds(code: str) -> float:
    began_s = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - began_s


def main() -> None:
    bare: list[float] = []
    taken: dict[str, list[float]] = {name: [] for name in ROWS}
    for _ in range(ROUNDS):
        bare.append(seconds("pass"))
        for name, code in ROWS.items():
            taken[name].append(seconds(code))
    bare_s = statistics.median(bare)
    net = {name: statistics.median(times) - bare_s for name, times in taken.items()}
    base_s = next(iter(net.values()))
    print(f"import, median of {ROUNDS}, net of bare Python ({bare_s * 1000:.0f} ms); limit {LIMIT}")
    for name, net_s in net.items():
        print(f"  {name:<44} {net_s * 1000:6.0f} ms   ratio {net_s / base_s:.2f}")


if __name__ == "__main__":
    main()
