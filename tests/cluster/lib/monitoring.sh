# shellcheck shell=bash
# The Prometheus Operator, and the images that it runs. In: monitoring/*/go.mod. Out: programs in the cache, and a folder
# with all that a cluster needs of it. Debian's Prometheus does not find the pods of Kubernetes.

PROMETHEUS_OPERATOR=github.com/prometheus-operator/prometheus-operator
PROMETHEUS=github.com/prometheus/prometheus

use_monitoring_cache() {
	local key
	key=$(cat "$HERE"/monitoring/*/go.* | sha256sum | cut -c1-12)
	MONITORING=$CACHE_ROOT/prometheus-$key
}

# Modules of their own: they are made for other releases of Kubernetes' and of each other's libraries.
build_monitoring() {
	build_once "$MONITORING" build_monitoring_into "Prometheus" \
		"Prometheus and its operator once into $MONITORING (some 5 minutes on 2 cores that do nothing else)"
}

build_monitoring_into() {
	local out=$PART
	build_stage "Prometheus Operator" monitoring/operator "$PROMETHEUS_OPERATOR/cmd/operator" \
		"$PROMETHEUS_OPERATOR/cmd/prometheus-config-reloader"
	build_stage "Prometheus" monitoring/prometheus -tags remove_all_sd,enable_kubernetes_sd "$PROMETHEUS/cmd/prometheus"
	mv "$out/operator" "$out/prometheus-operator"
	cp -r "$(cd "$HERE/monitoring/operator" && go list -m -f '{{.Dir}}' "$PROMETHEUS_OPERATOR")/example/prometheus-operator-crd" "$out/crds"
	chmod -R u+w "$out/crds"
}

# monitoring_command OUT
monitoring_command() {
	local out=${1:-} path template templates=()
	[[ $out ]] || wrong_use "monitoring takes a folder"
	mkdir -p "$out"
	ln -sfn "$MONITORING/prometheus-operator" "$out/prometheus-operator"
	rm -rf "$out/crds" && cp -r "$MONITORING/crds" "$out/crds"
	make_image --name exam-prometheus:dev --out "$out/exam-prometheus.tar" --entrypoint /bin/prometheus "$MONITORING/prometheus:/bin/prometheus"
	make_image --name exam-config-reloader:dev --out "$out/exam-config-reloader.tar" --entrypoint /bin/prometheus-config-reloader "$MONITORING/prometheus-config-reloader:/bin/prometheus-config-reloader"
	path=$(type -P prometheus-alertmanager) || die "no prometheus-alertmanager: run '$0 packages' first"
	for template in /usr/share/prometheus/alertmanager/*.tmpl; do templates+=("$template:$template"); done
	make_image --name exam-alertmanager:dev --out "$out/exam-alertmanager.tar" --entrypoint /bin/alertmanager "$(readlink -f "$path"):/bin/alertmanager" "${templates[@]}"
}
