# shellcheck shell=bash
# The control groups of the pods, for cgroup v1 (one hierarchy per controller) and v2 (one for all).
# In: $CGROUP, or a group below it. Out: that group exists in every hierarchy, or in none.

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

# cgroup_make [GROUP]  Its parent must be there. Out: 1 when this machine does not let us.
cgroup_make() {
	local group=${1:-$CGROUP} parent=$CGROUP_MOUNT folder controller
	[[ $group != */* ]] || parent=$CGROUP_MOUNT/${group%/*}
	if cgroup_is_v2; then
		# Children get a controller only when their parent hands it on.
		for controller in cpu cpuset memory pids; do
			grep -qw "$controller" "$parent/cgroup.subtree_control" ||
				echo "+$controller" 2>/dev/null >"$parent/cgroup.subtree_control" || return 1
		done
	fi
	while read -r folder; do
		mkdir -p "$folder/$group" 2>/dev/null || return 1
		# cpuset starts empty in v1, and nothing may enter it before it names processors and memory.
		if [[ -e $folder/$group/cpuset.cpus && -e $folder/cpuset.cpus ]]; then
			cat "$folder/cpuset.cpus" >"$folder/$group/cpuset.cpus"
			cat "$folder/cpuset.mems" >"$folder/$group/cpuset.mems"
		fi
	done < <(cgroup_hierarchies)
}

# cgroup_remove [GROUP]  After the processes have ended. They leave their group a moment later, so it
# may take more than one try.
cgroup_remove() {
	await 20 "the control groups ${1:-$CGROUP} to become empty" cgroup_try_remove "${1:-$CGROUP}"
}

cgroup_try_remove() {
	local folder
	while read -r folder; do
		[[ -d $folder/$1 ]] || continue
		find "$folder/$1" -depth -type d -exec rmdir {} + || return 1
	done < <(cgroup_hierarchies)
}
