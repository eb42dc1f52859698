# shellcheck shell=bash
# The control groups of the pods, for cgroup v1 (one hierarchy per controller) and v2 (one for all).
# In: $CGROUP. Out: that group exists in every hierarchy, or in none.

CGROUP_MOUNT=/sys/fs/cgroup

cgroup_is_v2() { [[ -e $CGROUP_MOUNT/cgroup.controllers ]]; }

# cgroup_hierarchies  Prints their folders. A controller can have two names (cpu,cpuacct); a link is
# not a second hierarchy.
cgroup_hierarchies() {
	local folder
	if cgroup_is_v2; then
		printf '%s\n' "$CGROUP_MOUNT"
		return
	fi
	for folder in "$CGROUP_MOUNT"/*/; do
		folder=${folder%/}
		[[ -L $folder ]] || ! mountpoint -q "$folder" || printf '%s\n' "$folder"
	done
}

# cgroup_make  Out: 1 when this machine does not let us.
cgroup_make() {
	local folder controller
	if cgroup_is_v2; then
		# Children get a controller only when their parent hands it on.
		for controller in cpu cpuset memory pids; do
			grep -qw "$controller" "$CGROUP_MOUNT/cgroup.subtree_control" ||
				echo "+$controller" 2>/dev/null >"$CGROUP_MOUNT/cgroup.subtree_control" || return 1
		done
	fi
	while read -r folder; do
		mkdir -p "$folder/$CGROUP" 2>/dev/null || return 1
		# cpuset starts empty in v1, and nothing may enter it before it names processors and memory.
		if [[ -e $folder/$CGROUP/cpuset.cpus && -e $folder/cpuset.cpus ]]; then
			cat "$folder/cpuset.cpus" >"$folder/$CGROUP/cpuset.cpus"
			cat "$folder/cpuset.mems" >"$folder/$CGROUP/cpuset.mems"
		fi
	done < <(cgroup_hierarchies)
}

# cgroup_remove  After the processes have ended. They leave their group a moment later, so it may
# take more than one try.
cgroup_remove() {
	await 20 "the control groups $CGROUP to become empty" cgroup_try_remove
}

cgroup_try_remove() {
	local folder
	while read -r folder; do
		[[ -d $folder/$CGROUP ]] || continue
		find "$folder/$CGROUP" -depth -type d -exec rmdir {} + || return 1
	done < <(cgroup_hierarchies)
}
