"""What the gate and the process that takes rosters say to one another: one JSON each."""

from msgspec import Struct

from gatepost_services.sync.documents import Desired, Why


class Task(Struct, frozen=True, forbid_unknown_fields=True):
    """What is to be taken, and where: paths of content, roster and key."""

    desired: Desired
    content: str
    roster: str
    key: str


class Taken(Struct, frozen=True, forbid_unknown_fields=True):
    """What came of it. `why` None: the roster is of that version now; else the reason."""

    why: Why | None
    detail: str = ""
