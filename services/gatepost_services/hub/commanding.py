"""The server's side of commands: made, signed, sent, and their answers waited for.

The counter of a command is the time in milliseconds, or one more than the last one where that is
higher. Time alone would stand still, or run backwards, when somebody sets a clock; a file alone is
lost with the disk, or comes back old from a backup, and then a gate refuses every command until the
count has caught up. The last counter lies in `<key>.counter` beside the key, noted before it is
used; several programs with one key on one machine take turns.
"""

import fcntl
import os
import queue
import secrets
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import msgspec

from gatepost_services.commands.command import (
    LAWS,
    MAX_LONG_WINDOW_S,
    MAX_WINDOW_S,
    CommandFormError,
    ServerVerb,
    parse_command,
)
from gatepost_services.commands.jws import Kind, sign
from gatepost_services.contract.events import event_source
from gatepost_services.credentials.signing import PrivateKey, kid_of
from gatepost_services.hub.messages import Broker, Incoming, Outgoing
from gatepost_services.hub.mqtt import HubClient
from gatepost_services.state_file import read_state, write_state

CONTENT_TYPE = "application/jose"
_ID_BYTES = 12
# More answers than these, of other commands, are not looked at.
_MOST_WAITING = 1000


class Order(NamedTuple):
    """What is wanted of which gate, by whom, and for how long it stands."""

    site: str
    gate: str
    verb: ServerVerb
    by: str
    valid_s: int
    args: Mapping[str, int | str] = {}

    @property
    def source(self) -> str:
        """The gate, as its events name it."""
        return event_source(self.site, self.gate)


class SignedCommand(NamedTuple):
    """A command, ready to be sent: its id, its text, and when it ends, POSIX seconds."""

    id: str
    text: bytes
    exp: int


class Reply(msgspec.Struct, frozen=True):
    """What a gate answers; see `contract.messages.Reply`. Other members may be there."""

    id: str | None
    status: str
    verb: str | None = None
    why: str | None = None
    detail: str | None = None
    state: str | None = None
    utc: str | None = None


class CommandingError(OSError):
    """A command could not be sent. The text says why."""


def signed(order: Order, key: PrivateKey, counter: int, now_utc_s: float) -> SignedCommand:
    """Return a command that counts from now on, for `order.valid_s`.

    Raises:
        CommandFormError: no gate would take it.
    """
    longest_s = MAX_WINDOW_S if LAWS[order.verb].is_timely else MAX_LONG_WINDOW_S
    if not 1 <= order.valid_s <= longest_s:
        raise CommandFormError(f"{order.verb} counts for 1 to {longest_s} s, not {order.valid_s}")
    now_s = int(now_utc_s)
    claims = {
        "jti": secrets.token_urlsafe(_ID_BYTES),
        "aud": order.source,
        "iat": now_s,
        "nbf": now_s,
        "exp": now_s + order.valid_s,
        "counter": counter,
        "verb": order.verb.value,
        "by": order.by,
        "args": dict(order.args),
    }
    payload = msgspec.json.encode(claims)
    command = parse_command(payload)
    text = sign(Kind.COMMAND, payload, key, kid_of(key.public_key()))
    return SignedCommand(command.jti, text, command.exp)


def next_counter(key_path: Path, now_utc_s: float) -> int:
    """Return the next counter of a key, and note it beside its file.

    Raises:
        StateFileError: it cannot be read or noted.
        OSError: the folder cannot be written.
        CommandingError: what is noted is no counter.
    """
    path = key_path.with_name(f"{key_path.name}.counter")
    lock = os.open(
        path.with_name(f"{path.name}.lock"), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600
    )
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        text = (read_state(path) or b"0").strip()
        if not text.isdigit():
            raise CommandingError(
                f"{path}: no counter; write a number there, not below any that was used"
            )
        counter = max(int(text) + 1, int(now_utc_s * 1000))
        write_state(path, b"%d\n" % counter)
    finally:
        os.close(lock)
    return counter


def send(
    order: Order, command: SignedCommand, broker: Broker, *, wait_s: float, expires: bool = True
) -> Reply | None:
    """Publish a command and return its answer; None where none came in time.

    Args:
        order: whose gate it is for.
        command: of `signed`.
        broker: where.
        wait_s: for the answer, from when the broker has it.
        expires: whether the broker forgets it when its time is over (MQTT 5). A gate that was off
            answers `expired` only where it does not.

    Raises:
        CommandingError: no connection, or the broker does not take it.
    """
    prefix = order.source[1:]
    own = f"{prefix}/reply/{secrets.token_hex(8)}"
    mark = command.id.encode("ascii")
    answers: queue.Queue[Reply] = queue.Queue(_MOST_WAITING)

    def take(message: Incoming) -> None:
        with suppress(ValueError, RecursionError, queue.Full):
            reply = msgspec.json.decode(message.payload, type=Reply)
            # Whose signature does not count is answered without a name: nothing of it was read.
            is_ours = reply.id == command.id or (reply.id is None and message.correlation == mark)
            if is_ours and not message.is_retained:
                answers.put_nowait(reply)

    post = Outgoing(
        f"{prefix}/command",
        command.text,
        content_type=CONTENT_TYPE,
        response_topic=own,
        correlation=mark,
        expiry_s=max(1, int(command.exp - time.time())) if expires else None,
    )
    with HubClient(broker, topics=[own, f"{prefix}/reply"], on_message=take) as client:
        trouble = client.wait_trouble(wait_s)
        if trouble is not None:
            raise CommandingError(f"{broker}: {trouble}")
        ticket = client.publish(post)
        if not ticket.wait(wait_s):
            said = "no answer" if ticket.reason is None else f"refused, 0x{ticket.reason:02x}"
            raise CommandingError(f"{broker}: does not take the command: {said}")
        try:
            return answers.get(timeout=wait_s)
        except queue.Empty:
            return None
