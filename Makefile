# What a person types. Every target sets the machine up first; a part that is there is skipped (see scripts/setup.sh).
export PATH := $(HOME)/.cargo/bin:$(PATH)
TARGET := $(or $(CARGO_TARGET_DIR),target)
CRUMPLE := $(TARGET)/release/crumple
EXAMPLE := fixtures/example
# Studies that the shipped model learns from, one folder a family.
STUDIES ?= $(addprefix ../shared/data/simulations/,crash_box bumper hat_beam)
LISTEN ?= 127.0.0.1:8080
DATA ?= crumple-data

.PHONY: help setup page build run review serve test api train cuda bench lint nextest

help: ## say what there is
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/'

setup: ## install what this machine lacks
	@bash scripts/setup.sh

PAGE_SOURCES := $(shell find web/src web/public -type f) $(addprefix web/,index.html package-lock.json tsconfig.json vite.config.ts)

web/dist/index.html: $(PAGE_SOURCES) | setup
	bash scripts/page.sh build

page: setup web/dist/index.html ## build the page that the binary carries; skipped when nothing in web/ has changed

build: setup page ## build the release binary
	cargo build --release

run: review serve ## review the shipped example, print the findings, then serve the page on http://127.0.0.1:8080

review: build ## review the shipped example, print the findings, say where the report is
	$(CRUMPLE) review $(EXAMPLE)/simulation.vtkhdf $(EXAMPLE)/test.h5 --out out/example

serve: build ## serve the page with a demo campaign whose test is played in live; Ctrl-C ends it
	$(CRUMPLE) serve --listen $(LISTEN) --data $(DATA) --demo $(EXAMPLE)

test: page ## run all tests under the release profile; installs what they compare with
	@bash scripts/setup.sh --tests
	bash scripts/test.sh

api: build ## hold the running service against its OpenAPI description (schemathesis)
	bash scripts/check_api.sh $(CRUMPLE)

train: build ## make the shipped model again from its recipe
	RAYON_NUM_THREADS=1 nice -n 15 $(CRUMPLE) train residual --data $(STUDIES) --recipe models/residual.toml --out models/residual.onnx

cuda: page ## build the binary so that training runs on an NVIDIA GPU; neither GPU nor CUDA toolkit is needed for that
	bash scripts/build_cuda.sh

bench: setup ## run the benches; installs the peers that they compare with
	@bash scripts/setup.sh --benches
	PATH="$(CURDIR)/.tools/checks/bin:$(PATH)" cargo bench

lint: setup ## format check, clippy and documentation, all warnings are errors
	cargo fmt --check
	cargo clippy --release --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --release --no-deps

nextest: setup ## install the faster test runner
	cargo install cargo-nextest --locked
