"""Whether the link is there: said at each connection, at the end, and by the broker's last will.

"stopped" was said in good order; "lost" says the broker in our name, once we have been away for the
will's delay. That the gate itself works on with the link away is what the whole is built for.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Literal

from gatepost_services.contract.events import event_source
from gatepost_services.record import JsonValue
from gatepost_services.uplink.desk import Message, Post

_State = Literal["online", "lost", "stopped"]


class PresenceDesk:
    """The presence of one gate's link. `about` is told with each state: boot id, version.

    Raises:
        ValueError: a name of another form than `event_source` demands.
    """

    def __init__(self, site: str, gate: str, about: Mapping[str, JsonValue]) -> None:
        self._topic = f"{event_source(site, gate)[1:]}/presence"
        self._about = dict(about)
        self._state: _State = "online"
        self._is_due = False

    @property
    def topics(self) -> Sequence[str]:
        """Nothing."""
        return ()

    @property
    def will(self) -> Post:
        """What the broker is to say when we are lost."""
        return self._post("lost")

    @property
    def birth(self) -> Post:
        """What is said while the link is there."""
        return self._post("online")

    @property
    def end(self) -> Post:
        """What is said once it has ended in good order."""
        return self._post("stopped")

    @property
    def is_said(self) -> bool:
        """Whether the broker knows how things are now."""
        return not self._is_due

    def stop(self) -> None:
        """Say that this is the end."""
        self._state, self._is_due = "stopped", True

    def connected(self, now_s: float) -> None:
        """Say it with each connection: the broker may have told that we are lost."""
        del now_s
        self._is_due = True

    def take(self, message: Message, now_s: float) -> None:
        """Do nothing: there is no topic."""

    def next_post(self, now_s: float) -> Post | None:
        """Return what is to be said."""
        del now_s
        return self._post(self._state) if self._is_due else None

    def posted(self, post: Post, reason: int, now_s: float) -> None:
        """It is said, unless there is something newer to say; a refusal is not argued with."""
        del reason, now_s
        self._is_due = post != self._post(self._state)

    def _post(self, state: _State) -> Post:
        body = json.dumps({"state": state, **self._about}, separators=(",", ":")).encode()
        return Post(self._topic, body, is_retained=True)
