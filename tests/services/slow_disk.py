"""A disk that hangs, fails or breaks as it is told, under the journal's thread."""

import threading

LONG_ENOUGH_S = 10.0


class Disk:
    """A journal and its keeper in one, on a disk that hangs, fails or breaks as it is told.

    `on_disk` is what was written, `errors` what each next write raises, None for none.
    """

    def __init__(self):
        self.runs = threading.Event()
        self.runs.set()
        self.busy = threading.Event()
        self.on_disk = []
        self.errors = []
        self.damages = []
        self.check_errors = []
        self.opening_errors = []
        self.steps_left = 0
        self.kept = []
        self.has_kept = threading.Event()
        self.checked = threading.Event()
        self.closed = 0

    def open(self, damage):
        self.damages.append(damage)
        if self.opening_errors:
            raise self.opening_errors.pop(0)
        return self, self

    def append(self, entries):
        self.busy.set()
        assert self.runs.wait(LONG_ENOUGH_S)
        error = self.errors.pop(0) if self.errors else None
        if error is not None:
            raise error
        self.on_disk += [each.data["n"] for each in entries]

    def check(self):
        self.checked.set()
        if self.check_errors:
            raise self.check_errors.pop(0)

    def step(self, delivered_seq):
        self.kept.append(delivered_seq)
        self.steps_left -= 1
        if self.steps_left <= 0:
            self.has_kept.set()
        return self.steps_left > 0

    def close(self):
        self.closed += 1

    def hang(self):
        self.runs.clear()
        self.busy.clear()

    def go_on(self):
        self.runs.set()


def settle(log):
    """Wait until all that was asked of the log so far is done, or has failed."""
    with log._changed:
        waiting = [request.done for request in log._requests]
    assert all(each.wait(LONG_ENOUGH_S) for each in waiting)
    with log._changed:  # what follows from it is done under this lock
        assert not log._overdue


def house_is_kept(log, delivered_seq=0):
    """Have a log keep its house, and return when its thread has nothing more to do."""
    log.keep_house(delivered_seq)
    while log._delivered_seq is not None or not log._changed._waiters:
        assert log._died is None
