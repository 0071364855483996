"""Whatever a gate tells in a test, it tells as the contract says: looked at where it is written.

A test that makes events of its own makes them with the journal or the envelope, and may give them
any data; what the firmware records, and what the journal tells of itself, are checked here.
"""

import signal

import pytest

from gatepost.gate.recorder import Recorder
from gatepost_services.contract.events import Envelope
from gatepost_services.contract.reasons import codes
from gatepost_services.contract.schemas import SchemaError, check

# What the journal and the link put in themselves; the rest comes through a `Recorder`.
_OWN = ("journal.gap", "store.corrupt", "journal.withheld")
# A shell that starts the tests in the background has them ignore Ctrl-C, and whatever they start
# would inherit that. What is ended by it in a test would never end.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Members that hold a code of the reason table. Of two types `why` is in words.
_CODED = ("why", "reason", "finding", "objection", "cause", "fault", "state")
_IN_WORDS = ("pass.not_used", "store.corrupt")


def wrong_with(type_, data):
    """Return what of an event is not as the contract says, in words."""
    try:
        check(type_, data)
    except SchemaError as error:
        return [str(error)]
    if type_ in _IN_WORDS:
        return []
    said = [data[name] for name in _CODED if data.get(name)]
    return [f"{type_}: {code!r} is in no row of reasons.toml" for code in said if code not in ALL]


ALL = codes()


@pytest.fixture(scope="session")
def _contract():
    """Look at every event of the firmware and of the journal; yield what was wrong."""
    wrong, told = [], set()
    entry_of, seal = Recorder._entry, Envelope.seal

    def entry(self, record):
        told.add(record.type)
        wrong.extend(wrong_with(record.type, record.data))
        return entry_of(self, record)

    def sealed(self, entry, seq, previous):
        if entry.type in _OWN:
            told.add(entry.type)
            wrong.extend(wrong_with(entry.type, entry.data))
        return seal(self, entry, seq, previous)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Recorder, "_entry", entry)
        patch.setattr(Envelope, "seal", sealed)
        yield wrong, told


@pytest.fixture(autouse=True)
def _as_the_contract_says(_contract):
    wrong, _ = _contract
    wrong.clear()  # of a fixture of a wider scope: told where it was
    yield
    assert not wrong, "\n".join(wrong)


@pytest.fixture
def told_types(_contract):
    """Return the types of events that this test has told so far."""
    _, types = _contract
    types.clear()
    return types
