# shellcheck shell=bash
# Builds the programs that Debian does not have. In: Go sources of this folder; the versions are in
# programs/go.mod. Out: BIN, a folder in the cache that is either complete or not there.

KUBERNETES_PROGRAMS=(etcd kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy kubectl
	metrics-server network-policies local-provisioner)
STRIP="-s -w"
# Files for Kubernetes' own tests that are not named as such. Without them, nothing needs the fake clients: a twentieth of the compiling.
FOR_ITS_TESTS=(k8s.io/apiserver/pkg/admission/plugin/policy/generic/policy_test_context.go
	k8s.io/kubernetes/pkg/scheduler/backend/queue/testing.go)

# version_of MODULE
version_of() { awk -v module="$1" '$1 == module { print $2; exit }' "$HERE/programs/go.mod"; }

KUBERNETES_VERSION=$(version_of k8s.io/kubernetes)
HELM_VERSION=$(version_of helm.sh/helm/v4)
COREDNS_VERSION=$(version_of github.com/coredns/coredns)

# The name of the cache changes with every byte of our Go sources and of their list of versions.
cache_key() {
	{
		printf '%s\n' "${KUBERNETES_PROGRAMS[@]}" "$STRIP" "$(uname -m)"
		cd "$HERE" && cat programs/go.* programs/*/*.go images/go.* images/*/*.go
	} | sha256sum | cut -c1-12
}

use_cache() {
	CACHE=$CACHE_ROOT/$KUBERNETES_VERSION-$(cache_key)
	BIN=$CACHE/bin
}

build_all() {
	build_once "$CACHE" build_into "Kubernetes $KUBERNETES_VERSION" \
		"the cluster's programs once into $CACHE (some 5 minutes on 2 cores that do nothing else, 4 GB of Go build cache)"
}

# A node does without it. BIN has a link to it.
build_helm() {
	build_once "$CACHE/helm" build_helm_into "Helm $HELM_VERSION" "Helm once into $CACHE/helm (half a minute)"
}

# build_once FOLDER FUNCTION WHAT WORDS  FOLDER is complete or not there: FUNCTION fills $PART, which becomes it.
build_once() {
	local folder=$1 fill=$2 what=$3 words=$4
	[[ -d $folder ]] && return
	have_go || die "needs Go 1.26 or newer on PATH to build $what"
	mkdir -p "$CACHE_ROOT"
	exec 8>"$CACHE_ROOT/lock"
	flock -n 8 || say "another build is under way; waiting for it"
	flock 8
	if [[ ! -d $folder ]]; then
		say "building $words"
		PART=$(mktemp -d "$folder.part.XXXXXX")
		trap 'end_build; exit 130' INT TERM
		trap end_build EXIT
		# No collection of garbage, up to a limit: a tenth of the compiler's time.
		export CGO_ENABLED=0 GOTMPDIR=$PART GOGC=off GOMEMLIMIT=2GiB
		"$fill"
		rm -rf "$PART/log" "$PART"/go.* "$PART/modules"
		chmod 755 "$PART"
		mv "$PART" "$folder"
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

# CoreDNS, and Helm after it, come from the same module, so that they find most packages compiled.
build_into() {
	local out=$PART/bin program major minor about version=k8s.io/component-base/version
	IFS=. read -r major minor _ <<<"${KUBERNETES_VERSION#v}"
	about="-X $version.gitVersion=$KUBERNETES_VERSION -X $version.gitMajor=$major -X $version.gitMinor=$minor"
	mkdir -p "$out"
	build_stage "[1/3] pause and image-archive" images ./pause ./archive
	mv "$out/archive" "$out/image-archive"
	"$out/image-archive" --name adaptive-exam/pause:dev --out "$out/pause.tar" "$out/pause" >/dev/null
	leave_out_tests
	build_stage "[2/3] Kubernetes $KUBERNETES_VERSION, metrics-server, network-policies" programs -modfile "$PART/go.mod" -ldflags "$STRIP $about" ./kubernetes
	for program in "${KUBERNETES_PROGRAMS[@]}"; do
		ln -s kubernetes "$out/$program"
	done
	build_stage "[3/3] CoreDNS $COREDNS_VERSION" programs -ldflags "$STRIP $about" ./coredns
	ln -s ../helm/helm "$out/helm"
}

build_helm_into() {
	local out=$PART
	build_stage "Helm $HELM_VERSION" programs -ldflags "$STRIP -X helm.sh/helm/v4/internal/version.version=$HELM_VERSION" ./helm
}

# The list of modules, with copies of those that have files for their own tests. Out: $PART/go.mod, for go build -modfile.
leave_out_tests() {
	local file module
	cp "$HERE"/programs/go.* "$PART/"
	for file in "${FOR_ITS_TESTS[@]}"; do
		module=${file%%/pkg/*}
		mkdir -p "$PART/modules/$module"
		tar -C "$(cd "$HERE/programs" && go list -find -f '{{.Module.Dir}}' "${file%/*}")" -c --exclude='*_test.go' --exclude=./test . | tar -C "$PART/modules/$module" -x --mode=u+w
		rm "$PART/modules/$file"
		go mod edit -replace "$module=$PART/modules/$module" "$PART/go.mod"
	done
}

# build_stage TITLE MODULE ARGUMENT…  Builds packages of one of our modules into $out.
build_stage() {
	local title=$1 module=$2 log=$PART/log began=$SECONDS
	shift 2
	say "$title"
	: >"$log"
	# A process group of its own, so that an interrupt ends the compilers too.
	# Nothing that the linker would strip is made in the first place. A compiler has one thread, for there are as many compilers as
	# processors; in the many packages of Kubernetes it puts no function in place of its call, which is a fifth of its work.
	(cd "$HERE/$module" && exec setsid go build -trimpath -v -gcflags 'all=-dwarf=false -c=1' -gcflags 'k8s.io/...=-dwarf=false -c=1 -l' -ldflags "$STRIP" -o "$out/" "$@") >"$log" 2>&1 8>&- &
	BUILD_PID=$!
	watch_stage "$title" "$log" "$BUILD_PID"
	if ! wait "$BUILD_PID"; then
		show_tail "$log"
		die "$title failed"
	fi
	BUILD_PID=
	say "$title: done in $((SECONDS - began)) s"
}
