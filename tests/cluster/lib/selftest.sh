# shellcheck shell=bash
# The words that the self-test is written in. In: HERE, WORK and the names A and B. Out: checks that
# print one line each, and FAILED.

cluster() { "$HERE/cluster" "$@"; }
kubectl() { cluster exec "$A" -- kubectl "$@"; }
in_redis() { kubectl -n strict exec redis-0 -- "$@"; }

part() { printf '%s\n' "$1"; }

# check WHAT COMMAND…
check() {
	local what=$1 began=$SECONDS
	shift
	if (set +e; "$@") </dev/null >"$WORK/output" 2>&1; then
		printf '  ok      %s (%d s)\n' "$what" "$((SECONDS - began))"
	else
		printf '  FAILED  %s\n' "$what"
		tail -n 8 "$WORK/output" | cut -c1-200 | sed 's/^/          /'
		FAILED=$((FAILED + 1))
	fi
}

silent() {
	local output
	output=$("$@" 2>&1) || return 1
	[[ -z $output ]] || fails echo "it said: $output"
}
fails() { ! "$@"; }
ends_with() {
	local wanted=$1 code=0
	shift
	"$@" || code=$?
	[[ $code = "$wanted" ]]
}
has() {
	local wanted=$1
	shift
	"$@" 2>&1 | grep -F -- "$wanted"
}
equals() {
	local wanted=$1 got
	shift
	got=$("$@") || return 1
	[[ $got = "$wanted" ]] || fails echo "wanted '$wanted', got '$got'"
}
within() {
	local end=$((SECONDS + $1))
	shift
	until "$@"; do
		((SECONDS < end)) || return 1
		sleep 0.1
	done
}
# until_equals: what depends on a Service's rules, which follow a pod a moment later.
until_equals() { within 20 equals "$@"; }
quick() {
	local limit=$1 began=$SECONDS
	shift
	"$@" && ((SECONDS - began <= limit))
}

interrupted_build() {
	local cache=$WORK/cache
	XDG_CACHE_HOME=$cache timeout --signal INT 3 "$HERE/cluster" build && return 1
	[[ $(ls "$cache/adaptive-exam") = lock ]] || { ls -R "$cache" && return 1; }
}

refuses_without_root() {
	local said code=0
	said=$(setpriv --reuid 65534 --clear-groups bash "$HERE/cluster" up 2>&1) || code=$?
	echo "$code: $said"
	[[ $code = 3 && $said = *root* && $(wc -l <<<"$said") = 1 ]]
}

same_digest() {
	local first
	first=$(cluster images "$WORK") && cp "$WORK/exam-redis.tar" "$WORK/first.tar" && touch -d 2001-01-01 "$WORK" &&
		equals "$first" cluster images "$WORK" && cmp "$WORK/first.tar" "$WORK/exam-redis.tar"
}


both_up() {
	local other
	cluster up "$B" >"$WORK/b" &
	other=$!
	cluster up "$A" >"$WORK/a" && wait $other && [[ $(cat "$WORK/a") = /run/adaptive-exam/$A/kubeconfig ]]
}
already_up() { has "already up" cluster up "$A"; }

node_address() { kubectl get node node-0 -o 'jsonpath={.status.addresses[?(@.type=="InternalIP")].address}'; }
addresses_differ() { ! cmp "/run/adaptive-exam/$A/index" "/run/adaptive-exam/$B/index"; }

from_host_by_ip() { redis-cli -h "$(kubectl -n strict get service redis -o 'jsonpath={.spec.clusterIP}')" ping; }
api_from_pod() {
	# A TLS handshake is more than redis-cli can do: a refused greeting is an answer too.
	{ in_redis timeout 5 redis-cli -h kubernetes.default.svc -p 443 ping 2>&1 || true; } | grep -i 'protocol error\|closed'
}
data_outlive_pod() {
	kubectl -n strict delete pod redis-0 && kubectl -n strict rollout status statefulset/redis --timeout=60s &&
		until_equals 42 in_redis redis-cli get answer
}
thing() {
	printf '{"apiVersion": "selftest.example/v1", "kind": "Thing", "metadata": {"name": "t%d", "namespace": "strict"}, "spec": {"size": %d}}' "$1" "$1" |
		kubectl apply -f -
}

# The pods of the Deployment are busy from their birth until this file is gone.
scales_down() {
	local pod
	for pod in $(kubectl get pods -l app=busy -o name); do kubectl exec "$pod" -- rm -f /tmp/busy || return 1; done
	within 60 equals 1 kubectl get deployment busy -o 'jsonpath={.spec.replicas}'
}
pods_are_measured() { kubectl top pods -l app=busy | grep -E '[1-9][0-9]*m '; }

ask_redis() { kubectl -n strict exec "$1" -- timeout 2 redis-cli -h redis ping; }
policy_refuses() { within 20 is_refused; }
is_refused() { { ask_redis stranger 2>&1 || true; } | grep refused; }
policy_follows_label() { kubectl -n strict label pod stranger role=friend && until_equals PONG ask_redis stranger; }

# One pod that mounts thirty claims.
many_claims() {
	local n
	{
		for n in {1..30}; do
			printf -- '---\napiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: many-%d}\nspec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}\n' "$n"
		done
		printf -- '---\napiVersion: v1\nkind: Pod\nmetadata: {name: many}\nspec:\n  terminationGracePeriodSeconds: 0\n  containers: [{name: sleep, image: exam-redis:dev, command: [sleep, "1000"], volumeMounts: ['
		for n in {1..30}; do printf '{name: v%d, mountPath: /v%d},' "$n" "$n"; done
		printf ']}]\n  volumes: ['
		for n in {1..30}; do printf '{name: v%d, persistentVolumeClaim: {claimName: many-%d}},' "$n" "$n"; done
		printf ']\n'
	} | kubectl apply -f - && kubectl wait --for=condition=Ready pod/many --timeout=60s
}
claim_grows() {
	kubectl patch pvc many-7 -p '{"spec": {"resources": {"requests": {"storage": "3Gi"}}}}' &&
		until_equals 3Gi kubectl get pvc many-7 -o 'jsonpath={.status.capacity.storage}'
}
claim_deleted() {
	local folder
	folder=/var/lib/adaptive-exam/$A/volumes/node-0/$(kubectl get pvc many-7 -o 'jsonpath={.spec.volumeName}')
	[[ -d $folder ]] && kubectl delete pod many --wait && kubectl delete pvc many-7 && until_equals gone gone "$folder"
}
gone() { [[ -e $1 ]] || echo gone; }
audit_tells() { grep -E '"verb":"create".*"username":"admin".*"resource":"things"' "/run/adaptive-exam/$A/audit.log"; }

crash() {
	remember_everything "$A"
	kill -KILL "$(head -n 1 "/run/adaptive-exam/$A/supervisor.pid")"
	all_gone
}

# Every process below the supervisor of a cluster, by pid and start time.
remember_everything() {
	local found more=("$(head -n 1 "/run/adaptive-exam/$1/supervisor.pid")")
	: >"$WORK/processes"
	while ((${#more[@]})); do
		for found in "${more[@]}"; do sed -E 's/^([0-9]+) .*\) ([^ ]+ ){19}([0-9]+) .*/\1 \3/' "/proc/$found/stat" >>"$WORK/processes" 2>/dev/null || true; done
		mapfile -t more < <(ps -o pid= --ppid "$(IFS=, && echo "${more[*]}")" | tr -d ' ')
	done
}
all_gone() { until_equals 0 count_alive; }
count_alive() {
	local pid started count=0
	while read -r pid started; do
		grep -qsE "^$pid .*\) ([^ ]+ ){19}$started " "/proc/$pid/stat" && echo "alive: $(cat "/proc/$pid/comm")" >&2 && count=$((count + 1))
	done <"$WORK/processes"
	echo "$count"
}

# What a cluster could leave on this machine, without what other clusters have at the same time.
footprint() {
	sort /proc/self/mountinfo | cut -d' ' -f4-
	ip -o link | awk '!/: exam[0-9]/ { print "link", $2 }'
	ip -4 route show table all | awk '!/ exam[0-9]/ { print "route", $0 }'
	ip -o link | awk -F'[ :@]+' '/: exam[0-9]/ { print substr($2, 5) }' | while read -r index; do
		grep -qsx "$index" /run/adaptive-exam/*/index || echo "link and routes of nobody: exam$index"
	done
	iptables-save 2>/dev/null | grep '^-' || true
	find /sys/fs/cgroup -maxdepth 2 -type d -name "adaptive-exam-selftest*" -o -maxdepth 2 -name "adaptive-exam-probe*"
	ls -d /run/adaptive-exam/selftest* /var/lib/adaptive-exam/selftest* /run/{containerd,cni,netns,kubernetes} /run/netns/* /opt/{cni,containerd} \
		/etc/cni /var/lib/{cni,kubelet,containerd} /var/log/{pods,containers} 2>/dev/null || true
}
same_footprint() { footprint >"$WORK/after"; diff "$WORK/before" "$WORK/after"; }
