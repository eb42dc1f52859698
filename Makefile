# Everything a person or CI runs. `make` prints this help.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
CLUSTER ?= exam
PROFILE ?= dev
TARGET_DIR := $(or $(CARGO_TARGET_DIR),target)
BIN_DIR := $(TARGET_DIR)/$(if $(filter dev,$(PROFILE)),debug,$(PROFILE))
NODE := tests/cluster/cluster
KWOK_VERSION := v0.8.0
KWOK := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/adaptive-exam/kwok-$(KWOK_VERSION)/kwok
# Any test adds the features that libraries have in tests. So check and test share one build of every library.
CHECKERS := cargo build --quiet --workspace --bin layers --bin exam-operator --test allocation
CHART := charts/adaptive-exam-operator
CRD_COPIES := crds/adaptiveexamdeployments.yaml $(CHART)/files/adaptiveexamdeployments.yaml

.PHONY: help
help: ## Print this help
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# ---- the main jobs -------------------------------------------------------------------------------

.PHONY: demo
demo: toolchains ## Take an exam on a real Kubernetes node whose master of Redis hangs; leave the node running
	@tests/demo/prepare $(PROFILE)
	@$(BIN_DIR)/demo

.PHONY: run
run: toolchains ## Run the service alone on loopback, answers in target/run/exams.db
	@mkdir -p $(TARGET_DIR)/run
	cargo build --quiet --package service --bins --profile $(PROFILE)
	@cd $(TARGET_DIR)/run && exec $(abspath $(BIN_DIR))/exam-service serve

.PHONY: test
test: toolchains packages servers clients programs earlier ## Run all tests: pure values, real processes, a real node
	$(NODE) build
	@# Before the tests, so that none of them shares its processors with the compiler of Go: Prometheus, and CloudNativePG.
	$(NODE) monitoring $(BIN_DIR)/monitoring > /dev/null
	$(NODE) database $(BIN_DIR)/database > /dev/null
	trap 'for name in $${EXAM_TEST_CLUSTER:-test} nodes manifests book; do $(NODE) down $$name; done' EXIT; cargo test --workspace --no-fail-fast

.PHONY: check
check: format lint layers generated chart-lint manifests-check rules book-check ## Check format, lints, layers, generated files, charts and manifests

.PHONY: bench
bench: packages bench-operator ## Benchmark the engine, the service against its limits, and the operator at scale
	cargo bench --package engine
	cargo build --release --package service --package tests --bins
	$(TARGET_DIR)/release/load

.PHONY: bench-operator
bench-operator: toolchains packages kwok ## Benchmark the operator at 10, 100 and 1,000 resources on faked pods (about 10 minutes)
	$(NODE) build
	cargo build --release --package operator --package tests --bin exam-operator --bin scale
	trap '$(NODE) down bench' EXIT; $(TARGET_DIR)/release/scale --cluster bench --kwok $(KWOK)

.PHONY: faults
faults: packages ## Break Redis in every shape under load; print what examinees see, with targets (about 25 minutes)
	cargo build --release --package service --package tests --bins
	$(TARGET_DIR)/release/faults

# ---- parts of check ------------------------------------------------------------------------------

.PHONY: format
format: ## Check the format (fix: cargo fmt --all)
	cargo fmt --all --check

.PHONY: lint
lint: ## Lint Rust and shell; warnings fail
	cargo clippy --workspace --all-targets --quiet -- -D warnings
	@if command -v shellcheck >/dev/null; then cd tests/cluster && shellcheck -x cluster selftest lib/*.sh ../demo/prepare ../earlier ../servers ../clients/install ../../.ci/run ../../operator/src/controller/build/scripts/*.sh \
	  ../../monitoring/check ../../monitoring/drawn/run ../../monitoring/drawn/draw ../../monitoring/drawn/live ../../monitoring/drawn/pictures ../tools/install ../tools/release-check ../manifests/check ../manifests/take-exam ../../manifests/generate ../../images/build ../../images/compile ../../images/exam-redis/lay-out ../../$(CHART)/files/take-exam.sh; \
	else echo "shellcheck is not installed (Debian: apt-get install shellcheck)" >&2; [ -z "$${CI:-}" ]; fi

.PHONY: layers
layers: ## Check floors, import circles, reserved names and dependencies; print the rooms
	@$(CHECKERS)
	@$(TARGET_DIR)/debug/layers

.PHONY: generated
generated: ## Check that crds/ and the copy in the chart are up to date
	@$(CHECKERS)
	@$(TARGET_DIR)/debug/exam-operator crd > $(TARGET_DIR)/crd.yaml
	@for copy in $(CRD_COPIES); do diff -u $$copy $(TARGET_DIR)/crd.yaml \
	  || { echo "$$copy is stale: make crds" >&2; exit 1; }; done

.PHONY: crds
crds: ## Generate crds/ from the Rust types
	$(CHECKERS)
	$(TARGET_DIR)/debug/exam-operator crd | tee $(CRD_COPIES) >/dev/null
	@$(MAKE) --no-print-directory chart-files manifests

.PHONY: chart-lint
chart-lint: ## Check the chart: helm lint, values schema, both scopes rendered
	@$(NODE) build
	@PATH="$$($(NODE) bin):$$PATH"; \
	helm lint --strict --quiet $(CHART); \
	helm template exams $(CHART) > /dev/null; \
	helm template exams $(CHART) --set watchNamespace=school --set crds.install=false | grep -q 'kind: RoleBinding'; \
	if helm template exams $(CHART) --set typo=1 > /dev/null 2>&1; then echo "an unknown value was not refused" >&2; exit 1; fi

# ---- charts, manifests, releases -----------------------------------------------------------------

.PHONY: chart-tools
chart-tools: ## Install the linters of charts and manifests (Go modules and PyPI; once, some minutes)
	@tests/tools/install >/dev/null

.PHONY: chart-files
chart-files: chart-tools ## Generate what charts have: tables of values, lists of images, copies, schemas
	python3 charts/copies.py
	"$$(tests/tools/install bin)/tools-python" charts/schema.py
	python3 charts/readme.py
	python3 charts/images.py

.PHONY: chart-test
chart-test: chart-tools ## Run the unit tests of both charts
	@"$$(tests/tools/install bin)/helm-unittest" charts/adaptive-exam-operator charts/adaptive-exam

.PHONY: manifests
manifests: ## Generate the plain manifests from the chart
	@$(NODE) build
	PATH="$$($(NODE) bin):$$PATH" manifests/generate

.PHONY: manifests-check
manifests-check: ## Validate, lint and score charts, manifests, images, compose and workflows
	@$(NODE) build
	@PATH="$$($(NODE) bin):$$PATH" EXAM_SERVICE=$(wildcard $(abspath $(BIN_DIR))/exam-service) tests/manifests/check

.PHONY: book-check
book-check: chart-tools ## Check the book's links, resources and generated pages against the sources
	@"$$(tests/tools/install bin)/tools-python" docs/book/check.py

.PHONY: book
book: ## Build the book as a site in target/book (needs mdBook: cargo install mdbook)
	mdbook build docs/book

.PHONY: image-files
image-files: build ## Write OCI images of service and operator, from scratch, to target/images
	images/build --from $(BIN_DIR) --out $(TARGET_DIR)/images exam-service exam-operator

.PHONY: release-check
release-check: ## Check that versions agree and generated files are fresh (TAG=v0.1.0)
	@tests/tools/release-check $(TAG)

# ---- monitoring ----------------------------------------------------------------------------------

.PHONY: dashboards
dashboards: ## Generate the Grafana dashboards and the tables of monitoring/README.md
	@monitoring/check --generate

.PHONY: rules
rules: ## Check dashboards, Prometheus rules and runbooks; test every alert (needs promtool)
	@monitoring/check

.PHONY: drawn
drawn: ## Test the drawing of dashboards by Grafana's own panels (needs node, npm, Chromium)
	@node --test monitoring/drawn/tests/*.mjs

.PHONY: pictures
pictures: build ## Draw docs/pictures: the exam page, the demo, and the dashboards of a service that is 15 minutes under load
	monitoring/drawn/pictures --service $(BIN_DIR)/exam-service --out docs/pictures
	monitoring/drawn/live --service $(BIN_DIR)/exam-service --minutes 15 -- --out $(TARGET_DIR)/drawn
	@# Without the operator's, which are of a node: monitoring/README.md.
	for picture in $(TARGET_DIR)/drawn/{service,measurement,redis}-*.png; do cp "$$picture" "docs/pictures/dashboard-$${picture##*/}"; done

# ---- building ------------------------------------------------------------------------------------

.PHONY: build
build: ## Build the programs, without tests
	cargo build --workspace --bins --profile $(PROFILE)

.PHONY: programs
programs: ## Build all programs and tests
	cargo build --workspace --bins --tests

.PHONY: earlier
earlier: ## Build the previous release for the rolling update test
	@tests/earlier

.PHONY: images
images: toolchains packages build ## Write image archives of service, operator and Redis to target/images
	$(NODE) build
	$(NODE) images $(TARGET_DIR)/images --bin-dir $(BIN_DIR)

.PHONY: cluster-up
cluster-up: toolchains packages ## Start a real Kubernetes node (CLUSTER=name); prints its kubeconfig
	$(NODE) build
	$(NODE) up $(CLUSTER)

.PHONY: cluster-down
cluster-down: ## Stop that node (CLUSTER=name) and clean up
	$(NODE) down $(CLUSTER)

.PHONY: packages
packages: ## Install the Debian packages that tests and the node need (root; silent if all are installed)
	@$(NODE) packages

.PHONY: kwok
kwok: toolchains ## Build kwok, which fakes pods for the bench of the operator (once)
	@[ -x $(KWOK) ] || { echo "building kwok $(KWOK_VERSION) once into $(dir $(KWOK)) (about two minutes)" >&2; \
	  CGO_ENABLED=0 GOBIN=$(dir $(KWOK)) go install -trimpath -ldflags '-s -w' sigs.k8s.io/kwok/cmd/kwok@$(KWOK_VERSION); }

.PHONY: servers
servers: packages ## Unpack other releases of Redis and Valkey for the tests of the store (once)
	@tests/servers $(TARGET_DIR)/servers

.PHONY: clients
clients: ## Install the generators of clients that tests use (PyPI and npm; once)
	@tests/clients/install $(TARGET_DIR)/clients

.PHONY: toolchains
toolchains: ## Check the two toolchains
	@cargo --version >/dev/null 2>&1 || { echo "Rust 1.95 is missing: install rustup from https://rustup.rs" >&2; exit 1; }
	@go version >/dev/null 2>&1 || { echo "Go 1.26 is missing: see https://go.dev/doc/install" >&2; exit 1; }
