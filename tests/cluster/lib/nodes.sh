# shellcheck shell=bash
# Several nodes, and what can happen to one. In: a cluster that was started with --nodes. Out: a node
# that is cut off, joined again, lost or restored.
#
# Each node has network, mount and process namespaces of its own below the supervisor's, so it ends
# as a whole with its first process. $RUN/node-N has these files: `pid` (of that process' parent, as the
# supervisor counts), `space` (its process namespace), and `cut` or `lost` while it is.

# In the supervisor: nodes, and a proxy by which this machine and the API server reach Services.
start_nodes() {
	local n
	keep kube-proxy kube-proxy --config "$RUN/config/proxy.yaml"
	for n in $(node_numbers); do
		keep_node "$n" >>"$RUN/logs/$(node_name "$n").log" 2>&1 </dev/null &
	done
}

# keep_node N  Runs it, and again when it ends, but not while it is lost.
keep_node() {
	local folder
	folder=$RUN/$(node_name "$1")
	while :; do
		if [[ ! -e $folder/lost ]]; then
			unshare --net --mount --pid --fork --kill-child --mount-proc "$HERE/cluster" _node "$NAME" "$1" &
			echo $! >"$folder/pid"
			plug_node "$1" $! || true
			wait $! || echo "--- ended with $?"
		fi
		sleep 0.5
	done
}

# be_node N  The first process of a node.
be_node() {
	readlink /proc/self/ns/pid >"$RUN/$(node_name "$1")/space"
	prepare
	network_of_node "$1"
	start_node "$1"
	reap
}

# node_command COMMAND NAME NODE  NODE is node-1 or 1.
node_command() {
	local command=$1 n=${3:-} node
	(($# == 3)) || wrong_use "$command takes a cluster's NAME and a NODE"
	n=${n#node-}
	use_cluster "$2"
	is_ready || die "$NAME is not up"
	use_index "$(cat "$RUN/index")"
	((NODES > 1)) || die "$NAME has one node; start it with --nodes 3"
	[[ $n =~ ^[0-9]$ && $n -lt $NODES ]] || die "$NAME has no node '$3', but $(node_numbers | sed 's/^/node-/' | paste -sd ' ')"
	node=$(node_name "$n")
	[[ ! -e $RUN/$node/lost || $command = restore || $command = lose ]] || die "$node is lost; restore it first"
	exec 9>"$RUN_ROOT/.$NAME.lock"
	flock -w 600 9 || die "another call holds $RUN_ROOT/.$NAME.lock"
	"${command}_node" "$n" "$node"
	exec 9>&-
}

# As if its cable were pulled: what runs on it goes on, and reaches nothing but itself.
cut_node() {
	bridge_port "$2" down
	touch "$RUN/$2/cut"
	say "$2 is cut off"
}

join_node() {
	bridge_port "$2" up
	rm -f "$RUN/$2/cut"
	say "$2 is joined"
}

bridge_port() { nsenter --target "$(pid_of init)" --net ip link set "$1" "$2"; }

# As if its power failed: every process ends at once; its images and volumes stay.
lose_node() {
	touch "$RUN/$2/lost"
	nsenter --target "$(pid_of init)" --mount --pid "$HERE/cluster" _lose "$NAME" "$1" || die "could not end $2"
	rm -f "$RUN/$2/cut"
	say "$2 is lost"
}

# end_node N  Run where the supervisor counts the processes.
end_node() {
	local parent child
	parent=$(cat "$RUN/$(node_name "$1")/pid")
	read -r child _ <"/proc/$parent/task/$parent/children" || [[ ${child:-} ]] || return 0
	kill -KILL "$child"
	await 30 "the processes of $(node_name "$1") to end" test ! -e "/proc/$child"
}

# Out: the node is Ready. Pods that should run on it may need a moment more.
restore_node() {
	{ cgroup_remove "$(node_cgroup "$1")" && cgroup_make "$(node_cgroup "$1")"; } || die "could not make the control groups of $2"
	rm -f "$RUN/$2/lost"
	BIN=$(cat "$RUN/programs")
	await "$LIMIT" "$2 to become Ready" node_is_back "$1" || die "$2 does not come back; see $RUN/logs/$2"
	say "$2 is back"
}

# The API server may not yet have noticed that it was away, so the kubelet is asked as well.
node_is_back() { kubectl get --raw "/api/v1/nodes/$(node_name "$1")/proxy/healthz" && nodes_are_ready "$1"; }
