#!/bin/sh
# Starts a Sentinel. In: the ConfigMap in /etc/redis, the Secret in /etc/redis-auth. It keeps what it has learnt in /data, and
# has the same id in every pod of its name.
set -eu
config=/etc/redis
me=$(hostname)
file=/data/sentinel.conf
password=$(cat /etc/redis-auth/password)

the_master() {
	while read -r sentinel; do
		[ -n "$sentinel" ] || continue
		case $sentinel in "$me".*) continue ;; esac
		said=$(REDISCLI_AUTH=$password timeout 2 redis-cli -h "$sentinel" -p 26379 --raw SENTINEL GET-MASTER-ADDR-BY-NAME exams 2>/dev/null || true)
		said=$(echo "$said" | head -n 1)
		case $said in *.svc) echo "$said" && return ;; esac
	done <"$config/sentinels"
	cat "$config/master"
}

if [ ! -s "$file" ]; then
	master=$(the_master)
	[ -n "$master" ] || { echo "no master is recorded yet" >&2 && exit 1; }
	host=$(while read -r sentinel; do case $sentinel in "$me".*) echo "$sentinel" ;; esac done <"$config/sentinels")
	{
		cat "$config/sentinel.conf"
		echo "requirepass $password"
		echo "sentinel sentinel-pass $password"
		echo "sentinel resolve-hostnames yes"
		echo "sentinel announce-hostnames yes"
		echo "sentinel announce-ip $host"
		echo "sentinel announce-port 26379"
		echo "sentinel myid $(cat "$config/id-$me")"
		echo "sentinel monitor exams $master 6379 $(cat "$config/quorum")"
		echo "sentinel auth-pass exams $password"
		echo "sentinel down-after-milliseconds exams $(cat "$config/down-after")"
		echo "sentinel failover-timeout exams 10000"
		echo "sentinel parallel-syncs exams 2"
	} >"$file.new"
	mv "$file.new" "$file"
fi
exec redis-sentinel "$file"
