"""What a lane drives: relays that let go by themselves, lamps that blink, a sounder.

Every end, every change of a blinking lamp and every next sound is the timer's: none of them waits
for the control loop.
"""

import math
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial

from gpiozero import DigitalOutputDevice

from gatepost_hal.ports import Clock, Direction, Lamp, Timer

# No release is longer; more would be a bare "on" by another name.
MAX_HOLD_S = 60.0
# A shorter pulse does not move a relay for certain, and a turnstile's board may not see it.
MIN_RELEASE_S = 0.1
# Freed by the driver itself for this long, before and without the control loop, which may wait for
# a disk; the loop renews it. Longer than the 10 s after which systemd kills a loop that hangs.
ALARM_HOLD_S = 12.0
# What goes on by itself takes turns no shorter than this: the same timer lets the relays go.
MIN_TURN_S = 0.05


class ExpiringOutput:
    """An output that cannot be left on: every call states its end, and a timer keeps it.

    Thread-safe. The timer, not the control loop, ends the hold.
    """

    def __init__(self, device: DigitalOutputDevice, *, clock: Clock, timer: Timer) -> None:
        self._device = device
        self._clock = clock
        self._timer = timer
        self._lock = threading.Lock()
        self._ends_at_s = clock.now_s()

    def energise(self, hold_s: float) -> None:
        """Switch on until `hold_s` from now; a hold that is running ends then instead."""
        if not 0 < hold_s <= MAX_HOLD_S:
            raise ValueError(f"hold_s = {hold_s}: an output is held for 0 to {MAX_HOLD_S} s")
        with self._lock:
            self._ends_at_s = self._clock.now_s() + hold_s
            # Armed first: should switching on fail half-way, the end is already certain.
            self._timer.call_at(self._ends_at_s, self._expire)
            self._device.on()

    def drop(self) -> None:
        """Switch off now."""
        with self._lock:
            self._ends_at_s = self._clock.now_s()
            try:
                # Armed first, as above: should this fail, the timer tries until it succeeds.
                cancel = self._timer.call_at(self._ends_at_s, self._expire)
            finally:
                self._device.off()  # also when there is no timer any more
            cancel()

    def _expire(self) -> None:
        with self._lock:
            # An earlier hold's timer finds a later end when the hold was renewed.
            if self._clock.now_s() >= self._ends_at_s and not self._device.closed:
                self._device.off()


class GpioTurnstile:
    """A `Turnstile` with one relay for each direction.

    While `is_alarmed` says that a contact demands a free way, nothing that was decided before it
    shortens what `release_all` freed (S3).
    """

    def __init__(
        self,
        outputs: Mapping[Direction, ExpiringOutput],
        *,
        is_alarmed: Callable[[], bool] = lambda: False,
    ) -> None:
        self._outputs = outputs
        self._is_alarmed = is_alarmed

    def release(self, direction: Direction, hold_s: float) -> None:
        """Energise one direction's relay for `hold_s`, `MIN_RELEASE_S` to `MAX_HOLD_S`.

        Raises:
            ValueError: the hold is shorter or longer than that; nothing was energised.
        """
        if not MIN_RELEASE_S <= hold_s <= MAX_HOLD_S:
            limits = f"{MIN_RELEASE_S} to {MAX_HOLD_S} s"
            raise ValueError(f"hold_s = {hold_s}: a turnstile is released for {limits}")
        hold_s = max(hold_s, ALARM_HOLD_S) if self._is_alarmed() else hold_s
        self._outputs[direction].energise(hold_s)

    def release_all(self, hold_s: float) -> None:
        """Release each direction there is, also when another fails."""
        with ExitStack() as releases:
            for direction in self._outputs:
                releases.callback(self.release, direction, hold_s)

    def drop(self) -> None:
        """De-energise both relays now, but while an alarm demands a free way."""
        if not self._is_alarmed():
            self.let_go()

    def let_go(self) -> None:
        """De-energise both relays, whatever stands: the lines are about to be given back."""
        with ExitStack() as drops:  # each one, also when another fails
            for output in self._outputs.values():
                drops.callback(output.drop)


class GpioLamps:
    """`Lamps`, one line each."""

    def __init__(
        self, devices: Mapping[Lamp, DigitalOutputDevice], *, clock: Clock, timer: Timer
    ) -> None:
        self._devices = devices
        self._clock = clock
        self._timer = timer
        self._lock = threading.Lock()
        self._cancel: Callable[[], None] = lambda: None
        self._shown = 0

    def show(self, lit: frozenset[Lamp], *, blink_s: float = 0.0) -> None:
        """Light exactly these lamps; see `gatepost_hal.ports.Lamps.show`.

        Raises:
            ValueError: `blink_s` is neither 0 nor `MIN_TURN_S` or more; the lamps are as before.
        """
        if blink_s and not MIN_TURN_S <= blink_s < math.inf:
            raise ValueError(f"blink_s = {blink_s}: 0, or at least {MIN_TURN_S} s")
        with self._lock:
            self._cancel()
            # A turn that the timer has taken already, or tries again, finds another number.
            self._shown += 1
            self._light(lit)
            if lit and blink_s:
                self._arm(frozenset(), lit, blink_s)

    def _light(self, lit: frozenset[Lamp]) -> None:
        for lamp, device in self._devices.items():
            device.value = lamp in lit

    def _arm(self, lit: frozenset[Lamp], then: frozenset[Lamp], blink_s: float) -> None:
        turn = partial(self._turn, lit, then, blink_s, self._shown)
        self._cancel = self._timer.call_at(self._clock.now_s() + blink_s, turn)

    def _turn(
        self, lit: frozenset[Lamp], then: frozenset[Lamp], blink_s: float, shown: int
    ) -> None:
        with self._lock:
            if shown == self._shown:
                # Armed last: a turn that fails is run again by the timer, and must not be doubled.
                self._light(lit)
                self._arm(then, lit, blink_s)


class GpioBuzzer:
    """A `Buzzer` on an active sounder. Each sound is an expiring hold; the timer strings them."""

    def __init__(self, output: ExpiringOutput, *, clock: Clock, timer: Timer) -> None:
        self._output = output
        self._clock = clock
        self._timer = timer
        self._lock = threading.Lock()
        self._cancel: Callable[[], None] = lambda: None
        self._played = 0

    def play(self, pattern_s: tuple[float, ...], *, repeat: bool = False) -> None:
        """Play the pattern; see `gatepost_hal.ports.Buzzer.play`.

        Raises:
            ValueError: a duration that cannot be played, or a pattern that cannot be repeated;
                what sounded before goes on.
        """
        _check_pattern(pattern_s, repeat=repeat)
        with self._lock:
            self._cancel()
            # A step that the timer has taken already cannot be cancelled; it finds another number.
            self._played += 1
            self._output.drop()
            self._sound(pattern_s, pattern_s if repeat else ())

    def _sound(self, pattern_s: tuple[float, ...], then_s: tuple[float, ...]) -> None:
        if not pattern_s:
            return
        sound_s, *rest_s = pattern_s
        self._output.energise(sound_s)
        left_s = tuple(rest_s[1:]) or then_s
        if rest_s and left_s:
            next_at_s = self._clock.now_s() + sound_s + rest_s[0]
            step = partial(self._next, left_s, then_s, self._played)
            self._cancel = self._timer.call_at(next_at_s, step)

    def _next(self, pattern_s: tuple[float, ...], then_s: tuple[float, ...], played: int) -> None:
        with self._lock:
            if played == self._played:
                self._sound(pattern_s, then_s)


def _check_pattern(pattern_s: tuple[float, ...], *, repeat: bool) -> None:
    """Refuse here what would otherwise fail on the timer's thread, again and again."""
    for sound_s in pattern_s[::2]:
        if not 0 < sound_s <= MAX_HOLD_S:
            raise ValueError(f"pattern_s = {pattern_s}: a sound is 0 to {MAX_HOLD_S} s long")
    for silence_s in pattern_s[1::2]:
        if not 0 <= silence_s < math.inf:
            raise ValueError(f"pattern_s = {pattern_s}: {silence_s} s is no silence")
    if repeat and pattern_s and (len(pattern_s) % 2 or pattern_s[-1] < MIN_TURN_S):
        needed = f"what is repeated ends with a silence of at least {MIN_TURN_S} s"
        raise ValueError(f"pattern_s = {pattern_s}: {needed}")
