"""What is connected where, in words: one row a function. hal/WIRING.md says the same at length.

firmware/words/translate.py takes every text from here.
"""

from typing import NamedTuple


class Function(NamedTuple):
    """What one line of the lane is for.

    `unpowered` is what holds, or must be made to hold, while the Pi has no power. `missing` is what
    is lost where an optional line is not wired.
    """

    what: str
    connect: str
    unpowered: str
    missing: str = ""


RELAYS = ("entry_relay", "exit_relay")
OUTPUTS = {
    "entry_relay": Function(
        "relay A, lets in",
        "the input of relay A; its contact to release A of the turnstile",
        "The relay drops. Entry fail-secure (locked) or fail-safe, if nobody must leave that way.",
    ),
    "exit_relay": Function(
        "relay B, lets out",
        "the input of relay B; its contact to release B of the turnstile",
        "The relay drops. Exit fail-safe: free without the turnstile's supply, and by break glass "
        "or a second contact of the button while only the Pi is dead.",
    ),
    "green_lamp": Function("green lamp", "the input of its driver, 3.3 V, a few mA", "Dark."),
    "amber_lamp": Function("amber lamp", "the input of its driver, 3.3 V, a few mA", "Dark."),
    "red_lamp": Function("red lamp", "the input of its driver, 3.3 V, a few mA", "Dark."),
    "buzzer": Function(
        "active sounder", "the input of its driver, 3.3 V, a few mA", "Silent, in an alarm too."
    ),
}
INPUTS = {
    "presence": Function(
        "somebody stands at the sensor", "a dry contact to ground", "Nobody is let in."
    ),
    "passage": Function(
        "the arm turns",
        "a dry contact to ground; one that is closed at rest (PERCo) over a small relay",
        "Passages are not seen.",
        "an admission ends with its time, and whether anybody walked is not known",
    ),
    "passage_exit": Function(
        "the arm turns outwards",
        "a dry contact to ground, as passage",
        "Passages are not seen.",
        "nobody knows in which direction somebody walked",
    ),
    "exit_button": Function(
        "somebody inside asks to leave",
        "a dry contact to ground; a second one to the turnstile's own input",
        "Dead: the second contact lets out, or a dead Pi holds people.",
    ),
    "staff_release": Function(
        "staff lets the person at the entry in",
        "a dry contact to ground",
        "Dead.",
        "staff releases by gatepost lane or the server alone",
    ),
    "maintenance_key": Function(
        "the technician's key switch",
        "a dry contact to ground",
        "Dead.",
        "maintenance begins by gatepost lane alone",
    ),
    "fire": Function(
        "contact of the fire relay",
        "a second contact of relay F; its first one lies in the supply of the turnstile or locks",
        "Not read. Relay F frees both ways in hardware: life does not hang on the Pi.",
    ),
    "emergency": Function(
        "break glass at the lane",
        "a second contact of the unit; its first one lies in the supply of the exit's lock",
        "Not read. The unit frees the exit in hardware.",
        "breaking the glass frees by its own contact, and is not reported",
    ),
    "tamper": Function(
        "contact of the housing",
        "a dry contact to ground, closed while the housing is",
        "Not read.",
        "nobody is told when the housing is opened",
    ),
}
# Closed while all is well, so that a cut wire is an alarm.
NORMALLY_CLOSED = ("fire", "emergency", "tamper")
SENSOR = "No measurement: no information, and nobody passes by it."
WIEGAND = "No card is read."
SCANNER = "No pass is read."

FIRE = (
    "Fire acts in hardware: the fire contact lies in the relays' and locks' supply, or at the "
    "turnstile's fire input, and frees both ways without the Pi. Line {line} only reports it."
)
HOLD = (
    'release = "hold": nothing but software ends a release. A one-shot on the relay, or the '
    "turnstile's own time, must: T = {least:g} to {most:g} s, that is release_hold_s and 1 to 2 s."
)
PULSE = (
    'release = "pulse": the turnstile\'s own time ends a release. Set it to {hold_s:g} s, which is '
    "release_hold_s here, so that lamp and arm agree."
)
UNENDED = (
    'passage = "none" with release = "hold": as many walk as can in {hold_s:g} s. Take "pulse" '
    "with a turnstile that locks behind each."
)
STRICT = (
    "Without dtparam=strict_gpiod in /boot/firmware/config.txt a killed gate leaves its relay as "
    "it was."
)
LEVELS = (
    "Nothing above 3.3 V may reach a line. Ground: pins {ground}. 3.3 V: pins {supply}. Coils get "
    "a diode; the turnstile's ground and the Pi's stay apart."
)
DOWN, UP = "10 kΩ to ground, at the driver", "10 kΩ to 3.3 V, at the driver"
PI_UP = "the Pi's own, up, while the gate runs"

PULLED_UP_RELAY = (
    "pulled up at power-on: only the 10 kΩ to ground keep the relay off until the gate starts. "
    "Better a line from 9 to 27"
)
PULLED_UP_OUTPUT = "pulled up at power-on: only the 10 kΩ to ground keep it off until the gate runs"
FIXED = "a pull-up to 3.3 V on the board, which 10 kΩ cannot hold down: no line for an output"
ACTIVE_LOW = (
    "active-low: without the 10 kΩ to 3.3 V the relay is on whenever nobody drives the line"
)
SHARED = "also belongs to {bus}: that must be off"
SHORT = "a short in its wire is an alarm lost: test it every year"
FIVE_VOLTS = "readers pull their lines to 5 V: an optocoupler or level shifter in between"
CONSOLE = "the UART must be on, and the serial console off it"
OVERLAY = "name both lines in the overlay: its own defaults are BCM 23 and 24"
NOT_ALONE = (
    "bus {bus} is not the sensor's alone: other traffic couples into the reading; take i2c_bus = 3"
)
LOW_SUPPLY = (
    "supply_v = {volts:g}: its inputs end at its supply, and the pull-ups of BCM 2 and 3 go to "
    "3.3 V. Another pair of lines, with pull-ups to its supply"
)
MEASURE_SUPPLY = (
    "supply_v = {volts:g}: measure it at the sensor, 0.1 V is 0.06 C; it is calibrated at 3.0 V"
)
SENSOR_LINE = "{line} of /dev/i2c-{bus}"
TO_THE_SENSOR = (
    "{line} of the MLX90614 by a short wire; its supply to pin {supply}, its ground to pin {ground}"
)
TO_THE_CARD_READER = "{line} of the card reader"
TO_THE_SCANNER = "{line} of the scanner, with levels of 3.3 V"
PULL_OF_THE_SENSOR = "to the sensor's supply"
PULL_OF_THE_READER = "the level shifter's, high at rest"
PULL_OF_THE_UART = "high at rest, by whoever sends"
