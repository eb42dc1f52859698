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
	cluster_processes | awk '
		{ printf "%-12s %-18s pid %-8s %5d MiB\n", "process", $2, $1, $3 / 1024; sum += $3 }
		END { printf "%-12s %d MiB\n", "memory", sum / 1024 }'
}

# cluster_processes  Prints pid, name and memory in KiB (what is shared, by halves) of each process
# in the cluster's pid namespace (not of containers that have one of their own below it).
cluster_processes() {
	local folder space
	space=$(readlink "/proc/$(pid_of init)/ns/pid")
	for folder in /proc/[0-9]*; do
		[[ $(readlink "$folder/ns/pid" 2>/dev/null) = "$space" ]] || continue
		awk -v pid="${folder#/proc/}" '/^Name:/ { name = $2 } /^Pss:/ { print pid, name, $2 }' "$folder"/{status,smaps_rollup} 2>/dev/null || true
	done
}
