# Process 1 of Machine's namespaces: builds its root and becomes systemd. $1 is a folder for it.
set -e
d=$1
mount -t tmpfs -o mode=755 tmpfs "$d"
mkdir "$d/upper" "$d/work" "$d/root"
mount -t overlay -o "lowerdir=/,upperdir=$d/upper,workdir=$d/work" overlay "$d/root"
cd "$d/root"

# Of what the host has installed nothing is to start, and nothing of its disks and names is to be used.
rm -rf etc/systemd/system/*.wants etc/systemd/system/*.requires etc/rc?.d etc/rc?.d.dpkg-* usr/sbin/policy-rc.d
for unit in systemd-udevd systemd-udev-trigger systemd-logind systemd-networkd systemd-resolved systemd-timesyncd systemd-random-seed \
	systemd-binfmt systemd-update-utmp systemd-user-sessions systemd-machine-id-commit systemd-firstboot systemd-sysctl \
	systemd-tmpfiles-setup-dev systemd-modules-load systemd-remount-fs systemd-pstore kmod-static-nodes ldconfig dbus; do
	ln -sf /dev/null "etc/systemd/system/$unit.service"
done
for unit in getty.target dbus.socket systemd-udevd-kernel.socket systemd-udevd-control.socket remote-fs.target swap.target \
	systemd-ask-password-wall.path systemd-ask-password-console.path proc-sys-fs-binfmt_misc.automount dev-hugepages.mount dev-mqueue.mount \
	sys-kernel-debug.mount sys-kernel-tracing.mount sys-kernel-config.mount sys-fs-fuse-connections.mount; do
	ln -sf /dev/null "etc/systemd/system/$unit"
done
: >etc/fstab
rm -f var/lib/man-db/auto-update # dpkg's trigger reads all manual pages
echo edge1 >etc/hostname
rm -f etc/machine-id && echo 0123456789abcdef0123456789abcdef >etc/machine-id
mkdir -p etc/systemd/journald.conf.d
printf '[Journal]\nStorage=volatile\nRateLimitIntervalSec=0\n' >etc/systemd/journald.conf.d/lab.conf

mkdir -p proc sys dev run old
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount --rbind /dev dev
mount -t tmpfs -o mode=755 tmpfs run
mkdir -p run/lock
pivot_root . old
umount -l /old
mount --make-rshared / # as systemd expects in a container: its credentials would not arrive
exec env -i container=lab PATH=/usr/sbin:/usr/bin:/sbin:/bin TERM=dumb LANG=C.UTF-8 /lib/systemd/systemd \
	--unit=multi-user.target --log-target=journal --log-level=info --show-status=0
