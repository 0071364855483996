"""Draws demo.svg beside this file: one moment of a real `gatepost demo`, in the demo's own picture.

    python firmware/pictures/make_demo_picture.py

Needs the extra `demo` and a broker. The moment is chosen by rule: the first one in which somebody
whom the gate admitted walks through while the broker is down and events wait for it.
"""

import io
import sys
import tempfile
from pathlib import Path

from rich.console import Console, RenderableType
from rich.terminal_theme import TerminalTheme

from gatepost.demo.broker import LocalBroker
from gatepost.demo.scene import Scene
from gatepost.demo.show import Demo, Progress

PICTURE = Path(__file__).with_name("demo.svg")
PEOPLE, SEED, WIDTH = 16, 3, 88
# Slower than the demo's own default: a release must not slip through between two looks.
SPEED = 5
COMMAND = f"gatepost demo --people {PEOPLE} --seed {SEED} --speed {SPEED} --outage"

THEME = TerminalTheme(
    background=(24, 27, 31),
    foreground=(208, 212, 218),
    normal=[
        (90, 97, 107),
        (232, 96, 92),
        (98, 190, 120),
        (224, 175, 80),
        (100, 150, 230),
        (190, 130, 210),
        (90, 180, 200),
        (208, 212, 218),
    ],
)

# rich's own frame loads a font by its URL; this one takes what the viewer has.
FRAME = """\
<svg viewBox="0 0 {width} {height}" xml:space="preserve" role="img" \
xmlns="http://www.w3.org/2000/svg">
<title>The live view of gatepost demo</title>
<style>
.{unique_id}-matrix {{
  font: {char_height}px ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace;
}}
.{unique_id}-title {{ font: 16px ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace; }}
{styles}
</style>
<defs>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


class Moment:
    """Keeps the first picture that the rule above wants."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self.picture: RenderableType | None = None

    def look(self, progress: Progress) -> None:
        """Take one look; called for each moment of the demo."""
        waiting = progress.written - progress.tally.received
        is_wanted = (
            progress.lane.get("state") == "released"
            and progress.lane.get("released")
            and progress.broker == "down"
            and waiting > 0
        )
        if self.picture is None and is_wanted:
            self.picture = self._scene.render(progress)


def main() -> int:
    """Run the demo and write the picture; 1 when the run or the moment was not to be had."""
    scene = Scene(PEOPLE)
    moment = Moment(scene)
    with tempfile.TemporaryDirectory(prefix="gatepost-") as folder:
        demo = Demo(
            Path(folder),
            count=PEOPLE,
            seed=SEED,
            speed=SPEED,
            broker=LocalBroker(Path(folder)),
            outage=True,
            on_event=scene.add_event,
        )
        summary = demo.run(moment.look)
    if moment.picture is None or not summary.is_good:
        print(f"no picture: {summary.to_json()}", file=sys.stderr)
        return 1
    console = Console(file=io.StringIO(), record=True, width=WIDTH, force_terminal=True)
    console.print(moment.picture)
    svg = console.export_svg(
        title=COMMAND, theme=THEME, code_format=FRAME, font_aspect_ratio=0.602, unique_id="demo"
    )
    PICTURE.write_text(svg, encoding="utf-8")
    print(f"{PICTURE.name}: {len(svg)} bytes, from a run with {summary.to_json()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
