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
	CONTAINERD_SOCKET=$RUN/node-0/containerd.sock
}

# use_index N  The Nth cluster of this machine owns 10.(200+N).0.0/16.
use_index() {
	INDEX=$1
	local net=10.$((200 + INDEX))
	SERVICE_RANGE=$net.0.0/18
	API_SERVICE_IP=$net.0.1
	DNS_SERVICE_IP=$net.0.10
	POD_RANGE=$net.128.0/17
	HOST_IP=$net.64.254
	HOST_LINK=exam$INDEX
	NET_PREFIX=$net
}

# Per node, so that a second one needs new numbers only.
node_name() { printf 'node-%s' "$1"; }
node_ip() { printf '%s.64.%s' "$NET_PREFIX" "$(($1 + 1))"; }
node_pods() { printf '%s.%s.0/24' "$NET_PREFIX" "$((128 + $1))"; }
