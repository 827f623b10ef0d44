# The project's tasks; `just` lists them. `./run demo` and `./run test` come here after set-up.

set positional-arguments
set shell := ["bash", "-euo", "pipefail", "-c"]

[private]
default:
    @just --justfile "{{ justfile() }}" --list --unsorted

# Start Colloquy on sample conversations, with GraphiQL; `--once` ends after the tour
[no-exit-message]
demo *ARGS:
    @ops/binary demo "$@"

# Run all tests, and print their total; ARGS go to cargo test
[no-exit-message]
test *ARGS:
    @cargo test {{ if ARGS =~ '(^| )(-p|--package)' { "" } else { "--workspace" } }} --no-fail-fast "$@" | ops/tally

# Check formatting, and clippy with warnings as errors
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings

# Format the code
fmt:
    cargo fmt --all

# Type-check everything
check:
    cargo check --workspace --all-targets

# Build for development
build:
    cargo build --workspace

# Build the binary for use
release:
    cargo build --release --package colloquy

# Measure, and print figures for BENCHMARKS.md, which names every PART
[no-exit-message]
bench PART="":
    #!/usr/bin/env bash
    set -euo pipefail
    part=${1:-}
    server() {
        cargo build --quiet --release --package colloquy --package colloquy-bench
        "${CARGO_TARGET_DIR:-target}/release/colloquy-bench" "$@"
    }
    crate() {
        printf '\n### %s\n\n```text\n' "$1"
        cargo bench --quiet --package "$2" --bench "$3" "${@:4}"
        printf '```\n'
    }
    parser() { crate "Parser: $(nproc) cores, load $(cut -d' ' -f1 /proc/loadavg)" colloquy-domain vtt; }
    model() { crate "Embedding model" colloquy-models embed; }
    engines() { crate "Engines: search over 20,000 passages, load $(cut -d' ' -f1 /proc/loadavg)" colloquy-embedded search; }
    case $part in
        "") server && parser && model && engines ;;
        parser | model | engines) "$part" ;;
        *) server "$part" ;;
    esac

# Measure how well search finds (`quality`) and how soon (`speed`, of PASSAGES made-up ones), on every engine that there is; the last line sums up quality, which needs the sample data
[no-exit-message]
bench-search PART="" PASSAGES="20000":
    #!/usr/bin/env bash
    set -euo pipefail
    quality() { cargo bench --quiet --package colloquy --bench search --profile dev; }
    speed() {
        printf '%s cores, load %s\n\nEmbedded engines\n' "$(nproc)" "$(cut -d' ' -f1 /proc/loadavg)"
        cargo bench --quiet --package colloquy-embedded --bench search -- "$1"
        cargo bench --quiet --package colloquy-elasticsearch --bench search -- "$1"
    }
    case ${1:-} in
        "") speed "${2:-20000}" && quality ;;
        quality) quality ;;
        speed) speed "${2:-20000}" ;;
        *) echo "bench-search: \`$1\`? It has \`quality\` and \`speed\`." >&2 && exit 2 ;;
    esac

# Measure how fast and in how much memory transcripts are read, format by format
[no-exit-message]
bench-formats *ARGS:
    @cargo bench --quiet --package colloquy-domain --bench formats -- "$@"

# Fuzz every format and archives, MINUTES each, or TARGET alone; needs a nightly toolchain, and installs cargo-fuzz
[no-exit-message]
fuzz MINUTES="10" TARGET="":
    @ops/fuzz "$@"

# Measure the queue beside BullMQ and Celery; the last line has the ratios; `--help` tells sections and options
[no-exit-message]
bench-jobs *ARGS:
    @cargo build --quiet --release --package colloquy --package colloquy-bench
    @ops/bench-jobs "$@"

# Kill, cut off and fill up whatever jobs depend on, and count what became of 100,000; `--help` tells the options
[no-exit-message]
chaos *ARGS:
    @cargo build --quiet --release --package colloquy
    @ops/chaos --binary "${CARGO_TARGET_DIR:-target}/release/colloquy" "$@"

# Write schema/schema.graphql anew from the code
schema:
    cargo run --quiet --package colloquy -- schema > schema/.new || { rm schema/.new; exit 1; }
    mv schema/.new schema/schema.graphql

# Bundle GraphiQL from pinned npm packages
graphiql:
    web/graphiql/build

# Install what is missing: PostgreSQL, Redis, just, the embedding model
setup:
    ops/setup/ensure

# Install what some tests need: Chromium, Node and the npm package that drives it, faketime
browser:
    ops/setup/browser

# Install what the tests of real search servers need: Maven and a JDK
servers:
    ops/setup/servers

# Download the embedding model in 32-bit floats, from which golden vectors are made
reference-model:
    . ops/setup/places && ops/setup/fetch.py "$cache" reference
