# shellcheck shell=bash
# The supervisor: the first process inside the cluster's namespaces. When it ends, the kernel ends
# every other process in there. In: the files that config.sh and pki.sh wrote. Out: the components,
# each started again if it ends, with a log in $RUN/logs. nodes.sh has what only several nodes need.

supervise() {
	mount --make-rprivate /
	mkdir -p "$RUN/bin"
	mount -n --bind "$(cat "$RUN/programs")" "$RUN/bin"
	prepare
	if ((NODES == 1)); then
		network_of_node 0
		start_control_plane
		start_node 0
	else
		network_of_bridge
		start_control_plane
		start_nodes
	fi
	reap
}

# Of a mount namespace that was just made.
prepare() {
	private_folders
	BIN=$RUN/bin
	PATH=$BIN:$PATH
	ulimit -n "$(ulimit -Hn)"
	choose_iptables
}

# The children are endless; this only reaps what they leave behind.
reap() {
	while :; do wait -n || true; done
}

# Nothing that the components drop into the usual folders may stay on this machine.
private_folders() {
	cover /run "$RUN"
	cover /var/lib "$STATE"
	mount -n -t tmpfs tmpfs /var/log
}

# cover FOLDER KEEP  An empty FOLDER with nothing in it but KEEP.
cover() {
	local stage=$STATE/stage inside=${2#"$1"/}
	mkdir -p "$stage"
	mount -n -t tmpfs -o mode=755 tmpfs "$stage"
	mkdir -p "$stage/$inside"
	mount -n --rbind "$2" "$stage/$inside"
	mount -n --move "$stage" "$1"
}

# Debian's iptables speaks nf_tables; a kernel without it still has the older tables.
choose_iptables() {
	iptables -t nat -S >/dev/null 2>&1 && return
	local name
	mkdir /run/iptables
	for name in iptables iptables-save iptables-restore; do
		ln -s "$(type -P "${name/iptables/iptables-legacy}")" "/run/iptables/$name"
	done
	PATH=/run/iptables:$PATH
}

# keep NAME COMMAND…
keep() {
	local log=$RUN/logs/$1.log
	shift
	(
		while :; do
			"$@" >>"$log" 2>&1 </dev/null && code=0 || code=$?
			echo "--- ended with $code; starting again" >>"$log"
			sleep 1
		done
	) &
}

start_control_plane() {
	local ip of_pods=() of_nodes=()
	ip=$(control_ip)
	# Several nodes are there to be lost, and tests do not wait for minutes.
	if ((NODES > 1)); then
		of_pods=(--default-not-ready-toleration-seconds 5 --default-unreachable-toleration-seconds 5)
		of_nodes=(--node-monitor-grace-period 16s --node-monitor-period 2s)
	fi
	# No fsync: a power cut may lose the test cluster, and it is quicker for it.
	keep etcd etcd --data-dir "$STATE/etcd" --unsafe-no-fsync --log-level warn \
		--listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379 --listen-peer-urls http://127.0.0.1:2380
	keep kube-apiserver kube-apiserver "${of_pods[@]}" --bind-address "$ip" --advertise-address "$ip" --etcd-servers http://127.0.0.1:2379 \
		--service-cluster-ip-range "$SERVICE_RANGE" --authorization-mode Node,RBAC --enable-admission-plugins NodeRestriction \
		--allow-privileged --client-ca-file "$RUN/pki/ca.crt" \
		--tls-cert-file "$RUN/pki/apiserver.crt" --tls-private-key-file "$RUN/pki/apiserver.key" \
		--kubelet-client-certificate "$RUN/pki/admin.crt" --kubelet-client-key "$RUN/pki/admin.key" \
		--kubelet-preferred-address-types InternalIP \
		--requestheader-client-ca-file "$RUN/pki/front-proxy-ca.crt" --requestheader-allowed-names front-proxy \
		--requestheader-username-headers X-Remote-User --requestheader-group-headers X-Remote-Group --requestheader-extra-headers-prefix X-Remote-Extra- \
		--proxy-client-cert-file "$RUN/pki/front-proxy.crt" --proxy-client-key-file "$RUN/pki/front-proxy.key" --enable-aggregator-routing \
		--service-account-issuer https://kubernetes.default.svc.cluster.local \
		--service-account-key-file "$RUN/pki/service-accounts.pub" --service-account-signing-key-file "$RUN/pki/service-accounts.key" \
		--audit-policy-file "$RUN/config/audit-policy.yaml" --audit-log-path "$RUN/audit.log" --audit-log-maxsize 1024 --audit-log-maxbackup 1
	# The others end when they cannot reach it, and would lose a second each time.
	await 120 "the API server to become ready" api_answers || true
	keep kube-controller-manager kube-controller-manager "${of_nodes[@]}" --kubeconfig "$RUN/pki/controller-manager.kubeconfig" --leader-elect=false --kube-api-qps 200 --kube-api-burst 400 \
		--bind-address 127.0.0.1 --use-service-account-credentials --cluster-name "$NAME" \
		--horizontal-pod-autoscaler-sync-period 5s --horizontal-pod-autoscaler-initial-readiness-delay 5s --horizontal-pod-autoscaler-cpu-initialization-period 10s \
		--service-account-private-key-file "$RUN/pki/service-accounts.key" --root-ca-file "$RUN/pki/ca.crt" \
		--cluster-signing-cert-file "$RUN/pki/ca.crt" --cluster-signing-key-file "$RUN/pki/ca.key"
	keep kube-scheduler kube-scheduler --kubeconfig "$RUN/pki/scheduler.kubeconfig" --leader-elect=false --bind-address 127.0.0.1
	keep coredns coredns -conf "$RUN/config/Corefile"
	# The kubelets sign their own certificates.
	keep metrics-server metrics-server --kubeconfig "$RUN/pki/metrics.kubeconfig" --authentication-kubeconfig "$RUN/pki/metrics.kubeconfig" \
		--authorization-kubeconfig "$RUN/pki/metrics.kubeconfig" --bind-address "$ip" --secure-port "$METRICS_PORT" \
		--tls-cert-file "$RUN/pki/metrics-server.crt" --tls-private-key-file "$RUN/pki/metrics-server.key" \
		--kubelet-insecure-tls --kubelet-preferred-address-types InternalIP --metric-resolution 10s --kubelet-request-timeout 5s
	keep local-provisioner local-provisioner --kubeconfig "$RUN/pki/provisioner.kubeconfig" --root "$STATE/volumes"
}

# start_node N
start_node() {
	local node logs
	node=$(node_name "$1")
	logs=$(node_level "$1")
	logs=${logs#/}${logs:+/}
	keep "${logs}containerd" containerd --config "$RUN/$node/containerd.toml"
	keep "${logs}kubelet" kubelet --config "$RUN/$node/kubelet.yaml" --kubeconfig "$RUN/pki/$node.kubeconfig" \
		--hostname-override "$node" --node-ip "$(node_ip "$1")" --root-dir "$STATE/$node/kubelet" --cert-dir "$STATE/$node/pki"
	keep "${logs}kube-proxy" kube-proxy --config "$RUN/$node/proxy.yaml"
	# The firewall writes the table of filters as a whole, and would take the chains away that kube-proxy has just made for its first rules.
	await 60 "kube-proxy's first rules" has_service_rules || true
	keep "${logs}network-policies" network-policies --kubeconfig "$RUN/pki/policies.kubeconfig" --node "$node" --services "$SERVICE_RANGE"
}

has_service_rules() { iptables -t nat -S KUBE-SERVICES | grep -q -- "-d $API_SERVICE_IP/32"; }
