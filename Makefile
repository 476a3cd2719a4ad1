# Each target is one command on a fresh machine: what it needs beyond the Rust toolchain it installs.
# PG=N picks PostgreSQL's major version (15 to 18); without it whatever is there from 15 on, else what the system's packages have.

.PHONY: demo test bench bench-npi check docs
.DEFAULT_GOAL := demo

# scripts/postgres prints the directory of the server's programs; the program and the tests read PG_BIN.
with_postgres = PG_BIN="$$(scripts/postgres)" && export PG_BIN

demo:
	@$(with_postgres) && cargo run --locked --quiet -- demo $(ARGS)

# The tests wait for the server more than they compute, so six run at once whatever the machine has.
# Once against the server, once more through PgBouncer in transaction mode; and what schedulers read (of Linux's tools).
test:
	@scripts/test-tools
	@[ "$$(uname)" != Linux ] || { scripts/check-systemd && scripts/check-k8s; }
	@$(with_postgres) && export RUST_TEST_THREADS=$${RUST_TEST_THREADS:-6} && cargo test --locked && \
	 ROUNDS_TEST_POOLER=1 cargo test --locked --test it

bench:
	@$(with_postgres) && cargo bench --locked --bench no_shows --bench escalations --bench billing --bench practiceq

# Takes twenty minutes and 22 GB of disk; ROUNDS_BENCH_ROWS=200000 makes it a few minutes.
bench-npi:
	@scripts/bench-tools
	@$(with_postgres) && cargo bench --locked --bench npi

check:
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings
	cargo clippy --locked --no-default-features -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --locked --no-deps --document-private-items

# What is written from the program itself; a test fails where it is not up to date.
docs:
	env -i PATH="$$PATH" HOME="$$HOME" cargo run --locked --quiet -- man --markdown > docs/cli.md.new
	mv docs/cli.md.new docs/cli.md

# The manifests of k8s/, without a cluster.
.PHONY: check-k8s
check-k8s:
	@scripts/check-k8s

# The units of systemd/: what systemd's own tools say of them; a real systemd that runs the jobs (root, three minutes).
.PHONY: check-systemd boot-systemd install uninstall deb
check-systemd:
	@scripts/check-systemd

boot-systemd:
	@scripts/systemd-boot

# PREFIX=/usr/local, DESTDIR=, SCHEDULE_ZONE=America/Chicago; builds nothing, so that it can run as root.
install uninstall:
	@scripts/systemd-install $@

# A Debian package in target/debian.
deb:
	cargo build --locked --release
	@scripts/systemd-deb

# terraform/, without AWS. TERRAFORM=off does without terraform, and says so; TF_PLUGIN_MIRROR names its AWS provider.
.PHONY: check-terraform
check-terraform:
	@scripts/check-terraform

# The container image: built, and run by podman. Takes root, and minutes the first time.
.PHONY: check-container
check-container:
	@scripts/check-container
