"""A gate's parts under a clock of any quality, for the rules that go by the time of day."""

from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from gatepost.core.facts import Facts
from gatepost.wiring.credentials import credentials
from gatepost.wiring.passes import Passes
from gatepost_config.load import load
from gatepost_config.settings import Settings
from gatepost_hal.ports import Direction
from gatepost_hal.simulated.world import World

from .rosters import import_roster
from .signed_codes import HOUR, NOW, ROOT_HEX, push_list

ROSTER = "credential,subject,category,household\nP1,anna,resident,h1\nP2,ben,resident,h1\n"
ENTRY, EXIT = Direction.ENTRY, Direction.EXIT
# Neither too late nor too early for a list and a key of `signed_codes`.
FRESH = {"issued_utc": NOW - HOUR}


class ClockSite:
    """One gate; `quality` is what its wall clock is worth. `config` is its settings file.

    The clock shows the right time whatever it is worth: what a rule does is then its own doing.
    """

    def __init__(self, config: Path, closing: ExitStack, quality: str) -> None:
        self.world = World(start_utc_s=NOW.timestamp())
        self.world.set_clock(quality=quality)
        self.quality = quality
        self.folder = config.parent
        self._config = config
        self._text = config.read_text()
        self._closing = closing

    def settings(self, more: str = "") -> Settings:
        """Return the settings, with some lines more."""
        self._config.write_text(self._text + more)
        return load(self._config)

    def passes(self, more: str = "", *, boot_id: str = "boot", as_of: datetime = NOW) -> Passes:
        """Return what the gate knows of passes, as after a start."""
        if not (self.folder / "roster.db").exists():
            import_roster(self.folder, ROSTER, as_of_utc_s=int(as_of.timestamp()))
        self._closing.pop_all().close()
        return Passes(self.settings(more), self.world, boot_id, self._closing)

    def codes(self, more: str = "", **trust: Any) -> Any:
        """Return what reads signed codes, by a trust list."""
        settings = self.settings(f'[passes]\nroot_key = "{ROOT_HEX}"\n{more}')
        push_list(settings.paths.trust_list, **{**FRESH, **trust})
        passes = self.passes(f'[passes]\nroot_key = "{ROOT_HEX}"\n{more}')
        return credentials(settings, passes, self.world, self._closing)

    def shown(self, codes: Any, code: str, direction: Direction = ENTRY) -> Any:
        """Return what was shown."""
        return codes.shown(code, direction, self.world.now_s())

    def known(self, passes: Passes, credential: str, direction: Direction) -> Facts:
        """Return what is known of whose pass that is."""
        holder = passes.look_up(credential)
        assert holder is not None
        return passes.known(holder, direction)

    def later(self, **time: float) -> None:
        """Let time pass, on both clocks."""
        self.world.advance(timedelta(**time).total_seconds())

    def as_ntp(self) -> None:
        """Let a time server keep the clock, for what happened before."""
        self.world.set_clock(quality="ntp")

    def as_asked(self) -> None:
        """Let the clock be worth what the test is about."""
        self.world.set_clock(quality=self.quality)  # type: ignore[arg-type]
