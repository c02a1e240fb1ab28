# Waybill. `make` lists the targets.
GO      ?= go
BIN     := bin/waybill
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
LDFLAGS := -X main.version=$(VERSION)
# Packages with goroutines: their tests run under the race detector as well.
RACE    := ./p2p/... ./node/... ./api/... ./wallet/... ./ledger/index/... ./ledger/store/... ./testnet/local/... ./testnet/soak/... ./cmd/...

# What must give the same bytes on every machine: its tests run where an int has 32 bits, too, if this machine can.
PURE    := ./crypto ./epcis/... ./consensus/... ./ledger ./ledger/light
PURE32  := $(if $(filter linux/amd64,$(shell $(GO) env GOOS)/$(shell $(GO) env GOARCH)),CGO_ENABLED=0 GOARCH=386 $(GO) test -short -timeout 30m $(PURE),@echo "no 32-bit tests on this machine")

.PHONY: help
help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-15s %s\n", $$1, $$2}' Makefile

.PHONY: build
build: ## build bin/waybill
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN) ./cmd/waybill

.PHONY: demo
demo: build ## four companies' nodes, a lettuce chain, three frauds, one crash; Ctrl-C stops it (EXIT=1: stop at the end)
	@./$(BIN) testnet demo $(if $(EXIT),--exit,)

.PHONY: demo-down
demo-down: build ## stop the demo network, if it is up
	@./$(BIN) testnet down --dir .testnet/demo

.PHONY: check
check: lint ## the fast gate: format, vet, staticcheck, architecture, short tests (under two minutes)
	$(GO) test -short ./...

.PHONY: lint
lint:
	@fmt=$$(gofmt -l $$(git ls-files '*.go' 2>/dev/null || find . -name '*.go')); if [ -n "$$fmt" ]; then echo "gofmt wants to change:"; echo "$$fmt"; exit 1; fi
	$(GO) vet ./...
	$(GO) tool staticcheck ./...
	$(GO) test -count=1 ./internal/archtest

.PHONY: test
test: build ## every test; what has goroutines runs under the race detector
	@command -v spin >/dev/null || echo "NOT CHECKED here: the protocol's model, for spin is not installed (Debian package spin)"
	$(GO) test -timeout 30m ./...
	$(PURE32)
	$(GO) test -race -short -timeout 30m $(RACE)

.PHONY: model
model: ## the protocol itself in the model checker spin: properties, and seeded faults that it must find (two minutes)
	@$(GO) run ./testnet/model

.PHONY: mutants
mutants: ## seed classical bugs into the code; the tests must notice each within a minute (ONLY=regexp takes some, PART=2/3 the second third)
	@$(GO) run ./testnet/mutants $(if $(ONLY),-only '$(ONLY)',) $(if $(PART),-part '$(PART)',)

.PHONY: sim
sim: ## N runs of the simulator from SEED on, or one to see it again (SEED=1 N=100000)
	@$(GO) run ./testnet/soak -suite $(or $(SUITE),sim) -seed $(or $(SEED),1) -n $(or $(N),100000)

.PHONY: soak
soak: ## every randomized suite with new seeds for T=10m, written down in docs/evidence/soak.jsonl (RECORD=0: not)
	@$(GO) run ./testnet/soak -t $(or $(T),10m) $(if $(SUITE),-suite $(SUITE),) $(if $(filter 0,$(RECORD)),,-record)

.PHONY: bench-consensus
bench-consensus: ## what consensus alone costs: views/s, messages, bytes and fsyncs per block, hops to final
	@echo "machine: $$(nproc) cores, $$(uname -sr), temporary files on $$(df --output=fstype "$${TMPDIR:-/tmp}" | tail -1)"
	$(GO) test ./node -run 'TestCostInHops$$' -bench 'Consensus$$' -benchtime 2000x -count 3 -v

.PHONY: bench-ledger
bench-ledger: ## execution alone, and a ledger of EVENTS=1000000 events with what people ask of it (DIR=folder on the disk to measure)
	@$(GO) run ./testnet/bench -events $(or $(EVENTS),1000000) $(if $(DIR),-dir $(DIR),)

.PHONY: bench
bench: ## benchmarks of the hot paths
	$(GO) test -run '^$$' -bench . -benchmem ./crypto ./epcis/... ./consensus/... ./ledger/...

.PHONY: vuln
vuln: ## known vulnerabilities in what is called (VULNDB=file:///dir uses a local database)
	$(GO) tool govulncheck $(if $(VULNDB),-db $(VULNDB),) ./...

.PHONY: clean
clean: ## remove what was built and the local test networks
	rm -rf bin .testnet
