"""The simulated part against the datasheet: what it sends must be what the real one would."""

from statistics import pstdev

import pytest
from smbus2 import i2c_msg

from gatepost_hal.pec import read_word_pec, write_word_pec
from gatepost_hal.simulated.mlx90614 import BAA, DCC, SimulatedI2cBus, SimulatedMlx90614
from gatepost_hal.simulated.world import World

ADDRESS, CONFIG = 0x5A, 0x25


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


def test_an_eeprom_write_needs_its_pec(world):
    chip, bus = part(world)
    good = write_word_pec(ADDRESS, CONFIG, 0x9FB1)
    with pytest.raises(OSError, match="Remote I/O"):
        bus.i2c_rdwr(i2c_msg.write(ADDRESS, [CONFIG, 0xB1, 0x9F, good ^ 1]))
    assert chip.eeprom[CONFIG] == 0x9FB4
    bus.i2c_rdwr(i2c_msg.write(ADDRESS, [CONFIG, 0xB1, 0x9F, good]))
    assert transfer(bus, CONFIG)[:2] == b"\xb1\x9f"


def test_the_same_seed_gives_the_same_bytes():
    def run():
        world = World()
        _, bus = part(world)
        return [(world.advance(0.28), transfer(bus, 0x07))[1] for _ in range(20)]

    assert run() == run()
