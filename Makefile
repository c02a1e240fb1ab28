# Waybill. `make` lists the targets.
GO      ?= go
BIN     := bin/waybill
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
LDFLAGS := -X main.version=$(VERSION)
# Packages with goroutines: their tests run under the race detector as well.
RACE    := ./p2p/... ./node/... ./api/... ./wallet/... ./ledger/index/... ./ledger/store/... ./testnet/local/... ./cmd/...

.PHONY: help
help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' Makefile

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
	$(GO) test -timeout 30m ./...
	$(GO) test -race -short -timeout 30m $(RACE)

.PHONY: bench
bench: ## benchmarks of the hot paths
	$(GO) test -run '^$$' -bench . -benchmem ./crypto ./epcis/... ./consensus/... ./ledger/...

.PHONY: vuln
vuln: ## known vulnerabilities in what is called (VULNDB=file:///dir uses a local database)
	$(GO) tool govulncheck $(if $(VULNDB),-db $(VULNDB),) ./...

.PHONY: clean
clean: ## remove what was built and the local test networks
	rm -rf bin .testnet
