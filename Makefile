# make demo         see Erlang in a stock beam.smp
# make demo-arm32   the same in one for 32-bit ARM, interpreted, under qemu
# make glue         the library that native code needs in a node, by the cross compiler: build/native
# make test         set-up, lint, types and the whole test suite
# make check        lint, types and those tests that are soon done
# make bench        timings
# make clean        remove what the others made here (Debian packages and the sandboxes' cache stay)

# What each of them needs of Debian, and nothing else: without root nothing can be installed. One of `a|b` is enough.
PYTHON3       := python3 python3-venv
CROSS_ARM32   := gcc-arm-linux-gnueabihf libc6-dev-armhf-cross
CROSS_ARM64   := gcc-aarch64-linux-gnu libc6-dev-arm64-cross
CROSS_RISCV   := gcc-riscv64-linux-gnu libc6-dev-riscv64-cross
FOR_demo      := $(PYTHON3) gdb-multiarch|gdb libc6-dbg erlang-base erlang-src
FOR_demo-arm32 := $(PYTHON3) gdb-multiarch erlang-base qemu-user
FOR_glue      := $(PYTHON3) erlang-base erlang-dev $(CROSS_ARM32)
FOR_lint      := $(PYTHON3)
FOR_types     := $(PYTHON3)
FOR_sandboxes := $(PYTHON3)
FOR_gdbs      := $(PYTHON3)
FOR_bench     := $(FOR_demo-arm32) $(FOR_glue) $(CROSS_ARM64) gdbserver erlang-nox gcc libc6-dev
FOR_test      := $(FOR_demo) $(FOR_bench) $(CROSS_RISCV) gdb binutils llvm elixir procps tmux
FOR_check     := $(FOR_test)
GOALS         := $(or $(MAKECMDGOALS),demo)
WANTED        := $(sort $(foreach goal,$(GOALS),$(FOR_$(goal))))
# Without `a|b` where a or b is wanted anyway.
PACKAGES      := $(strip $(foreach one,$(WANTED),\
    $(if $(and $(findstring |,$(one)),$(filter $(subst |, ,$(one)),$(WANTED))),,$(one))))
# Erlangs of other architectures and releases: see `python -m beamgdb.sandbox list`.
SANDBOXES := armhf-25 armhf-27 armhf-29 arm64-27 arm64-29 amd64-25 amd64-27 amd64-29
# GDBs of other releases; the one that is installed here is not fetched.
GDBS     := 10 13 16 18
VENV     := .venv
PYTHON   := $(VENV)/bin/python
READY    := $(VENV)/.ready
CHECKS   := $(VENV)/.ready-to-test
# Two more than processors: of a test and what it has started one waits for the other, and tests wait for programs that
# wait.
WORKERS   = $$(($$(nproc) + 2))
CHECKED  := $(wildcard beamgdb jit tests demo bench)

# Tests on bytes, and few that start a VM.
QUICK    := $(addprefix tests/,aarch64 arm32 beam code interpreter machine_code object otp records riscv terms thumb \
    unwinding screen views vm x86_64 test_documents.py test_imports.py test_memory.py)

.PHONY: demo demo-arm32 glue test check bench setup packages sandboxes gdbs lint types clean

demo: setup
	@echo "==> demo: a busy stock Erlang node under GDB"
	@$(PYTHON) -m demo

demo-arm32: setup
	@echo "==> demo: Erlang for 32-bit ARM under qemu and GDB"
	@$(PYTHON) -m demo --arm32

glue: setup
	@$(PYTHON) -m jit glue -o build/native
	@echo "==> glue: build/native/native.so and native.beam"

test: lint types glue sandboxes gdbs
	@echo "==> test: the whole suite"
	@$(PYTHON) -m pytest -n $(WORKERS) --dist loadscope --no-loadscope-reorder
	@echo "==> test: lint, types and the whole suite have passed"

check: lint types sandboxes
	@echo "==> check: tests on bytes"
	@$(PYTHON) -m pytest -q -n $(WORKERS) --dist loadscope $(QUICK)

bench: setup $(CHECKS) sandboxes
	@for script in bench/*.py; do echo "==> bench: $$script"; PYTHONPATH=. $(PYTHON) "$$script" || exit 1; done

lint: setup $(CHECKS)
	@echo "==> lint: ruff"
	@$(PYTHON) -m ruff check --quiet .

types: setup $(CHECKS)
	@echo "==> types: mypy --strict"
	@$(PYTHON) -m mypy --no-error-summary $(CHECKED)

setup: packages $(READY)

packages:
	@if ! command -v dpkg-query >/dev/null; then \
	    echo "==> setup: not a Debian system; these packages of Debian are needed: $(subst |, or ,$(PACKAGES))"; exit 0; \
	fi; \
	missing=; \
	for wanted in $(foreach one,$(PACKAGES),'$(one)'); do \
	    dpkg-query -W -f '$${db:Status-Status}\n' $$(echo "$$wanted" | tr '|' ' ') 2>/dev/null | grep -qx installed || \
	        missing="$$missing $${wanted%%|*}"; \
	done; \
	if [ -z "$$missing" ]; then exit 0; fi; \
	if [ "$$(id -u)" -eq 0 ]; then as_root=; else as_root=sudo; fi; \
	if [ -n "$$as_root" ] && ! command -v sudo >/dev/null; then \
	    echo "There is no sudo here: as root, run  apt-get update &&" \
	        "apt-get install --no-install-recommends$$missing" >&2; exit 1; \
	fi; \
	echo "==> setup: installing Debian packages:$$missing"; \
	$$as_root env DEBIAN_FRONTEND=noninteractive apt-get update -qq && \
	$$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y -o Dpkg::Use-Pty=0 --no-install-recommends $$missing

sandboxes: setup
	@for one in $(SANDBOXES); do \
	    $(PYTHON) -m beamgdb.sandbox fetch --arch $${one%-*} --otp $${one#*-} >/dev/null || exit 1; \
	done

gdbs: setup
	@for one in $(GDBS); do \
	    gdb-multiarch --version 2>/dev/null | grep -q "^GNU gdb .* $$one\." || \
	        $(PYTHON) -m beamgdb.sandbox fetch --gdb $$one >/dev/null || exit 1; \
	done

# The system's Python is the one that GDB embeds.
$(READY): setup.cfg pyproject.toml | packages
	@for python in /usr/bin/python3 python3 none; do \
	    "$$python" -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && break; \
	done; \
	if [ "$$python" = none ]; then echo "Python 3.11 or later, with venv, is needed" >&2; exit 1; fi; \
	echo "==> setup: Python packages into $(VENV)"; \
	"$$python" -m venv --clear $(VENV) && $(PYTHON) -m pip install -q --disable-pip-version-check -e .
	@touch $@

$(CHECKS): $(READY)
	@echo "==> setup: Python packages of the tests into $(VENV)"
	@$(PYTHON) -m pip install -q --disable-pip-version-check -e '.[test]'
	@touch $@

clean:
	@echo "==> clean: $(VENV), caches and build products"
	@rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
