#!/bin/sh
# Installs from Debian what the lab runs and is missing: FRR, BIRD, GoBGP's
# daemon (as a route reflector), etcd, Prometheus, iproute2, ping, tcpdump, tshark, bgpdump,
# iperf3; user-mode-linux
# where the kernel has no VRF or VLAN devices; with the argument "browser" a headless Chromium too. Quiet when nothing is missing.
# Needs root only to install. Services that Debian starts are stopped: the lab
# runs daemons of its own.
set -eu
PATH=$PATH:/usr/sbin:/sbin

missing=
want() { # want PACKAGE FILE...: the package, unless all files are there
	package=$1
	shift
	for file; do
		[ -e "$file" ] || command -v "$file" >/dev/null 2>&1 || {
			missing="$missing $package"
			return 0
		}
	done
}

# The same devices that vmexec tries, in a network namespace that ends with
# the attempt.
kernel_suffices() {
	unshare -n sh -c 'ip link add vrf0 type vrf table 10 &&
		ip link add dummy0 type dummy &&
		ip link add link dummy0 name vlan0 type vlan id 100 &&
		ip link add br0 type bridge vlan_filtering 1 &&
		ip link add vx0 type vxlan id 1 dstport 4789 &&
		ip link add veth0 type veth peer name veth1' >/dev/null 2>&1
}

want iproute2 ip tc bridge
want iputils-ping ping
want tcpdump tcpdump
want tshark tshark
want bgpdump bgpdump
want iperf3 iperf3
want frr /usr/lib/frr/zebra /usr/lib/frr/bgpd /usr/lib/frr/staticd vtysh
want bird2 bird birdc
want gobgpd gobgpd
want etcd-server etcd
want systemd systemd-analyze /lib/systemd/systemd
want init-system-helpers deb-systemd-invoke
want procps ps
want prometheus prometheus promtool
[ "${1:-}" != browser ] || want chromium-headless-shell chromium-headless-shell
if command -v ip >/dev/null 2>&1; then
	kernel_suffices || want user-mode-linux linux.uml
else
	want user-mode-linux linux.uml # cannot be told yet; it does no harm
fi
[ -n "$missing" ] || exit 0

if [ "$(id -u)" != 0 ]; then
	echo "install.sh: missing:$missing; run this as root" >&2
	exit 1
fi
echo "install.sh: installing$missing"

# Policy 101: packages do not start their services.
policy=/usr/sbin/policy-rc.d
ours=
if [ ! -e $policy ]; then
	ours=1
	printf '#!/bin/sh\nexit 101\n' >$policy
	chmod +x $policy
fi
log=$(mktemp)
finish() {
	[ -z "$ours" ] || rm -f $policy
	rm -f "$log"
}
trap finish EXIT

# Of each package only what it needs; FRR's own tools stay out.
get() { DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing >"$log" 2>&1; }
if ! get; then
	apt-get update -q >"$log" 2>&1 || { cat "$log" >&2; exit 1; }
	get || { cat "$log" >&2; exit 1; }
fi

# Where a policy of the host's own let them start, or systemd enabled them:
# only services of packages that came just now.
for package in $missing; do
	case $package in
	frr | gobgpd) service=$package ;;
	bird2) service=bird ;;
	etcd-server) service=etcd ;;
	prometheus) service=prometheus ;;
	*) continue ;;
	esac
	# Also where systemd is there but not running, as in an image being made.
	if command -v systemctl >/dev/null 2>&1; then
		systemctl disable -q $service 2>/dev/null || :
	fi
	if [ -d /run/systemd/system ]; then
		systemctl stop -q $service 2>/dev/null || :
	elif [ -x /etc/init.d/$service ] && [ -z "$ours" ]; then
		/etc/init.d/$service stop >/dev/null 2>&1 || :
	fi
done
