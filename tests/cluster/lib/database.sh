# shellcheck shell=bash
# CloudNativePG, a PostgreSQL of several pods, and the images that it runs. In: database/go.mod, Debian's PostgreSQL. Out: a
# program in the cache, and a folder with all that a cluster needs of it.

CLOUDNATIVE_PG=github.com/cloudnative-pg/cloudnative-pg

use_database_cache() {
	local key
	key=$(cat "$HERE"/database/go.* | sha256sum | cut -c1-12)
	DATABASE=$CACHE_ROOT/cloudnative-pg-$key
}

build_database() {
	build_once "$DATABASE" build_database_into "CloudNativePG" \
		"CloudNativePG once into $DATABASE (some 3 minutes on 2 cores that do nothing else)"
}

build_database_into() {
	local version out=$PART
	build_stage "CloudNativePG" database "$CLOUDNATIVE_PG/cmd/manager"
	version=$(cd "$HERE/database" && go list -m -f '{{.Version}}' "$CLOUDNATIVE_PG")
	cp "$(cd "$HERE/database" && go list -m -f '{{.Dir}}' "$CLOUDNATIVE_PG")/releases/cnpg-${version#v}.yaml" "$out/operator.yaml"
	chmod u+w "$out/operator.yaml"
}

# database_command OUT
database_command() {
	local out=${1:-} architecture
	[[ $out ]] || wrong_use "database takes a folder"
	mkdir -p "$out"
	cp "$DATABASE/operator.yaml" "$out/operator.yaml"
	architecture=$(go env GOARCH)
	# Its operator looks for a program of each architecture, and hands one to the pods of PostgreSQL.
	make_image --name exam-cloudnative-pg:dev --out "$out/exam-cloudnative-pg.tar" --entrypoint /manager "$DATABASE/manager:/manager" "$DATABASE/manager:/operator/manager_$architecture"
	make_cluster_postgres_image "$out/exam-cloudnative-postgres.tar"
}

# Debian's PostgreSQL with all its programs, for user 26. They are found by scripts in /usr/local/bin, because they look for their files
# beside the place where they are.
make_cluster_postgres_image() {
	local programs files=() path scratch
	programs=$(postgres_programs)
	scratch=$(mktemp -d)
	while read -r path; do files+=("$path:$path"); done < <(postgres_files "$programs")
	for path in "$programs"/*; do
		printf '#!/bin/sh\nexec %s "$@"\n' "$path" >"$scratch/${path##*/}"
		chmod 755 "$scratch/${path##*/}"
		files+=("$path:$path" "$scratch/${path##*/}:/usr/local/bin/${path##*/}")
	done
	while read -r path; do files+=("$path"); done < <(shell_files)
	make_image --name "exam-cloudnative-postgres:$(basename "${programs%/bin}")" --out "$1" --user 26 --workdir /data --entrypoint "$programs/postgres" "${files[@]}"
	rm -rf "$scratch"
}
