"""The guest itself: what everything else here stands on."""


def test_the_guest_has_the_devices_of_a_lane(boot):
    machine = boot(
        """
        cat /sys/bus/i2c/devices/i2c-3/name /sys/bus/gpio/devices/gpiochip0/dev_name 2>/dev/null
        ls /dev/gpiochip0 /dev/i2c-3 /dev/uinput /dev/watchdog
        """,
        devices=("-device", "i6300esb"),
    )
    assert machine.wait_end() == 0
    assert "mlx90614-sim.3" in machine.lines


def test_in_virtual_time_an_hour_passes_at_once_and_is_an_hour(boot):
    machine = boot(
        """
        $PYTHON -c 'import threading, time
began_s = time.monotonic()
threading.Event().wait(3600)
print("slept", time.monotonic() - began_s)'
        """,
        is_virtual_time=True,
    )
    slept = machine.wait_for(r"slept (.+)")
    assert 3600 <= float(slept[1]) < 3600.1
