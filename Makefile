# The front door: `make help` lists what there is. A fresh Debian 12 needs git and make; the targets install the rest.
# Overridable: PRESET=dev, PREFIX=/opt/progtc, DESTDIR=…, JOBS=4, TESTS=regex (for test), TIDY=regex (for tidy),
# VM='NAME…' (for vm: Root, Root.test_…), DEPS= and the like (install nothing).
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.NOTPARALLEL:
.DEFAULT_GOAL := help

PRESET ?= release
PREFIX ?= /usr/local
JOBS ?= $(shell nproc)
TESTS ?= .
TIDY ?= (policy|runner|bridge|cli|python|bench)/

DEPS ?= curl g++ cmake ninja-build pkg-config \
  libseccomp-dev libcap-dev libboost1.81-dev rapidjson-dev libcli11-dev libyaml-cpp-dev libsystemd-dev libmd-dev libssl-dev \
  libgtest-dev libgmock-dev libbenchmark-dev libcap2-bin \
  python3 python3-dev python3-pytest python3-numpy python3-pandas python3-matplotlib python3-pil python3-requests python3-openpyxl python3-tk fonts-dejavu-core \
  python3-httpx python3-jsonschema libpython3.11-testsuite
DEPS_CHECK ?= clang-format clang-tidy clang shellcheck
DEPS_BENCH ?= bubblewrap firejail
DEPS_VM ?= qemu-system-x86 mmdebstrap e2fsprogs fakeroot cpio uidmap

# A sandbox is of no use to someone who may not create user namespaces; the tests say so one by one, this says it once.
NAMESPACES = unshare --user --map-root-user true 2>/dev/null || \
  echo 'note: no user namespaces for this user here: tests that need a sandbox are skipped (progtc doctor says why)'
# ThreadSanitizer of GCC 12 cannot place its shadow where the kernel randomises more than 28 bits of an address.
TSAN_RUN = $(shell [ "$$(cat /proc/sys/vm/mmap_rnd_bits 2>/dev/null || echo 0)" -le 28 ] || echo setarch -R)
# Under a sanitizer the same host code need not run twice, once for each kind of user, nor a thousand times.
SANITIZED = -LE '^slow$$' -E '_as_user$$|^e2e_daemon_(load|client_)'
CTEST = ctest --output-on-failure --no-tests=error -j $(JOBS) --test-dir build

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

.PHONY: deps deps-check deps-bench deps-vm
deps: ## Install what building and testing need (sudo where not root); instant when nothing is missing
	@.ci/install-packages $(DEPS)
deps-check: ## Install what `make check` needs beyond that
	@.ci/install-packages $(DEPS_CHECK)
deps-bench: ## Install the sandboxes that `make bench` measures beside ours
	@.ci/install-packages $(DEPS_BENCH)
deps-vm: ## Install what `make vm` needs
	@.ci/install-packages $(DEPS_VM)

.PHONY: build
build: deps ## Build everything; PRESET=dev is for work on the code, release the default
	cmake --preset $(PRESET)
	cmake --build --preset $(PRESET) -j $(JOBS)

.PHONY: demo
demo: build ## Set up, build, and show a script with tools, a denial, a limit and a report
	@examples/demo/run.sh build/$(PRESET)/bin/progtc-run

.PHONY: test
test: build ## Set up, build, and run every test that is not slow
	@$(NAMESPACES)
	@$(CTEST)/$(PRESET) -LE '^slow$$' -R '$(TESTS)'

.PHONY: bench
bench: deps-bench ## Measure progtc-run and the daemon beside bare python3 and other sandboxes, then the hot pieces
	@$(MAKE) --no-print-directory build PRESET=release
	@bench/cold_start.py build/release/bin/progtc-run
	@bench/daemon.py build/release/bin/progtc
	@build/release/bench/hot_pieces --benchmark_min_time=0.2

.PHONY: soak
soak: ## Run the daemon at half its peak rate for ten minutes: memory and descriptors stay flat
	@$(MAKE) --no-print-directory build PRESET=release
	@bench/soak.py build/release/bin/progtc

.PHONY: check
check: format shell tidy asan tsan slow ## Everything a change must pass: format, lint, sanitizers, slow tests

.PHONY: format format-fix shell tidy asan tsan slow
SOURCES = find . \( -name build -o -name .git \) -prune -o \( -name '*.h' -o -name '*.cc' -o -name '*.c' \) -print0
format: deps-check ## Check that clang-format would change nothing
	$(SOURCES) | xargs -0 -r clang-format --dry-run -Werror
format-fix: deps-check ## Let clang-format change it
	$(SOURCES) | xargs -0 -r clang-format -i

shell: deps-check ## Run shellcheck over the shell scripts
	shellcheck .ci/run .ci/install-packages examples/demo/run.sh tests/vm/make-image tests/vm/inside/start

tidy: deps deps-check ## Run clang-tidy over our own code; TIDY=runner/ narrows it
	cmake --preset dev
	run-clang-tidy -quiet -j $(JOBS) -p build/dev '^$(CURDIR)/$(TIDY)'

asan: deps ## Build and test under AddressSanitizer and UndefinedBehaviorSanitizer
	cmake --preset asan
	cmake --build --preset asan -j $(JOBS)
	$(CTEST)/asan $(SANITIZED)

tsan: deps ## Build and test under ThreadSanitizer
	cmake --preset tsan
	cmake --build --preset tsan -j $(JOBS)
	$(TSAN_RUN) $(CTEST)/tsan $(SANITIZED)

slow: build ## Run the slow tests
	$(CTEST)/$(PRESET) -L '^slow$$'

FUZZ_TIME ?= 600
.PHONY: fuzz
fuzz: deps deps-check ## Run each fuzz target for FUZZ_TIME seconds (600) under AddressSanitizer and UndefinedBehaviorSanitizer
	cmake --preset fuzz
	cmake --build --preset fuzz --target fuzzers -j $(JOBS)
	@tests/fuzz/seeds.py build/fuzz/corpus
	@for target in build/fuzz/tests/fuzz/*_fuzz; do \
	  corpus=build/fuzz/corpus/$$(basename $$target); \
	  echo "$$target, $(FUZZ_TIME) s"; \
	  $$target -max_total_time=$(FUZZ_TIME) -rss_limit_mb=2048 -artifact_prefix=build/fuzz/ $$corpus; \
	done

.PHONY: vm
vm: build deps-vm ## Test control groups, systemd and forbidding settings in a virtual machine (KVM, or emulated in minutes)
	@tests/vm/run_vm.py --build build/$(PRESET) $(VM)

.PHONY: install
install: build ## Install under PREFIX (DESTDIR is honoured)
	cmake --install build/$(PRESET) --prefix $(PREFIX)

.PHONY: clean
clean: ## Remove build/
	rm -rf build
