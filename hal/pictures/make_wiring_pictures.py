"""Draws the four pictures of hal/WIRING.md in two languages, with nothing but the standard library.

    python hal/pictures/make_wiring_pictures.py [FOLDER]

They go into the folder, by default beside this file. The pins come from the table in WIRING.md, the
Chinese labels from labels.zh-CN.toml.
"""

import re
import sys
import tomllib
from pathlib import Path

from symbols import (
    BOARD,
    FIRE,
    GREY,
    INK,
    LINE,
    MOVES,
    OPTIONAL,
    OURS,
    PLAIN,
    RED,
    TIMER,
    Tongue,
    box,
    coil,
    contact,
    diode,
    dot,
    ground,
    lines,
    name,
    picture,
    rail,
    resistor_to_ground,
    text,
    wire,
)

HERE = Path(__file__).parent
# The pin table of WIRING.md: name: (BCM line, pin of the 40-pin header).
PINS = {
    name: (bcm, pin)
    for name, bcm, pin in re.findall(
        r"^\| `(\w+)` \| (\d+) \| (\d+) \|", (HERE.parent / "WIRING.md").read_text(), re.MULTILINE
    )
}
LABELS = tomllib.loads((HERE / "labels.zh-CN.toml").read_text(encoding="utf-8"))
ORDINARY = "Contacts as on an ordinary day: supply on, no fire, nobody released."


# ------------------------------------------------------------------------------------ the lane

PI_LEFT, PI_RIGHT, BOARD_LEFT = 330, 570, 884


def pi_pin(name, y, *, on_left):
    """Return the label of one line, just inside the edge of the Pi."""
    bcm, pin = PINS[name]
    side, x, anchor = (1, PI_LEFT, "start") if on_left else (-1, PI_RIGHT, "end")
    return text(x + 12 * side, y + 4, f"BCM {bcm}", anchor=anchor, bold=True) + text(
        x + 66 * side, y + 4, f"pin {pin}", anchor=anchor, fill=GREY
    )


def switch(line, y, words, *, is_closed=False, dash="none", kind=PLAIN):
    """Return one contact to ground on the left of the Pi, with its wire."""
    stroke = INK if kind is PLAIN else kind[1]
    return (
        box(24, y - 18, 226, 36, kind, dash=dash)
        + name(36, y - 3, line)
        + text(36, y + 11, words, size=11, fill=GREY)
        + ground(186, y)
        + contact(186, y, is_closed=is_closed, stroke=stroke)
        + wire((246, y), (PI_LEFT, y), dash=dash)
        + pi_pin(line, y, on_left=True)
    )


def relay_way(name, letter, y):
    """Return the way of one release: line, relay, one-shot, terminal of the turnstile."""
    return (
        pi_pin(name, y, on_left=False)
        + wire((PI_RIGHT, y), (640, y))
        + resistor_to_ground(604, y)
        + box(640, y - 20, 92, 40)
        + lines(650, y - 3, f"relay {letter}", "at rest: off", step=14)
        + wire((732, y), (758, y))
        + box(758, y - 20, 92, 40, TIMER)
        + lines(768, y - 3, "one-shot", "ends it", step=14)
        + wire((850, y), (BOARD_LEFT, y))
        + text(BOARD_LEFT + 12, y + 4, f"release {letter}", bold=True)
    )


def passage_way(name, letter, y, *, dash="none"):
    """Return one passage signal, from the turnstile's board back to the Pi."""
    return (
        pi_pin(name, y, on_left=False)
        + wire((PI_RIGHT, y), (BOARD_LEFT, y), dash=dash)
        + text(BOARD_LEFT + 12, y + 4, f"passage {letter}", bold=True)
    )


def left_of_the_pi():
    """Return the sensor and the contacts."""
    return (
        box(24, 60, 226, 66)
        + text(36, 82, "MLX90614", bold=True)
        + lines(36, 98, "a bus of its own, short wires,", "3.3 V from pin 1", step=15, fill=GREY)
        + wire((250, 78), (PI_LEFT, 78))
        + wire((250, 108), (PI_LEFT, 108))
        + text(290, 72, "SDA", size=11, anchor="middle", fill=GREY)
        + text(290, 102, "SCL", size=11, anchor="middle", fill=GREY)
        + pi_pin("sda", 78, on_left=True)
        + pi_pin("scl", 108, on_left=True)
        + switch("presence", 156, "closes: somebody there")
        + switch("exit_button", 201, "closes: pressed")
        + switch("staff_release", 246, "closes: pressed", dash=OPTIONAL)
        + switch("maintenance_key", 291, "closes: turned", dash=OPTIONAL)
        + switch("emergency", 336, "opens: glass broken", is_closed=True, dash=OPTIONAL)
        + switch("tamper", 381, "opens: housing open", is_closed=True, dash=OPTIONAL)
        + switch("fire", 431, "opens: fire, or cut", is_closed=True, kind=FIRE)
    )


def right_of_the_pi():
    """Return relays, passage signals, lamps and the turnstile's own board."""
    outputs = zip((308, 336, 364, 392), LAMPS, strict=True)
    return (
        box(BOARD_LEFT, 58, 132, 424, BOARD)
        + lines(BOARD_LEFT + 12, 312, "Turnstile's", "own board", bold=True)
        + lines(
            BOARD_LEFT + 12, 354, "keeps the ways", "apart, ends a", "release by itself", fill=GREY
        )
        + relay_way("entry_relay", "A", 90)
        + relay_way("exit_relay", "B", 160)
        + text(620, 129, "10 kΩ to ground at each relay's input", fill=GREY, size=11)
        + passage_way("passage", "A", 226)
        + passage_way("passage_exit", "B", 258, dash=OPTIONAL)
        + "".join(
            pi_pin(name, y, on_left=False) + wire((PI_RIGHT, y), (640, y)) for y, name in outputs
        )
        + box(640, 290, 210, 120)
        + lines(652, 314, "green, amber, red lamp,", "buzzer", bold=True)
        + lines(
            652,
            358,
            "each through a driver with",
            "10 kΩ to ground at its input:",
            "3.3 V, a few mA",
        )
    )


LAMPS = ("green_lamp", "amber_lamp", "red_lamp", "buzzer")


def lane():
    """Return the overview."""
    fire = (
        box(PI_LEFT, 504, PI_RIGHT - PI_LEFT, 66, FIRE)
        + text(342, 526, "Fire relay F", bold=True)
        + lines(
            342,
            544,
            "held in by the fire panel's loop:",
            "drops when that opens or is cut",
            step=15,
        )
        + wire((PI_LEFT, 537), (216, 537), (216, 436), stroke=RED, dash=MOVES)
        + contact(720, 456, is_closed=True, stroke=RED)
        + ground(720, 456)
        + wire((780, 456), (BOARD_LEFT, 456), stroke=RED)
        + text(BOARD_LEFT + 12, 460, "fire input", bold=True)
        + wire((PI_RIGHT, 537), (750, 537), (750, 462), stroke=RED, dash=MOVES)
        + text(228, 530, "reports it", fill=RED)
        + text(738, 530, "frees both ways, without the Pi", fill=RED, anchor="end", size=11)
    )
    return picture(
        "A lane: every line with its BCM number and its pin on the 40-pin header",
        1040,
        610,
        box(PI_LEFT, 58, PI_RIGHT - PI_LEFT, 400, OURS),
        text(558, 440, "Raspberry Pi", anchor="end", size=14, bold=True),
        left_of_the_pi(),
        right_of_the_pi(),
        fire,
        text(24, 594, "Dashed boxes and wires: optional. " + ORDINARY, fill=GREY),
    )


# -------------------------------------------------------------------------- locks without a board


def story(x, y, *rows):
    """Return what happens, as rows of (when, what follows)."""
    return "".join(
        text(x, y + 36 * i, when, bold=True) + text(x, y + 36 * i + 16, what, fill=GREY)
        for i, (when, what) in enumerate(rows)
    )


def lock_branch(y, way, relay, *, is_closed):
    """Return one way's relay contact and lock coil, from x = 330 to the 0 V rail."""
    return (
        contact(340, y, is_closed=is_closed)
        + text(370, y + 22, f"{relay}, from the Pi", anchor="middle", size=11)
        + wire((400, y), (466, y))
        + diode(466, y, 84)
        + coil(466, y, f"lock {way}", BOARD, width=84)
        + wire((550, y), (630, y))
    )


def fail_safe():
    """Return the circuit of locks that hold only while they are fed."""
    return picture(
        "Fail-safe: locked only while fed. The way out, always",
        1040,
        350,
        rail(60, 78, 300, "+24 V"),
        rail(630, 78, 300, "0 V"),
        wire((60, 130), (90, 130)),
        contact(90, 130, is_closed=True, stroke=RED),
        text(120, 152, "F, fire", anchor="middle", size=11, fill=RED),
        wire((150, 130), (190, 130)),
        contact(190, 130, is_closed=True, stroke=RED),
        text(220, 152, "break glass", anchor="middle", size=11, fill=RED),
        wire((250, 130), (340, 130)),
        dot(300, 130),
        wire((300, 130), (300, 240), (340, 240)),
        lock_branch(130, "A", "relay A", is_closed=True),
        lock_branch(240, "B", "relay B", is_closed=True),
        text(370, 166, "normally closed (NC)", anchor="middle", size=11, fill=GREY),
        text(370, 276, "normally closed (NC)", anchor="middle", size=11, fill=GREY),
        story(
            670,
            88,
            ("Ordinary day", "both coils fed: both ways locked"),
            ("Relay A pulled", "its contact opens: way A free"),
            ("Fire, broken glass, a cut wire there", "no supply: both free, whatever the Pi does"),
            ("No supply at all", "both free"),
            ("Pi without power, or booting", "relays at rest: locked; fire still frees"),
        ),
        text(24, 330, ORDINARY + " A second contact of F goes to the Pi.", fill=GREY),
    )


def fail_secure():
    """Return the circuit of a lock that opens only while it is fed, with the fire loop beside."""
    return picture(
        "Fail-secure: free only while fed. Never the only way out",
        1040,
        400,
        rail(60, 78, 350, "+24 V, with a battery"),
        rail(630, 78, 350, "0 V"),
        wire((60, 120), (120, 120)),
        contact(120, 120, is_closed=True, stroke=RED),
        text(150, 142, "fire panel: opens on fire", anchor="middle", size=11, fill=RED),
        wire((180, 120), (466, 120)),
        diode(466, 120, 84),
        coil(466, 120, "relay F", FIRE, width=84),
        wire((550, 120), (630, 120)),
        wire((60, 210), (340, 210)),
        lock_branch(210, "A", "relay A", is_closed=False),
        text(370, 246, "normally open (NO)", anchor="middle", size=11, fill=GREY),
        dot(300, 210),
        dot(432, 210),
        wire((300, 210), (300, 290), (340, 290)),
        contact(340, 290, is_closed=False, stroke=RED),
        wire((400, 290), (432, 290), (432, 210)),
        text(370, 312, "F: closes when F drops", anchor="middle", size=11, fill=RED),
        story(
            670,
            88,
            ("Ordinary day", "coil not fed: locked; F held in, its contact open"),
            ("Relay A pulled", "its contact closes: free"),
            ("Fire, or a cut fire wire", "F drops, feeds the lock past relay A: free"),
            ("No supply and no battery", "locked, also in a fire: entry only"),
            ("Pi without power, or booting", "relay A at rest: locked; fire still frees"),
        ),
        text(24, 380, ORDINARY + " Another contact of F goes to the Pi.", fill=GREY),
    )


# ------------------------------------------------------------------------------------ the one-shot


def trace(y, name, *edges, stroke=INK):
    """Return a level over time: low at first, changing at each of `edges` (pixels from 640)."""
    points, level = [(640, y)], 0
    for edge in edges:
        points.append((640 + edge, y - 20 * level))
        level = 1 - level
        points.append((640 + edge, y - 20 * level))
    points.append((1010, y - 20 * level))
    return wire(*points, stroke=stroke, width=2) + text(628, y - 4, name, anchor="end")


def timing(y, title, line_edges, release_edges):
    """Return what the line does and what reaches the turnstile, with the time T after the start."""
    return (
        text(640, y, title, bold=True)
        + trace(y + 40, "line 17", *line_edges)
        + trace(y + 80, "release A", *release_edges, stroke=TIMER[1])
        + wire((680, y + 12), (680, y + 104), stroke=LINE, dash=OPTIONAL)
        + wire((880, y + 12), (880, y + 104), stroke=LINE, dash=OPTIONAL)
        + wire((680, y + 98), (880, y + 98), stroke=LINE)
        + text(780, y + 114, "T", anchor="middle", fill=GREY)
    )


def one_shot():
    """Return the timer that ends a release when everything before it has failed."""
    bcm, pin = PINS["entry_relay"]
    return picture(
        "The one-shot: no release is longer than its time T, whatever the line does",
        1040,
        400,
        box(40, 60, 120, 44, OURS),
        lines(52, 79, f"Pi, BCM {bcm}", f"pin {pin}", step=16),
        wire((160, 82), (270, 82)),
        resistor_to_ground(215, 82),
        text(226, 110, "10 kΩ", size=11, fill=GREY),
        box(270, 62, 84, 40),
        text(312, 86, "relay A", anchor="middle", bold=True),
        wire((312, 102), (312, 184), stroke=LINE, dash=MOVES),
        rail(60, 170, 246, "+24 V"),
        rail(520, 170, 246, "0 V"),
        wire((60, 200), (282, 200)),
        contact(282, 200, is_closed=False),
        text(312, 222, "relay A, NO", anchor="middle", size=11),
        wire((342, 200), (400, 200)),
        coil(400, 200, "timer T", TIMER, width=84),
        wire((484, 200), (520, 200)),
        wire((442, 215), (442, 284), stroke=TIMER[1], dash=MOVES),
        box(40, 274, 190, 74, BOARD),
        text(52, 304, "release A", bold=True),
        text(52, 336, "ground", bold=True),
        text(222, 320, "turnstile", anchor="end", fill=GREY),
        wire((230, 300), (412, 300)),
        contact(412, 300, is_closed=False, stroke=TIMER[1]),
        wire((472, 300), (500, 300), (500, 332), (230, 332)),
        text(442, 322, "closed for T at most", anchor="middle", size=11),
        timing(76, "Somebody walks through: the Pi ends it", (40, 140), (40, 140)),
        timing(222, "The line stays high: T ends it", (40,), (40, 240)),
        text(
            24,
            382,
            "The timer gets its supply through relay A: fed, it closes at once and opens "
            "after T; not fed, it is open. T is a little more than release_hold_s.",
            fill=GREY,
        ),
    )


PICTURES = {
    "lane.svg": lane,
    "fail-safe.svg": fail_safe,
    "fail-secure.svg": fail_secure,
    "one-shot.svg": one_shot,
}


def main():
    """Write every picture."""
    folder = Path(sys.argv[1]) if sys.argv[1:] else HERE
    for file, draw in PICTURES.items():
        (folder / file).write_text(draw(), encoding="utf-8")
    Tongue.name, Tongue.told = "zh-CN", LABELS
    Tongue.fonts = (
        "Helvetica, Arial, 'PingFang SC', 'Microsoft YaHei', 'Noto Sans CJK SC', sans-serif"
    )
    for file, draw in PICTURES.items():
        path = (folder / file).with_suffix(".zh-CN.svg")
        path.write_text(draw(), encoding="utf-8")


if __name__ == "__main__":
    main()
