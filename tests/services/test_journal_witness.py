"""The witness: what it tells, and what it does not let itself be told."""

from gatepost_services.contract.classes import CLASS_OF
from gatepost_services.contract.events import Envelope
from gatepost_services.journal import Entry
from gatepost_services.journal.witness import Seen, Witness, read_witness
from gatepost_services.record import NO_HASH, EventClass

ENVELOPE = Envelope("north", "gate-1", "boot-1")
# One of each class, in their order.
TYPES = [next(name for name, its in CLASS_OF.items() if its is each) for each in EventClass]
GAP = Entry("journal.gap", 5.0, 1.7e9, {"cause": "events"})


def test_the_witness_tells_what_was_noted_last(tmp_path):
    witness = Witness(tmp_path / "head")
    witness.note(41, b"a" * 32)
    witness.note(42, b"b" * 32)
    witness.close()
    assert read_witness(tmp_path / "head") == Seen(42, b"b" * 32)


def test_a_power_cut_right_after_the_first_event_leaves_a_witness_that_can_be_read(
    tmp_path, monkeypatch
):
    path = tmp_path / "head"
    on_disk = []
    monkeypatch.setattr("os.fsync", lambda _: on_disk.append(path.read_bytes()))
    witness = Witness(path)
    witness.note(1, b"a" * 32)
    witness.close()
    path.write_bytes(on_disk[-1])
    assert read_witness(path) == Seen(0, NO_HASH)
    Witness(path).close()
    assert len(on_disk) == 1  # that was for a new file; an old one waits for nothing


def test_no_changed_byte_of_it_is_believed(tmp_path):
    path = tmp_path / "head"
    witness = Witness(path)
    witness.note(42, b"b" * 32)
    witness.close()
    content = path.read_bytes()
    for at in range(len(content)):
        path.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        assert read_witness(path) is None
        path.write_bytes(content[:at])
        assert read_witness(path) is None
    path.write_bytes(content + b"rubbish")
    assert read_witness(path) == Seen(42, b"b" * 32)


def test_a_witness_that_cannot_be_written_stops_nothing(tmp_path):
    witness = Witness(tmp_path / "no" / "head")
    witness.note(1, bytes(32))
    witness.close()
    assert read_witness(tmp_path / "no" / "head") is None
