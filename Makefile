# What a person types. Every target sets the machine up first; a part that is there is skipped (see scripts/setup.sh).
export PATH := $(HOME)/.cargo/bin:$(PATH)
TARGET := $(or $(CARGO_TARGET_DIR),target)
CRUMPLE := $(TARGET)/release/crumple
EXAMPLE := fixtures/example
LISTEN ?= 127.0.0.1:8080
DATA ?= crumple-data

.PHONY: help setup build run review test api train bench lint nextest

help: ## say what there is
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/'

setup: ## install what this machine lacks
	@bash scripts/setup.sh

build: setup ## build the release binary
	cargo build --release

run: build ## serve at http://127.0.0.1:8080 with a demo campaign whose test is played in live; Ctrl-C ends it
	$(CRUMPLE) serve --listen $(LISTEN) --data $(DATA) --demo $(EXAMPLE)

review: build ## review the shipped example, print the findings, say where the report is
	$(CRUMPLE) review $(EXAMPLE)/simulation.vtkhdf $(EXAMPLE)/test.h5 --out out/example

test: setup ## run all tests under the release profile
	bash scripts/test.sh

api: build ## hold the running service against its OpenAPI description (schemathesis)
	bash scripts/check_api.sh $(CRUMPLE)

train: build ## make the shipped model again from its recipe
	nice -n 15 $(CRUMPLE) train models/residual-small.toml --out models/residual-small.onnx

bench: setup ## run the benches
	cargo bench

lint: setup ## format check, clippy and documentation, all warnings are errors
	cargo fmt --check
	cargo clippy --release --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --release --no-deps

nextest: setup ## install the faster test runner
	cargo install cargo-nextest --locked
