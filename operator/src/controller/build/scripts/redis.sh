#!/bin/sh
# Starts Redis in the place that it has now. In: the ConfigMap in /etc/redis, the Secret in /etc/redis-auth. No Redis makes
# itself the master that has lost its data: its replicas would copy the emptiness.
set -eu
config=/etc/redis
options=$(cat "$config/cli-options")
me=$(hostname)$(cat "$config/domain")
password=$(cat /etc/redis-auth/app)
lost=/data/lost

has_data() {
	[ ! -e "$lost" ] && { [ -d /data/appendonlydir ] || [ -s /data/appendonly.aof ] || [ -s /data/dump.rdb ]; }
}

# The master that Sentinels name; nothing where none of them says one.
named() {
	while read -r sentinel; do
		[ -n "$sentinel" ] || continue
		# shellcheck disable=SC2086 # none, or several words
		said=$(REDISCLI_AUTH=$password timeout 2 redis-cli $options -h "$sentinel" -p 26379 --user app --raw SENTINEL GET-MASTER-ADDR-BY-NAME exams 2>/dev/null || true)
		said=$(echo "$said" | head -n 1)
		case $said in *.svc) echo "$said" && return ;; esac
	done <"$config/sentinels"
}

is_lost() {
	! has_data && [ "$(cat "$config/may-start-empty")" != yes ]
}

master=$(named)
if [ "$master" = "$me" ] && is_lost; then
	# Sentinels elect another while nobody answers here. One that answered as a replica would be alive to them for so long
	# that none of its replicas could be elected any more.
	touch "$lost"
	trap 'exit 0' TERM
	left=$(($(cat "$config/down-after") / 500 + 30))
	echo "the data is lost: waiting up to $left s until Sentinels name another master"
	while [ "$master" = "$me" ] && [ "$left" -gt 0 ]; do
		sleep 1
		left=$((left - 1))
		master=$(named)
	done
	trap - TERM
fi
# Sentinels know best; without them, what the operator has recorded.
[ -n "$master" ] || master=$(cat "$config/master")

{
	cat "$config/redis.conf"
	echo "replica-announce-ip $me"
	if [ "$master" = "$me" ]; then
		if is_lost; then
			touch "$lost"
			echo "replicaof no-master.invalid 6379"
		fi
	else
		rm -f "$lost"
		echo "replicaof ${master:-no-master.invalid} 6379"
	fi
} >/tmp/redis.conf
exec redis-server /tmp/redis.conf
