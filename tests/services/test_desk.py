"""What a gate does with a code under its scanner: photographs, steps, kills, lists that change."""

from collections.abc import Iterator
from datetime import timedelta

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost_services.credentials import signed_pass, steps, wrapping
from gatepost_services.credentials.desk import Verifier
from gatepost_services.credentials.errors import CredentialError, Refusal
from gatepost_services.credentials.replay import KEPT
from gatepost_services.credentials.signing import kid_of, write_secret
from gatepost_services.credentials.trust import TrustError

from .pass_kit import (
    GATE,
    HOUR,
    ID,
    KEY,
    NOW,
    OTHER,
    ROOT_HEX,
    SECRET,
    SITE,
    claims,
    code,
    stepped,
    trust_list,
    trusted,
)

STEP_S = 30
STEP = steps.step_at(NOW, STEP_S)
A_STEP = timedelta(seconds=STEP_S)
SECOND = timedelta(seconds=1)
ONCE = code(uses=1)


@pytest.fixture
def gate(tmp_path) -> Iterator["Gate"]:
    gate = Gate(tmp_path)
    gate.desk.install(trust_list())
    yield gate
    gate.desk.close()


class Gate:
    """A verifier that can be restarted, at an instant that stands still."""

    def __init__(self, folder, **changed):
        self.folder = folder
        self.changed = changed
        if not (folder / "steps").exists():
            write_secret(folder / "steps", SECRET)
        self.desk = self._opened()

    def _opened(self):
        return Verifier(
            **{
                "trust_path": self.folder / "trust.cose",
                "replay_path": self.folder / "credentials.db",
                "root_keys": [ROOT_HEX],
                "site": SITE,
                "gate": GATE,
                "max_age": 2 * HOUR,
                "step_secret_path": self.folder / "steps",
                **self.changed,
            }
        )

    def restart(self, **changed):
        self.desk.close()
        self.changed = changed
        self.desk = self._opened()

    def read(self, text, now=NOW, **changed):
        return self.desk.read(text, "entry", now, **changed)

    def let_in(self, text, now=NOW):
        presented = self.read(text, now)
        self.desk.consume(presented)
        return presented

    def refusal(self, text, now=NOW) -> Refusal:
        with pytest.raises(CredentialError) as caught:
            self.read(text, now)
        return caught.value.refusal


# -------------------------------------------------------------------------------- photographs


def test_a_pass_that_is_not_counted_works_as_often_as_it_is_shown(gate):
    for _ in range(3):
        assert gate.let_in(code()).claims == claims()
    assert gate.desk.give_back(gate.read(code()))


def test_a_photographed_pass_of_one_use_works_once(gate):
    assert gate.read(ONCE).claims == claims(uses=1)
    assert gate.let_in(ONCE).claims == claims(uses=1)
    assert gate.refusal(ONCE) is Refusal.USED
    gate.restart()
    assert gate.refusal(ONCE) is Refusal.USED


def test_two_who_hold_the_same_pass_are_not_both_let_in(gate):
    first, second = gate.read(ONCE), gate.read(ONCE)
    gate.desk.consume(first)
    with pytest.raises(CredentialError) as caught:
        gate.desk.consume(second)
    assert caught.value.refusal is Refusal.USED


def test_a_visit_that_was_refused_for_something_else_costs_nothing(gate):
    for _ in range(5):
        gate.read(ONCE)  # too hot, say: the gate does not consume
    assert gate.let_in(ONCE)


def test_who_was_let_in_and_did_not_walk_has_the_pass_still(gate):
    presented = gate.let_in(ONCE)
    assert gate.desk.give_back(presented)
    gate.restart()
    gate.let_in(ONCE)
    assert gate.refusal(ONCE) is Refusal.USED


# -------------------------------------------------------------------------------- steps


def test_a_stepped_code_works_in_its_step_and_its_neighbours_alone(gate):
    begin = steps.begin_of(STEP, STEP_S)
    shown = stepped(STEP)
    assert gate.read(shown, begin - A_STEP).claims == claims(step_s=STEP_S)
    assert gate.read(shown, begin + 2 * A_STEP - SECOND)
    assert gate.refusal(shown, begin - A_STEP - SECOND) is Refusal.STEP
    assert gate.refusal(shown, begin + 2 * A_STEP) is Refusal.STEP


def test_a_photographed_step_works_once_also_after_a_restart(gate):
    gate.let_in(stepped(STEP))
    for _ in range(2):
        assert gate.refusal(stepped(STEP)) is Refusal.USED
        assert gate.refusal(stepped(STEP - 1)) is Refusal.USED
        gate.restart()
    gate.let_in(stepped(STEP + 1))


def test_the_photograph_of_the_pass_alone_does_not_work(gate):
    assert gate.refusal(code(step_s=STEP_S)) is Refusal.STEP


def test_a_step_of_another_secret_or_pass_or_on_a_pass_without_does_not_work(gate):
    assert gate.refusal(stepped(STEP, secret=bytes(32))) is Refusal.STEP
    assert gate.refusal(stepped(STEP, step_s=60)) is Refusal.STEP  # it is 60 s long: another number
    key = steps.pass_key(SECRET, bytes(16))
    assert gate.refusal(steps.show(code(step_s=STEP_S), key, STEP)) is Refusal.STEP
    mine = steps.pass_key(SECRET, ID)
    assert gate.refusal(steps.show(code(), mine, STEP)) is Refusal.STEP


def test_a_step_cannot_be_moved_on_without_the_key(gate):
    message, step, tag = cbor2.loads(signed_pass.unwrapped(stepped(STEP - 9), steps.PREFIX))
    moved = wrapping.wrap(cbor2.dumps([message, step + 9, tag]), steps.PREFIX)
    assert gate.refusal(moved) is Refusal.STEP


def test_a_stepped_code_has_one_form(gate):
    data = signed_pass.unwrapped(stepped(STEP), steps.PREFIX)
    assert gate.read(wrapping.wrap(data, steps.PREFIX))
    longer = wrapping.wrap(b"\x98" + bytes([data[0] & 0x1F]) + data[1:], steps.PREFIX)
    assert gate.refusal(longer) is Refusal.FORMAT


def test_a_step_before_all_time_is_refused(gate):
    message, _, tag = cbor2.loads(signed_pass.unwrapped(stepped(STEP), steps.PREFIX))
    before = wrapping.wrap(cbor2.dumps([message, -1, tag]), steps.PREFIX)
    assert gate.refusal(before) is Refusal.FORMAT


@pytest.mark.parametrize(
    "parts",
    [
        [b"", 0, b""],
        [0, 0, b"12345678"],
        ["", 0],
        {},
        [b"x", -1, b"12345678"],
        [b"x", True, b"12345678"],
        [b"x", 1.0, b"12345678"],
        [b"x", 1, None],
        [b"x", 1, b"12345678", 0],
    ],
)
def test_what_is_no_stepped_pass_is_refused(gate, parts):
    assert gate.refusal(wrapping.wrap(cbor2.dumps(parts), "GPT:")) is Refusal.FORMAT


def test_without_a_clock_no_step_counts_even_where_times_do_not_matter(gate):
    with pytest.raises(CredentialError) as caught:
        gate.read(stepped(STEP), None, needs_clock=False)
    assert caught.value.refusal is Refusal.NO_CLOCK


def test_a_gate_without_the_secret_takes_no_steps_and_other_passes_as_ever(gate):
    gate.restart(step_secret_path=None)
    assert gate.refusal(stepped(STEP)) is Refusal.UNKNOWN_KEY
    assert gate.read(code())


def test_a_secret_that_others_can_read_is_told_and_takes_no_steps(gate):
    (gate.folder / "steps").chmod(0o644)
    gate.restart()
    assert [each.partition(";")[0] for each in gate.desk.problems] == [
        f"{gate.folder}/steps: others may use it (mode 0644)"
    ]
    assert gate.refusal(stepped(STEP)) is Refusal.UNKNOWN_KEY


def test_steps_and_uses_go_together(gate):
    gate.let_in(stepped(STEP, uses=2))
    gate.let_in(stepped(STEP + 1, uses=2))
    assert gate.refusal(stepped(STEP + 1, uses=2)) is Refusal.USED
    assert gate.refusal(stepped(STEP + 2, uses=2), NOW + A_STEP) is Refusal.USED


def test_a_stepped_pass_without_an_end_is_forgotten_when_its_steps_are_over(gate):
    gate.let_in(stepped(STEP, expires_utc=None))
    over = steps.begin_of(STEP + 3, STEP_S)  # from then on no gate takes the step
    assert gate.desk._replay.keep_house(over + KEPT) == 0
    assert gate.desk._replay.keep_house(over + KEPT + SECOND) == 1
    assert gate.refusal(stepped(STEP, expires_utc=None), NOW + 2 * A_STEP) is Refusal.STEP


@given(st.integers(0, 2**29), st.integers(10, 300))
def test_a_step_begins_where_the_one_before_it_ends(step, step_s):
    begin = steps.begin_of(step, step_s)
    assert steps.step_at(begin, step_s) == step
    assert steps.step_at(begin - timedelta(microseconds=1), step_s) == step - 1


# -------------------------------------------------------------------------------- trust


def test_a_revoked_pass_or_key_stops_at_once_and_a_new_key_works_beside_the_old(gate):
    old, new = code(), code(OTHER, id=bytes(16))
    assert gate.refusal(new) is Refusal.UNKNOWN_KEY
    both = (trusted(), trusted(OTHER))
    gate.desk.install(trust_list(2, keys=both))
    assert gate.read(old)
    assert gate.read(new)
    gate.desk.install(trust_list(3, keys=both, revoked_passes=frozenset({ID})))
    assert gate.refusal(old) is Refusal.REVOKED
    old_kid = kid_of(KEY.public_key())
    gate.desk.install(trust_list(4, keys=both, revoked_keys=frozenset({old_kid})))
    assert gate.refusal(old) is Refusal.UNKNOWN_KEY
    assert gate.read(new)


def test_a_list_that_the_technician_installs_is_in_force_without_a_restart(gate):
    technician = Gate(gate.folder)
    technician.desk.install(trust_list(2, keys=()))
    technician.desk.close()
    assert gate.refusal(code()) is Refusal.UNKNOWN_KEY


def test_a_stale_list_is_told_and_its_passes_still_work(gate):
    gate.desk.install(trust_list(2, issued_utc=NOW - 3 * HOUR))
    assert gate.desk.freshness(NOW) == (3 * HOUR, True)
    assert gate.desk.freshness(NOW - HOUR) == (2 * HOUR, False)
    assert gate.read(code())


def test_a_pushed_list_that_is_bad_is_refused_and_the_old_one_works(gate):
    with pytest.raises(TrustError):
        gate.desk.install(b"junk")
    assert gate.read(code())
    assert gate.desk.problems == ()


def test_without_a_list_it_starts_believes_nobody_and_says_so(tmp_path):
    gate = Gate(tmp_path)
    assert gate.refusal(code()) is Refusal.UNKNOWN_KEY
    assert gate.desk.freshness(NOW) == (None, True)
    assert [each.rpartition("; ")[2] for each in gate.desk.problems] == [
        "`gatepost trust install` one"
    ]
    gate.desk.close()


# -------------------------------------------------------------------------------- disks


def test_where_nothing_can_be_counted_only_counted_passes_are_refused(gate):
    gate.desk.close()
    database = gate.folder / "credentials.db"
    database.unlink()
    (gate.folder / "credentials.db-wal").unlink(missing_ok=True)
    database.symlink_to(gate.folder / "missing" / "file")
    gate.restart()
    assert len(gate.desk.problems) == 1
    assert gate.refusal(ONCE) is Refusal.NO_MEMORY
    assert gate.refusal(stepped(STEP)) is Refusal.NO_MEMORY
    assert gate.let_in(code())
    assert gate.desk.keep_house(NOW) == gate.desk.problems[0]


def test_a_damaged_file_of_counts_is_set_aside_and_passes_of_before_are_refused(gate):
    gate.let_in(ONCE)
    gate.desk.close()
    (gate.folder / "credentials.db").write_bytes(b"junk" * 5000)
    gate.restart()
    assert gate.desk.set_aside == gate.folder / "credentials.db.broken-1"
    assert gate.desk.keep_house(NOW) is None
    assert gate.refusal(ONCE) is Refusal.NO_MEMORY
    assert gate.read(code())
    fresh = code(uses=1, id=bytes(16), issued_utc=NOW + SECOND)
    assert gate.let_in(fresh, NOW + 2 * SECOND)
    # Of a pass from before, a step that begins after it was lost cannot have been used in it.
    assert gate.refusal(stepped(STEP)) is Refusal.NO_MEMORY
    assert gate.let_in(stepped(STEP + 1), NOW + A_STEP)


# -------------------------------------------------------------------------------- kills

GRANT = """
import sys
from datetime import datetime
from pathlib import Path
from gatepost_services.credentials.desk import Verifier
folder = Path({folder!r})
desk = Verifier(trust_path=folder / "trust.cose", replay_path=folder / "credentials.db",
    root_keys=[{root!r}], site={site!r}, gate={gate!r}, max_age=None,
    step_secret_path=folder / "steps")
now = datetime.fromisoformat({now!r})
presented = desk.read(sys.stdin.readline().rstrip("\\n"), "entry", now)
desk.consume(presented)
print("granted", flush=True)
sys.stdin.read()  # until it is killed
"""


@pytest.mark.processes
@pytest.mark.parametrize("shown", [ONCE, stepped(STEP)], ids=["one use", "stepped"])
def test_a_gate_that_is_killed_right_after_the_grant_grants_it_no_more(gate, run_python, shown):
    gate.desk.close()
    script = GRANT.format(
        folder=str(gate.folder),
        root=ROOT_HEX,
        site=SITE,
        gate=GATE,
        now=NOW.isoformat(),
    )
    process = run_python(script)
    process.stdin.write(shown + "\n")
    process.stdin.flush()
    assert process.stdout.readline() == "granted\n"
    process.kill()
    process.wait()
    gate.restart()
    assert gate.desk.set_aside is None
    assert gate.refusal(shown) is Refusal.USED
