# Run as the first process of the guest; becomes systemd, with as little beside it as may be.
# $VERSION ("python3.11"), $HOME_OF (where that is installed), $PACKAGES (what it imports), $UDEV
# (Debian's package, unpacked), $MODULES (a root with the kernel's): see ../test_systemd.py. The root
# is a disk above the host's files, and the second start finds what the first has left there.
set -e

# The interpreter and the checkout where the units look for them, and where ProtectHome= hides
# neither: both may lie in somebody's home.
mkdir -p /opt/gatepost/{venv/bin,venv/lib/"$VERSION"/site-packages,interpreter,checkout}
mount --bind "$HOME_OF" /opt/gatepost/interpreter
mount --bind "$PWD" /opt/gatepost/checkout
mount --bind "$PACKAGES" /opt/gatepost/venv/lib/"$VERSION"/site-packages

# The card, where one is in: its first partition, as Raspberry Pi OS mounts it.
if [ -b /dev/vdb1 ]; then
    for module in vfat nls_cp437 nls_ascii; do
        modprobe -d "$MODULES" -S "$(uname -r)" $module
    done
    mkdir -p /boot/firmware
    mount -t vfat /dev/vdb1 /boot/firmware
fi

# What a Pi has in /proc/cpuinfo: under ProtectProc= the process has a /proc of its own. And Python
# under an emulator takes what a busy host leaves it.
for unit in gatepost-{gate,uplink,first-boot,first-enrol}; do
    mkdir -p /run/systemd/system/$unit.service.d
    printf '[Service]\nTimeoutStartSec=300\n' > /run/systemd/system/$unit.service.d/10-bench.conf
done
echo 'BindReadOnlyPaths=/run/cpuinfo:/proc/cpuinfo' \
    >> /run/systemd/system/gatepost-gate.service.d/10-bench.conf
# What Debian has removed at a boot is the host's: /tmp, where this checkout may lie.
mkdir -p /run/systemd/system/systemd-tmpfiles-setup.service.d
printf '[Service]\nExecStart=\nExecStart=-systemd-tmpfiles --create --boot gatepost.conf\n' \
    > /run/systemd/system/systemd-tmpfiles-setup.service.d/10-bench.conf
# Nobody waits two minutes for the next try.
printf 'RuntimeMaxSec=300\nRestartSec=2\n' \
    >> /run/systemd/system/gatepost-first-enrol.service.d/10-bench.conf
mkdir -p /run/systemd/journald.conf.d /run/bench
printf '[Journal]\nStorage=volatile\n' > /run/systemd/journald.conf.d/bench.conf
# A container's mark, by which systemd would take this for one.
rm -f /.dockerenv /run/.containerenv
begin() { exec /lib/systemd/systemd --unit=multi-user.target; }
[ -e /lib/systemd/system/bench.service ] && begin

# From here on what stays on the disk.
for library in /opt/gatepost/interpreter/lib/lib"$VERSION".so*; do
    [ -e "$library" ] && ln -sf "$library" /usr/lib/x86_64-linux-gnu/
done
echo "home = /opt/gatepost/interpreter/bin" > /opt/gatepost/venv/pyvenv.cfg
ln -s /opt/gatepost/interpreter/bin/"$VERSION" /opt/gatepost/venv/bin/python
cat > /opt/gatepost/venv/bin/gatepost << 'END'
#!/opt/gatepost/venv/bin/python
import sys
parts = ("firmware", "hal", "services", "config")
sys.path[:0] = [f"/opt/gatepost/checkout/{part}" for part in parts]
from gatepost.cli.main import main
sys.exit(main())
END
chmod 0755 /opt/gatepost /opt/gatepost/venv/bin/gatepost

# udev, where this machine has none: a container rarely has.
if [ ! -e /lib/systemd/systemd-udevd ]; then
    for at in bin lib etc; do cp -a "$UDEV/$at/." "/$at/"; done
    systemd-sysusers --inline "g input -" # as its postinst does
fi

# The journal, udev, folders in /run, and nothing else: neither what the host has enabled nor what it would mount.
rm -rf /{etc,lib}/systemd/system/*.wants /{etc,lib}/systemd/system/*.requires /etc/{fstab,crypttab}
mkdir -p /etc/systemd/system-generators
for generator in /lib/systemd/system-generators/*; do
    ln -sf /dev/null "/etc/systemd/system-generators/${generator##*/}"
done
wanted() {
    mkdir -p "/etc/systemd/system/$1.target.wants"
    for unit in "${@:2}"; do
        ln -s "/lib/systemd/system/$unit" "/etc/systemd/system/$1.target.wants/"
    done
}
wanted sysinit systemd-{journald,udevd,udev-trigger,tmpfiles-setup}.service
wanted sockets systemd-journald{,-dev-log}.socket systemd-udevd-{control,kernel}.socket
# One with no identity would have all that is there enabled.
tr -d - < /proc/sys/kernel/random/uuid > /etc/machine-id

cat > /lib/systemd/system/bench.service << 'END'
[Service]
ExecStart=/bin/bash /mnt/story
StandardOutput=tty
StandardError=inherit
TTYPath=/dev/ttyS0
END
wanted multi-user bench.service
begin
