#!/bin/sh
# Starts a Sentinel. In: the ConfigMap in /etc/redis, the Secret in /etc/redis-auth. It keeps what it has learnt in /data, and
# has the same id in every pod of its name. Passwords are those of the Secret at every start.
set -eu
config=/etc/redis
auth=/etc/redis-auth
options=$(cat "$config/cli-options")
me=$(hostname)
file=/data/sentinel.conf

the_master() {
	while read -r sentinel; do
		[ -n "$sentinel" ] || continue
		case $sentinel in "$me".*) continue ;; esac
		# shellcheck disable=SC2086 # none, or several words
		said=$(REDISCLI_AUTH=$(cat "$auth/app") timeout 2 redis-cli $options -h "$sentinel" -p 26379 --user app --raw SENTINEL GET-MASTER-ADDR-BY-NAME exams 2>/dev/null || true)
		said=$(echo "$said" | head -n 1)
		case $said in *.svc) echo "$said" && return ;; esac
	done <"$config/sentinels"
	cat "$config/master"
}

learnt() {
	if [ -s "$file" ]; then
		grep -vE '^(user|sentinel (sentinel|auth)-(user|pass)) ' "$file"
		return
	fi
	master=$(the_master)
	[ -n "$master" ] || { echo "no master is recorded yet" >&2 && exit 1; }
	host=$(while read -r sentinel; do case $sentinel in "$me".*) echo "$sentinel" ;; esac done <"$config/sentinels")
	cat "$config/sentinel.conf"
	echo "sentinel resolve-hostnames yes"
	echo "sentinel announce-hostnames yes"
	echo "sentinel announce-ip $host"
	echo "sentinel announce-port 26379"
	echo "sentinel myid $(cat "$config/id-$me")"
	echo "sentinel monitor exams $master 6379 $(cat "$config/quorum")"
	echo "sentinel down-after-milliseconds exams $(cat "$config/down-after")"
	echo "sentinel failover-timeout exams 10000"
	echo "sentinel parallel-syncs exams 2"
}

{
	learnt
	cat "$auth/sentinel.conf"
} >"$file.new"
mv "$file.new" "$file"
exec redis-sentinel "$file"
