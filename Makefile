# OpenVBR. `make help` lists the targets.
SHELL := /bin/bash
.DEFAULT_GOAL := help

BIN     := $(CURDIR)/bin
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
COMMIT  := $(shell git rev-parse HEAD 2>/dev/null || echo unknown)
LDFLAGS := -X main.version=$(VERSION) -X main.commit=$(COMMIT)
VMEXEC  := $(BIN)/vmexec
LINT    := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
NFPM    := github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.45.2
SBOM    := github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v1.10.0

# Packages whose tests need VRF and VLAN devices (./internal/e2e ./vbr/link ./internal/lab) run in the VRF kernel, without the race detector.
# Those of their tests that make test leaves to make test-cloud: they take minutes, and some want a quiet machine.
CLOUD     := TestTwoRegions|TestCloudEdges|TestActiveStandby|TestVPCToVPC|TestPairOver|TestVRouter|TestOperations|TestRateAccuracy|TestControlOvertakes|TestBFD|TestPolicy|TestTenantMatrix|TestHostFaults
# All others run here, with it; the longest first, so that no core waits for it in the end.
UNIT_PKGS = ./vbr/intent/store $(shell go list ./... | grep -v -E '/vbr/link$$|/vbr/intent/store$$|/internal/arch$$|/internal/lab/vmexec$$|/internal/lab$$|/internal/e2e$$|/internal/e2e/systemd$$|/internal/e2e/clab$$|/internal/docs$$|/bgp/bfd$$')

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## build bin/vbrd and bin/vbrctl, static: they need no C library
	@mkdir -p $(BIN)
	CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN)/ ./cmd/vbrd ./cmd/vbrctl

# The package, and what of it the tests install: PACK/deb is the commit's, PACK/again the same once more, PACK/next a later version.
PACK := $(BIN)/pack
export NFPM SBOM

.PHONY: deb
deb: ## the Debian package, in bin/pack/deb: binaries, unit, manual pages, completions, SBOM (the first run compiles nfpm: minutes)
	@rm -rf $(PACK)/deb
	sh internal/pack/build.sh $(PACK)/deb

.PHONY: deb-check
deb-check: deb ## build the package twice, and compare: it is the same to the byte; and look into it
	@rm -rf $(PACK)/again
	sh internal/pack/build.sh $(PACK)/again
	@cd $(PACK) && for deb in deb/*.deb; do cmp "$$deb" "again/$${deb#deb/}" && sha256sum "$$deb"; done
	go test -count=1 -tags deb ./internal/pack

.PHONY: deps
deps: ## install what the demo and the tests need from Debian (root): frr, bird2, user-mode-linux, ...
	@bash internal/lab/install.sh

.PHONY: deps-browser
deps-browser: ## the same, with a headless Chromium for the tests of the looking glass
	@bash internal/lab/install.sh browser

.PHONY: vmexec
vmexec:
	@mkdir -p $(BIN)
	@go build -o $(VMEXEC) ./internal/lab/vmexec

.PHONY: demo
demo: deps build vmexec ## two customers, two VPCs, one edge: the whole way of a route, live, in under 3 minutes
	@go build -o $(BIN)/demo ./internal/lab/demo
	@$(VMEXEC) -- $(BIN)/demo -vbrd $(BIN)/vbrd

.PHONY: demo-cloud
demo-cloud: deps build vmexec ## two regions, three accounts: VPCs joined with a data centre and each other, failover, a drill, usage, quality, in under 4 minutes
	@go build -o $(BIN)/demo ./internal/lab/demo
	@$(VMEXEC) -- $(BIN)/demo -vbrd $(BIN)/vbrd -cloud

.PHONY: lab
lab: deps build vmexec ## a shell inside the running demo topology, with vtysh, ip and tcpdump
	@go build -o $(BIN)/demo ./internal/lab/demo
	@$(VMEXEC) -it -- $(BIN)/demo -vbrd $(BIN)/vbrd -shell

LAB ?= one-customer

.PHONY: clab
clab: deps build vmexec ## a shell beside the nodes of a containerlab topology, played without containers: LAB=NAME, one of examples/clab
	@go build -o $(BIN)/demo ./internal/lab/demo
	@$(VMEXEC) -it -- $(BIN)/demo -vbrd $(BIN)/vbrd -clab examples/clab/$(LAB)

.PHONY: test
test: deps-browser check test-unit test-vrf ## checks, unit tests with -race, integration tests in the VRF kernel: all but what test-cloud has

.PHONY: check
check: ## gofmt, go vet, the arrows between packages
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); if [ -n "$$unformatted" ]; then echo "not gofmt-clean: $$unformatted"; exit 1; fi
	go vet ./...
	go test -count=1 ./internal/arch

.PHONY: test-unit
test-unit: faults ## the tests that need no VRF, natively, with the race detector
	go test -p 4 -race -timeout 8m -skip 'TestFaults$$|TestSoak$$' $(UNIT_PKGS) # most of them wait most of the time
	go test -timeout 2m ./internal/docs # it parses all of the source, with nothing beside it: 2 s, and 100 with the race detector
	go test -race -timeout 4m ./bgp/bfd # by itself: it measures milliseconds

.PHONY: test-vrf
test-vrf: vmexec faults ## the tests that need VRF, in the VRF kernel (user-mode-linux where the host has none): two kernels of one CPU each, side by side
	@$(MAKE) --no-print-directory -j2 -Oline test-vrf-e2e test-vrf-packages

.PHONY: test-vrf-e2e test-vrf-packages
test-vrf-e2e:
	go test -timeout 8m -skip '$(CLOUD)|TestFaults' -exec '$(VMEXEC)' ./internal/e2e
test-vrf-packages:
	go test -p 1 -timeout 8m -exec '$(VMEXEC)' -skip '$(CLOUD)' ./vbr/link ./internal/lab
	go test -timeout 3m -run 'TestClab/(one-customer|vpc-to-vpc)$$' -exec '$(VMEXEC)' ./internal/e2e/clab # test-cloud has all of them
	go test -tags vrf -run VRF -timeout 3m -exec '$(VMEXEC)' ./bgp
	go test -timeout 4m -run 'TestFaults$$|TestSoak$$' ./internal/e2e/admin # GoBGP races with itself here, as a helper of restarts
	go test -timeout 4m ./internal/lab/vmexec # boots itself, and the race detector does not run in there

.PHONY: test-cloud
test-cloud: deps build vmexec ## the slow ones: VPCs, pairs, two regions, accurate rates, BFD and probes in VRFs, 32 equal tenants, host faults (13 minutes)
	go test -p 1 -timeout 25m -run '$(CLOUD)' -exec '$(VMEXEC)' ./internal/e2e ./vbr/link
	go test -timeout 6m -exec '$(VMEXEC)' ./internal/e2e/clab
	go test -p 1 -tags vrf -run VRF -timeout 3m -exec '$(VMEXEC)' ./bgp/bfd ./vbr/probe

.PHONY: test-systemd
test-systemd: deps faults vmexec deb-check ## the package on a host with systemd: installed, restarted, hung, upgraded, removed while packets flow (6 minutes, and the package is built three times)
	@rm -rf $(PACK)/next
	sh internal/pack/build.sh $(PACK)/next 9.0.0
	go test -count=1 -timeout 16m -exec '$(VMEXEC)' ./internal/e2e/systemd

.PHONY: faults
faults: build
	@go build -trimpath -tags faults -ldflags '$(LDFLAGS)' -o $(BIN)/vbrd-faults ./cmd/vbrd

.PHONY: test-faults
test-faults: faults vmexec ## each fault point killed, failed and delayed: docs/faults.md (23 minutes)
	go vet -tags faults ./internal/fault
	go test -count=1 -tags faults ./internal/fault
	go test -count=1 -timeout 20m -run 'TestFaults$$' ./internal/e2e/admin -args -faults=. -sites=8
	go test -count=1 -timeout 30m -run 'TestFaults' -exec '$(VMEXEC)' ./internal/e2e

GUARDS ?=

.PHONY: test-guards
test-guards: ## each guard against hostile input and other tenants taken out of a copy: its test must go red (20 minutes; GUARDS=REGEXP for some)
	go vet -tags guards ./internal/guards
	cd internal/guards && go test -count=1 -timeout 60m -tags guards -run 'TestRed$$' . -args -only '$(GUARDS)'

.PHONY: soak
soak: faults ## 300 random kills under load; the storms at full size: a million prefixes, a million junk withdrawals, a million against a quota of 10,000, a store cut at every byte (30 minutes; leave the machine alone)
	go test -count=1 -v -timeout 60m -run 'TestSoak$$' ./internal/e2e/admin -args -kills=300 -soak-routes=10000 -sites=3
	VBR_SOAK=1 go test -count=1 -v -timeout 60m -run 'TestStorms' ./bgp
	VBR_SOAK=1 go test -count=1 -v -timeout 60m -run 'TestFlood' ./vbr
	VBR_SOAK=1 go test -count=1 -v -timeout 60m -run 'TestTruncatedAtEveryByte' ./vbr/intent/store

.PHONY: bench
bench: deps build ## vbrd beside BIRD and FRR, 1k to 500k routes, into docs/benchmarks.md (13 minutes; leave the machine alone)
	go build -o $(BIN)/bench ./internal/bench
	$(BIN)/bench -vbrd $(BIN)/vbrd -json $(BIN)/bench.json -docs docs

.PHONY: bench-quick
bench-quick: deps build ## the same at 1k and 10k routes, to the terminal (under 3 minutes)
	go build -o $(BIN)/bench ./internal/bench
	$(BIN)/bench -vbrd $(BIN)/vbrd -n 1000,10000 -json $(BIN)/bench-quick.json

.PHONY: bench-density
bench-density: deps build vmexec ## vbrd beside BIRD (and FRR with 100) with 100 and 500 customers from a cold start, in VRFs, into docs/benchmarks.md (20 minutes; leave the machine alone)
	go build -o $(BIN)/bench ./internal/bench
	$(BIN)/bench density -in default -n 1,32 -vbrd $(BIN)/vbrd -json $(BIN)/density-default.json
	$(VMEXEC) -mem 6G -rw $(BIN) -- $(BIN)/bench density -in vrf -n 100 -vbrd $(BIN)/vbrd -json $(BIN)/density-vrf.json
	$(VMEXEC) -mem 6G -rw $(BIN) -- $(BIN)/bench density -in vrf -n 500 -daemons vbrd,BIRD -vbrd $(BIN)/vbrd -json $(BIN)/density-vrf500.json
	$(BIN)/bench density -from $(BIN)/density-vrf.json,$(BIN)/density-vrf500.json,$(BIN)/density-default.json -docs docs

.PHONY: bench-admin
bench-admin: deps build vmexec ## the admin plane: Apply of one VBR and of 1,000, lists and explanations of 100k routes, into docs/benchmarks.md (leave the machine alone)
	go build -o $(BIN)/bench ./internal/bench
	$(BIN)/bench admin -in default -vbrd $(BIN)/vbrd -json $(BIN)/admin-default.json
	$(VMEXEC) -mem 8G -rw $(BIN) -- $(BIN)/bench admin -in vrf -n 100,1000 -runs 1 -vbrd $(BIN)/vbrd -json $(BIN)/admin-vrf.json
	$(BIN)/bench admin -from $(BIN)/admin-default.json,$(BIN)/admin-vrf.json -docs docs

.PHONY: lint
lint: ## golangci-lint with the list in .golangci.yml (the first run compiles it: minutes)
	go run $(LINT) run ./...

.PHONY: proto
proto: ## generate the Go code of proto/vbr/v1 with buf (the first run compiles it: minutes)
	sh proto/buf.sh generate

.PHONY: proto-check
proto-check: ## buf lint, breaking changes against proto/baseline.binpb, and whether the generated code is up to date
	sh proto/buf.sh check

.PHONY: clean
clean: ## remove what was built
	rm -rf $(BIN)
