"""A guest that runs: QEMU, its console, and its monitor.

`tcg` always, never `kvm` (a /dev/kvm may be there and hang), and `q35`, never `microvm` (which
hangs at boot now and then).
"""

import json
import os
import queue
import re
import shlex
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .build import ROOT, Guest, found

# Virtual time: the guest's clock counts its instructions (1 ns each), and jumps over every wait.
# Sleeping costs nothing, and a busy host changes no instant that the guest can see.
_VIRTUAL_TIME = ("-icount", "shift=0,sleep=off")
# Without it the kernel checks that its timer ticks, and panics where a busy host let it not.
_KERNEL = "console=ttyS0 quiet panic=-1 no_timer_check guest.run=/mnt/script"
_ENDED = re.compile(r"GUEST: ended with (\d+)")


class GuestError(AssertionError):
    """The guest did not do what a test waited for; the message ends with its last lines."""


class Machine:
    """A guest that runs a script.

    Args:
        guest: what to boot.
        share: a folder that is /mnt in the guest, for both to write.
        script: bash, run as root in the guest on the host's own files; they may be written over,
            into memory. `lane.sh` has been sourced and the checkout is the working directory;
            $PYTHON is the interpreter that runs the tests. See `whole_script`.
        lanes: how many lanes there are devices for.
        is_virtual_time: whether waiting is skipped; see above. Not for what talks to the host.
        devices: further arguments of QEMU.
        memory_mb: of the guest; a Pi Zero 2 W has 512.
        kernel: further arguments of the kernel.
    """

    def __init__(
        self,
        guest: Guest,
        share: Path,
        script: str,
        *,
        lanes: int = 1,
        is_virtual_time: bool = False,
        devices: Sequence[str] = (),
        memory_mb: int = 512,
        kernel: str = "",
    ) -> None:
        (share / "script").write_text(whole_script(script, lanes))
        self.lines: list[str] = []
        self._queue: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._near, far = socket.socketpair()
        self.process = subprocess.Popen(
            [
                *(found("qemu-system-x86_64") or "", "-M", "q35", "-accel", "tcg", "-cpu", "max"),
                *(_VIRTUAL_TIME if is_virtual_time else ()),
                *("-m", str(memory_mb), "-nodefaults", "-no-reboot", "-display", "none"),
                *("-serial", "stdio", "-kernel", str(guest.kernel), "-initrd", str(guest.initrd)),
                *("-append", f"{_KERNEL} {kernel}"),
                *_shared("host", Path("/"), ",readonly=on"),
                *_shared("share", share, ""),
                *(
                    "-chardev",
                    f"socket,id=monitor,fd={far.fileno()}",
                    "-mon",
                    "monitor,mode=control",
                ),
                *devices,
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=[far.fileno()],
            env={**os.environ, "LC_ALL": "C"},
        )
        far.close()
        self._monitor = self._near.makefile("rwb", buffering=0)
        self.events: list[dict[str, Any]] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.tell("qmp_capabilities")

    def wait_for(self, pattern: str, timeout_s: float = 120.0) -> re.Match[str]:
        """Return the first match in what the console says from here on.

        Raises:
            GuestError: it ended, or said nothing of the kind in time.
        """
        until_s = time.monotonic() + timeout_s
        while True:
            try:
                line = self._queue.get(timeout=max(0.0, until_s - time.monotonic()))
            except queue.Empty:
                raise self._failed(f"no {pattern!r} in {timeout_s:.0f} s") from None
            if line is None:
                self._queue.put(None)
                raise self._failed(f"ended without {pattern!r}")
            if match := re.search(pattern, line):
                return match

    def wait_end(self, timeout_s: float = 600.0) -> int:
        """Return the exit status of the script.

        Raises:
            GuestError: the guest ended in another way, or not in time.
        """
        return int(self.wait_for(_ENDED.pattern, timeout_s)[1])

    def wait_off(self, timeout_s: float = 60.0) -> None:
        """Wait until QEMU itself has ended, as it does at a reboot."""
        self.process.wait(timeout_s)

    def tell(self, command: str, **arguments: object) -> Any:
        """Run a command of the monitor (QMP) and return its answer."""
        said = {"execute": command, "arguments": arguments}
        self._monitor.write(json.dumps(said).encode() + b"\n")
        while True:
            answer = json.loads(self._monitor.readline() or b'{"error": "closed"}')
            if "error" in answer:
                raise self._failed(f"{command}: {answer['error']}")
            if "event" in answer:
                self.events.append(answer)
            if "return" in answer:
                return answer["return"]

    def last_events(self) -> list[str]:
        """Return the names of the monitor's events, after the guest has ended."""
        for line in self._monitor:
            said = json.loads(line)
            if "event" in said:
                self.events.append(said)
        return [event["event"] for event in self.events]

    def kill(self) -> None:
        """Cut the power, and close what is open."""
        self.process.kill()
        self.process.wait()
        self._reader.join()
        self._monitor.close()
        self._near.close()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as stdout:
            for raw in stdout:
                line = raw.decode(errors="replace").rstrip()
                self.lines.append(line)
                self._queue.put(line)
        self._queue.put(None)

    def _failed(self, reason: str) -> GuestError:
        last = "\n".join(self.lines[-40:])
        return GuestError(f"guest: {reason}; its last lines:\n{last}")


def whole_script(script: str, lanes: int = 1) -> str:
    """Return a script with what comes before: devices, $PYTHON, the working directory."""
    python, root = shlex.quote(sys.executable), shlex.quote(str(ROOT))
    return f"LANES={lanes} PYTHON={python}\n. /run/modules/lane.sh\ncd {root}\n{script}"


@contextmanager
def running(guest: Guest, share: Path, script: str, **keywords: Any) -> Iterator[Machine]:
    """Yield a machine, and cut its power at the end."""
    machine = Machine(guest, share, script, **keywords)
    try:
        yield machine
    finally:
        machine.kill()


def _shared(tag: str, folder: Path, more: str) -> tuple[str, ...]:
    return (
        *("-fsdev", f"local,id={tag},path={folder},security_model=none,multidevs=remap{more}"),
        *("-device", f"virtio-9p-pci,fsdev={tag},mount_tag={tag}"),
    )
