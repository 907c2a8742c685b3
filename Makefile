# Everything that a person or CI runs. `make help` lists the targets.
#
# Builds go outside of the clone, so that every clone and every branch shares one cache.

CARGO_TARGET_DIR ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/punctual/target
export CARGO_TARGET_DIR
# Where rustup puts cargo when the shell's profile hasn't been read.
export PATH := $(PATH):$(HOME)/.cargo/bin

# Texts that the simulator accepts in the demo's day.
MESSAGES ?= 500000
# Further flags for the demo or dev, as in `make demo FLAGS='--seed 7'`.
FLAGS ?=
# What the gate compares.
BASE ?= main
HEAD ?= HEAD

DEBUG := $(CARGO_TARGET_DIR)/debug

.DEFAULT_GOAL := help
.PHONY: help setup setup-demo setup-tests demo dev test ci bench counts gate fmt lint docs clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Install what the demo needs: PostgreSQL and a C compiler (Debian, Ubuntu)
	@.ci/setup

# Nobody needs Prometheus to see the demo: where it can't be had, that is said.
setup-demo: ## The same, and Prometheus where it can be had
	@.ci/setup demo

setup-tests: ## The same with what only the tests run: Prometheus, Alertmanager, Chromium where it can be had
	@.ci/setup tests

demo: setup-demo ## Replay a day of MESSAGES=500000 texts on a private stack and check the laws
	@cargo build --locked --workspace
	@$(DEBUG)/loadtest demo --messages $(MESSAGES) $(FLAGS)

dev: setup-demo ## Keep a private stack up with a gentle endless replay, until Ctrl-C
	@cargo build --locked --workspace
	@$(DEBUG)/loadtest dev $(FLAGS)

# The first line builds the programs that the integration tests run, which `cargo test` alone
# leaves out, as they are another package's; with --tests, so that both agree on features.
# Without a browser the live page's are left out; the last line names that below what passed.
test: setup-tests ## Run all tests (on a private PostgreSQL that they start and remove)
	@cargo build --locked --workspace --bins --tests
	@cargo test --locked --workspace $$(.ci/setup browser 2>/dev/null || echo -- --skip live_page::)
	@.ci/setup browser || true

ci: ## All that must hold before a change lands: format, lints, licences, docs, tests
	@.ci/run

bench: setup ## Measure the SQL alone, stage by stage, on a PostgreSQL of its own
	@cargo build --locked --workspace --bins --examples
	@$(DEBUG)/examples/with_postgres $(DEBUG)/punctual bench sql $(FLAGS)

counts: setup ## Count what the service does for a plan, against the baseline (FLAGS=--update rewrites it)
	@cargo build --locked --workspace --bins
	@$(DEBUG)/loadtest counts $(FLAGS)

gate: setup ## Compare two revisions by what requests take: BASE=main and HEAD=HEAD (docs/gate.md)
	@cargo build --locked --workspace --bins
	@$(DEBUG)/loadtest gate --base $(BASE) --head $(HEAD) $(FLAGS)

fmt: ## Format the code
	@cargo fmt --all

lint: ## Lint the code; a warning fails
	@cargo clippy --locked --workspace --all-targets -- -D warnings
	@cargo clippy --locked -p punctual --features unmeasured --bin punctual -- -D warnings

docs: ## Build the code's documentation; a warning fails
	@RUSTDOCFLAGS='-D warnings' cargo doc --locked --workspace --no-deps

clean: ## Remove what was built, and reports
	@cargo clean
	@rm -rf reports goose-runs
