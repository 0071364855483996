# Everything here sets up what it needs in .venv; nothing is installed elsewhere, but for packages
# of the system that are missing and that root may install (.ci/need).

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
CODE := firmware hal services config systemd tests

.PHONY: help demo test check emulator hil powercut verify mutants bench kills picture deb \
	deb-test clean
.DEFAULT_GOAL := help

help:
	@echo "make demo     a whole gate on this computer: lane, both processes, broker, subscriber"
	@echo "make test     format, lint, types, import rules, and every test (TESTS=path for some)"
	@echo "make hil      the drivers and the whole gate on real kernel devices, in an emulator"
	@echo "make powercut cuts the power of a gate with a disk that forgets what was not flushed"
	@echo "make verify   S1 to S9 in every state that a lane can reach"
	@echo "make mutants  plants faults in a copy of the core: each must be caught"
	@echo "make bench    figures, each beside what it is measured against"
	@echo "make kills    kill -9 of gate and link, a thousand times: nothing lost"
	@echo "make picture  draw the pictures of the README anew, from a real run"
	@echo "make deb      the Debian package for a Pi, with Debian's own tools, into dist"
	@echo "make deb-test installs it on a plain Debian, upgrades, downgrades, purges (as root)"
	@echo "make clean    remove what these make"

# A .venv of another place (this folder was moved or copied) or of another PYTHON is made anew.
MADE_FOR := $(CURDIR) $(PYTHON)
ifneq ($(MADE_FOR),$(shell cat $(VENV)/pip 2>/dev/null))
$(shell rm -f $(VENV)/pip)
endif

$(VENV)/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "$(PYTHON) is no Python of at least 3.11; name one: make PYTHON=python3.12" >&2; exit 1; }
	@.ci/need "$(PYTHON) -c 'import ensurepip'" python3-venv
	@$(PYTHON) -m venv --clear $(VENV)
	@$(PIP) install --upgrade 'pip>=25.1'
	@echo "$(MADE_FOR)" > $@

$(VENV)/demo: $(VENV)/pip pyproject.toml
	@echo "installing gatepost with its demo into $(VENV)"
	@$(PIP) install --editable '.[demo]'
	@touch $@

$(VENV)/dev: $(VENV)/demo
	@echo "installing the developer's tools into $(VENV)"
	@$(PIP) install --group dev
	@touch $@

$(VENV)/hil: $(VENV)/dev
	@$(PIP) install --group hil
	@touch $@

MOSQUITTO := .ci/need "command -v mosquitto || test -x /usr/sbin/mosquitto" mosquitto optional

demo: $(VENV)/demo
	@$(MOSQUITTO)
	@$(BIN)/gatepost demo $(DEMO)

check: $(VENV)/dev
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/ruff check $(CODE)
	$(BIN)/mypy
	$(BIN)/lint-imports

test: check
	@$(MOSQUITTO)
	@mkdir -p .cache
	$(BIN)/python -m pytest $(if $(TESTS),$(TESTS),\
		-n auto --maxprocesses 4 --dist worksteal --cov --cov-report=term)

POWERCUT ?= --cycles 500
HIL_TOOLS := qemu-system-x86 ipxe-qemu busybox-static cpio kmod gcc make patch xz-utils

emulator: $(VENV)/hil
	@.ci/need "for tool in qemu-system-x86_64 busybox cpio modprobe gcc make patch xz; do \
		PATH=$$PATH:/usr/sbin:/sbin command -v \$$tool || exit 1; done" "$(HIL_TOOLS)" optional
	@$(MOSQUITTO)
	@mkdir -p .cache

hil: emulator
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadscope --no-loadscope-reorder \
		$(if $(TESTS),$(TESTS),tests/hil)

powercut: emulator
	$(BIN)/python -m tests.hil.powercut $(POWERCUT)

verify: $(VENV)/demo
	$(BIN)/gatepost verify

mutants: $(VENV)/dev
	$(BIN)/python tests/bench/mutants.py

bench: $(VENV)/dev
	$(BIN)/python tests/bench/imports.py
	$(BIN)/python tests/bench/zone_time.py
	$(BIN)/python tests/bench/throughput.py
	$(BIN)/python tests/bench/rules.py
	$(BIN)/python tests/bench/roster.py
	$(BIN)/python tests/bench/documents.py
	$(BIN)/python tests/bench/passes.py
	$(BIN)/python tests/bench/watch.py
	$(BIN)/python tests/bench/thermometry.py
	@$(MOSQUITTO)
	$(BIN)/python tests/bench/store_and_forward.py
	$(BIN)/python tests/bench/journal_rates.py

kills: $(VENV)/dev
	@$(MOSQUITTO)
	$(BIN)/python tests/bench/kills.py

picture: $(VENV)/demo
	$(BIN)/python firmware/pictures/make_demo_picture.py
	$(BIN)/python hal/pictures/make_wiring_pictures.py

deb: $(VENV)/dev
	@.ci/need "command -v dh && command -v lintian" "debhelper lintian"
	$(BIN)/python systemd/build_deb.py $(DEB)

deb-test: $(VENV)/dev
	@.ci/need "command -v dh && command -v lintian && command -v mmdebstrap" \
		"debhelper lintian mmdebstrap" optional
	$(BIN)/python -m pytest tests/deb

clean:
	rm -rf $(VENV) build dist .cache .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache
