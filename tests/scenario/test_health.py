"""How the machine is: figures from files of the kernel, or none."""

from itertools import pairwise
from pathlib import Path

import pytest

from gatepost.wiring.health import Health, figures
from gatepost_hal.simulated.world import World

PI = {
    "proc/uptime": "350735.47 234388.90\n",
    "proc/loadavg": "0.52 0.58 0.59 1/123 4567\n",
    "proc/meminfo": "MemTotal: 948304 kB\nMemFree: 12 kB\nMemAvailable:  500000 kB\n",
    "proc/self/status": "Name:\tgatepost\nVmRSS:\t   40000 kB\nThreads:\t7\n",
    "sys/class/thermal/thermal_zone0/type": "cpu-thermal\n",
    "sys/class/thermal/thermal_zone0/temp": "48312\n",
    "sys/class/hwmon/hwmon0/name": "cpu_thermal\n",
    "sys/class/hwmon/hwmon1/name": "rpi_volt\n",
    "sys/class/hwmon/hwmon1/in0_lcrit_alarm": "0\n",
}
NOTHING = {
    "uptime_s": None,
    "memory_available_mb": None,
    "cpu_c": None,
    "load_1m": None,
    "undervoltage": None,
    "rss_mb": None,
    "threads": None,
}


@pytest.fixture
def machine(tmp_path):
    """Make the root of a machine whose kernel shows these files."""

    def make(files):
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tmp_path

    return make


def test_a_pi_tells_all_of_it(machine):
    root = machine(PI)
    told = figures(root, root)
    assert told.pop("disk_free_mb") > 0
    assert told == {
        "uptime_s": 350735.47,
        "memory_available_mb": 512.0,
        "cpu_c": 48.3,
        "load_1m": 0.52,
        "undervoltage": False,
        "rss_mb": 41.0,
        "threads": 7,
    }


def test_a_machine_that_tells_nothing_has_no_figures(tmp_path):
    told = figures(tmp_path, tmp_path / "nowhere")
    assert told == {**NOTHING, "disk_free_mb": None}


@pytest.mark.parametrize("text", ["", "nonsense", "nan", "inf", "-", "1_000", "\xff", "0x10", "."])
def test_files_that_say_nothing_of_the_kind_are_no_figures(machine, text):
    named = {"type": "cpu-thermal\n", "name": "rpi_volt\n"}
    files = {name: named.get(name.rpartition("/")[2], text) for name in PI}
    files["proc/meminfo"] = f"MemAvailable: {text}\n"
    files["proc/self/status"] = f"VmRSS: {text}\nThreads: {text}\n"
    root = machine(files)
    told = figures(root, root / "nowhere")
    assert told == {**NOTHING, "disk_free_mb": None}


def test_a_weak_supply_shows(machine):
    root = machine({**PI, "sys/class/hwmon/hwmon1/in0_lcrit_alarm": "1\n"})
    assert figures(root, root)["undervoltage"] is True


def test_the_hottest_of_the_processors_sensors_counts_and_no_others(machine):
    zone = "sys/class/thermal/thermal_zone"
    more = {
        f"{zone}1/type": "soc-thermal\n",
        f"{zone}1/temp": "61990\n",
        f"{zone}2/type": "battery\n",
        f"{zone}2/temp": "90000\n",
        f"{zone}3/type": "cpu_thermal\n",
        f"{zone}3/temp": "-5000\n",
    }
    root = machine({**PI, **more})
    assert figures(root, root)["cpu_c"] == 62.0


def test_this_machine_has_some_of_them():
    told = figures(Path("/"), Path("/"))
    assert told["uptime_s"] > 0
    assert told["threads"] >= 1
    assert 0 < told["rss_mb"] < 10_000
    assert told["memory_available_mb"] > 0


def told_at(world, health, hours):
    """Return the instants at which a health is told of, looking every five seconds."""
    at_s = []
    while world.now_s() < hours * 3600.0:
        world.advance(5.0)
        at_s += [record.at_s for record in health.due()]
    return at_s


def test_it_is_told_soon_after_the_start_and_then_as_often_as_set(machine):
    world = World()
    root = machine(PI)
    at_s = told_at(world, Health(world, every_s=1800.0, folder=root, root=root), 3)
    assert at_s[0] == 60.0
    assert {later - earlier for earlier, later in pairwise(at_s)} == {1800.0}
    assert len(at_s) == 6


def test_one_that_is_asked_for_every_few_seconds_is_not_put_off(machine):
    world = World()
    root = machine(PI)
    assert told_at(world, Health(world, every_s=10.0, folder=root, root=root), 0.01)[0] == 10.0


def test_nobody_asked_for_it(machine):
    world = World()
    root = machine(PI)
    assert told_at(world, Health(world, every_s=0.0, folder=root, root=root), 3) == []


def test_it_is_one_record_of_its_type(machine):
    world = World()
    root = machine(PI)
    health = Health(world, every_s=60.0, folder=root, root=root)
    world.advance(60.0)
    (record,) = health.due()
    assert (record.type, record.at_s) == ("health.reported", 60.0)
    assert record.data["threads"] == 7
