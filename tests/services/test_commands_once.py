"""No order of deliveries makes a command act twice, or a counter go down."""

from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from gatepost_services.commands.judge import SKEW_S, Refused, objection, read_command

from .command_kit import ADMINISTRATOR, KEYS, NOW, NOW_S, OPERATOR, SOURCE, judged, signed_text


class Paper:
    """A gate's memory, on paper."""

    def __init__(self) -> None:
        self.highest: dict[bytes, int] = {}
        self.seen: dict[str, bytes] = {}
        self.acts: list[str] = []

    def deliver(self, text: bytes, now_utc) -> None:
        found = judged(text, now_utc=now_utc, keys=KEYS)
        if isinstance(found, Refused):
            return
        made, kid = read_command(found, SOURCE), found.signed.kid
        if isinstance(made, Refused) or made.jti in self.seen:
            return
        before = self.highest.get(kid, 0)
        around = {"highest": before, "now_utc": now_utc, "known_since_s": 0}
        refused = objection(made, found.roles, **around)
        self.seen[made.jti] = found.digest
        self.highest[kid] = max(before, made.counter)
        assert self.highest[kid] >= before
        if refused is None:
            self.acts.append(made.jti)
            assert made.counter > before
            assert made.nbf - SKEW_S <= now_utc.timestamp() < made.exp


COMMANDS = [
    signed_text(key, jti=f"{name}-{counter}", counter=counter, nbf=NOW_S + 10 * counter)
    for name, key in {"o": OPERATOR, "a": ADMINISTRATOR}.items()
    for counter in (1, 2, 3)
]


@settings(max_examples=300)
@given(
    st.lists(
        st.tuples(st.sampled_from(COMMANDS), st.integers(-60, 120)),  # time may run backwards
        max_size=30,
    )
)
def test_no_order_of_deliveries_acts_twice_or_back(deliveries):
    gate = Paper()
    for text, at_s in deliveries:
        gate.deliver(text, NOW + timedelta(seconds=at_s))
    assert len(gate.acts) == len(set(gate.acts))
    for name in "oa":
        own = [act for act in gate.acts if act.startswith(name)]
        assert own == sorted(own)
