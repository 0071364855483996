"""Makes the guest: Debian's own kernel, its gpio-sim and our I2C adapter, and a first process.

Everything comes from Debian's archive and lands in the checkout's ignored `.cache/hil`; nothing is
installed. The guest has no disk of its own: it runs on the host's file system, with memory on top.
"""

import compileall
import fcntl
import gzip
import hashlib
import os
import platform
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
CACHE = ROOT / ".cache" / "hil"
SOURCES = HERE / "guest"
PYTHON = ("firmware", "hal", "services", "config", "tests/hil")

# Loaded in this order, each with what it needs.
LOADED = (
    *("virtio_pci", "virtio_blk", "virtio_net", "virtio_console"),
    *("9p", "9pnet_virtio", "overlay", "ext4", "configfs"),
    *("i2c-dev", "uinput", "evdev", "i6300esb", "xhci-pci", "ftdi_sio", "usbhid"),
)
APPLETS = (
    "sh",
    "mount",
    "mkdir",
    "cat",
    "insmod",
    "cp",
    "ip",
    "chroot",
    "echo",
    "sync",
    "poweroff",
    "switch_root",
)
KERNEL_FILES = ("drivers/gpio/gpio-sim.c", "drivers/gpio/gpiolib.h", "kernel/irq/irq_sim.c")
TOOLS = {
    "qemu-system-x86_64": "qemu-system-x86",
    "busybox": "busybox-static",
    "cpio": "cpio",
    "modprobe": "kmod",
    "gcc": "gcc",
    "make": "make",
    "patch": "patch",
    "xz": "xz-utils",
    "apt-get": "apt",
}
_SBIN = "/usr/local/sbin:/usr/sbin:/sbin"


class NoGuestError(Exception):
    """This machine cannot build or run the guest; the message says why."""


class Guest(NamedTuple):
    """What QEMU boots."""

    kernel: Path
    initrd: Path
    release: str


def guest() -> Guest:
    """Return the guest, built anew where something of it has changed, by one process at a time.

    Raises:
        NoGuestError: it cannot be built here.
    """
    if platform.machine() != "x86_64":
        raise NoGuestError("the guest is for amd64, and runs on the host's own programs")
    with _one_process():
        return _guest()


def unpacked(package: str) -> Path:
    """Return the folder in which one of Debian's packages is unpacked; nothing is installed.

    Raises:
        NoGuestError: it cannot be fetched here.
    """
    folder = CACHE / package
    with _one_process():
        if not folder.exists():
            debs = CACHE / f"{package}.debs"
            shutil.rmtree(debs, ignore_errors=True)
            debs.mkdir()
            _run("apt-get", "download", "-qq", package, cwd=debs)
            (deb,) = debs.glob("*.deb")
            _run("dpkg", "-x", deb, debs / "tree")
            (debs / "tree").rename(folder)
            shutil.rmtree(debs)
    return folder


@contextmanager
def _one_process() -> Iterator[None]:
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE.parent / "hil.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _guest() -> Guest:
    # The guest cannot keep what its Python compiles, and would take seconds for it at each boot.
    for folder in PYTHON:
        compileall.compile_dir(ROOT / folder, quiet=2)
    missing = [package for tool, package in TOOLS.items() if not found(tool)]
    if missing:
        raise NoGuestError(f"missing here: apt-get install {' '.join(missing)}")
    release = _release()
    built = Guest(CACHE / "root" / "boot" / f"vmlinuz-{release}", CACHE / "initrd.gz", release)
    digest = _digest(release)
    stamp = CACHE / "built"
    if stamp.exists() and stamp.read_text() == digest and built.kernel.exists():
        return built
    stamp.unlink(missing_ok=True)
    if not built.kernel.exists():
        _fetch(release)
    modules = _compile(release)
    _pack(release, modules, built.initrd)
    stamp.write_text(digest)
    return built


def found(tool: str) -> str | None:
    """Return where a program is; as a plain user the system's own folders count as well."""
    return shutil.which(tool, path=f"{os.environ['PATH']}:{_SBIN}")


def _release() -> str:
    """Return the release of Debian's current kernel, as "6.1.0-56-amd64"."""
    for update in (False, True):
        if update:
            _run("apt-get", "update", "-qq")
        said = _run("apt-cache", "depends", "linux-image-amd64")
        for line in said.splitlines():
            if "Depends: linux-image-" in line:
                return line.partition("linux-image-")[2].strip()
    raise NoGuestError("apt knows no linux-image-amd64: this is no Debian for amd64")


def _version(release: str) -> str:
    """Return "6.1" of "6.1.0-56-amd64"."""
    return ".".join(release.split(".")[:2])


def _fetch(release: str) -> None:
    """Unpack kernel, headers and the three source files. About 220 MB come over the network."""
    shutil.rmtree(CACHE, ignore_errors=True)
    debs = CACHE / "debs"
    debs.mkdir(parents=True)
    version = _version(release)
    unpacked = [
        f"linux-image-{release}",
        f"linux-headers-{release}",
        f"linux-headers-{release.removesuffix('-amd64')}-common",
        f"linux-kbuild-{version}",
    ]
    source = f"linux-source-{version}"
    _run("apt-get", "download", "-qq", *unpacked, source, cwd=debs)
    for package in unpacked:
        (deb,) = debs.glob(f"{package}_*.deb")
        _run("dpkg", "-x", deb, CACHE / "root")
    (deb,) = debs.glob(f"{source}_*.deb")
    # A tarball in a tarball: unpacked on the way, it is never on the disk as a whole.
    files = " ".join(f"{source}/{name}" for name in KERNEL_FILES)
    inner = f"tar -xO ./usr/src/{source}.tar.xz | tar -xJ --strip-components=1 {files}"
    (CACHE / "source").mkdir()
    _run("sh", "-c", f"dpkg --fsys-tarfile {deb} | {inner}", cwd=CACHE / "source")
    shutil.rmtree(debs)


def _compile(release: str) -> list[Path]:
    """Compile our two modules beside the kernel's headers; return them."""
    headers = CACHE / "root" / "usr" / "src" / f"linux-headers-{release}"
    common = headers.with_name(headers.name.removesuffix("-amd64") + "-common")
    # Debian's names the place where the package is installed.
    (headers / "Makefile").write_text(f"include {common}/Makefile\n")
    work, patched = CACHE / "modules", CACHE / "patched"
    for folder in (work, patched):
        shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(CACHE / "source", patched)
    _run("patch", "-s", "-p1", "-i", SOURCES / "gpio-sim.patch", cwd=patched)
    work.mkdir()
    shutil.copy(patched / KERNEL_FILES[0], work / "gpio_sim_main.c")
    for name in KERNEL_FILES[1:]:
        shutil.copy(patched / name, work)
    for name in ("Makefile", "mlx90614_sim.c"):
        shutil.copy(SOURCES / name, work)
    _run("make", "-s", "-C", headers, f"M={work}", "modules")
    return sorted(work.glob("*.ko"))


def _pack(release: str, ours: list[Path], target: Path) -> None:
    """Make the initrd: busybox, the modules in their order, the first process."""
    root = CACHE / "root"
    if not (root / "lib").exists():
        (root / "lib").symlink_to("usr/lib")
    _run("depmod", "-b", root, release)
    tree = CACHE / "tree"
    shutil.rmtree(tree, ignore_errors=True)
    for name in ("bin", "dev", "proc", "sys", "modules"):
        (tree / name).mkdir(parents=True)
    shutil.copy(found("busybox") or "", tree / "bin" / "busybox")
    for applet in APPLETS:
        (tree / "bin" / applet).symlink_to("busybox")
    shutil.copy(SOURCES / "init", tree / "init")
    (tree / "init").chmod(0o755)
    shutil.copy(SOURCES / "lane.sh", tree / "modules")
    order: dict[str, None] = {}
    for module in LOADED:
        said = _run("modprobe", "-d", root, "-S", release, "--show-depends", module)
        order |= dict.fromkeys(x.split()[1] for x in said.splitlines() if x.startswith("insmod"))
    for path in [*map(Path, order), *ours]:
        shutil.copy(path, tree / "modules")
    names = [f"/modules/{Path(path).name}" for path in order]
    (tree / "modules" / "order").write_text("\n".join(names) + "\n")
    packed = subprocess.run(
        [found("cpio") or "", "-o", "-H", "newc", "--quiet"],
        cwd=tree,
        input="\n".join(str(path.relative_to(tree)) for path in sorted(tree.rglob("*"))).encode(),
        capture_output=True,
        check=True,
    )
    target.write_bytes(gzip.compress(packed.stdout, 1))


def _digest(release: str) -> str:
    digest = hashlib.sha256(release.encode())
    for path in sorted([Path(__file__), *SOURCES.iterdir()]):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


def _run(command: str, *arguments: str | Path, cwd: Path | None = None) -> str:
    done = subprocess.run(
        [found(command) or command, *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        env=os.environ | {"PATH": f"{os.environ['PATH']}:{_SBIN}", "LC_ALL": "C"},
        check=False,
    )
    if done.returncode:
        told = (done.stderr or done.stdout).strip().splitlines()
        raise NoGuestError(f"{command}: {told[-1] if told else f'ended with {done.returncode}'}")
    return done.stdout
