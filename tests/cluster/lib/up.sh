# shellcheck shell=bash
# Starts a cluster and waits until it can be used. In: its name, and how many nodes. Out: $RUN/kubeconfig on stdout;
# exit code 3 when this machine cannot hold a cluster.

LIMIT=180 # seconds; a machine that compiles at the same time is slow

# up_command [NAME] [--nodes N]
up_command() {
	local name='' nodes=''
	while (($#)); do
		case $1 in
		--nodes)
			nodes=${2:-}
			[[ $nodes =~ ^[1-9]$ ]] || wrong_use "--nodes takes a number from 1 to 9"
			shift
			;;
		-*) wrong_use "up does not take '$1'" ;;
		*) name=$1 ;;
		esac
		shift
	done
	use_cluster "$name" && use_cache && cluster_up "$nodes"
}

# cluster_up [NODES]
cluster_up() {
	may_run
	build_all
	mkdir -p "$RUN_ROOT" "$STATE_ROOT"
	exec 9>"$RUN_ROOT/.$NAME.lock"
	flock -w 600 9 || die "another call holds $RUN_ROOT/.$NAME.lock"
	if is_ready; then
		use_index "$(cat "$RUN/index")"
		[[ ${1:-$NODES} = "$NODES" ]] || die "$NAME is already up with another number of nodes: $NODES"
		say "$NAME is already up"
	else
		clean_up || die "could not clean up what is left of $NAME"
		trap 'start_failed; exit 130' INT TERM
		start "${1:-1}"
		trap - INT TERM
	fi
	exec 9>&-
	printf '%s\n' "$KUBECONFIG_FILE"
}

# One line for each thing that no package can mend.
may_run() {
	local missing
	[[ $(uname -s) = Linux ]] || cannot "no cluster here: needs Linux"
	[[ $EUID = 0 ]] || cannot "no cluster here: needs root, to make namespaces"
	missing=$(missing_packages)
	[[ ! $missing ]] || die "run '$0 packages' first; missing: $missing"
	unshare --net --mount --pid --fork --mount-proc sh -c 'mount -t tmpfs tmpfs /run && ip link add probe0 type veth peer name probe1' >/dev/null 2>&1 ||
		cannot "no cluster here: this machine does not allow namespaces, mounts or veth links"
	CGROUP=adaptive-exam-probe.$$ cgroup_make || cannot "no cluster here: cannot make control groups in $CGROUP_MOUNT"
	CGROUP=adaptive-exam-probe.$$ cgroup_remove
}

start() {
	local began=$SECONDS n
	reserve_index "$1"
	mkdir -p "$RUN/logs" "$RUN/pod-logs" "$STATE"
	printf '%s\n' "$BIN" >"$RUN/programs"
	choose_snapshotter
	make_pki
	write_control_plane_config
	cgroup_make || start_failed
	for n in $(node_numbers); do
		write_node_config "$n"
		((NODES == 1)) || cgroup_make "$(node_cgroup "$n")" || start_failed
	done
	launch
	await_cluster "the API server" kube-apiserver api_answers
	for n in $(node_numbers); do
		await_cluster "containerd" "$(node_level "$n")/containerd" load_archive "$BIN/pause.tar" "$n"
	done
	kubectl apply -f "$RUN/config/addons.yaml" >/dev/null || start_failed
	# shellcheck disable=SC2046
	await_cluster "the nodes to become Ready" "$(node_level 0)/kubelet" nodes_are_ready $(node_numbers)
	await_cluster "an answer from DNS" coredns dns_answers "$DNS_SERVICE_IP"
	await_cluster "the metrics API" metrics-server metrics_answer
	await_cluster "the default ServiceAccount" kube-controller-manager kubectl -n default get serviceaccount default
	touch "$RUN/ready"
	[[ ! -t 2 ]] || printf '\r\033[K' >&2
	((NODES == 1)) && n= || n=" with $NODES nodes"
	say "$NAME is up$n after $((SECONDS - began)) s"
}

# reserve_index NODES  The lowest number that no cluster has and no route of this machine meets.
reserve_index() {
	local n
	exec 7>"$RUN_ROOT/.index.lock"
	flock 7
	for n in {0..49}; do
		grep -qsx "$n" "$RUN_ROOT"/*/index || network_taken "$n" && continue
		mkdir -p "$RUN"
		echo "$1" >"$RUN/nodes"
		echo "$n" >"$RUN/index"
		use_index "$n"
		exec 7>&-
		return
	done
	die "no free address range among 10.200.0.0/16 to 10.249.0.0/16"
}

# Overlay cannot lie on another overlay, as it would inside a container.
choose_snapshotter() {
	local at=$STATE/overlay-probe
	mkdir -p "$at"/{lower,upper,work,merged}
	if unshare --mount mount -t overlay overlay -o "lowerdir=$at/lower,upperdir=$at/upper,workdir=$at/work" "$at/merged" 2>/dev/null; then
		SNAPSHOTTER=overlayfs
	else
		SNAPSHOTTER=native
	fi
	echo "$SNAPSHOTTER" >"$RUN/snapshotter"
	rm -rf "$at"
}

# The lock files are closed: else they would stay locked for as long as the cluster lives.
launch() {
	setsid unshare --net --mount --pid --fork --kill-child --mount-proc "$HERE/cluster" _supervise "$NAME" \
		</dev/null >"$RUN/logs/supervisor.log" 2>&1 7>&- 8>&- 9>&- &
	remember supervisor $!
	disown
	await_cluster "the supervisor" supervisor find_init
	network_outside "$(pid_of init)" || start_failed
	: >"$RUN/network"
}

find_init() {
	local parent child
	parent=$(pid_of supervisor)
	read -r child _ <"/proc/$parent/task/$parent/children" || [[ $child ]] || return 1
	remember init "$child"
}

# await_cluster WHAT LOG COMMAND…
await_cluster() {
	local what=$1 log=$2 end=$((SECONDS + LIMIT))
	shift 2
	[[ ! -t 2 ]] || printf '\r\033[Kcluster: waiting for %s' "$what" >&2
	until "$@" >"$RUN/logs/up.log" 2>&1; do
		if ((SECONDS >= end)); then
			say "$NAME does not come up: waited $LIMIT s for $what"
		elif ! is_alive supervisor; then
			say "$NAME does not come up: its supervisor has ended while waiting for $what"
		else
			sleep 0.1
			continue
		fi
		show_tail "$RUN/logs/up.log" "$RUN/logs/supervisor.log" "$RUN/logs/$log.log"
		start_failed
	done
}

# The logs stay for whoever wants to know why.
start_failed() {
	trap - INT TERM
	{ stop_processes && network_remove && cgroup_remove; } || say "could not clean up; the next up or down tries again"
	die "$NAME did not come up; its logs are in $RUN/logs until the next up or down"
}

kubectl() { command "$BIN/kubectl" --kubeconfig "$KUBECONFIG_FILE" "$@"; }

api_answers() { kubectl get --raw=/readyz; }

# An API that does not answer would keep namespaces from being deleted.
metrics_answer() { kubectl get --raw=/apis/metrics.k8s.io/v1beta1; }

# nodes_are_ready N…  Ready, and free for pods: the taint goes a moment after.
nodes_are_ready() {
	local n
	for n; do
		[[ $(kubectl get node "$(node_name "$n")" -o 'jsonpath={.status.conditions[?(@.type=="Ready")].status}{.spec.taints}') = True ]] || return 1
	done
}

# dns_answers IP  Asks for kube-dns.kube-system.svc.cluster.local by hand, as no DNS client need be
# installed. No label has ten letters: that length byte is a newline, where printf would cut the
# datagram in two. Out: 0 when the reply holds an answer (bytes 7 and 8 count them).
dns_answers() {
	local reply
	exec 6<>"/dev/udp/$1/53"
	printf '\0\1\1\0\0\1\0\0\0\0\0\0\10kube-dns\13kube-system\3svc\7cluster\5local\0\0\1\0\1' >&6
	reply=$(timeout 1 dd bs=512 count=1 status=none <&6 | od -An -tx1 -N8) || true
	exec 6>&-
	[[ $reply = *"00 01" ]]
}
