"""What is with the broker, and what the gate may forget. Pure.

    rest class numbers:  ...everything... |  backlog   |#done#| backlog |##done##|  live
    -------------------------------------rest---------a------b---------c--------d-----------> seq

Alarms have one number, for they are sent in one stream. The other classes have a number (`rest`)
and above it intervals that went out as live events while the backlog below was not finished. An
interval is a pair (after, through): the numbers above the first, up to and including the second.
"""

from typing import Literal, NamedTuple

KeepUntil = Literal["puback", "watermark"]
Interval = tuple[int, int]
NO_END = 2**63 - 1  # where SQLite's numbers end
# Each needs a connection that was lost in the middle of a drain.
MOST_DONE = 32


class Progress(NamedTuple):
    """How far a gate's events have come; immutable, each step returns the next.

    `alarm`: the broker has every alarm through this number. `rest`: the same for all other classes.
    `done`: disjoint intervals above `rest`, ascending, whose other classes the broker has as well.
    `watermark`: the server has everything through this number, as far as it said so.
    """

    alarm: int = 0
    rest: int = 0
    done: tuple[Interval, ...] = ()
    watermark: int = 0

    @property
    def acknowledged(self) -> int:
        """The number through which the broker has everything."""
        return min(self.alarm, self.rest)

    @property
    def frontier(self) -> int:
        """The highest number of another class than alarm that the broker is known to have."""
        return self.done[-1][1] if self.done else self.rest

    @property
    def is_full(self) -> bool:
        """Whether there is no place for one more interval."""
        return len(self.done) >= MOST_DONE

    def forgettable(self, keep_until: KeepUntil) -> int:
        """Return the number through which the gate may forget its events."""
        if keep_until == "puback":
            return self.acknowledged
        return min(self.acknowledged, self.watermark)

    def backlog(self, split: int | None) -> tuple[Interval, ...]:
        """Return what is not done between `rest` and `split`, in order. None: without an end.

        The last interval then ends with `NO_END`.
        """
        end = NO_END if split is None else split
        missing, after = [], self.rest
        for begin, through in self.done:
            missing.append((after, min(begin, end)))
            after = through
        missing.append((after, end))
        return tuple(each for each in missing if each[0] < each[1])

    def with_alarms(self, through: int) -> "Progress":
        """Return the progress after all alarms through this number have arrived."""
        return self._replace(alarm=max(self.alarm, through))

    def with_rest(self, through: int) -> "Progress":
        """Return the progress after all other events through this number have arrived."""
        return _merged(self._replace(rest=max(self.rest, through)))

    def with_live(self, after: int, through: int) -> "Progress":
        """Return the progress after the other events of an interval at the top have arrived.

        Raises:
            ValueError: there is no place for one more interval.
        """
        if through <= after:
            return self
        added = _merged(self._replace(done=(*self.done, (after, through))))
        if len(added.done) > MOST_DONE:
            raise ValueError(f"more than {MOST_DONE} intervals above the backlog")
        return added

    def with_watermark(self, claimed: int) -> "Progress":
        """Return the progress after the server said that it has everything through a number.

        It is believed no further than what the broker has, and never backwards.
        """
        return self._replace(watermark=max(self.watermark, min(claimed, self.acknowledged)))

    def rewound(self, through: int) -> "Progress":
        """Return the progress as if nothing above `through` had ever been sent."""
        return Progress(
            alarm=min(self.alarm, through),
            rest=min(self.rest, through),
            watermark=min(self.watermark, through),
        )


def _merged(progress: Progress) -> Progress:
    """Return the same with what touches made one."""
    rest = progress.rest
    done: list[Interval] = []
    for after, through in progress.done:
        if after <= rest:
            rest = max(rest, through)
        elif done and after <= done[-1][1]:
            done[-1] = (done[-1][0], max(done[-1][1], through))
        else:
            done.append((after, through))
    return progress._replace(rest=rest, done=tuple(done))
