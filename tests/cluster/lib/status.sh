# shellcheck shell=bash
# Tells about a cluster. In: its name. Out: lines on stdout; exit code 1 unless it is up.

cluster_status() {
	local state=down
	if is_ready; then
		state=up
	elif is_alive supervisor; then
		state="starting"
	elif [[ -e $RUN ]]; then
		state="broken (the next up or down cleans up)"
	fi
	printf '%-12s %s\n' cluster "$NAME" state "$state"
	[[ -e $RUN/index ]] || return 1
	use_index "$(cat "$RUN/index")"
	printf '%-12s %s\n' kubeconfig "$KUBECONFIG_FILE" logs "$RUN/logs" audit "$RUN/audit.log" store "$STATE" \
		node "$(node_ip 0)" services "$SERVICE_RANGE" pods "$POD_RANGE" "from pods" "this machine is $HOST_IP"
	[[ $state = up ]] || return 1
	((NODES == 1)) || node_states
	cluster_processes | awk '
		{ printf "%-12s %-18s pid %-8s %5d MiB\n", "process", $2, $1, $3 / 1024; sum += $3 }
		END { printf "%-12s %d MiB\n", "memory", sum / 1024 }'
}

node_states() {
	local n node state
	for n in $(node_numbers); do
		node=$(node_name "$n")
		state=joined
		[[ ! -e $RUN/$node/cut ]] || state='cut'
		[[ ! -e $RUN/$node/lost ]] || state=lost
		printf '%-12s %s %s\n' "$node" "$(node_ip "$n")" "$state"
	done
}

# cluster_processes  Prints pid, name and memory in KiB (what is shared, by halves) of each process
# in the pid namespace of the cluster or of one of its nodes (not of containers that have one of their
# own below it).
cluster_processes() {
	local folder spaces
	spaces=" $(readlink "/proc/$(pid_of init)/ns/pid") $(cat "$RUN"/node-*/space 2>/dev/null | tr '\n' ' ' || true) "
	for folder in /proc/[0-9]*; do
		[[ $spaces = *" $(readlink "$folder/ns/pid" 2>/dev/null) "* ]] || continue
		awk -v pid="${folder#/proc/}" '/^Name:/ { name = $2 } /^Pss:/ { print pid, name, $2 }' "$folder"/{status,smaps_rollup} 2>/dev/null || true
	done
}
