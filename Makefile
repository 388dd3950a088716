# make demo         see Erlang in a stock beam.smp
# make demo-arm32   the same in one for 32-bit ARM, interpreted, under qemu
# make glue         the library that native code needs in a node, by the cross compiler: build/native
# make test         set-up, lint, types and the whole test suite
# make bench        timings
# make clean        remove what the others made here (Debian packages and the sandboxes' cache stay)

PACKAGES := gdb gdb-multiarch gdbserver qemu-user erlang-base erlang-dev erlang-src gcc libc6-dbg libc6-dev binutils llvm \
    gcc-arm-linux-gnueabihf binutils-arm-linux-gnueabihf libc6-dev-armhf-cross \
    gcc-aarch64-linux-gnu libc6-dev-arm64-cross erlang-nox elixir procps python3 python3-venv
# Erlangs of other architectures and releases: see `python -m beamgdb.sandbox list`.
SANDBOXES := armhf-25 armhf-27 arm64-27 amd64-25 amd64-27
VENV     := .venv
PYTHON   := $(VENV)/bin/python
READY    := $(VENV)/.ready
CHECKED  := $(wildcard beamgdb jit tests demo bench)

.PHONY: demo demo-arm32 glue test bench setup packages sandboxes lint types clean

demo: setup
	@echo "==> demo: a busy stock Erlang node under GDB"
	@$(PYTHON) -m demo

demo-arm32: setup
	@echo "==> demo: Erlang for 32-bit ARM under qemu and GDB"
	@$(PYTHON) -m demo --arm32

glue: setup
	@$(PYTHON) -m jit glue -o build/native
	@echo "==> glue: build/native/native.so and native.beam"

test: lint types glue sandboxes
	@echo "==> test: the whole suite"
	@$(PYTHON) -m pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder
	@echo "==> test: lint, types and the whole suite have passed"

bench: setup sandboxes
	@for script in bench/*.py; do echo "==> bench: $$script"; PYTHONPATH=. $(PYTHON) "$$script" || exit 1; done

lint: setup
	@echo "==> lint: ruff"
	@$(PYTHON) -m ruff check --quiet .

types: setup
	@echo "==> types: mypy --strict"
	@$(PYTHON) -m mypy --no-error-summary $(CHECKED)

setup: packages $(READY)

packages:
	@if ! command -v dpkg-query >/dev/null; then \
	    echo "==> setup: not a Debian system; these packages of Debian are needed: $(PACKAGES)"; exit 0; \
	fi; \
	missing=; \
	for package in $(PACKAGES); do \
	    dpkg-query -W -f '$${db:Status-Status}' "$$package" 2>/dev/null | grep -qx installed || missing="$$missing $$package"; \
	done; \
	if [ -z "$$missing" ]; then exit 0; fi; \
	echo "==> setup: installing Debian packages:$$missing"; \
	if [ "$$(id -u)" -eq 0 ]; then as_root=; else as_root=sudo; fi; \
	if [ -n "$$as_root" ] && ! command -v sudo >/dev/null; then \
	    echo "There is no sudo here: as root, run  apt-get install$$missing" >&2; exit 1; \
	fi; \
	$$as_root env DEBIAN_FRONTEND=noninteractive apt-get update -qq && \
	$$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y -o Dpkg::Use-Pty=0 --no-install-recommends $$missing

sandboxes: setup
	@for one in $(SANDBOXES); do \
	    $(PYTHON) -m beamgdb.sandbox fetch --arch $${one%-*} --otp $${one#*-} >/dev/null || exit 1; \
	done

# The system's Python is the one that GDB embeds.
$(READY): setup.cfg pyproject.toml
	@for python in /usr/bin/python3 python3 none; do \
	    "$$python" -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && break; \
	done; \
	if [ "$$python" = none ]; then echo "Python 3.11 or later, with venv, is needed" >&2; exit 1; fi; \
	echo "==> setup: Python packages into $(VENV)"; \
	"$$python" -m venv --clear $(VENV) && $(PYTHON) -m pip install -q --disable-pip-version-check -e '.[test]'
	@touch $@

clean:
	@echo "==> clean: $(VENV), caches and build products"
	@rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
