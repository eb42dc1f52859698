# shellcheck shell=bash
# Builds the programs that Debian does not have. In: Go sources of this folder and the versions
# below. Out: BIN, a folder in the cache that is either complete or not there.

KUBERNETES_VERSION=v1.36.3 # as in kubernetes/go.mod
HELM_VERSION=v4.3.1
COREDNS_VERSION=v1.15.0
KUBERNETES_PROGRAMS=(etcd kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy kubectl local-provisioner)
STRIP="-s -w"

# The name of the cache changes with every version and every byte of our Go sources.
cache_key() {
	{
		printf '%s\n' "$HELM_VERSION" "$COREDNS_VERSION" "${KUBERNETES_PROGRAMS[@]}" "$STRIP" "$(uname -m)"
		cd "$HERE" && cat kubernetes/go.* kubernetes/*.go kubernetes/*/*.go images/go.* images/*/*.go
	} | sha256sum | cut -c1-12
}

use_cache() {
	CACHE=$CACHE_ROOT/$KUBERNETES_VERSION-$(cache_key)
	BIN=$CACHE/bin
}

build_all() {
	[[ -d $BIN ]] && return
	have_go || die "needs Go 1.26 or newer on PATH to build Kubernetes $KUBERNETES_VERSION"
	mkdir -p "$CACHE_ROOT"
	exec 8>"$CACHE_ROOT/lock"
	flock -n 8 || say "another build is under way; waiting for it"
	flock 8
	if [[ ! -d $BIN ]]; then
		say "building the cluster's programs once into $CACHE (some 8 minutes on 2 cores, 4 GB of Go build cache)"
		PART=$(mktemp -d "$CACHE.part.XXXXXX")
		trap 'end_build; exit 130' INT TERM
		trap end_build EXIT
		build_into "$PART/bin"
		chmod 755 "$PART"
		mv "$PART" "$CACHE"
		trap - INT TERM EXIT
		say "built"
	fi
	exec 8>&-
}

have_go() {
	local version
	version=$(go env GOVERSION 2>/dev/null) || return 1
	[[ $version =~ ^go1\.([0-9]+) ]] && ((BASH_REMATCH[1] >= 26))
}

end_build() {
	if [[ ${BUILD_PID:-} ]]; then
		kill -- "-$BUILD_PID" 2>/dev/null || true
		wait "$BUILD_PID" || true
	fi
	rm -rf "$PART"
}

build_into() {
	local out=$1 program major minor about version=k8s.io/component-base/version
	IFS=. read -r major minor _ <<<"${KUBERNETES_VERSION#v}"
	about="-X $version.gitVersion=$KUBERNETES_VERSION -X $version.gitMajor=$major -X $version.gitMinor=$minor"
	mkdir -p "$out"
	export CGO_ENABLED=0 GOBIN=$out GOTMPDIR=$PART
	build_stage "[1/4] pause and image-archive" "$HERE/images" go build -trimpath -v -ldflags "$STRIP" -o "$out/" ./pause ./archive
	mv "$out/archive" "$out/image-archive"
	"$out/image-archive" --name adaptive-exam/pause:dev --out "$out/pause.tar" "$out/pause" >/dev/null
	build_stage "[2/4] Kubernetes $KUBERNETES_VERSION" "$HERE/kubernetes" go build -trimpath -v -ldflags "$STRIP $about" -o "$out/kubernetes" .
	for program in "${KUBERNETES_PROGRAMS[@]}"; do
		ln -s kubernetes "$out/$program"
	done
	build_stage "[3/4] CoreDNS $COREDNS_VERSION" / go install -trimpath -v -ldflags "$STRIP" "github.com/coredns/coredns@$COREDNS_VERSION"
	build_stage "[4/4] Helm $HELM_VERSION" / go install -trimpath -v -ldflags "$STRIP" "helm.sh/helm/v4/cmd/helm@$HELM_VERSION"
}

# build_stage TITLE FOLDER COMMAND…
build_stage() {
	local title=$1 folder=$2 log=$PART/log began=$SECONDS
	shift 2
	say "$title"
	: >"$log"
	# A process group of its own, so that an interrupt ends the compilers too.
	(cd "$folder" && exec setsid "$@") >"$log" 2>&1 8>&- &
	BUILD_PID=$!
	watch_stage "$title" "$log" "$BUILD_PID"
	if ! wait "$BUILD_PID"; then
		show_tail "$log"
		die "$title failed"
	fi
	BUILD_PID=
	say "$title: done in $((SECONDS - began)) s"
}
