"""What to do about each reason for which a command is not obeyed: for people, and for the docs."""

from collections.abc import Mapping
from types import MappingProxyType

from gatepost_services.commands.judge import Why

REMEDIES: Mapping[str, str] = MappingProxyType(
    {
        Why.MALFORMED: "See the form in services/COMMANDS.md; sign it anew.",
        Why.UNKNOWN_KEY: "See that the gate's trust list has the key, its use and its time.",
        Why.BAD_SIGNATURE: "Sign with the key that `kid` names, and send the text unchanged.",
        Why.WRONG_GATE: "Name this gate in `aud`: /gatepost/<site>/<gate>.",
        Why.ID_REUSED: "Give every command a `jti` of its own.",
        Why.INTERRUPTED: "See at the gate whether it acted; if not, send a new command.",
        Why.NOT_AUTHORISED: "Sign with a key that has the role, or give it the role.",
        Why.REPLAYED: "Sign anew, with a counter above the one that `detail` says.",
        Why.CLOCK_UNTRUSTED: "See to the gate's time server (firmware/CLOCK.md).",
        Why.NOT_YET_VALID: "See to the clock of whoever signs; sign anew.",
        Why.EXPIRED: "Send a new one, if it is still wanted.",
        Why.WINDOW_TOO_LONG: "Sign with less time between `nbf` and `exp`.",
        Why.NO_MEMORY: "Sign anew, now: the gate began to remember just before.",
        Why.NO_RECORD: "See to the gate's disk; then send a new one.",
        Why.NOT_NOW: "See how the lane stands; then send a new one.",
        Why.FAILED: "See `detail`, and the gate's log.",
    }
)
