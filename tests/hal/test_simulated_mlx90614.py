"""The simulated part against the datasheet: what it sends must be what the real one would."""

import itertools
import math
from statistics import pstdev

import pytest
from smbus2 import i2c_msg

from gatepost_hal.parts import PARTS
from gatepost_hal.pec import read_word_pec
from gatepost_hal.simulated.mlx90614 import (
    BAA,
    DCC,
    ChipFault,
    SimulatedI2cBus,
    SimulatedMlx90614,
)
from gatepost_hal.simulated.world import World

ADDRESS, EMISSIVITY, CONFIG = 0x5A, 0x24, 0x25
QUIET_DCC, QUIET_BAA = DCC._replace(noise_c=0.0), BAA._replace(noise_c=0.0)
DIE_TIME_CONSTANT_S = 420.0


@pytest.fixture
def world():
    return World()


def part(world, kind=DCC, **keywords):
    chip = SimulatedMlx90614(world, seed=1, part=kind, **keywords)
    chip.scene = lambda _at_s: 34.5
    world.advance(10.0)
    return chip, SimulatedI2cBus(chip, world=world).open()


def transfer(bus, command, length=3):
    read = i2c_msg.read(ADDRESS, length)
    bus.i2c_rdwr(i2c_msg.write(ADDRESS, [command]), read)
    return bytes(read)


def celsius(answer):
    return (answer[1] << 8 | answer[0]) * 0.02 - 273.15


def ambient_c(chip):
    return chip.word(0x06) * 0.02 - 273.15


def object_c(chip):
    return chip.word(0x07) * 0.02 - 273.15


def spread(world, bus, count=1500):
    values = []
    for _ in range(count):
        world.advance(0.28)
        values.append(celsius(transfer(bus, 0x07)))
    return pstdev(values)


def test_every_answer_ends_with_its_pec(world):
    _, bus = part(world)
    low, high, pec = transfer(bus, 0x07)
    assert pec == read_word_pec(ADDRESS, 0x07, high << 8 | low)


def test_a_longer_read_finds_a_released_line(world):
    _, bus = part(world)
    assert transfer(bus, 0x07, length=5)[3:] == b"\xff\xff"


@pytest.mark.parametrize("kind", [DCC, BAA], ids=lambda kind: kind.code)
def test_noise_is_that_of_the_part(world, kind):  # table 8
    _, bus = part(world, kind)
    assert spread(world, bus) == pytest.approx(kind.noise_c, rel=0.1)


@pytest.mark.parametrize(
    ("config", "factor"),
    [(0x9FB4, 1.0), (0x9DB4, 2.0), (0x9FB0, 0.577)],
    ids=["FIR 1024, IIR 100 %", "FIR 256", "IIR 50 %"],
)
def test_filters_change_the_noise_as_the_datasheet_says(world, config, factor):
    chip, bus = part(world)
    chip.eeprom[CONFIG] = config
    assert spread(world, bus) == pytest.approx(DCC.noise_c * factor, rel=0.15)


def step_to_100(world, config):
    chip, bus = part(world)
    chip.eeprom[CONFIG] = config
    step_at_s = world.now_s()
    chip.scene = lambda at_s: 100.0 if at_s >= step_at_s else 34.5
    return bus


@pytest.mark.parametrize(("config", "settling_s"), [(0x9FB4, 0.14), (0x9FB0, 1.33), (0x9FB1, 3.2)])
def test_a_step_has_settled_after_the_time_of_table_9(world, config, settling_s):
    bus = step_to_100(world, config)
    world.advance(settling_s * 1.2)
    assert celsius(transfer(bus, 0x07)) == pytest.approx(100.0, abs=1.0)


@pytest.mark.parametrize(("config", "settling_s"), [(0x9FB0, 1.33), (0x9FB1, 3.2)])
def test_a_filtered_step_has_not_settled_much_earlier(world, config, settling_s):
    bus = step_to_100(world, config)
    world.advance(settling_s * 0.4)
    assert celsius(transfer(bus, 0x07)) < 99.0


def test_nothing_is_valid_in_the_first_quarter_second(world):  # page 11
    chip = SimulatedMlx90614(world)
    assert chip.word(0x07) == 0
    world.advance(0.3)
    assert chip.word(0x07) > 0x27AD


def test_supply_voltage_shifts_both_temperatures(world):  # 0.6 C/V, page 36
    chip, _ = part(world)
    at_3_0 = chip.word(0x06)
    chip.supply_v = 3.3
    assert (chip.word(0x06) - at_3_0) * 0.02 == pytest.approx(0.18, abs=0.021)


def test_the_die_follows_the_room_slowly(world):
    chip, bus = part(world, room_c=24.0)
    chip.room_c = 10.0
    world.advance(60.0)
    after_a_minute_c = celsius(transfer(bus, 0x06))
    world.advance(3600.0)
    assert after_a_minute_c > 21.0
    assert celsius(transfer(bus, 0x06)) == pytest.approx(10.4, abs=0.05)


def test_quick_and_receive_byte_are_not_acknowledged(world):  # page 18
    _, bus = part(world)
    with pytest.raises(OSError, match="Remote I/O"):
        bus.i2c_rdwr(i2c_msg.write(ADDRESS, []))
    with pytest.raises(OSError, match="Remote I/O"):
        bus.i2c_rdwr(i2c_msg.read(ADDRESS, 1))


def test_two_reads_in_one_transaction_are_refused_as_on_a_pi(world):
    _, bus = part(world)
    pairs = [(i2c_msg.write(ADDRESS, [c]), i2c_msg.read(ADDRESS, 3)) for c in (0x06, 0x07)]
    with pytest.raises(OSError, match="not supported"):
        bus.i2c_rdwr(*pairs[0], *pairs[1])


def test_another_address_is_not_acknowledged(world):
    _, bus = part(world)
    with pytest.raises(OSError, match="Remote I/O"):
        bus.i2c_rdwr(i2c_msg.write(0x29, [0x07]), i2c_msg.read(0x29, 3))


def test_a_shorted_line_is_low_past_the_answer_as_well(world):
    chip, bus = part(world)
    chip.fault = ChipFault.ALL_ZEROS
    assert transfer(bus, 0x07, length=5) == bytes(5)


def test_the_same_seed_gives_the_same_bytes():
    def run():
        world = World()
        _, bus = part(world)
        return [(world.advance(0.28), transfer(bus, 0x07))[1] for _ in range(20)]

    assert run() == run()


# ------------------------------------------------------------------------------------ chip physics


@pytest.mark.parametrize("code", ["BAA", "DAA", "BBA", "BCC", "DCC"])
def test_a_part_that_leaves_the_factory_unfiltered_can_be_simulated(world, code):
    chip, _ = part(world, PARTS[code])
    assert object_c(chip) == pytest.approx(34.5, abs=1.0)


@pytest.mark.parametrize("code", ["BCK", "BCH", "DCH", "BCF", "BCI", "DCI"])
def test_a_part_whose_factory_filters_are_unknown_is_refused(world, code):
    with pytest.raises(ValueError, match=f"{code}: its factory filters are not known"):
        SimulatedMlx90614(world, part=PARTS[code])


@pytest.mark.parametrize("emissivity", [0.90, 0.98])
def test_the_emissivity_cell_undoes_the_emissivity_of_what_the_lens_sees(world, emissivity):
    chip, _ = part(world, QUIET_DCC)
    skin, die = (34.5 + 273.15) ** 4, (24.4 + 273.15) ** 4
    seen_c = (emissivity * skin + (1 - emissivity) * die) ** 0.25 - 273.15
    chip.scene = lambda _at_s: seen_c
    world.advance(1.0)
    assert object_c(chip) == pytest.approx(seen_c, abs=0.011)  # the factory's 1.0
    chip.eeprom[EMISSIVITY] = round(emissivity * 65535)
    world.advance(1.0)
    assert object_c(chip) == pytest.approx(34.5, abs=0.011)


@pytest.mark.parametrize(("seen_c", "word"), [(500.0, 0x7FFF), (-200.0, 0x27AD)])
def test_a_register_ends_at_the_range_of_the_part(world, seen_c, word):  # page 30
    chip, _ = part(world, QUIET_DCC)
    chip.scene = lambda _at_s: seen_c
    world.advance(1.0)
    assert chip.word(0x07) == word


@pytest.mark.parametrize(("seen_c", "word"), [(34.5, 0x7FFF), (10.0, 0x27AD)])
def test_an_erased_emissivity_cell_ends_at_the_range_of_the_part(world, seen_c, word):
    chip, _ = part(world, QUIET_DCC)
    chip.eeprom[EMISSIVITY] = 0
    chip.scene = lambda _at_s: seen_c
    world.advance(1.0)
    assert chip.word(0x07) == word


@pytest.mark.parametrize(
    ("kind", "error_c"), [(QUIET_BAA, 0.3), (QUIET_DCC, 0.03)], ids=["BAA", "DCC"]
)
@pytest.mark.parametrize("sign", [1, -1])
def test_a_die_that_moves_by_1_c_a_minute_errs(world, kind, error_c, sign):
    chip, _ = part(world, kind)
    chip.room_c += sign * DIE_TIME_CONSTANT_S / 60
    world.advance(1.0)
    before_c = ambient_c(chip)
    assert object_c(chip) - 34.5 == pytest.approx(sign * error_c, abs=0.015)
    world.advance(30.0)
    assert ambient_c(chip) - before_c == pytest.approx(sign * 0.5, abs=0.04)


def test_a_die_at_rest_does_not_err(world):
    chip, _ = part(world, QUIET_BAA)
    chip.settle(35.0)
    world.advance(1.0)
    assert object_c(chip) == pytest.approx(34.5, abs=0.011)


def test_a_part_that_is_built_or_settled_is_warm(world):
    chip, _ = part(world)
    assert ambient_c(chip) == pytest.approx(24.4, abs=0.011)
    chip.settle(30.0)
    assert ambient_c(chip) == pytest.approx(30.4, abs=0.011)
    assert chip.room_c == 30.0
    world.advance(3600.0)
    assert ambient_c(chip) == pytest.approx(30.4, abs=0.011)


def test_a_part_that_is_switched_on_sends_nothing_valid_for_a_quarter_second(world):  # page 11
    chip, bus = part(world)
    chip.power_cycle()
    for command in (0x06, 0x07, CONFIG, 0x3C):
        assert transfer(bus, command)[:2] == b"\0\0"
    world.advance(0.24)
    assert chip.word(0x07) == 0
    world.advance(0.02)
    assert object_c(chip) == pytest.approx(34.5, abs=1.0)
    assert chip.word(CONFIG) == 0x9FB4


def test_a_part_that_is_switched_on_warms_itself_from_the_room(world):
    chip, _ = part(world)
    chip.power_cycle()
    world.advance(0.3)
    assert ambient_c(chip) == pytest.approx(24.0, abs=0.011)
    world.advance(DIE_TIME_CONSTANT_S - 0.3)
    assert ambient_c(chip) == pytest.approx(24.4 - 0.4 / math.e, abs=0.011)
    world.advance(3600.0)
    assert ambient_c(chip) == pytest.approx(24.4, abs=0.011)


def test_the_first_result_after_power_on_skips_the_filter(world):  # page 22
    chip, _ = part(world, QUIET_DCC)
    chip.eeprom[CONFIG] = 0x9FB3  # IIR 13 %, 7 s
    chip.scene = lambda _at_s: 100.0
    chip.power_cycle()
    world.advance(0.3)
    assert object_c(chip) == pytest.approx(100.0, abs=0.011)


def test_an_aged_part_reads_the_object_alone_off(world):
    chip, _ = part(world)
    before = chip.word(0x06), chip.word(0x07)
    chip.drift_c = 0.4
    assert (chip.word(0x06), chip.word(0x07)) == (before[0], before[1] + 20)


def test_a_frozen_part_repeats_its_last_result_before_the_fault(world):
    chip, _ = part(world)
    last = chip.word(0x06), chip.word(0x07)
    chip.fault = ChipFault.FROZEN
    chip.scene = lambda _at_s: 38.0
    chip.settle(30.0)
    for _ in range(5):
        world.advance(10.0)
        chip.fault = ChipFault.FROZEN  # once more, and still the same fault
        assert (chip.word(0x06), chip.word(0x07)) == last
    chip.fault = None
    assert object_c(chip) == pytest.approx(38.0, abs=1.0)


def test_a_frozen_part_never_saw_who_came_in_the_same_instant(world):
    chip, _ = part(world)
    chip.scene = lambda _at_s: 38.0
    chip.fault = ChipFault.FROZEN
    world.advance(10.0)
    assert object_c(chip) == pytest.approx(34.5, abs=1.0)


def test_a_part_that_is_frozen_anew_repeats_the_new_result(world):
    chip, _ = part(world)
    chip.fault = ChipFault.FROZEN
    chip.fault = None
    chip.scene = lambda _at_s: 38.0
    world.advance(1.0)
    chip.fault = ChipFault.FROZEN
    assert object_c(chip) == pytest.approx(38.0, abs=1.0)


def test_a_change_of_the_room_does_not_reach_back(world):
    chip, _ = part(world)
    world.advance(3600.0)  # nobody reads
    chip.room_c = 10.0
    assert ambient_c(chip) == pytest.approx(24.4, abs=0.011)


def test_a_change_of_the_room_leaves_the_results_there_are(world):
    chip, _ = part(world, QUIET_BAA)
    chip.room_c += 70.0  # 10 C a minute: 3 C of error from the next result on
    assert object_c(chip) == pytest.approx(34.5, abs=0.011)
    world.advance(0.1)
    assert object_c(chip) == pytest.approx(37.5, abs=0.011)


@pytest.mark.parametrize(
    ("kind", "config", "period_s"),
    [
        (BAA, 0x9FB4, 0.087),
        (BAA, 0x9EB4, 0.054),
        (BAA, 0x9DB4, 0.037),
        (BAA, 0x9CB4, 0.029),
        (DCC, 0x9FB4, 0.135),
        (DCC, 0x9EB4, 0.084),
        (DCC, 0x9DB4, 0.058),
        (DCC, 0x9CB4, 0.047),
    ],
)
def test_results_come_as_often_as_fir_and_kind_of_the_part_allow(world, kind, config, period_s):
    chip, _ = part(world, kind)
    chip.eeprom[CONFIG] = config
    looked_s = []

    def scene(at_s):
        looked_s.append(at_s)
        return 34.5

    chip.scene = scene
    world.advance(2.0)
    chip.word(0x07)
    periods_s = [after_s - before_s for before_s, after_s in itertools.pairwise(looked_s)]
    assert periods_s == pytest.approx([period_s] * len(periods_s))
    assert len(periods_s) > 10


def test_a_storm_flips_one_bit_in_every_other_answer_by_chance(world):
    chip, bus = part(world)
    chip.fault = ChipFault.PEC_STORM
    clean = chip.word(CONFIG).to_bytes(2, "little")
    clean += bytes([read_word_pec(ADDRESS, CONFIG, chip.word(CONFIG))])
    flipped = []
    for _ in range(1000):
        pairs = zip(transfer(bus, CONFIG), clean, strict=True)
        flipped.append(sum((seen ^ sent).bit_count() for seen, sent in pairs))
    assert set(flipped) == {0, 1}
    assert flipped.count(1) == pytest.approx(500, abs=60)
    assert max(len(list(run)) for _, run in itertools.groupby(flipped)) > 3  # by chance


def test_a_storm_leaves_what_the_part_measures_as_it_is():
    def words(fault):
        world = World()
        chip, bus = part(world)
        chip.fault = fault
        for _ in range(20):
            world.advance(0.28)
            transfer(bus, 0x07)
            yield chip.word(0x07)

    assert list(words(None)) == list(words(ChipFault.PEC_STORM))
