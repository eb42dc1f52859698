# shellcheck shell=bash
# How the script speaks. In: messages. Out: progress and errors on stderr, so that stdout carries
# nothing but results (a path, a digest) that a caller can use.

say() { printf 'cluster: %s\n' "$*" >&2; }

die() {
	say "$*"
	exit 1
}

# This machine cannot hold a cluster at all: a caller may fall back to something else.
cannot() {
	say "$*"
	exit 3
}

# await SECONDS WHAT COMMAND…  Runs COMMAND until it succeeds. Out: 1 when the time is over.
await() {
	local limit=$1 what=$2 end
	shift 2
	end=$((SECONDS + limit))
	until "$@" >/dev/null 2>&1; do
		if ((SECONDS >= end)); then
			say "gave up after $limit s: $what"
			return 1
		fi
		sleep 0.1
	done
}

# show_tail FILE…  The end of each log that has anything to say.
show_tail() {
	local file
	for file; do
		[[ -s $file ]] || continue
		printf -- '--- the end of %s\n' "$file" >&2
		tail -n 15 "$file" >&2
	done
}

# watch_stage TITLE LOG PID  Shows that PID is alive and how many lines LOG has, until PID ends.
# A terminal gets one line that moves each second, anything else a plain line every 20 seconds.
watch_stage() {
	local title=$1 log=$2 pid=$3 began=$SECONDS told=$SECONDS line
	while [[ -d /proc/$pid ]] && ! grep -qs '^State:.Z' "/proc/$pid/status"; do
		line="$title: $((SECONDS - began)) s, $(wc -l <"$log") steps"
		if [[ -t 2 ]]; then
			printf '\r\033[K%s  %s' "$line" "$(tail -n 1 "$log" | cut -c1-60)" >&2
		elif ((SECONDS - told >= 20)); then
			printf '%s\n' "$line" >&2
			told=$SECONDS
		fi
		sleep 0.5
	done
	[[ ! -t 2 ]] || printf '\r\033[K' >&2
}
