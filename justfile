# What people type. Every recipe is one line that also works without just.

# List the recipes
default:
    @just --list

# The show: a merge, a revert, a tampered bundle, an unsigned commit
demo *ARGS:
    cargo run --release -- demo {{ARGS}}

# Every test, on real parts
test:
    bash tests/run

# Only the tests that need nothing but cargo
unit:
    cargo test --workspace --lib --bins

# One line per attack of docs/security.md
attacks:
    bash tests/attacks

# A thousand seeded runs against a proxy that does anything to any answer
seeds N="1000":
    DRIFTLESS_TEST_SEEDS={{N}} bash tests/run a01_to --nocapture

# Every parser of outside bytes, SECONDS each; `just fuzz keep` takes what was found into the corpus
fuzz SECONDS="600" *TARGETS:
    fuzz/run {{SECONDS}} {{TARGETS}}

# The figures of docs/performance.md, on this machine, from nothing; peers included
bench *ARGS:
    bash bench/run {{ARGS}}

# What CI checks besides tests
lint:
    cargo fmt --check && cargo clippy --workspace --all-targets --all-features -- -D warnings && cargo deny check bans licenses sources

# Known vulnerabilities in dependencies; needs the network
advisories:
    cargo deny check advisories

# The documentation of every crate
doc:
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps

# Write docs/cli.md anew from --help
cli-docs:
    DRIFTLESS_WRITE_CLI_DOCS=1 cargo test --test system cli_docs
