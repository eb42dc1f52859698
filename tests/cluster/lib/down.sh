# shellcheck shell=bash
# Ends a cluster and removes what it left. In: its name. Out: no process, link, route, control
# group, mount or folder of it.

# remember WHO PID  Writes the pid with its start time, so that a number used again by another
# process is never mistaken for ours.
remember() {
	local started
	started=$(started_at "$2") || return 1
	printf '%s\n%s\n' "$2" "$started" >"$RUN/$1.pid.part"
	mv "$RUN/$1.pid.part" "$RUN/$1.pid"
}

pid_of() { head -n 1 "$RUN/$1.pid"; }

# The 22nd field, counted behind the name in brackets, which may hold anything.
started_at() {
	local fields
	fields=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
	read -ra fields <<<"${fields##*) }"
	[[ ${fields[0]} != Z ]] && printf '%s' "${fields[19]}"
}

# is_alive WHO
is_alive() {
	local pid started
	{ read -r pid && read -r started; } 2>/dev/null <"$RUN/$1.pid" && [[ $(started_at "$pid") = "$started" ]]
}

is_ready() { [[ -e $RUN/ready ]] && is_alive supervisor && is_alive init; }

# The kernel ends every process of a pid namespace with its first one, and that one is gone only
# after all the others are.
stop_processes() {
	local who
	for who in supervisor init; do
		! is_alive "$who" || kill -KILL "$(pid_of "$who")" 2>/dev/null || true
	done
	await 30 "the processes of $NAME to end" all_ended
}

all_ended() { ! is_alive supervisor && ! is_alive init; }

clean_up() {
	if [[ -e $RUN/index ]]; then
		use_index "$(cat "$RUN/index")"
		stop_processes || return 1
		network_remove || return 1
	fi
	cgroup_remove || return 1
	# One file system: whatever might still be mounted in there is not ours to empty.
	rm -rf --one-file-system "$RUN" "$STATE"
}

cluster_down() {
	[[ $EUID = 0 ]] || cannot "needs root"
	if [[ ! -e $RUN && ! -e $STATE ]]; then
		say "$NAME is not up"
		return
	fi
	mkdir -p "$RUN_ROOT"
	exec 9>"$RUN_ROOT/.$NAME.lock"
	flock -w 600 9 || die "another call holds $RUN_ROOT/.$NAME.lock"
	clean_up || die "could not end $NAME"
	rmdir "$STATE_ROOT" 2>/dev/null || true
	say "$NAME is down"
}
