# `make help` lists what there is to do.

GO       ?= go
DB       ?= sqlite
FUZZTIME ?= 10s
BIN      := bin/larder

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
COMMIT  := $(shell git rev-parse --short=12 HEAD 2>/dev/null)
DATE    := $(shell date -u +%Y-%m-%dT%H:%M:%SZ)
LDFLAGS := -X main.version=$(VERSION) -X main.commit=$(COMMIT) -X main.date=$(DATE)

.DEFAULT_GOAL := help
.PHONY: help build demo test check fmt vet staticcheck tidy fuzz bench bench-cluster simulate chaos clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' Makefile

build: ## build bin/larder
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN) ./cmd/larder

demo: build ## watch larder at work; DB=postgres, DURATION=30s, ARGS='--rate 5000'
	@if [ '$(DB)' = postgres ]; then scripts/install-test-deps.sh postgres; fi
	@exec $(BIN) demo --db '$(DB)' $(if $(DURATION),--duration '$(DURATION)') $(ARGS)

# -count=1: the tests below tests/ build the binary that they run, which go test does
# not see when it looks for a result in its cache. -timeout: for slow machines.
test: ## install what the tests need, run all tests, then again with the race detector
	scripts/install-test-deps.sh redis memcached postgres node etcd network
	LARDER_TEST_COMPLETE=1 $(GO) test -count=1 -timeout 20m ./...
	LARDER_TEST_COMPLETE=1 $(GO) test -count=1 -timeout 20m -race ./...

check: fmt vet staticcheck tidy ## gofmt, vet (also for darwin), staticcheck, tidy, rules of the tree
	$(GO) test ./internal/lint

fmt:
	@out=$$(gofmt -l $$(git ls-files '*.go' 2>/dev/null || find . -name '*.go')); \
	if [ -n "$$out" ]; then echo "not formatted; run gofmt -w on:"; echo "$$out"; exit 1; fi

vet:
	$(GO) vet ./...
	GOOS=darwin $(GO) vet ./...

staticcheck:
	$(GO) tool -modfile=tools/go.mod staticcheck ./...

# -e: a test dependency of a dependency that cannot be had is no fault of ours.
tidy:
	$(GO) mod tidy -e -diff

fuzz: ## run every fuzz test for FUZZTIME (10s)
	scripts/fuzz.sh $(FUZZTIME)

bench: ## compare with the peers on this machine; VALKEY=, POGOCACHE= name their binaries; ARGS
	scripts/install-test-deps.sh redis memcached
	$(GO) run ./bench/compare $(ARGS)

simulate: ## clusters in virtual time, from seeds; ARGS='-seeds 1000 -nodes 3,100 -seed N'
	$(GO) run ./bench/simulate $(ARGS)

chaos: ## do harm to nodes, network and disks, check what clients saw; ARGS='-for 2m -seed 7 -nodes 3 -faults kill,pair'
	$(GO) run ./bench/chaos $(ARGS)

bench-cluster: ## what a cluster costs and what moving partitions does to clients; ARGS='-only moves'
	$(GO) run ./bench/cluster $(ARGS)

clean: ## remove what was built
	rm -rf bin tests/clients/node_modules
