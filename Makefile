# Two commands for newcomers: `make run` and `make test`. Both install what is missing.
.DEFAULT_GOAL := help
.PHONY: help run test simulate build release bench bench-browser deps fmt lint docs deny validate

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

run: deps ## build, then start the demo and a server on this folder's checks/ and alerts/
	cargo build
	@scripts/run-demo.sh target/debug/haetae

test: deps ## every test, the browser ones included, in real headless Chromium
	@scripts/install-test-apps.sh
	@scripts/install-test-servers.sh
	@scripts/install-test-tools.sh
	@scripts/install-test-browsers.sh
	@if cargo nextest --version >/dev/null 2>&1; then \
		cargo nextest run; \
	else \
		cargo test; \
	fi

build: ## the debug build
	cargo build

release: ## the program to install: target/release/haetae
	cargo build --release

simulate: ## seeded worlds against the alert engine until it is stopped
	HAETAE_SIM_WORLDS=1000000000 cargo test --release --test simulation -- --nocapture

bench: ## haetae beside a bare HTTP client loop, and from a failure to its mail; three minutes
	cargo bench --bench schedule
	cargo bench --bench alerting

bench-browser: ## scenarios beside Playwright and selenium-webdriver; five minutes
	@scripts/install-deps.sh && scripts/install-bench-tools.sh
	cargo bench --bench browser

deps: ## Chromium, ChromeDriver and a C compiler by package name, only if absent
	@scripts/install-deps.sh

fmt: ## format
	cargo fmt --all

lint: ## what CI asks
	cargo fmt --all --check
	cargo clippy --all-targets -- -D warnings

docs: ## the code's documentation
	RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --lib

deny: ## licences, bans, sources; advisories where their database can be reached
	@scripts/deny.sh

validate: ## the configuration that ships here
	cargo run --quiet -- validate --routes
