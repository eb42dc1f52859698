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

# Sentinels know best; without them, what the operator has recorded.
master=
while read -r sentinel; do
	[ -n "$sentinel" ] || continue
	# shellcheck disable=SC2086 # none, or several words
	said=$(REDISCLI_AUTH=$password timeout 2 redis-cli $options -h "$sentinel" -p 26379 --user app --raw SENTINEL GET-MASTER-ADDR-BY-NAME exams 2>/dev/null || true)
	master=$(echo "$said" | head -n 1)
	case $master in *.svc) break ;; *) master= ;; esac
done <"$config/sentinels"
[ -n "$master" ] || master=$(cat "$config/master")

{
	cat "$config/redis.conf"
	echo "replica-announce-ip $me"
	if [ "$master" = "$me" ]; then
		if ! has_data && [ "$(cat "$config/may-start-empty")" != yes ]; then
			touch "$lost"
			echo "replicaof no-master.invalid 6379"
		fi
	else
		rm -f "$lost"
		echo "replicaof ${master:-no-master.invalid} 6379"
	fi
} >/tmp/redis.conf
exec redis-server /tmp/redis.conf
