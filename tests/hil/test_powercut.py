"""The gate and power cuts, on a real file system; `powercut` does it for longer."""

from .powercut_bench import Bench, run_control

CYCLES = 30
SEED = 1


def test_the_power_is_cut_and_nothing_that_was_told_is_lost(guests, tmp_path, show):
    with Bench(guests, tmp_path, seed=SEED) as bench:
        for _ in range(CYCLES):
            bench.cycle()
        bench.settle()
        figures = bench.figures()
    show(f"power cuts: {figures}")
    assert figures["cold_boots"] > CYCLES / 10
    assert figures["restored"] > CYCLES / 2
    assert figures["boot_ids"] >= CYCLES
    # That it was a test: there was something to lose, and the disk did lose what it may.
    assert figures["acknowledged"]["gate"] > 2 * CYCLES
    assert figures["acknowledged"]["load"] > 20 * CYCLES
    assert figures["received"] > CYCLES
    assert figures["deleted_after_delivery"]["load"] > CYCLES
    assert figures["disk"]["dropped"] > CYCLES
    assert figures["judged"] > CYCLES / 2
    assert figures["file_system_recoveries"] > CYCLES / 2
    assert figures["safe_starts"] > CYCLES / 3
    assert set(figures["lost"].values()) == {0}


def test_a_file_system_that_flushes_nothing_is_found_out(guests, tmp_path):
    assert run_control(guests, tmp_path, "nobarrier", seed=SEED, cycles=4)


def test_a_journal_that_waits_for_no_disk_is_found_out(guests, tmp_path):
    assert "load: lost" in run_control(guests, tmp_path, "nosync", seed=SEED, cycles=4)
