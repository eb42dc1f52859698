# shellcheck shell=bash
# Debian packages. In: nothing. Out: the programs that the other files call.

# Program (or file, or pattern of one) → the package that brings it.
declare -A PACKAGES=(
	[containerd]=containerd
	[runc]=runc
	[/usr/lib/cni/ptp]=containernetworking-plugins
	[conntrack]=conntrack
	[iptables]=iptables
	[ipset]=ipset
	[ip]=iproute2
	[openssl]=openssl
	[redis-server]=redis-server
	[redis-sentinel]=redis-sentinel
	[redis-cli]=redis-tools
	[busybox]=busybox
	[prometheus]=prometheus
	[prometheus-redis-exporter]=prometheus-redis-exporter
	[prometheus-alertmanager]=prometheus-alertmanager
	['/usr/lib/postgresql/*/bin/initdb']=postgresql
	[/usr/share/zoneinfo/UTC]=tzdata
	[unshare]=util-linux
	[mount]=mount
	[objcopy]=binutils
	[ldd]=libc-bin
	[/etc/ssl/certs/ca-certificates.crt]=ca-certificates
	[curl]=curl
	[xz]=xz-utils
	[/usr/sbin/pgbouncer]=pgbouncer
	[/usr/bin/faketime]=faketime
	[chromium]=chromium
	[chromedriver]=chromium-driver
	[npm]=npm
	[python3]=python3-venv
)

# missing_packages  Prints the packages whose program is not there, sorted, on one line.
missing_packages() {
	local thing missing=()
	for thing in "${!PACKAGES[@]}"; do
		# root's PATH may lack the sbin folders when a harness starts us.
		PATH=$PATH:/usr/sbin:/sbin type -P "$thing" >/dev/null || compgen -G "$thing" >/dev/null || missing+=("${PACKAGES[$thing]}")
	done
	[[ ${#missing[@]} = 0 ]] || printf '%s\n' "${missing[@]}" | sort -u | paste -sd ' '
}

# quiet COMMAND…  Shows what it said only if it failed.
quiet() {
	local said
	said=$("$@" 2>&1) || { printf '%s\n' "$said" | tail -n 15 >&2 && return 1; }
}

install_packages() {
	local missing policy
	missing=$(missing_packages)
	[[ $missing ]] || return 0
	[[ $EUID = 0 ]] || die "needs root to install: $missing"
	type -P apt-get >/dev/null || die "no apt-get here; install by hand: $missing"
	say "apt-get update"
	quiet apt-get update -qq || die "apt-get update failed"
	say "apt-get install $missing"
	# The programs are wanted, not their system services: a policy that refuses every start
	# stands while apt works, unless the machine has one already.
	policy=/usr/sbin/policy-rc.d
	if [[ ! -e $policy ]]; then
		printf '#!/bin/sh\nexit 101\n' >$policy
		chmod +x $policy
		# shellcheck disable=SC2064
		trap "rm -f $policy" EXIT
	fi
	# shellcheck disable=SC2086
	DEBIAN_FRONTEND=noninteractive quiet apt-get install -y -qq --no-install-recommends $missing ||
		die "apt-get install failed"
	say "installed: $missing"
}
