# Each target is one command on a fresh machine: what it needs beyond the Rust toolchain it installs.
# PG=N picks PostgreSQL's major version (15 to 18); without it whatever is there from 15 on, else what the system's packages have.

.PHONY: help demo test run-tests test-values test-direct test-pooler test-properties prove prove-mail prove-webhook prove-metrics prove-report check-files bench bench-npi check check-style docs pictures
.DEFAULT_GOAL := help

# scripts/postgres prints the directory of the server's programs; the program and the tests read PG_BIN.
with_postgres = PG_BIN="$$(scripts/postgres)" && export PG_BIN

help: ## list the targets, a line each
	@awk -F ':.*## ' '/^[a-z0-9-]+( [a-z0-9-]+)*:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' Makefile

demo: ## show every job on a throw-away PostgreSQL (ARGS=trouble one chapter, ARGS=--keep leaves it running)
	@$(with_postgres) && cargo run --locked --quiet -- demo $(ARGS)

# All tests but `make test-values`, each once: through PgBouncer in transaction mode those that a pooler could break, of which some in roles of
# their own, and the others directly. And the files for schedulers, with the tools of Linux.
test: ## run all tests, as .ci/run does (PG=18: on another PostgreSQL)
# All is compiled once, with the same features, before anything runs.
	@cargo test --locked --no-run
	@$(MAKE) --no-print-directory -j2 check-files run-tests ROUNDS="$${CARGO_TARGET_DIR:-target}/debug/rounds"

# What a pooler could break: the operators' commands, the runs (claim, fence, leases, faults), whatever happens at once,
# and what every job owes, on bigint keys.
POOLED = ops:: run:: at_once a_second_run_changes_nothing ten_at_once_do_each_once \
 what_the_application_holds_is_left_to_the_next_run a_child_row_that_is_being_inserted_is_no_reason_to_skip \
 one_poison_row_stops_nobody a_dry_run_says_what_a_run_does_and_changes_nothing one_more_than_a_batch_takes_two \
 a_killed_run_is_completed_by_the_next the_brake_holds_before_anything_is_changed a_role_with_its_grants_alone_does_all

# Each command, and a run of each job, in the role that `rounds grants --apply` makes for it, through the pooler.
IN_ROLES = ops::alerts ops::health ops::no_show ops::npi ops::pauses ops::practiceq ops::report ops::runs jobs::explained \
 jobs::escalate_tickets::keys a_second_run_changes_nothing

# What those names also match, and is tested directly.
DIRECTLY = uuid_keys text_keys adopt:: ops::check ops::schedule ops::arguments

# Every value that a column can have, in each column: thousands of starts of the program.
VALUES = jobs::far run::awkward

skip = $(addprefix --skip ,$(1))
with_server = $(with_postgres) && export RUST_TEST_THREADS=$${RUST_TEST_THREADS:-8}
directly = cargo test --locked
through_pooler = ROUNDS_TEST_POOLER=1 cargo test --locked --test it --

run-tests:
	@scripts/test-tools
	@$(with_server) && $(directly) --bins --test prove
	@$(with_server) && $(directly) --test it -- $(call skip,$(POOLED) $(IN_ROLES) $(DIRECTLY) $(VALUES))
	@$(with_server) && $(directly) --test it -- $(DIRECTLY)
	@$(with_server) && $(through_pooler) $(POOLED) $(call skip,$(DIRECTLY) $(IN_ROLES) $(VALUES))
	@$(with_server) && ROUNDS_TEST_ROLES=1 $(through_pooler) $(IN_ROLES) $(call skip,$(DIRECTLY))

test-values: ## try every value that a column can have, in each column (4 min)
	@$(with_server) && $(directly) --test it -- $(VALUES)

# All tests directly, or all through PgBouncer. Each takes as long as `make test`.
test-direct: ## run all tests directly
	@scripts/test-tools
	@$(with_server) && $(directly)

test-pooler: ## run all tests behind PgBouncer
	@scripts/test-tools
	@$(with_server) && $(through_pooler)

# The tests of rules on random rows, with more worlds for each than `make test` takes.
test-properties: ## try the rules on many more random rows
	@$(with_server) && ROUNDS_TEST_WORLDS=30 cargo test --locked --test it -- properties::

# What the README claims, under kills, crashes, stops, crowds and an application that locks in every order: tests/prove.
# `make test` runs a short form. ROUNDS_PROVE=10 does 10 percent; ROUNDS_PROVE_SEED repeats what a failure names;
# ARGS="kills stops" chooses proofs.
prove: ## kill, crash, stop and crowd the jobs: nothing lost, nothing doubled (45 min)
	@$(with_postgres) && ROUNDS_PROVE=$${ROUNDS_PROVE:-full} cargo test --locked --release --quiet --test prove -- $(ARGS)

# Mail and webhooks as receivers of others take them: OpenSMTPD, aiosmtpd, standardwebhooks. It installs them where they
# are missing, needs root, and takes a minute.
prove-mail: ## deliver mail and webhooks to receivers of others (2 min, root)
	@scripts/mail-tools
	@$(with_postgres) && cargo test --locked --quiet --test prove_mail

# Events of the PracticeQ account through Debian's package `webhook`, with the files that docs/operating.md shows. It
# installs that where it is missing, and takes half a minute.
prove-webhook: ## receive events through the package webhook (30 s)
	@scripts/webhook-tools
	@$(with_postgres) && cargo test --locked --quiet --test prove_webhook

# Files of metrics through promtool, node_exporter and Prometheus, with the rules of docs/prometheus and the queries of
# docs/grafana; and OTLP through OpenTelemetry's library for Python. It installs them where they are missing (100 MB), and takes
# half a minute.
prove-metrics: ## read the metrics with promtool, node_exporter and Prometheus (30 s)
	@scripts/metrics-tools
	@$(with_postgres) && cargo test --locked --quiet --test prove_metrics

# The page of `rounds report` in Debian's chromium, at two widths, which it installs where it is missing (300 MB); pictures in
# target/prove_report. It takes a minute.
prove-report: ## look at the page of the report in a browser (1 min)
	@scripts/report-tools
	@$(with_postgres) && cargo test --locked --quiet --test prove_report

check-files: ## look at systemd/, k8s/ and the tarball with the tools of Linux
	@[ "$$(uname)" != Linux ] || { scripts/check-systemd && scripts/check-k8s && scripts/check-dist; }

bench: ## measure the frequent statements
	@$(with_postgres) && cargo bench --locked --bench no_shows --bench cancellations --bench absences --bench conflicts \
	 --bench escalations --bench billing --bench practiceq --bench deliver --bench report

# Takes twenty minutes and 22 GB of disk; ROUNDS_BENCH_ROWS=200000 makes it a few minutes.
bench-npi: ## measure the loading of the registry (20 min, 22 GB)
	@scripts/bench-tools
	@$(with_postgres) && cargo bench --locked --bench npi

check: ## look at format, lints, documents, crates and style
	cargo fmt --check
# The table of jobs declares their modules in a macro, behind which cargo fmt does not look.
	rustfmt --edition 2024 --check src/jobs/*/mod.rs
	cargo clippy --locked --all-targets -- -D warnings
# With a test, so that the dependencies have the features that they have above.
	cargo clippy --locked --no-default-features --bin rounds --test prove -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --locked --no-deps --document-private-items
	@scripts/check-crates
	@$(MAKE) --no-print-directory check-style

check-style: ## look for misspelled words, at Markdown and at shell scripts (10 s)
	@scripts/check-files-style

# Documents that are written from the program itself, and from a database that it has migrated; a test fails where they
# are not up to date.
docs: ## write the generated documents and rendered files
	@cargo test --locked --quiet --no-run --test it
	env -i PATH="$$PATH" HOME="$$HOME" "$${CARGO_TARGET_DIR:-target}/debug/rounds" man --markdown > docs/cli.md.new
	mv docs/cli.md.new docs/cli.md
	env -i PATH="$$PATH" HOME="$$HOME" "$${CARGO_TARGET_DIR:-target}/debug/rounds" man --errors > docs/errors.md.new
	mv docs/errors.md.new docs/errors.md
	@$(with_postgres) && ROUNDS_UPDATE_DOCS=1 cargo test --locked --quiet --test it -- schema:: needs:: ours:: docs::report_fields the_reference_has_each_metric \
	 privileges::the_list deploy::the_folders_are_rendered

# The pictures of the README, of a part of the demo.
pictures: prove-report ## draw docs/pictures anew: a part of rounds demo, and the page of rounds report
	@$(with_postgres) && scripts/pictures
	@cp target/prove_report/report-light.png target/prove_report/report-dark.png docs/pictures

# The manifests of k8s/, without a cluster.
.PHONY: check-k8s
check-k8s: ## look at the manifests of k8s/
	@scripts/check-k8s

# The units of systemd/: what systemd's own tools say of them; a real systemd that runs the jobs (root, three minutes).
.PHONY: check-systemd boot-systemd install uninstall deb
check-systemd: ## look at the units of systemd/
	@scripts/check-systemd

boot-systemd: ## boot a systemd that runs the jobs (3 min, root)
	@scripts/systemd-boot

# PREFIX=/usr/local, DESTDIR=, SCHEDULE_ZONE=America/Chicago; builds nothing, so that it can run as root.
install uninstall: ## put the program and its units where PREFIX says, or take them away
	@scripts/systemd-install $@

# A Debian package in target/debian.
deb: ## make a Debian package in target/debian
	cargo build --locked --release
	@scripts/systemd-deb

# A static program with everything beside it, for a machine without a toolchain: target/dist has the tarball and SHA256SUMS. The
# same commit gives the same bytes.
.PHONY: dist check-dist
dist: ## make the tarball with a static program in target/dist (10 min)
	@scripts/dist

check-dist: ## look at a tarball of the debug program
	@scripts/check-dist

# A rendered crontab, with Debian's own cron, through both clock changes (root, three minutes).
.PHONY: check-crontab
check-crontab: ## run a rendered crontab with cron, through both clock changes (3 min, root)
	@scripts/check-crontab

# terraform/, without AWS. TERRAFORM=off does without terraform, and says so; TF_PLUGIN_MIRROR names its AWS provider.
.PHONY: check-terraform
check-terraform: ## look at terraform/, without AWS
	@scripts/check-terraform

# The container image: built, and run by podman. Takes root, and minutes the first time.
.PHONY: check-container
check-container: ## build the image and run it (root)
	@scripts/check-container
