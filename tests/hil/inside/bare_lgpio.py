"""The least that Python with lgpio can do: when a contact closes, switch an output on.

`python bare_lgpio.py INPUT OUTPUT`. What the gate's latencies are compared with.
"""

import signal
import sys

import lgpio

_PRESSED = 0  # a contact to ground


def main(contact: int, relay: int) -> None:
    chip = lgpio.gpiochip_open(0)
    lgpio.gpio_claim_output(chip, relay, 0)
    lgpio.gpio_claim_alert(chip, contact, lgpio.BOTH_EDGES, lgpio.SET_PULL_UP)

    def follow(_chip: int, _line: int, level: int, _at_ns: int) -> None:
        lgpio.gpio_write(chip, relay, int(level == _PRESSED))

    kept = lgpio.callback(chip, contact, lgpio.BOTH_EDGES, follow)
    print("ready", flush=True)
    signal.pause()
    kept.cancel()


main(int(sys.argv[1]), int(sys.argv[2]))
