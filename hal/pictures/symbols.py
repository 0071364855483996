"""The symbols that the pictures of hal/WIRING.md are made of; each function returns SVG."""

import re
from html import escape

INK, GREY, LINE, PAPER = "#24303c", "#566270", "#9aa5b1", "#fafbfc"
# (fill, stroke) by what a box is.
PLAIN = ("#fff", LINE)
OURS = ("#e6f2ea", "#3d8b5f")
BOARD = ("#e5eef8", "#3a6ea5")
TIMER = ("#fff6e0", "#b98a2f")
FIRE = ("#fbe9e7", "#c0453a")
RED = FIRE[1]
# How an optional line is dashed, and the one from a relay to a contact that it moves.
OPTIONAL, MOVES = "5 4", "2 4"
FONTS = "Helvetica, Arial, sans-serif"
AS_IT_IS = "="  # stands before what is said the same in every language
_NUMBERED = re.compile(r"\b(pin|line|BCM) (\d+)")


class Tongue:
    """In which language the labels are; English until another one is chosen."""

    name = "en"
    fonts = FONTS
    told = None


def say(words):
    """Return a label in the language that was chosen. Raises KeyError for one that it has not."""
    if words.startswith(AS_IT_IS) or Tongue.told is None:
        return words.removeprefix(AS_IT_IS)
    numbers = _NUMBERED.search(words)
    told = Tongue.told[_NUMBERED.sub(r"\1 {n}", words)]
    return told.replace("{n}", numbers[2]) if numbers else told


def text(x, y, words, *, size=12, anchor="start", fill=INK, bold=False):
    """Return one line of text; `y` is its base line."""
    weight = ' font-weight="bold"' if bold else ""
    return (
        f'<text x="{x}" y="{y}" font-size="{size}" text-anchor="{anchor}" fill="{fill}"{weight}>'
        f"{escape(say(words))}</text>"
    )


def name(x, y, words):
    """Return what is called the same in every language."""
    return text(x, y, AS_IT_IS + words, bold=True)


def lines(x, y, *words, step=17, **style):
    """Return several lines of text, one below the other."""
    return "".join(text(x, y + step * i, line, **style) for i, line in enumerate(words))


def box(x, y, width, height, kind=PLAIN, *, dash="none"):
    """Return a rounded box."""
    fill, stroke = kind
    return (
        f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="6" fill="{fill}" '
        f'stroke="{stroke}" stroke-width="1.5" stroke-dasharray="{dash}"/>'
    )


def wire(*points, stroke=INK, width=1.6, dash="none"):
    """Return a line through the points."""
    path = "M" + "L".join(f"{x} {y}" for x, y in points)
    return (
        f'<path d="{path}" fill="none" stroke="{stroke}" stroke-width="{width}" '
        f'stroke-dasharray="{dash}"/>'
    )


def dot(x, y, *, stroke=INK):
    """Return a junction."""
    return f'<circle cx="{x}" cy="{y}" r="3.2" fill="{stroke}"/>'


def contact(x, y, *, is_closed, stroke=INK, length=60):
    """Return a contact from (x, y) to (x + length, y), drawn as it stands."""
    left, right = x + 18, x + length - 18
    blade = (right, y) if is_closed else (right - 2, y - 14)
    return (
        wire((x, y), (left, y), stroke=stroke)
        + wire((right, y), (x + length, y), stroke=stroke)
        + wire((left, y), blade, stroke=stroke, width=2.6)
        + f'<circle cx="{left}" cy="{y}" r="3" fill="#fff" stroke="{stroke}" stroke-width="1.5"/>'
        + f'<circle cx="{right}" cy="{y}" r="3" fill="#fff" stroke="{stroke}" stroke-width="1.5"/>'
    )


def coil(x, y, name, kind=PLAIN, *, width=64):
    """Return a coil whose middle line runs from (x, y) to (x + width, y)."""
    return box(x, y - 15, width, 30, kind) + text(
        x + width / 2, y + 4, name, anchor="middle", bold=True
    )


def ground(x, y):
    """Return a ground sign that hangs from (x, y)."""
    return (
        wire((x, y), (x, y + 7))
        + wire((x - 7, y + 7), (x + 7, y + 7), width=2.2)
        + wire((x - 4, y + 11), (x + 4, y + 11), width=1.4)
    )


def diode(x, y, width):
    """Return a diode across a coil `width` wide, against the current (from left to right)."""
    top, middle = y - 32, x + width / 2
    return (
        wire((x - 12, y), (x - 12, top), (middle - 7, top))
        + wire((middle + 7, top), (x + width + 12, top), (x + width + 12, y))
        + wire((middle - 7, top - 7), (middle - 7, top + 7), width=2)
        + f'<path d="M{middle + 7} {top - 7}V{top + 7}L{middle - 7} {top}z" fill="{INK}"/>'
        + dot(x - 12, y)
        + dot(x + width + 12, y)
    )


def resistor_to_ground(x, y):
    """Return a resistor from (x, y) down to ground."""
    body = f'<rect x="{x - 5}" y="{y + 9}" width="10" height="22" fill="#fff" stroke="{INK}"/>'
    return dot(x, y) + wire((x, y), (x, y + 9)) + body + ground(x, y + 31)


def rail(x, top, bottom, name):
    """Return a supply rail from top to bottom with its name above."""
    return wire((x, top), (x, bottom), width=3) + text(x - 20, top - 9, name, bold=True)


def picture(title, width, height, *parts):
    """Return the whole file."""
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
            f'font-family="{Tongue.fonts}" fill="{INK}" xml:lang="{Tongue.name}">',
            f"<title>{escape(say(title))}</title>",
            f'<rect x="1" y="1" width="{width - 2}" height="{height - 2}" rx="12" fill="{PAPER}" '
            'stroke="#d5dbe1"/>',
            text(24, 32, title, size=14, bold=True),
            *parts,
            "</svg>\n",
        ]
    )
