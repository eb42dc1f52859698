# shellcheck shell=bash
# More words for the self-test: a cluster of three nodes. In: the words of selftest.sh, and B.

on_b() { cluster exec "$B" -- kubectl "$@"; }
pod_ip() { on_b get pod "trio-$1" -o 'jsonpath={.status.podIP}'; }
service_ip() { on_b get service trio -o 'jsonpath={.spec.clusterIP}'; }
node_of() { on_b get pod "trio-$1" -o 'jsonpath={.spec.nodeName}'; }
volume_node() {
	local volume
	volume=$(on_b get pvc "data-trio-$1" -o 'jsonpath={.spec.volumeName}') &&
		on_b get pv "$volume" -o 'jsonpath={.spec.nodeAffinity.required.nodeSelectorTerms[0].matchExpressions[0].values[0]}'
}
is_ready() { on_b get node "$1" -o 'jsonpath={.status.conditions[?(@.type=="Ready")].status}'; }

three_pods() {
	local n
	on_b apply -f "$HERE/selftest-nodes.yaml" && on_b rollout status statefulset/trio --timeout=60s || return 1
	for n in 0 1 2; do equals "$(node_of $n)" volume_node $n || return 1; done
	equals 3 count_nodes
}
count_nodes() { for n in 0 1 2; do node_of $n && echo; done | sort -u | wc -l; }

# Each Redis keeps its own number, by which the answers of a Service are told apart.
each_by_ip() {
	local n
	for n in 0 1 2; do until_equals OK redis-cli -h "$(pod_ip $n)" set me $n || return 1; done
}
from_host() { timeout 2 redis-cli -h "$SERVICE" get me; }
from_first() { on_b exec trio-0 -- timeout 2 redis-cli -h trio get me; }
# finds COUNT COMMAND…  Out: 0 once twenty calls give COUNT different answers, a failure being one.
finds() {
	local count=$1
	shift
	SERVICE=$(service_ip) && within 30 equals "$count" answers "$@"
}
answers() { for _ in {1..20}; do "$@" || echo failed; done | sort -u | wc -l; }

each_by_node_port() {
	local address
	for address in $(on_b get nodes -o 'jsonpath={.items[*].status.addresses[?(@.type=="InternalIP")].address}'); do
		until_equals PONG redis-cli -h "$address" -p 30380 ping || return 1
	done
}
exec_and_logs() {
	local n
	for n in 0 1 2; do equals $n on_b exec trio-$n -- redis-cli get me && has Ready on_b logs trio-$n || return 1; done
}

# A check is a subshell, so a file remembers the node that things happen to.
away() { cat "$WORK/away"; }

cut_is_seen() {
	node_of 2 >"$WORK/away" && cluster cut "$B" "$(away)" && within 25 equals Unknown is_ready "$(away)"
}
goes_round() {
	fails timeout 2 redis-cli -h "$(pod_ip 2)" ping && finds 2 from_host && on_b get --raw=/readyz
}
# The pods of a node that was away for long are replaced.
joined_again() {
	cluster join "$B" "$(away)" && within 20 equals True is_ready "$(away)" && within 30 finds 3 from_host
}

lose_leaves_nothing() {
	local space
	space=$(cat "/run/adaptive-exam/$B/$(away)/space")
	cluster lose "$B" "$(away)" && fails space_is_used "$space" && fails grep -q . /sys/fs/cgroup/{,*/}"adaptive-exam-$B/$(away)"/kubepods/*/*/*/cgroup.procs
}
space_is_used() { readlink /proc/[0-9]*/ns/pid | grep -Fx "$1"; }
restored() {
	cluster restore "$B" "$(away)" && until_equals 2 on_b exec trio-2 -- redis-cli get me
}
