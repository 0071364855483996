"""Whatever comes as a command: a few here, a million by hand (tests/bench/fuzz_commands.py)."""

import subprocess
import sys
from pathlib import Path

import pytest

FUZZ = Path(__file__).parents[1] / "bench" / "fuzz_commands.py"
# The changes reach every layer: what is never refused for its signature proves nothing.
REACHED = (
    "good, changed: bad_signature",
    "used, again: done",
    "key of a stranger: unknown_key",
    "key for passes: unknown_key",
    "stranger's signature: bad_signature",
    "role that may not: not_authorised",
    "wrong claims, signed: malformed",
    "broken JSON, signed: malformed",
    "header of another kind: malformed",
)


@pytest.mark.processes
def test_no_payload_does_anything_but_be_refused():
    done = subprocess.run(
        [sys.executable, FUZZ, "--count", "4000"],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    for kind in REACHED:
        assert kind in done.stdout, done.stdout
    assert "4000 payloads" in done.stdout
