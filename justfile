# The habits of the project; `just` alone lists them.

_default:
    @just --list

# Everything continuous integration checks
check:
    cargo xtask ci

# Unit tests, goldens, command tests
test *ARGS:
    cargo test --workspace {{ARGS}}

# Invariants of ARCHITECTURE.md, links, forbidden words
tidy:
    cargo xtask tidy

# Make every golden again (Python with torch, transformers, scikit-learn, pandas, scipy) and show what moved
golden PYTHON="python3":
    cargo xtask golden --python {{PYTHON}}

# Ratios, with the raw runs kept: `just bench train --model DIR --data CSV`, `just bench kernels`; docs/benchmarks says which there are
bench *ARGS:
    cargo xtask bench {{ARGS}}

# The main job on built-in data, in about a minute
demo:
    cargo run --release -- demo
