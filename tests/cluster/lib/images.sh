# shellcheck shell=bash
# Container images without a container engine. In: programs of this machine. Out: image archives,
# and those archives inside a cluster's containerd.

# make_image ARGUMENT…  What image-archive takes; programs are packed without debug information.
make_image() {
	local argument source place scratch arguments=() number=0 options=1
	scratch=$(mktemp -d)
	# shellcheck disable=SC2064
	trap "rm -rf '$scratch'" EXIT
	while (($#)); do
		argument=$1
		shift
		if ((options)) && [[ $argument = --?* ]]; then
			arguments+=("$argument")
			if [[ $argument != *=* ]] && (($#)); then
				arguments+=("$1")
				shift
			fi
			continue
		fi
		[[ $argument != -- ]] || { options=0 && continue; }
		source=${argument%%:*}
		place=/usr/local/bin/${source##*/}
		[[ $argument != *:* ]] || place=${argument#*:}
		[[ -f $source ]] || die "no such file: $source"
		number=$((number + 1))
		# It fails for what is no program (a script): that is packed as it is.
		objcopy --strip-debug "$source" "$scratch/$number" 2>/dev/null || cp -L "$source" "$scratch/$number"
		options=0
		arguments+=("$scratch/$number:$place")
	done
	"$BIN/image-archive" "${arguments[@]}"
	rm -rf "$scratch"
	trap - EXIT
}

# make_images FOLDER [PROGRAMS]  Without the folder of PROGRAMS only what is not ours is packed.
make_images() {
	local out=$1 programs=${2:-} name
	mkdir -p "$out"
	make_redis_image "$out/exam-redis.tar"
	make_postgres_image "$out/exam-postgres.tar"
	make_exporter_image "$out/exam-redis-exporter.tar"
	[[ $programs ]] || return 0
	for name in exam-service exam-operator; do
		[[ -x $programs/$name ]] || die "no program $programs/$name"
		make_image --name "$name:dev" --out "$out/$name.tar" "$programs/$name"
	done
}

REDIS_TOOLS=(cat chmod cp cut date dirname basename echo env false head hostname id ls mkdir mv printf rm sed
	grep sleep sort sync tail tee test timeout touch tr true uname wc)

# Debian's Redis with a shell. It runs as any user: nothing in it belongs to 999.
make_redis_image() {
	local name files=() path
	for name in redis-server redis-sentinel redis-cli; do
		path=$(type -P "$name") || die "no $name: run '$0 packages' first"
		# Debian has one Redis program under three names.
		files+=("$(readlink -f "$path"):/usr/local/bin/$name")
	done
	while read -r path; do files+=("$path"); done < <(shell_files)
	# The test of the chart takes an exam with it.
	files+=("$(readlink -f "$(type -P busybox)"):/usr/bin/wget")
	make_image --name exam-redis:dev --out "$1" --user 999 --workdir /data --entrypoint /usr/local/bin/redis-server "${files[@]}"
}

make_exporter_image() {
	local path
	path=$(type -P prometheus-redis-exporter) || die "no prometheus-redis-exporter: run '$0 packages' first"
	make_image --name exam-redis-exporter:dev --out "$1" --entrypoint /usr/local/bin/redis_exporter "$(readlink -f "$path"):/usr/local/bin/redis_exporter"
}

# Debian's PostgreSQL with a shell, for user 999. Its programs look for their files beside them.
make_postgres_image() {
	local programs files=() path name
	programs=$(postgres_programs)
	for name in postgres initdb psql pg_isready; do files+=("$programs/$name:$programs/$name"); done
	while read -r path; do files+=("$path:$path"); done < <(postgres_files "$programs")
	while read -r path; do files+=("$path"); done < <(shell_files)
	make_image --name exam-postgres:dev --out "$1" --user 999 --workdir /data --entrypoint "$programs/postgres" "${files[@]}"
}

# The folder of its programs.
postgres_programs() {
	local programs
	programs=$(compgen -G '/usr/lib/postgresql/*/bin' | sort -V | tail -1)
	[[ $programs ]] || die "no PostgreSQL: run '$0 packages' first"
	printf '%s\n' "$programs"
}

# postgres_files PROGRAMS  What its programs load and read.
postgres_files() {
	# Its compiler of queries would be four fifths of the image.
	find "${1%/bin}/lib" -maxdepth 1 -name '*.so' -not -name 'llvmjit*.so'
	find "/usr/share/postgresql/$(basename "${1%/bin}")" -type f -not -path '*/man/*'
	echo /usr/share/zoneinfo/UTC
}

# A shell and its tools, as FILE:PLACE.
shell_files() {
	local name path
	printf '%s:/bin/sh\n' "$(readlink -f "$(type -P dash)")"
	for name in "${REDIS_TOOLS[@]}"; do
		path=$(type -P "$name") && printf '%s:/bin/%s\n' "$(readlink -f "$path")" "$name"
	done
}

# load_archives FILE…  Into every node of the cluster $NAME.
load_archives() {
	local file n
	is_ready || die "$NAME is not up"
	use_index "$(cat "$RUN/index")"
	for file; do
		[[ -f $file ]] || die "no such file: $file"
		for n in $(node_numbers); do
			if [[ -e $RUN/$(node_name "$n")/lost ]]; then
				say "$(node_name "$n") is lost and gets nothing from $file"
			else
				load_archive "$file" "$n" || die "containerd took no image from $file"
			fi
		done
	done
}

# load_archive FILE N
load_archive() {
	local images image
	images=$(ctr_images "$2" import --snapshotter "$(cat "$RUN/snapshotter")" "$1" | sed -n 's/^unpacking \([^ ]*\) .*/\1/p') || return 1
	[[ $images ]] || return 1
	# The kubelet sees an image a moment after it was stored, when it has got its label.
	for image in $images; do
		await 30 "the kubelet to know $image" image_is_known "$2" "$image" || return 1
		((NODES > 1)) || say "$NAME has $image"
		((NODES == 1)) || say "$(node_name "$2") of $NAME has $image"
	done
}

# name_image IMAGE REFERENCE…  More names for an image that every node has.
name_image() {
	local image n
	image=$(full_name "$1")
	shift
	is_ready || die "$NAME is not up"
	use_index "$(cat "$RUN/index")"
	for n in $(node_numbers); do
		for reference; do
			reference=$(full_name "$reference")
			ctr_images "$n" tag --force "$image" "$reference" >/dev/null || die "$(node_name "$n") has no image $image"
			await 30 "the kubelet to know $reference" image_is_known "$n" "$reference" || die "the kubelet does not know $reference"
		done
	done
}

# full_name REFERENCE  As containerd has it: a registry is named in the first part, which has a dot in it.
full_name() {
	case $1 in
	*.*/*) printf '%s\n' "$1" ;;
	*/*) printf 'docker.io/%s\n' "$1" ;;
	*) printf 'docker.io/library/%s\n' "$1" ;;
	esac
}

image_is_known() { ctr_images "$1" list "name==$2" | grep -q io.cri-containerd.image=managed; }

# ctr_images N VERB ARGUMENT…
ctr_images() {
	local socket verb=$2
	socket=$(node_socket "$1")
	shift 2
	ctr --address "$socket" --namespace k8s.io images "$verb" "$@"
}
