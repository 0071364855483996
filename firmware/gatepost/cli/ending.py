"""A command that was told to end, or whose session was dropped, leaves things as they were."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_ENDING = (signal.SIGHUP, signal.SIGTERM, signal.SIGINT)


@contextmanager
def ended_in_order() -> Iterator[None]:
    """Have SIGHUP and SIGTERM end the block as Ctrl-C does: each `finally` in it runs.

    Only the first counts, so that none cuts short what it began: a dropped session sends two. What
    is ignored, as below nohup, stays so.

    Raises:
        SystemExit: with 128 and the signal's number, as a shell says it.
    """
    is_over = False

    def end(signum: int, _frame: FrameType | None) -> None:
        nonlocal is_over
        if is_over:
            return
        is_over = True
        if signum == signal.SIGINT:
            raise KeyboardInterrupt
        raise SystemExit(128 + signum)

    found = {each: signal.getsignal(each) for each in _ENDING}
    before = {each: handler for each, handler in found.items() if handler is not signal.SIG_IGN}
    for each in before:
        signal.signal(each, end)
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
