# shellcheck shell=bash
# The components' configuration files. In: the addresses of paths.sh and the keys of pki.sh. Out:
# files in $RUN/config (control plane) and $RUN/node-N (one folder per node).

PAUSE_IMAGE=docker.io/adaptive-exam/pause:dev
METRICS_PORT=10260

write_control_plane_config() {
	mkdir -p "$RUN/config"
	cat >"$RUN/config/audit-policy.yaml" <<-END
		apiVersion: audit.k8s.io/v1
		kind: Policy
		omitStages: [RequestReceived]
		rules:
		  - level: Metadata
	END
	# Names outside the cluster do not exist: better a quick no than a slow timeout.
	cat >"$RUN/config/Corefile" <<-END
		cluster.local:53 in-addr.arpa:53 {
		    bind $(control_ip)
		    errors
		    kubernetes {
		        kubeconfig $RUN/pki/coredns.kubeconfig
		        ttl 2
		    }
		}
		.:53 {
		    bind $(control_ip)
		    template ANY ANY {
		        rcode NXDOMAIN
		    }
		}
	END
	write_addons
	# The proxy beside the control plane takes the place of a node's: it asks for one's address.
	((NODES == 1)) || write_proxy_config "$RUN/config" "$(node_name 0)"
}

# What runs outside of pods gets a Service whose EndpointSlice is made by hand.
write_addons() {
	cat >"$RUN/config/addons.yaml" <<-END
		apiVersion: v1
		kind: Service
		metadata: {name: kube-dns, namespace: kube-system, labels: {k8s-app: kube-dns}}
		spec:
		  clusterIP: $DNS_SERVICE_IP
		  ports:
		    - {name: dns, port: 53, protocol: UDP}
		    - {name: dns-tcp, port: 53, protocol: TCP}
		---
		apiVersion: discovery.k8s.io/v1
		kind: EndpointSlice
		metadata:
		  name: kube-dns
		  namespace: kube-system
		  labels: {kubernetes.io/service-name: kube-dns, endpointslice.kubernetes.io/managed-by: adaptive-exam.test}
		addressType: IPv4
		endpoints:
		  - {addresses: ["$(control_ip)"], conditions: {ready: true}}
		ports:
		  - {name: dns, port: 53, protocol: UDP}
		  - {name: dns-tcp, port: 53, protocol: TCP}
		---
		apiVersion: v1
		kind: Service
		metadata: {name: metrics-server, namespace: kube-system, labels: {k8s-app: metrics-server}}
		spec:
		  ports: [{name: https, port: 443}]
		---
		apiVersion: discovery.k8s.io/v1
		kind: EndpointSlice
		metadata:
		  name: metrics-server
		  namespace: kube-system
		  labels: {kubernetes.io/service-name: metrics-server, endpointslice.kubernetes.io/managed-by: adaptive-exam.test}
		addressType: IPv4
		endpoints:
		  - {addresses: ["$(control_ip)"], conditions: {ready: true}}
		ports: [{name: https, port: $METRICS_PORT, protocol: TCP}]
		---
		apiVersion: apiregistration.k8s.io/v1
		kind: APIService
		metadata: {name: v1beta1.metrics.k8s.io}
		spec:
		  group: metrics.k8s.io
		  version: v1beta1
		  service: {name: metrics-server, namespace: kube-system}
		  caBundle: $(base64 -w0 "$RUN/pki/ca.crt")
		  groupPriorityMinimum: 100
		  versionPriority: 100
		---
		apiVersion: storage.k8s.io/v1
		kind: StorageClass
		metadata:
		  name: standard
		  annotations: {storageclass.kubernetes.io/is-default-class: "true"}
		provisioner: adaptive-exam.test/local
		volumeBindingMode: WaitForFirstConsumer
		reclaimPolicy: Delete
		allowVolumeExpansion: true
	END
}

# write_node_config N
write_node_config() {
	local node folder store
	node=$(node_name "$1")
	folder=$RUN/$node
	store=$STATE/$node
	mkdir -p "$folder/cni" "$store" "$STATE/volumes/$node" "$RUN/pod-logs$(node_level "$1")" "$RUN/logs$(node_level "$1")"
	: >"$folder/resolv.conf"
	write_containerd_config "$folder" "$store"
	write_kubelet_config "$folder" "$1"
	write_proxy_config "$folder" "$node"
	# Each pod on a veth of its own, routed: unlike a bridge it needs no br_netfilter on the host.
	cat >"$folder/cni/pods.conflist" <<-END
		{"cniVersion": "0.4.0", "name": "pods", "plugins": [
		  {"type": "ptp", "ipam": {"type": "host-local", "dataDir": "$store/cni",
		    "ranges": [[{"subnet": "$(node_pods "$1")"}]], "routes": [{"dst": "0.0.0.0/0"}]}},
		  {"type": "portmap", "capabilities": {"portMappings": true}}
		]}
	END
}

# write_proxy_config FOLDER NODE
# Zeroes: leave the kernel's conntrack limits, which belong to the whole machine, alone.
write_proxy_config() {
	cat >"$1/proxy.yaml" <<-END
		apiVersion: kubeproxy.config.k8s.io/v1alpha1
		kind: KubeProxyConfiguration
		mode: iptables
		hostnameOverride: $2
		clusterCIDR: $POD_RANGE
		clientConnection: {kubeconfig: $RUN/pki/proxy.kubeconfig}
		conntrack: {maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}
		iptables: {localhostNodePorts: false, minSyncPeriod: 100ms}
	END
}

# restrict_oom_score_adj: without CAP_SYS_RESOURCE no process may be made less likely to be killed.
write_containerd_config() {
	cat >"$1/containerd.toml" <<-END
		version = 2
		root = "$2/containerd"
		state = "/run/containerd"
		disabled_plugins = ["io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs", "io.containerd.internal.v1.tracing", "io.containerd.tracing.processor.v1.otlp"]
		[grpc]
		  address = "$1/containerd.sock"
		[plugins."io.containerd.internal.v1.opt"]
		  path = "$2/opt"
		[plugins."io.containerd.grpc.v1.cri"]
		  sandbox_image = "$PAUSE_IMAGE"
		  restrict_oom_score_adj = true
		  disable_apparmor = true
		  [plugins."io.containerd.grpc.v1.cri".containerd]
		    snapshotter = "$SNAPSHOTTER"
		  [plugins."io.containerd.grpc.v1.cri".cni]
		    bin_dir = "/usr/lib/cni"
		    conf_dir = "$1/cni"
	END
}

# write_kubelet_config FOLDER N
# No image is ever collected as garbage: there is no registry to fetch it from again.
write_kubelet_config() {
	cat >"$1/kubelet.yaml" <<-END
		apiVersion: kubelet.config.k8s.io/v1beta1
		kind: KubeletConfiguration
		authentication:
		  anonymous: {enabled: false}
		  webhook: {enabled: true}
		  x509: {clientCAFile: $RUN/pki/ca.crt}
		authorization: {mode: Webhook}
		containerRuntimeEndpoint: unix://$1/containerd.sock
		cgroupDriver: cgroupfs
		cgroupRoot: /$(node_cgroup "$2")
		failCgroupV1: false
		failSwapOn: false
		enforceNodeAllocatable: []
		featureGates: {KubeletInUserNamespace: true}
		clusterDNS: [$DNS_SERVICE_IP]
		clusterDomain: cluster.local
		resolvConf: $1/resolv.conf
		podLogsDir: $RUN/pod-logs$(node_level "$2")
		volumePluginDir: $1/volume-plugins
		maxPods: 200
		imageGCHighThresholdPercent: 100
		imageGCLowThresholdPercent: 99
		evictionHard: {memory.available: 100Mi, nodefs.available: 1%, nodefs.inodesFree: 1%, imagefs.available: 1%}
	END
	# Fits the control plane's shorter patience with several nodes.
	((NODES == 1)) || printf '%s\n' 'nodeStatusUpdateFrequency: 4s' 'nodeLeaseDurationSeconds: 12' >>"$1/kubelet.yaml"
}
