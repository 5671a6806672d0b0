# Everything starts from here: `make run` and `make test` need nothing but make and Python 3.11.
# Variables: PYTHON (which Python makes .venv: PYTHON=python3.12), ARGS (passed on: make test ARGS="-k history").

PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.complete

# Caches stay in the clone: HOME may be missing, empty or read-only.
export XDG_CACHE_HOME := $(CURDIR)/.work/cache
export XDG_CONFIG_HOME := $(CURDIR)/.work/config
export PIP_CACHE_DIR := $(XDG_CACHE_HOME)/pip
export HYPOTHESIS_STORAGE_DIRECTORY := $(CURDIR)/.work/hypothesis
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1
# Set by somebody's profile, these would install into, or import from, a place that is not .venv.
unexport PYTHONHOME PYTHONPATH PYTHONSAFEPATH PIP_PREFIX PIP_TARGET PIP_USER
# The kit starts some twenty servers in a run: each would compile all its modules again.
unexport PYTHONDONTWRITEBYTECODE

# The stamp holds the folder it was made in. Without a working Python, or in a folder that was moved, it counts for nothing.
$(shell [ -x $(BIN)/python ] && [ "$$(cat $(STAMP) 2>/dev/null)" = "$(CURDIR)" ] || rm -f $(STAMP))

.DEFAULT_GOAL := help

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile

# One set-up for all. The stamp is written last, so a set-up that was broken off starts again.
$(STAMP): pyproject.toml constraints.txt tools/packaging/make-venv
	@PYTHON="$(PYTHON)" tools/packaging/make-venv

.PHONY: run
run: $(STAMP) ## Judge the reference server, with short timers; HTML in reports/
	$(BIN)/roomproof --hooks reference --timers short --html reports/reference.html $(ARGS)

.PHONY: run-defaults
run-defaults: $(STAMP) ## The same with the timers of production (two minutes)
	$(BIN)/roomproof --hooks reference --timers default --html reports/reference-defaults.html $(ARGS)

.PHONY: serve
serve: $(STAMP) ## Start the reference server (make serve ARGS="--help")
	$(BIN)/roomproof-server $(ARGS)

.PHONY: test
test: $(STAMP) ## Run all tests (make test ARGS="-k history")
	$(BIN)/pytest $(ARGS)

# In parts, so that `make --keep-going` shows what every one of them has to say.
.PHONY: lint style format imports versions
lint: style format imports versions ## Style, formatting, which package may import which, and the oldest Python
style: $(STAMP)
	$(BIN)/ruff check .
format: $(STAMP)
	$(BIN)/ruff format --check .
imports: $(STAMP)
	$(BIN)/lint-imports --cache-dir .work/import-linter
# What Python 3.11 lacks is found here; what a newer one has no more, by pyright (`newest`).
versions: $(STAMP)
	$(BIN)/vermin --target=3.11- --no-tips --quiet --violations \
		protocol/roomproof_protocol server/roomproof_server conformance/roomproof_conformance loadtest/roomproof_loadtest

.PHONY: types mypy pyright newest
types: mypy pyright newest ## mypy --strict and pyright, for the oldest Python and the newest
mypy: $(STAMP)
	$(BIN)/mypy
	$(BIN)/mypy tools
	$(BIN)/mypy --exclude /peers/ loadtest/benchmarks
pyright: $(STAMP)
	$(BIN)/pyright --pythonpath $(BIN)/python
newest: $(STAMP)
	$(BIN)/pyright --pythonpath $(BIN)/python --pythonversion 3.14

.PHONY: generated
generated: $(STAMP) ## Check that the generated files are current
	$(BIN)/python -m roomproof_protocol.generate --check
	$(BIN)/python -m roomproof_server.config.derived --check
	$(BIN)/python -m tools.packaging.man --check
	$(BIN)/python -m benchmarks.page --check
	$(BIN)/python -m tools.abuse.page --check
	$(BIN)/python -m tools.faults.page --check
	$(BIN)/python -m tools.load.page --check
	$(BIN)/python -m tools.multivac.page --check
	$(BIN)/python -m tools.mutants.page --check
	$(BIN)/python -m tools.soak.page --check
	$(BIN)/python -m tools.liars.run --page --check
	$(BIN)/python -m tools.dialects.page --check

	$(BIN)/python -m tools.docs.generate --check

.PHONY: generate
generate: $(STAMP) ## Write the generated files again
	$(BIN)/python -m roomproof_protocol.generate
	$(BIN)/python -m roomproof_server.config.derived
	$(BIN)/python -m tools.packaging.man
	$(BIN)/python -m benchmarks.page
	for page in abuse faults load multivac mutants soak; do $(BIN)/python -m tools.$$page.page || exit 1; done
	$(BIN)/python -m tools.liars.run --page
	$(BIN)/python -m tools.dialects.page

	$(BIN)/python -m tools.docs.generate

.PHONY: docs
docs: $(STAMP) ## Build the site from docs/ into build/site/; a warning is an error
	$(BIN)/python -m sphinx --fail-on-warning --keep-going --quiet --fresh-env --write-all -b html docs build/site

.PHONY: wheel
wheel: $(STAMP) ## Build the wheel into dist/, check what is in it, and that it runs on its own and on the Pythons that are here
	$(BIN)/python -m tools.packaging.wheel $(ARGS)

.PHONY: packaging-ci
packaging-ci: $(STAMP) ## Look at container, unit, action, workflows and man pages with their linters
	$(BIN)/python -m tools.packaging.deploy

.PHONY: multivac
multivac: $(STAMP) ## Unpack, start and judge the ten chat servers of a published evaluation (some minutes)
	$(BIN)/python -m tools.multivac.run $(ARGS); status=$$?; $(BIN)/python -m tools.multivac.page; exit $$status

.PHONY: run-cluster cluster-ci
run-cluster: $(STAMP) ## Judge two and three nodes of the reference over a Redis, faults included (two minutes)
	$(BIN)/roomproof --hooks reference-cluster --timers short --html reports/reference-cluster-2.html $(ARGS)
	$(BIN)/roomproof --hooks reference-cluster --nodes 3 --timers short --html reports/reference-cluster-3.html $(ARGS)

cluster-ci: $(STAMP) ## What only a cluster can do wrong, on two nodes, without the minute that CL-7 waits
	$(BIN)/roomproof --hooks reference-cluster --timers short --only 'CL-*' --only '*@nodes' --only 'PRES-6.*' \
		--without-long-waits 30 $(ARGS)

.PHONY: multivac-ci
multivac-ci: $(STAMP) ## The same for two of them, without the long waits
	$(BIN)/python -m tools.multivac.run --ci $(ARGS)

.PHONY: foreign-ci foreign bad-input
foreign-ci: $(STAMP) ## Judge two packaged servers by their dialects, side by side, without most long waits (a minute)
	$(BIN)/pytest conformance/tests/foreign $(ARGS)
foreign: $(STAMP) ## Judge the same two by everything that applies, and leave the pages in reports/ (five minutes)
	mkdir -p reports
	for name in inspircd prosody; do \
		$(BIN)/roomproof --hooks conformance/tests/foreign/$$name.yaml --dialect $$name --html reports/$$name.html $(ARGS); \
	done
bad-input: $(STAMP) ## Servers that flood, write huge frames, never close, print gigabytes: the kit's memory (two minutes)
	$(BIN)/pytest conformance/tests/bad_input $(ARGS)

.PHONY: node-ci
node-ci: $(STAMP) ## Install the server in Node from its lock file and judge it: every core row
	$(BIN)/python -m tools.node.run $(ARGS)

# The long proofs. Each writes its figures, with date, commit, machine and command, to docs/results/.
.PHONY: kill store fuzz abuse liars mutants soak shrink
kill: $(STAMP) ## Kill the server thirty times under load and see that nothing acknowledged is lost
	$(BIN)/python -m tools.durability.kill $(ARGS)
store: $(STAMP) ## A million messages through the store: size of file and log, speed
	$(BIN)/python -m tools.durability.store_growth $(ARGS)
fuzz: $(STAMP) ## A million mutated frames through the rules, a hundred thousand over sockets
	$(BIN)/python -m tools.fuzz.run $(ARGS)
abuse: $(STAMP) ## Hostile clients: memory and the delay of the others, against the stated bounds
	$(BIN)/python -m tools.abuse.run $(ARGS)
	$(BIN)/python -m tools.abuse.page
mutants: $(STAMP) ## Judge two hundred mutants of the server's source with the kit; goes on where it was broken off
	$(BIN)/python -m tools.mutants.run $(ARGS); status=$$?; $(BIN)/python -m tools.mutants.page; exit $$status
soak: $(STAMP) ## The kit under load, for hours: false alarms, and liars; goes on where it was broken off
	$(BIN)/python -m tools.soak.run $(ARGS); status=$$?; $(BIN)/python -m tools.soak.page; exit $$status
liars: $(STAMP) ## Judge the kit by all its liars, each by all checks
	$(BIN)/python -m tools.liars.run --full all --jobs 4 $(ARGS)
shrink: $(STAMP) ## Reduce the conversation in which each liar is caught, and count frames and connections
	$(BIN)/python -m tools.liars.shrink $(ARGS)

.PHONY: faults faults-ci
faults: $(STAMP) ## Faults of a service of several nodes, each five times at a random moment; goes on where it was broken off
	$(BIN)/python -m tools.faults.run $(ARGS); status=$$?; $(BIN)/python -m tools.faults.page; exit $$status
faults-ci: $(STAMP) ## Each of them once in a short form, side by side
	$(BIN)/python -m tools.faults.run --ci --jobs 4 $(ARGS)

.PHONY: liars-ci mutants-ci soak-ci
liars-ci: $(STAMP) ## All liars, each by the checks of its group
	$(BIN)/python -m tools.liars.run --ci --full none --jobs 4 $(ARGS)
mutants-ci: $(STAMP) ## Ten mutants that were caught before
	$(BIN)/python -m tools.mutants.run --caught-before --count 10 --short --bar 1 --seconds 110 $(ARGS)
soak-ci: $(STAMP) ## Three runs and two liars under a smaller load
	$(BIN)/python -m tools.soak.run --runs 3 --quarter 0 --liars 2 --busy 3 --no-write --seconds 140 $(ARGS)

# What the peers are made of is installed when it is asked for; what npm brings stays in the clone.
.PHONY: bench bench-quick bench-ci bench-peers
bench-peers: $(STAMP)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --group bench
	! command -v npm >/dev/null || [ -d .work/npm/node_modules/ws ] || \
		npm install --silent --no-save --cache .work/cache/npm --prefix .work/npm ws@8
bench: bench-peers ## Measure the server beside its peers and a floor in C (an hour; ARGS="--only a,c --rounds 9")
	$(BIN)/python -m benchmarks.run $(ARGS)
	$(BIN)/python -m benchmarks.page
bench-quick: bench-peers ## One message to many, four servers, in under three minutes; keeps nothing
	$(BIN)/python -m benchmarks.run --quick $(ARGS)
bench-ci: $(STAMP) ## Show that the benchmark runs
	$(BIN)/python -m benchmarks.run --ci $(ARGS)

.PHONY: load load-ci
load: $(STAMP) ## Load the reference in every scenario, and five liars; goes on where it was broken off (15 minutes)
	$(BIN)/python -m tools.load.run $(ARGS); status=$$?; $(BIN)/python -m tools.load.page; exit $$status
load-ci: $(STAMP) ## Two scenarios with 30 users for 5 s
	$(BIN)/python -m tools.load.run --ci

.PHONY: constraints
constraints: ## Choose the versions in constraints.txt anew, from the ranges in pyproject.toml
	$(PYTHON) -m tools.packaging.pin

.PHONY: clean
clean: ## Remove all that make has made, .venv and caches included
	rm -rf .venv .work dist build reports
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
