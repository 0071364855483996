"""The screening judged on real people, beside what people do today. Run with `make bench`.

544 adults, seen by two cameras, each with an oral thermometer (thermometry/PROVENANCE.md). The
files go through `gatepost screen` as they are; the first 50 people of each teach the offset.
"""

import csv
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

HERE = Path(__file__).parent
PLOT = HERE.parents[1] / "firmware" / "pictures" / "screening.svg"
LIMIT_C = 37.3
LEARN = 50
FEVER_C = 38.0
CAMERAS = {"FLIR": HERE / "thermometry" / "flir.csv", "ICI": HERE / "thermometry" / "ici.csv"}


class Person(NamedTuple):
    raw_c: float  # median of the rounds
    oral_c: float
    index_c: float
    zone: str


class Score(NamedTuple):
    sensitivity: float
    specificity: float

    @property
    def youden(self) -> float:
        return self.sensitivity + self.specificity - 1


METHODS: dict[str, Callable[[Person], float]] = {
    "raw > limit": lambda person: person.raw_c,
    "raw + 2.5 > limit": lambda person: person.raw_c + 2.5,  # the mean of the two cameras
    "raw + 3.1 > limit": lambda person: person.raw_c + 3.1,  # found in hobby projects
    "index > limit": lambda person: person.index_c,
}


def people(path: Path) -> list[Person]:
    """Return the people of a file as the screening saw them."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    raw: dict[str, list[float]] = {}
    oral = {row["person"]: float(row["oral_c"]) for row in rows}
    for row in rows:
        raw.setdefault(row["person"], []).append(float(row["object_c"]))
    command = [sys.executable, "-m", "gatepost", "screen"]
    command += ["--limit", str(LIMIT_C), "--learn", str(LEARN), str(path)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return [
        Person(median(raw[line["person"]]), oral[line["person"]], line["index_c"], line["zone"])
        for line in map(json.loads, output.splitlines())
    ]


def score(shown_c: Sequence[float], is_hot: Sequence[bool], limit_c: float = LIMIT_C) -> Score:
    """Return how well `shown > limit` tells who is hot."""
    found = sum(shown > limit_c for shown, hot in zip(shown_c, is_hot, strict=True) if hot)
    spared = sum(shown <= limit_c for shown, hot in zip(shown_c, is_hot, strict=True) if not hot)
    return Score(found / sum(is_hot), spared / (len(is_hot) - sum(is_hot)))


def shares(group: Sequence[Person]) -> dict[str, float]:
    """Return which part of a group is in each zone."""
    zones = [person.zone for person in group]
    names = ("pass", "recheck", "refer", "no_information")
    return {name: zones.count(name) / len(zones) for name in names}


def readme_table(cameras: dict[str, list[Person]]) -> str:
    """Return the figures as the README has them; a test holds the two together."""
    lines = [
        "| limit 37.3 C | " + " | ".join(cameras) + " |",
        "|---|" + "---|" * len(cameras),
    ]
    groups = {
        "oral ≤ 37.3 C: pass / recheck / refer / no information": _healthy,
        "oral ≥ 38.0 C: the same": _feverish,
    }
    for name, of in groups.items():
        cells = [
            " / ".join(f"{share:.0%}" for share in shares(of(seen)).values())
            for seen in cameras.values()
        ]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    for name, method in METHODS.items():
        cells = []
        for seen in cameras.values():
            is_hot = [person.oral_c > LIMIT_C for person in seen]
            one = score([method(person) for person in seen], is_hot)
            cells.append(f"{one.sensitivity:.0%} / {one.specificity:.0%} / {one.youden:.2f}")
        lines.append(
            f"| {name}: sensitivity / specificity / Youden's J | " + " | ".join(cells) + " |"
        )
    return "\n".join(lines)


def _healthy(seen: Sequence[Person]) -> list[Person]:
    return [person for person in seen if person.oral_c <= LIMIT_C]


def _feverish(seen: Sequence[Person]) -> list[Person]:
    return [person for person in seen if person.oral_c >= FEVER_C]


def show(camera: str, seen: Sequence[Person]) -> None:
    """Print the table of one camera."""
    feverish = [person.oral_c >= FEVER_C for person in seen]
    over = [person.oral_c > LIMIT_C for person in seen]
    print(
        f"\n{camera}: {len(seen)} adults, {sum(over)} over {LIMIT_C} C orally, "
        f"{sum(feverish)} at {FEVER_C} C or more"
    )
    print(f"  {'':<20}{'oral > 37.3 C':^26}{'oral >= 38.0 C':^26}")
    print(f"  {'':<20}" + f"{'sens.':>8}{'spec.':>8}{'J':>8}  " * 2)
    for name, of in METHODS.items():
        shown_c = [of(person) for person in seen]
        cells = ""
        for is_hot in (over, feverish):
            one = score(shown_c, is_hot)
            cells += f"{one.sensitivity:>8.2f}{one.specificity:>8.2f}{one.youden:>8.2f}  "
        print(f"  {name:<20}{cells}")
    groups = {
        f"at most {LIMIT_C} C": _healthy(seen),
        f"{FEVER_C} C or more": _feverish(seen),
    }
    print("  first look, with the guard band:")
    for name, group in groups.items():
        parts = "  ".join(f"{zone} {share:.1%}" for zone, share in shares(group).items())
        print(f"    {name:<18}{parts}")


# --------------------------------------------------------------------------------------- the plot

_SIDE, _LEFT, _TOP, _GAP = 300, 60, 40, 70
_COLOURS = {"raw": "#b45309", "index": "#0369a1"}


def curve(shown_c: Sequence[float], is_hot: Sequence[bool]) -> list[Score]:
    """Return the scores over every limit that makes a difference."""
    limits_c = [min(shown_c) - 1, *sorted(set(shown_c))]
    return [score(shown_c, is_hot, limit_c) for limit_c in limits_c]


def panel(camera: str, seen: Sequence[Person], left: int) -> list[str]:
    """Return the drawing of one camera: both curves, and where each method's limit lies on them."""

    def at(one: Score) -> tuple[float, float]:
        return left + (1 - one.specificity) * _SIDE, _TOP + (1 - one.sensitivity) * _SIDE

    is_hot = [person.oral_c > LIMIT_C for person in seen]
    lines = [
        f'<rect x="{left}" y="{_TOP}" width="{_SIDE}" height="{_SIDE}" class="frame"/>',
        f'<line x1="{left}" y1="{_TOP + _SIDE}" x2="{left + _SIDE}" y2="{_TOP}" class="chance"/>',
        f'<text x="{left + _SIDE / 2}" y="{_TOP - 14}" class="title">{camera}</text>',
        f'<text x="{left + _SIDE / 2}" y="{_TOP + _SIDE + 32}" class="axis">'
        "healthy people stopped</text>",
    ]
    for share in (0, 0.5, 1):
        x, y = left + share * _SIDE, _TOP + _SIDE - share * _SIDE
        lines.append(f'<text x="{x}" y="{_TOP + _SIDE + 15}" class="tick">{share:.0%}</text>')
        lines.append(f'<text x="{left - 6}" y="{y + 4}" class="tick end">{share:.0%}</text>')
    for name, of in (("raw", METHODS["raw > limit"]), ("index", METHODS["index > limit"])):
        points = [at(one) for one in curve([of(person) for person in seen], is_hot)]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        lines.append(f'<polyline points="{path}" stroke="{_COLOURS[name]}" class="curve"/>')
    for number, (name, of) in enumerate(METHODS.items()):
        x, y = at(score([of(person) for person in seen], is_hot))
        colour = _COLOURS["index" if name.startswith("index") else "raw"]
        lines.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="{colour}"/>')
        dx, dy = ((9, -4), (9, 14), (9, 14), (9, 4))[number]
        lines.append(f'<text x="{x + dx:.1f}" y="{y + dy:.1f}" class="mark">{name}</text>')
    return lines


def plot(cameras: dict[str, list[Person]]) -> str:
    """Return an SVG: who is found, over who is stopped for nothing."""
    width = _LEFT + len(cameras) * (_SIDE + _GAP)
    height = _TOP + _SIDE + 50
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        'role="img" aria-label="Receiver operating curves of the screening">',
        "<style>text{font:12px sans-serif;fill:#334155}.title{font-size:14px;font-weight:bold;"
        "text-anchor:middle}.axis,.tick{text-anchor:middle}.end{text-anchor:end}"
        ".mark{paint-order:stroke;stroke:#fff;stroke-width:3px}.frame{fill:#fff;stroke:#94a3b8}"
        ".chance{stroke:#cbd5e1;stroke-dasharray:4 4}.curve{fill:none;stroke-width:2}</style>",
        '<rect width="100%" height="100%" fill="#fff"/>',
        f'<text transform="translate(16 {_TOP + _SIDE / 2}) rotate(-90)" class="axis">'
        f"people over {LIMIT_C} C (oral) found</text>",
    ]
    for number, (camera, seen) in enumerate(cameras.items()):
        lines += panel(camera, seen, _LEFT + number * (_SIDE + _GAP))
    return "\n".join([*lines, "</svg>", ""])


def main() -> None:
    cameras = {camera: people(path) for camera, path in CAMERAS.items()}
    print(f"screening of a forehead, limit {LIMIT_C} C, offset learnt from {LEARN} people of each")
    for camera, seen in cameras.items():
        show(camera, seen)
    PLOT.write_text(plot(cameras), encoding="utf-8")
    print(f"\nplot: {PLOT.relative_to(HERE.parents[1])}")


if __name__ == "__main__":
    main()
