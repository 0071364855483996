"""A USB serial scanner of the guest, which can be unplugged, and the wire behind it.

QEMU connects the scanner's serial side with a plain serial port of the same guest: what is written
to /dev/ttyS1 in there is what the scanner reads. No byte comes from the host, so that virtual time
stays what it is.
"""

import time
from pathlib import Path
from threading import Event

from .machine import GuestError, Machine

_SCANNER = {"driver": "usb-serial", "bus": "usb.0", "chardev": "scanned", "id": "scanner"}
_DELETED_S = 30.0
_POLL_S = 0.05


def scanner_devices(folder: Path) -> tuple[str, ...]:
    """Return QEMU's arguments for the scanner and the wire, a socket in a folder of a short path.

    (A Unix socket's path has 107 characters at most.)
    """
    wire = folder / "wire"
    return (
        *("-device", "qemu-xhci,id=usb"),
        *("-chardev", f"socket,id=scanned,path={wire},server=on,wait=off"),
        *("-chardev", f"socket,id=shown,path={wire}"),
        *("-device", ",".join(f"{key}={value}" for key, value in _SCANNER.items())),
        *("-device", "isa-serial,chardev=shown"),
    )


def unplug(machine: Machine) -> None:
    """Pull the scanner's plug."""
    machine.tell("device_del", id="scanner")


def plug(machine: Machine) -> None:
    """Plug it in again, once QEMU has let go of the old one."""
    until_s = time.monotonic() + _DELETED_S
    while not any(event["event"] == "DEVICE_DELETED" for event in machine.events):
        if time.monotonic() > until_s:
            raise GuestError(f"QEMU keeps the unplugged scanner for {_DELETED_S:.0f} s")
        Event().wait(_POLL_S)
        machine.tell("query-status")  # reads the events on its way
    machine.tell("device_add", **_SCANNER)
