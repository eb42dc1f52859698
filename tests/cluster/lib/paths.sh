# shellcheck shell=bash
# Where things live and which addresses a cluster has. In: a cluster name. Out: globals.
# Nothing here changes the machine.

RUN_ROOT=/run/adaptive-exam
STATE_ROOT=/var/lib/adaptive-exam
CACHE_ROOT=${XDG_CACHE_HOME:-$HOME/.cache}/adaptive-exam

# use_cluster NAME  Sets RUN (small files a person reads) and STATE (what the node stores).
use_cluster() {
	NAME=${1:-exam}
	[[ $NAME =~ ^[a-z0-9]([a-z0-9-]{0,18}[a-z0-9])?$ ]] ||
		die "'$NAME' is no cluster name: use up to 20 of a-z, 0-9 and -"
	RUN=$RUN_ROOT/$NAME
	STATE=$STATE_ROOT/$NAME
	CGROUP=adaptive-exam-$NAME
	KUBECONFIG_FILE=$RUN/kubeconfig
}

# use_index N  The Nth cluster of this machine owns 10.(200+N).0.0/16. Sets NODES too, the number of
# its nodes.
use_index() {
	INDEX=$1
	NODES=$(cat "$RUN/nodes" 2>/dev/null || echo 1)
	local net=10.$((200 + INDEX))
	SERVICE_RANGE=$net.0.0/18
	API_SERVICE_IP=$net.0.1
	DNS_SERVICE_IP=$net.0.10
	POD_RANGE=$net.128.0/17
	HOST_IP=$net.64.254
	HOST_LINK=exam$INDEX
	NET_PREFIX=$net
}

# The network namespace of the control plane. A single node shares it; several have one each.
control_ip() {
	if ((NODES == 1)); then node_ip 0; else printf '%s.64.253' "$NET_PREFIX"; fi
}

# What each node has of its own, by its number from 0.
node_numbers() { seq 0 $((NODES - 1)); }
node_name() { printf 'node-%s' "$1"; }
node_ip() { printf '%s.64.%s' "$NET_PREFIX" "$(($1 + 1))"; }
node_pods() { printf '%s.%s.0/24' "$NET_PREFIX" "$((128 + $1))"; }
node_socket() { printf '%s/node-%s/containerd.sock' "$RUN" "$1"; }
# A single node has the cluster's own folders and control group, without a level for nodes.
node_level() { ((NODES == 1)) || printf '/%s' "$(node_name "$1")"; }
node_cgroup() { printf '%s%s' "$CGROUP" "$(node_level "$1")"; }
