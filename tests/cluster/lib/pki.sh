# shellcheck shell=bash
# Certificates and kubeconfigs. In: the addresses of paths.sh. Out: files below $RUN/pki, and one
# kubeconfig per component beside its key; $KUBECONFIG_FILE is the person's.

make_pki() {
	local n
	PKI=$RUN/pki
	mkdir -p "$PKI"
	chmod 700 "$PKI"
	authority ca adaptive-exam-cluster
	# Whoever this one signs may speak in the name of any user, so it signs the API server alone.
	authority front-proxy-ca adaptive-exam-front-proxy
	openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$PKI/service-accounts.key" 2>/dev/null
	openssl pkey -in "$PKI/service-accounts.key" -pubout -out "$PKI/service-accounts.pub"
	certificate apiserver "/CN=kube-apiserver" \
		"DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.cluster.local,DNS:localhost,IP:127.0.0.1,IP:$API_SERVICE_IP,IP:$(control_ip)"
	certificate front-proxy /CN=front-proxy DNS:front-proxy front-proxy-ca
	certificate metrics-server /CN=metrics-server DNS:metrics-server.kube-system.svc
	client admin "/O=system:masters/CN=admin"
	client controller-manager "/CN=system:kube-controller-manager"
	client scheduler "/CN=system:kube-scheduler"
	client proxy "/CN=system:kube-proxy"
	client coredns "/O=system:masters/CN=coredns"
	client metrics "/O=system:masters/CN=metrics-server"
	client policies "/O=system:masters/CN=network-policies"
	client provisioner "/O=system:masters/CN=local-provisioner"
	for n in $(node_numbers); do
		client "$(node_name "$n")" "/O=system:nodes/CN=system:node:$(node_name "$n")"
	done
	install -m 600 "$PKI/admin.kubeconfig" "$KUBECONFIG_FILE"
}

# authority FILE NAME
authority() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj "/CN=$2" \
		-keyout "$PKI/$1.key" -out "$PKI/$1.crt" 2>/dev/null
}

# certificate FILE SUBJECT [NAMES] [AUTHORITY]
certificate() {
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "$2" -keyout "$PKI/$1.key" -out "$PKI/$1.csr" 2>/dev/null
	openssl x509 -req -in "$PKI/$1.csr" -CA "$PKI/${4:-ca}.crt" -CAkey "$PKI/${4:-ca}.key" -days 3650 -out "$PKI/$1.crt" \
		-extfile <(printf 'extendedKeyUsage=serverAuth,clientAuth\nsubjectAltName=%s\n' "${3:-DNS:$1}") 2>/dev/null
	rm "$PKI/$1.csr"
}

# client FILE SUBJECT  A certificate, and a kubeconfig that holds it.
client() {
	certificate "$1" "$2"
	(
		umask 077
		cat >"$PKI/$1.kubeconfig" <<-END
			apiVersion: v1
			kind: Config
			clusters:
			  - name: $NAME
			    cluster:
			      server: https://$(control_ip):6443
			      certificate-authority-data: $(base64 -w0 "$PKI/ca.crt")
			users:
			  - name: $NAME-$1
			    user:
			      client-certificate-data: $(base64 -w0 "$PKI/$1.crt")
			      client-key-data: $(base64 -w0 "$PKI/$1.key")
			contexts:
			  - name: $NAME
			    context: {cluster: $NAME, user: $NAME-$1}
			current-context: $NAME
		END
	)
}
