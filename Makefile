# SPDX-License-Identifier: Apache-2.0
#
# The verbs of this project. Each works on a fresh Debian 12 with Go, gcc and
# root, and installs with apt what it misses. "make" prints them.

GO      ?= go
DESTDIR ?=
KDIR    ?= /lib/modules/$(shell uname -r)/build
OUT     ?= out
KERNEL  ?= 6.1
VERSION ?= $(shell cat VERSION)

export CGO_ENABLED = 0
# Tests find the given material here; where it is absent they say so.
export FALCO_SHARED ?= $(abspath ../shared)

REPORT   = $(GO) run ./tests/report
VM       = $(GO) build -o build/guest ./tests/vm/run && build/guest
LDFLAGS  = -s -w -X main.version=$(VERSION)
UNIT     = ./pkg/... ./daemon/... ./tests/arch ./tests/corpus ./tests/conformance ./tests/state/... ./tests/model ./tests/vm/... ./tests/attacks/... ./tests/forward ./tests/report
GUESTS   = ./tests/vm ./tests/driver ./tests/module ./tests/chaos ./tests/state ./tests/diffproc ./tests/e2e ./tests/cost \
	   ./tests/containers ./tests/attacks
FUZZTIME ?= 5s

.DEFAULT_GOAL = help
.PHONY: help build module demo vm shell test test-unit test-race test-fuzz test-bench test-web test-vm test-containers test-dist test-packages \
	test-long test-debug-kernel bench packages generate check install clean

help: ## print the verbs
	@awk -F':.*## ' '/^[a-z-]+:.*## / { printf "  %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## build/falco and build/falcosidekick, static
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o build/falco ./daemon
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o build/falcosidekick ./daemon/sidekick

module: ## driver/falco.ko for the running kernel, or for KDIR=
	$(MAKE) -C driver KDIR='$(KDIR)' module

demo: ## an intrusion in a virtual machine, and the alerts as they come; UI=1: on a web page, too
	@$(VM) demo $(if $(filter-out 0,$(UI)),-ui)

vm: ## run ACT= in a guest with RULES=, KERNEL=, FILES=, FALCO_ARGS=; results in OUT=
	@$(VM) vm -kernel '$(KERNEL)' -rules '$(RULES)' -act '$(ACT)' -out '$(OUT)' -files '$(FILES)' -falco-args '$(FALCO_ARGS)'

shell: ## the same guest, interactively
	@$(VM) shell -kernel '$(KERNEL)' -rules '$(RULES)' -files '$(FILES)'

test: check test-unit test-race test-fuzz test-bench test-web test-vm test-packages ## everything that CI runs

test-unit: ## what needs neither root nor a guest
	@$(REPORT) -name $@ -- $(UNIT)

test-race: ## the packages in which goroutines meet, with the race detector
	@CGO_ENABLED=1 $(REPORT) -name $@ -- -race ./pkg/ring/... ./pkg/merge/... ./pkg/spool/... ./pkg/output/... ./pkg/alert/... ./pkg/forward/... ./daemon/...

test-fuzz: ## every fuzz target for FUZZTIME=
	@./tests/fuzz.sh $(FUZZTIME)

test-bench: ## that ten thousand rules cost little more than a hundred
	@$(REPORT) -name $@ -- -count=1 -p 1 ./tests/bench

test-web: ## the web page in a browser, its store on PostgreSQL
	@ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || apt-get install -y -q --no-install-recommends postgresql
	@FALCO_TEST_POSTGRES=required FALCO_TEST_BROWSER=required $(REPORT) -name $@ -- -count=1 -p 1 -timeout 30m ./pkg/web ./tests/web

test-vm: ## what needs a booted kernel
	@FALCO_VM=1 $(REPORT) -name $@ -- -count=1 -p 1 -timeout 60m $(GUESTS)

test-containers: ## look-ups against runtimes that play false, and against containerd
	@$(REPORT) -name $@ -- -count=1 ./pkg/container/... ./tests/containers

test-dist: ## of test-packages what needs no guest
	@$(REPORT) -name $@ -- -count=1 -timeout 30m ./tests/packages

test-packages: ## packages and charts: built, linted, installed, booted in a guest
	@FALCO_VM=1 $(REPORT) -name $@ -- -count=1 -timeout 60m ./tests/packages ./pkg/loader
	@$(GO) build -o build/report ./tests/report
	@cd tests/charts && ../../build/report -name test-charts -- -count=1 -timeout 30m .

test-long: ## all the rest, at full length: every kernel, floods, chaos, mutants
	@FALCO_LONG=1 $(REPORT) -name $@-unit -- -count=1 -timeout 120m ./pkg/filter ./pkg/state ./pkg/spool ./pkg/output ./pkg/container ./pkg/forward/... ./tests/forward ./pkg/web ./tests/web ./daemon ./tests/bench ./tests/conformance
	@FALCO_LONG=1 FALCO_VM=1 $(REPORT) -name $@ -- -count=1 -p 1 -timeout 6h $(GUESTS) ./tests/kernels
	@$(VM) fetch -kernel 6.1-trimmed
	@FALCO_LONG=1 FALCO_VM=1 $(REPORT) -name $@-packages -- -count=1 -p 1 -timeout 4h ./tests/packages

test-debug-kernel: ## the module's suites on a kernel that looks for bugs; builds it the first time
	@$(VM) fetch -kernel 6.1-debug
	@FALCO_VM=1 FALCO_KERNEL=6.1-debug $(REPORT) -name $@ -- -count=1 -p 1 -timeout 180m ./tests/driver ./tests/chaos
	@FALCO_VM=1 FALCO_DEBUG_KERNEL=1 $(REPORT) -name $@-btf -- -count=1 -timeout 60m -run TestWithoutBTF ./tests/kernels

bench: SHELL = /bin/bash
bench: .SHELLFLAGS = -o pipefail -c
bench: ## figures: events a second, allocations, rule sets of all sizes, instructions a system call
	@$(GO) test -run '^$$' -bench . -benchmem ./pkg/... ./daemon/... | grep -E '^(Benchmark|pkg:)'
	@FALCO_BENCH=1 $(GO) test -count=1 -v -run '^(TestPage|TestTable|TestPauses)$$' ./tests/bench | grep -v '^[=-]'
	@FALCO_BENCH=1 $(GO) test -count=1 -v -run '^(TestThroughput|TestMemoryOfBacklog)$$' ./tests/forward | grep -v '^[=-]'
	@FALCO_VM=1 $(GO) test -count=1 -v -run '^(TestCost|TestDaemonCost)$$' ./tests/cost | grep -v '^[=-]'

packages: ## dist/*.deb, *.rpm, *.tar.gz
	@$(GO) -C packaging run . -version '$(VERSION)'

generate: ## tables in Go and C, the manual, the list of rules
	$(GO) generate ./pkg/schema ./daemon
	$(GO) run ./tests/attacks/readme

check: ## linters, for Go and C
	@./tests/check.sh

install: ## the files of the packages without units, into DESTDIR=
	@$(GO) -C packaging run . -version '$(VERSION)' -install '$(abspath $(DESTDIR)/)'

clean: ## what was built here
	rm -rf build dist out
	$(MAKE) -C driver clean
