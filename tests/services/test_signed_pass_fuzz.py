"""Changed codes of valid passes: a few here, a million by hand (tests/bench/fuzz_passes.py)."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost_services.credentials import signed_pass, steps, wrapping
from gatepost_services.credentials.errors import CredentialError, Refusal

from .pass_kit import code, verified

FUZZ = Path(__file__).parents[1] / "bench" / "fuzz_passes.py"
ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
READERS = (verified, steps.stepped_in)


def refused(read, text):
    with pytest.raises(CredentialError):
        read(text)


@pytest.mark.processes
def test_no_changed_pass_verifies_or_raises_anything_else():
    done = subprocess.run(
        [sys.executable, FUZZ, "--count", "3000"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert found["changed"] == 3000
    # The changes reach every layer: what is never refused for its signature proves nothing.
    assert all(found.get(kind, 0) > 20 for kind in ("format", "signature", "size", "step"))


@given(st.text() | st.text(ALPHABET), st.sampled_from(["", "GP1:", "GPT:"]))
def test_any_text_is_refused(text, prefix):
    for read in READERS:
        refused(read, prefix + text)


@given(st.binary(), st.sampled_from(["GP1:", "GPT:"]))
def test_anything_packed_well_is_refused(data, prefix):
    for read in READERS:
        refused(read, wrapping.wrap(data, prefix))


@given(st.data())
def test_one_character_of_a_pass_cannot_be_changed(data):
    text = code(uses=1)
    at = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.sampled_from(ALPHABET).filter(lambda each: each != text[at]))
    refused(verified, text[:at] + other + text[at + 1 :])


@pytest.mark.parametrize("prefix", ["GP1:", "GPT:"])
def test_a_bomb_is_refused_for_its_size_before_it_is_looked_into(prefix):
    with pytest.raises(CredentialError) as caught:
        signed_pass.unwrapped(wrapping.wrap(bytes(1_000_000), prefix), prefix)
    assert caught.value.refusal is Refusal.SIZE
