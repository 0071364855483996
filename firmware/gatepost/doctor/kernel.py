"""What the kernel gives: devices, the rights to them, the overlay of the bus; and the supply."""

import re
from pathlib import Path

from gatepost.doctor.access import GATE_USER, LINK_USER, account, device_problem
from gatepost.doctor.model import Finding, Fine, Skipped, Wrong
from gatepost.doctor.site import Site
from gatepost.wiring.health import figures
from gatepost_config.settings import Pins

_CONFIG_TXT = ("/boot/firmware/config.txt", "/boot/config.txt")
_MODEL = "/proc/device-tree/model"
# Above 100 kHz the part is out of its range (datasheet p. 21); a clock that is high for more than
# 45 us resets it, and so 20 kHz leave some room.
_MOST_HZ, _LEAST_HZ = 100_000, 20_000
# raspberrypi/firmware, boot/overlays/README, i2c-gpio: a delay of 2 us is about 100 kHz.
_HZ_US = 200_000
_NOW, _WAS, _HOT = 0x1, 0x10000, 0x4 | 0x8 | 0x40000 | 0x80000


def users(site: Site) -> Finding:
    """Look for the users of the two processes."""
    missing = [name for name in (GATE_USER, LINK_USER) if account(site, name) is None]
    if missing:
        return Wrong("missing", {"users": ", ".join(missing)})
    return Fine(f"{GATE_USER}, {LINK_USER}")


def gpio_chip(site: Site) -> Finding:
    """Look for the GPIO chip."""
    chips = sorted(site.at("/dev").glob("gpiochip[0-9]*"))
    if not chips:
        return Wrong("missing", {"path": site.at("/dev/gpiochip0")})
    found = [device_problem(site, chip, writing=True) for chip in chips]
    return next((each for each in found if each), None) or Fine(
        ", ".join(chip.name for chip in chips)
    )


def gpio_strict(site: Site) -> Finding:
    """See whether the kernel takes lines back from a process that died."""
    if not site.text(_MODEL):
        return Skipped("this is no Raspberry Pi")
    if re.search(r"persist_gpio_outputs=n\b", site.text("/proc/cmdline")):
        return Fine("a line falls back when its process dies")
    return Wrong("missing")


def i2c_device(site: Site) -> Finding:
    """Look for the bus."""
    path = site.at(f"/dev/i2c-{site.settings.sensor.i2c_bus}")
    return device_problem(site, path, writing=True) or Fine(str(path))


def i2c_overlay(site: Site) -> Finding:
    """Read what config.txt says of the bus: does it take lines that the lane needs?"""
    text = next(filter(None, map(site.text, _CONFIG_TXT)), "")
    if not text:
        return Skipped("no config.txt")
    lines = [line.partition("#")[0].strip() for line in text.splitlines()]
    overlays = [line for line in lines if line.startswith("dtoverlay=i2c-gpio")]
    pins = site.settings.pins
    used = {getattr(pins, key): key for key in Pins.__struct_fields__ if key != "debounce_s"}
    for line in overlays:
        options = dict(re.findall(r"(\w+)=(\w+)", line.partition(",")[2]))
        taken = [int(options.get("i2c_gpio_sda", 23)), int(options.get("i2c_gpio_scl", 24))]
        clash = [f"{used[each]} = {each}" for each in taken if each in used]
        if clash:
            return Wrong("clash", {"line": line, "pins": ", ".join(clash)})
    is_shared = "dtparam=i2c_arm=on" in lines and site.settings.sensor.i2c_bus == 1
    if not overlays and is_shared:
        return Wrong("shared")
    return Fine(overlays[0] if overlays else "no line of the lane is taken by a bus")


def i2c_speed(site: Site) -> Finding:
    """Read the bus's speed from the device tree."""
    node_path = site.at(f"/sys/class/i2c-adapter/i2c-{site.settings.sensor.i2c_bus}/of_node")
    if speed := _cell(node_path / "clock-frequency"):
        hertz = speed
    elif delay_us := _cell(node_path / "i2c-gpio,delay-us"):
        hertz = _HZ_US // delay_us
    else:
        return Skipped("the device tree does not tell it")
    values = {"khz": round(hertz / 1000)}
    if hertz > _MOST_HZ:
        return Wrong("fast", values)
    return Wrong("slow", values) if hertz < _LEAST_HZ else Fine("about {khz} kHz", values)


def _cell(path: Path) -> int:
    """Return a number of the device tree, 0 where there is none."""
    try:
        return int.from_bytes(path.read_bytes()[:4], "big")
    except OSError:
        return 0


def supply(site: Site) -> Finding:
    """Ask the firmware, or the kernel, whether the supply holds."""
    ran = site.run(["vcgencmd", "get_throttled"])
    told = re.search(r"throttled=0x([0-9a-fA-F]+)", ran.out) if ran else None
    if told is None:
        alarm = figures(site.root, site.at("/"))["undervoltage"]
        if alarm is None:
            return Skipped("neither vcgencmd nor the kernel tells it here")
        return Wrong("low") if alarm else Fine("the kernel sees no undervoltage")
    bits = int(told[1], 16)
    if bits & _NOW:
        return Wrong("low")
    if bits & _WAS:
        return Wrong("was_low")
    return Wrong("hot") if bits & _HOT else Fine("no undervoltage since it was switched on")
