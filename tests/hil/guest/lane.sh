# Sourced by each script that runs in the guest: the devices of LANES lanes, and a Pi to be on.
# Of lane N (from 0): /dev/gpiochipN (54 lines), /dev/i2c-(3 + N), and what works them from outside:
# /sys/devices/platform/gpio-sim.N/gpiochipN/sim_gpioL/{value,pull} and
# /sys/kernel/debug/mlx90614-sim.(3 + N)/. `pull` of an input: "ground" closes a contact, "open"
# opens it; "pull-up" and "pull-down" are what a relay board does to a line that nobody drives.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8
insmod /run/modules/gpio-sim.ko
insmod /run/modules/mlx90614_sim.ko buses="${LANES:-1}"
for ((lane = 0; lane < ${LANES:-1}; lane++)); do
    at=/sys/kernel/config/gpio-sim/lane$lane
    mkdir $at $at/bank0
    echo 54 > $at/bank0/num_lines
    echo pinctrl-bcm2711 > $at/bank0/label
    echo 1 > $at/live
done
# gpiozero asks the processor which Pi this is: a 4 B.
{
    cat /proc/cpuinfo
    printf 'Hardware\t: BCM2711\nRevision\t: c03111\nModel\t\t: Raspberry Pi 4 Model B Rev 1.1\n'
} > /run/cpuinfo
mount --bind /run/cpuinfo /proc/cpuinfo
