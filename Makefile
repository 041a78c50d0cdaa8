# The few things that one does here. `make` alone says what they are.

CARGO ?= cargo
PYTHON ?= python3
NODE ?= node
NPM ?= npm
DATA ?= .portico
CFN_LINT_VERSION := 1.51.0
CARGO_DENY_VERSION := 0.20.2
SCHEMATHESIS_VERSION := 4.32.5

.DEFAULT_GOAL := help
.PHONY: storm issuing help run reset portico journey verify-audit fuzz test check lint deny template tests clamd contract salesforce-metadata clients objects invoices bench-pdf documents build

help: ## What there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1|/' | column -t -s '|'

run: ## Build what is needed and start everything; Ctrl-C ends it: make run [CLAMD=127.0.0.1:3310]
	@$(CARGO) build --workspace --bins
	@exec target/debug/portico-local --data $(DATA) $(if $(CLAMD),--clamd $(CLAMD))

reset: ## Forget everything that was kept on this machine
	rm -rf $(DATA)

journey: ## The main job against the running cloud, or one of its own; each step with its time
	@$(CARGO) build --workspace --bins
	@target/debug/journey

portico: ## What staff start by hand, against the running cloud: make portico ARGS="sweep" (--help says what there is)
	@$(CARGO) build --quiet -p staff-command
	@target/debug/portico --settings $(DATA)/operator.env $(or $(ARGS),--help)

verify-audit: ## Check exported audit trails: make verify-audit FILE="1.ndjson 2.ndjson" [HEAD=SEQUENCE:HASH]
	@$(CARGO) build --quiet -p audit-verifier
	@target/debug/verify-audit $(if $(HEAD),--head $(HEAD)) $(FILE)

fuzz: ## Break what Salesforce sends, and read it: make fuzz [MINUTES=10] [SEED=1]
	@$(CARGO) build --workspace --bins
	@target/debug/fuzz --minutes $(or $(MINUTES),10) --seed $(or $(SEED),1)

test: lint deny template salesforce-metadata tests clamd contract clients objects invoices ## Everything that CI runs

lint: ## Format and clippy
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings

deny: ## Licences and bans
	@command -v cargo-deny >/dev/null || $(CARGO) install --debug --locked cargo-deny@$(CARGO_DENY_VERSION)
	$(CARGO) deny check bans licenses sources

template: .venv/cfn-lint-$(CFN_LINT_VERSION) ## template.yaml against AWS's schemas
	.venv/bin/cfn-lint template.yaml

.venv/cfn-lint-$(CFN_LINT_VERSION):
	$(PYTHON) -m venv .venv
	.venv/bin/pip install --quiet cfn-lint==$(CFN_LINT_VERSION)
	touch $@

salesforce-metadata: infra/salesforce/node_modules/.package-lock.json ## What is deployed to an org, against Salesforce's types
	$(NODE) infra/salesforce/check/check.mjs

# The files that a lock names, nothing newer, and none of their install scripts.
%/node_modules/.package-lock.json: %/package-lock.json
	$(NPM) ci --prefix $* --ignore-scripts --no-audit --no-fund --loglevel error
	touch $@

tests: ## Every test, then the main job from a cold start
	$(CARGO) build --workspace --bins --tests
	@command -v cargo-nextest >/dev/null || $(CARGO) install --debug --locked cargo-nextest
	target/debug/journey --own
	$(CARGO) nextest run --workspace

APT_INSTALL_CLAMD := DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends clamav-daemon

clamd: ## Scans by a real ClamAV daemon, with a signature of our own
	@# Its service is not used, and no signatures come from outside: the tests start a daemon that knows EICAR only.
	@test -x /usr/sbin/clamd || command -v clamd >/dev/null || $(APT_INSTALL_CLAMD) || { apt-get update && $(APT_INSTALL_CLAMD); }
	@command -v cargo-nextest >/dev/null || $(CARGO) install --debug --locked cargo-nextest
	@# Of the whole workspace, as `make tests` builds it: of one package, cargo unifies other features and builds most of it again.
	$(CARGO) nextest run --workspace --run-ignored only --no-tests fail -E 'package(portico-local) and test(/^clamd::/)'

contract: .venv/schemathesis-$(SCHEMATHESIS_VERSION) ## The API against its description, as each role, with made-up requests
	@# With tests, as `make tests` builds it: without, cargo unifies other features and builds most of it again.
	$(CARGO) build --workspace --bins --tests
	$(PYTHON) infra/conformance/contract/contract.py .venv/bin/schemathesis target/debug/portico-local

.venv/schemathesis-$(SCHEMATHESIS_VERSION):
	$(PYTHON) -m venv .venv
	.venv/bin/pip install --quiet schemathesis==$(SCHEMATHESIS_VERSION)
	touch $@

CLIENTS := infra/fake-salesforce/clients

clients: .venv/clients/installed $(CLIENTS)/node_modules/.package-lock.json ## Other people's Salesforce clients against the fake org
	@# With tests, as `make tests` builds it: without, cargo unifies other features and builds most of it again.
	$(CARGO) build --workspace --bins --tests
	$(PYTHON) $(CLIENTS)/clients.py target/debug/fake-salesforce .venv/clients/bin/python $(NODE)

.venv/clients/installed: $(CLIENTS)/requirements.txt
	$(PYTHON) -m venv .venv/clients
	.venv/clients/bin/pip install --quiet --requirement $<
	touch $@

MINISTACK := infra/conformance/ministack

objects: .venv/ministack/installed ## What the product counts on in an object store, against one that is not ours
	@# The whole workspace, as `make tests` builds it. No test at all is a failure.
	$(PYTHON) $(MINISTACK)/ministack.py $(CURDIR)/.venv/ministack/bin/ministack $(CARGO) nextest run --workspace \
	  --test objects --run-ignored only --no-tests fail -E 'test(/^ministack::/)'

.venv/ministack/installed: $(MINISTACK)/requirements.txt
	$(PYTHON) -m venv .venv/ministack
	.venv/ministack/bin/pip install --quiet --requirement $<
	touch $@

INVOICES := infra/conformance/invoices
APT_INSTALL_JUDGES := DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends default-jdk-headless libjaxb-java

invoices: .venv/invoices/installed $(INVOICES)/node_modules/.package-lock.json ## PDFs and e-invoices, judged by others: make invoices [SEED=1] [E_INVOICES=25] [PDFS=6]
	@# veraPDF is in a jar of a package; it needs Java 17 with its compiler, and JAXB.
	@test -e /usr/share/java/jaxb-api.jar && command -v javac >/dev/null || $(APT_INSTALL_JUDGES) || { apt-get update && $(APT_INSTALL_JUDGES); }
	$(CARGO) build --package portico-invoice --example corpus
	.venv/invoices/bin/python $(INVOICES)/judge.py $(or $(CARGO_TARGET_DIR),target)/debug/examples/corpus java \
	  "$(INVOICES)/node_modules/@opendataloader/pdf/lib/opendataloader-pdf-cli.jar:/usr/share/java/*" \
	  .venv/invoices/judged $(or $(SEED),1) $(or $(E_INVOICES),25) $(or $(PDFS),6)

.venv/invoices/installed: $(INVOICES)/requirements.txt
	$(PYTHON) -m venv .venv/invoices
	.venv/invoices/bin/pip install --quiet --no-deps --requirement $<
	touch $@

storm: ## Ten thousand changes at once, out of order, to functions that die: what it took
	STORM_CHANGES=10000 $(CARGO) test --package portico-conformance --test it -- storm:: --nocapture

issuing: ## Ten thousand invoices from more triggers at once, by functions that die: numbers, gaps, what it took
	ISSUES=10000 $(CARGO) test --package portico-conformance --test it -- issuing:: --nocapture

BENCH_PDF := infra/benchmarks/pdf
TARGET = $(or $(CARGO_TARGET_DIR),target)

bench-pdf: .venv/pdf/installed ## An invoice's PDF against ReportLab's and WeasyPrint's: time, memory, goals
	@# The profile that goes to Lambda: thin LTO, one codegen unit. The first build takes 20 minutes of a processor.
	$(CARGO) build --release -p portico-invoice --example bench
	.venv/pdf/bin/python $(BENCH_PDF)/bench.py .venv/pdf/bin/python $(TARGET)/release/examples/bench

.venv/pdf/installed: $(BENCH_PDF)/requirements.txt
	$(PYTHON) -m venv .venv/pdf
	.venv/pdf/bin/pip install --quiet --requirement $<
	touch $@

documents: ## Write docs/openapi.json, docs/problems.md and docs/isolation.md from the code
	$(CARGO) run -p portico-conformance --bin documents
