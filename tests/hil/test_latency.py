"""How long the way from a contact, or from the lens, to a relay takes on real device interfaces.

In virtual time: 1 ns an instruction, whatever the host is busy with. The figures are no Pi's; the
ratio to a bare program in the same guest is what tells how much the firmware adds. Nothing waits
for a disk here: the journal is in memory.
"""

from math import ceil
from statistics import median

import pytest

from .site_guest import lived

DEBOUNCE_S = 0.02  # the default of [pins] debounce_s: part of the ways that begin at a contact
# From edge to relay. Fire is S3's; who presses the button, or is admitted, feels no more than this.
BOUNDS_S = {"fire": 0.1, "exit": 0.1, "sample": 0.1}
LEAST = {"fire": 60, "exit": 100, "sample": 30}


@pytest.fixture
def took_s(built):
    """The seconds of each repetition, by the name of the way."""
    site = lived(built)
    assert site.took_s, "nothing was measured:\n" + "\n".join(site.lines[-40:])
    return site.took_s


def row(name, times_s, bare_s, debounce_s=0.0):
    ordered = sorted(each_s - debounce_s for each_s in times_s)
    p99_s = ordered[ceil(0.99 * len(ordered)) - 1]
    middle_s = median(ordered)
    numbers = "".join(f"{each_s * 1e3:9.2f}" for each_s in (middle_s, p99_s, ordered[-1]))
    return f"{name:<34}{len(ordered):>4}{numbers}{middle_s / bare_s:8.1f}"


def test_distributions(took_s, show):
    bare_s = median(took_s["bare"])
    head = f"{'ms, in virtual time':<34}{'n':>4}{'median':>9}{'p99':>9}{'max':>9}{'/ bare':>8}"
    rows = [
        row("bare lgpio: edge to output", took_s["bare"], bare_s),
        row("fire to both relays", took_s["fire"], bare_s),
        row("  without the debounce", took_s["fire"], bare_s, DEBOUNCE_S),
        row("exit button to relay", took_s["exit"], bare_s),
        row("  without the debounce", took_s["exit"], bare_s, DEBOUNCE_S),
        row("last sample to entry relay", took_s["sample"], bare_s),
    ]
    show("\n".join([head, *rows]))
    assert 0 < bare_s < BOUNDS_S["fire"]


@pytest.mark.parametrize("way", BOUNDS_S)
def test_no_way_is_longer_than_its_bound(took_s, way):
    assert len(took_s[way]) >= LEAST[way]
    assert min(took_s[way]) > 0
    assert max(took_s[way]) < BOUNDS_S[way]


@pytest.mark.parametrize("way", ["fire", "exit"])
def test_no_contact_counts_before_it_has_rested(took_s, way):
    assert min(took_s[way]) >= DEBOUNCE_S
