"""Brings relay, lamps, sounder and words to what the lane's state says."""

from collections.abc import Callable

from gatepost.core.lane import output_of, release_s
from gatepost.core.prompts import prompt_of
from gatepost.core.signals import SIGNALS
from gatepost.core.visit import Lane, Policy
from gatepost.gate.parts import Hardware

# A release without an end of its own (fire, emergency) is renewed long before it expires. It
# outlasts a disk that blocks for as long as the watchdog lets it (WatchdogSec=10), and expires
# soon after a loop that hangs for longer.
FIRE_HOLD_S = 12.0
_RENEW_S = 0.5


class Stage:
    """The hands of the loop. `is_quiet` says whether it is the time of day for ticks."""

    def __init__(self, hardware: Hardware, is_quiet: Callable[[], bool]) -> None:
        self._hardware = hardware
        self._is_quiet = is_quiet
        self._renew_at_s = hardware.clock.now_s()

    def show(self, lane: Lane, policy: Policy) -> None:
        """Do what a newly entered state says: the relay first, the words last."""
        output = output_of(lane)
        turnstile = self._hardware.turnstile
        hold_s = release_s(output, policy)
        # Dropped in any case but where both ways are to be free: a release for the next person
        # must not be the rest of the last one's.
        if hold_s is not None or not output.releases:
            turnstile.drop()
        for direction in output.releases:
            turnstile.release(direction, FIRE_HOLD_S if hold_s is None else hold_s)
        self._renew_at_s = self._hardware.clock.now_s() + _RENEW_S
        pattern = SIGNALS[output.signal]
        is_quiet = self._is_quiet() and not pattern.is_alarm
        self._hardware.lamps.show(pattern.lamps, blink_s=pattern.blink_s)
        self._hardware.buzzer.play(
            (pattern.quiet() if is_quiet else pattern).buzzer_s, repeat=pattern.repeat
        )
        prompt = prompt_of(lane)
        if prompt is not None:
            self._hardware.display.tell(prompt)
            if not is_quiet:
                self._hardware.speaker.tell(prompt)

    def renew(self, lane: Lane, now_s: float) -> None:
        """Keep a release without an end (fire, emergency) from expiring while the loop lives."""
        output = output_of(lane)
        if output.releases and output.until is None and now_s >= self._renew_at_s:
            self._renew_at_s = now_s + _RENEW_S
            for direction in output.releases:
                self._hardware.turnstile.release(direction, FIRE_HOLD_S)

    def clear(self) -> None:
        """Show and sound nothing."""
        self._hardware.lamps.show(frozenset())
        self._hardware.buzzer.play(())
