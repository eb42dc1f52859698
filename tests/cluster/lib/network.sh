# shellcheck shell=bash
# One veth pair: its outer end ($HOST_LINK) stays with the host, its inner end becomes the node's
# eth0. In: the addresses of paths.sh. Out: links, addresses and routes on either side.
# Nothing is forwarded further: the node has no default route.

# network_taken N  Whether another route or link of this machine uses what cluster N would.
network_taken() {
	[[ -e /sys/class/net/exam$1 ]] && return
	ip -4 route show table all | grep -qE "(^|[ /])10\.$((200 + $1))\."
}

# Host side. In: the process that holds the node's network namespace.
network_outside() {
	local holder=$1
	ip link add "$HOST_LINK" type veth peer name eth0 netns "$holder" &&
		ip address add "$HOST_IP/24" dev "$HOST_LINK" &&
		ip link set "$HOST_LINK" up &&
		ip route add "$SERVICE_RANGE" via "$(node_ip 0)" dev "$HOST_LINK" &&
		ip route add "$(node_pods 0)" via "$(node_ip 0)" dev "$HOST_LINK"
}

# Node side, run inside. In: the node's index.
network_inside() {
	await 60 "the outer half of the link" ip link show eth0
	ip link set lo up
	ip address add "$(node_ip "$1")/24" dev eth0
	ip link set eth0 up
	# kube-proxy rewrites a packet to a Service only after a route was found for it.
	ip route add "$SERVICE_RANGE" dev lo src "$(node_ip "$1")"
	echo 1 >/proc/sys/net/ipv4/ip_forward
}

network_remove() {
	if [[ -e /sys/class/net/$HOST_LINK ]]; then
		ip link delete "$HOST_LINK" 2>/dev/null || true
	fi
	await 20 "the link $HOST_LINK to go" test ! -e "/sys/class/net/$HOST_LINK"
}
