# shellcheck shell=bash
# The links of a cluster. In: the addresses of paths.sh. Out: links, addresses and routes.
#
# One veth pair: its outer end ($HOST_LINK) stays with the host, its inner end becomes eth0 of the
# control plane, which a single node is as well. Several nodes have a network namespace and an eth0
# each, and a bridge beside the control plane joins all. Nothing is forwarded further: no node has a
# default route.

# network_taken N  Whether another route or link of this machine uses what cluster N would.
network_taken() {
	[[ -e /sys/class/net/exam$1 ]] && return
	ip -4 route show table all | grep -qE "(^|[ /])10\.$((200 + $1))\."
}

# Host side. In: the process that holds the control plane's network namespace.
network_outside() {
	local holder=$1
	ip link add "$HOST_LINK" type veth peer name eth0 netns "$holder" &&
		ip address add "$HOST_IP/24" dev "$HOST_LINK" &&
		ip link set "$HOST_LINK" up &&
		ip route add "$SERVICE_RANGE" via "$(control_ip)" dev "$HOST_LINK" &&
		routes_to_pods "$HOST_LINK"
}

# A node's side, run inside. In: the node's number.
network_of_node() {
	await 60 "the outer half of the link" ip link show eth0
	# The same after a restart: others remember it for a while.
	((NODES == 1)) || ip link set eth0 address "02:00:00:00:00:0$1"
	network_inside eth0 "$(node_ip "$1")"
	routes_to_pods eth0 "$1"
}

# The control plane's side of several nodes, run inside.
network_of_bridge() {
	await 60 "the outer half of the link" ip link show eth0
	ip link add nodes address 02:00:00:00:00:fd type bridge
	# What one node sends to another is not the control plane's to filter.
	[[ ! -e /proc/sys/net/bridge/bridge-nf-call-iptables ]] || echo 0 >/proc/sys/net/bridge/bridge-nf-call-iptables
	ip link set eth0 master nodes up
	network_inside nodes "$(control_ip)"
	routes_to_pods nodes
}

# network_inside LINK ADDRESS
network_inside() {
	ip link set lo up
	# A packet to a Service may leave where it came in; nobody need be told of a shorter way.
	echo 0 | tee /proc/sys/net/ipv4/conf/{all,default,"$1"}/send_redirects >/dev/null
	ip address add "$2/24" dev "$1"
	ip link set "$1" up
	# kube-proxy rewrites a packet to a Service only after a route was found for it.
	ip route add "$SERVICE_RANGE" dev lo src "$2"
	echo 1 >/proc/sys/net/ipv4/ip_forward
}

# routes_to_pods LINK [N]  Of all nodes but N.
routes_to_pods() {
	local n
	for n in $(node_numbers); do
		[[ $n = "${2:-}" ]] || ip route add "$(node_pods "$n")" via "$(node_ip "$n")" dev "$1" || return 1
	done
}

# plug_node N PID  Gives the node in the network namespace of PID its link to the bridge.
plug_node() {
	local link
	link=$(node_name "$1")
	await 20 "the namespaces of $link" namespaces_differ "$2" || return 1
	# A node that has just ended takes its link along, a moment later.
	ip link delete "$link" 2>/dev/null || true
	ip link add "$link" type veth peer name eth0 netns "$2" && ip link set "$link" master nodes up
}

namespaces_differ() { [[ $(readlink "/proc/$1/ns/net") != "$(readlink /proc/self/ns/net)" ]]; }

network_remove() {
	if [[ -e /sys/class/net/$HOST_LINK ]]; then
		ip link delete "$HOST_LINK" 2>/dev/null || true
	fi
	await 20 "the link $HOST_LINK to go" test ! -e "/sys/class/net/$HOST_LINK"
}
