# Needs Go, make and git. `make help` lists the targets.

SHELL       := bash
.SHELLFLAGS := -o pipefail -c

GO      ?= go
BIN     := bin/hardpan
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
LDFLAGS := -s -w -X main.version=$(VERSION)

export CGO_ENABLED ?= 0

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## /{printf "%-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## build hardpan, and hardpan-sigstore for signing without keys, into bin/ (needs no C)
	@$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/ ./cmd/hardpan ./cmd/hardpan-sigstore

PKCS11 := cmd/sigstore-kms-pkcs11
# with-cc runs a command in the module of the plugin, which alone needs C.
with-cc = if command -v "$$($(GO) env CC)" >/dev/null; then cd $(PKCS11) && CGO_ENABLED=1 $(1); \
  else echo 'SKIPPED: $(PKCS11) needs a C compiler, which the network has: apt-get install gcc libc6-dev'; fi

.PHONY: pkcs11
pkcs11: ## build the plugin for keys in PKCS #11 tokens into bin/ (needs a C compiler)
	@cd $(PKCS11) && CGO_ENABLED=1 $(GO) build -trimpath -ldflags '-s -w' -o $(CURDIR)/bin/ .
	@ln -sf sigstore-kms-pkcs11 bin/sigstore-kms-p11 # the name for cosign, which keeps pkcs11: for itself

.PHONY: demo
demo: export HARDPAN_PASSWORD := a key to throw away
demo: build ## build, sign and verify the python image for two platforms in dist/, and look at it
	@rm -f dist/demo.key dist/demo.pub; mkdir -p dist
	$(BIN) key generate --output-key-prefix dist/demo
	$(BIN) build specs/images/python/3.13.yaml --layout dist/python-3.13 --key dist/demo.key
	$(BIN) verify dist/python-3.13 --key dist/demo.pub
	$(BIN) explain dist/python-3.13 /usr/bin/python
	$(BIN) explain dist/python-3.13 /etc/ssl/certs/ca-certificates.crt

.PHONY: test
test: ## run all tests, those on the real archive too
	@{ $(GO) test -v -timeout 60m ./... && (cd internal/profile/conformance && $(GO) test -v ./...) && $(call with-cc,$(GO) test -v ./...); } 2>&1 | awk -f .ci/report.awk

.PHONY: short
short: ## run the tests that need no network
	$(GO) test -short ./...

.PHONY: race
race: ## run the tests that need no network under the race detector
	CGO_ENABLED=1 $(GO) test -short -race ./...

.PHONY: lint
lint: ## check format, vet, generated files and the module file
	@test -z "$$(gofmt -l .)" || { gofmt -l .; echo 'run gofmt -w on these'; exit 1; }
	$(GO) vet ./...
	cd internal/profile/conformance && $(GO) vet ./... && $(GO) mod tidy -diff
	cd internal/check/dockle && $(GO) mod tidy -diff
	cd $(PKCS11) && $(GO) mod tidy -diff
	@$(call with-cc,$(GO) vet ./... && CGO_ENABLED=1 $(GO) run honnef.co/go/tools/cmd/staticcheck@v0.7.0 ./...)
	$(GO) mod tidy -diff
	$(GO) run honnef.co/go/tools/cmd/staticcheck@v0.7.0 ./...

.PHONY: generate
generate: ## renew generated files: the JSON Schema and the CLI reference
	$(GO) generate ./specs
	$(GO) test ./cmd/hardpan -run 'Generated' -update

.PHONY: probe
probe: ## compile the health probe for all platforms (needs Debian's gcc-* cross compilers)
	$(GO) generate ./internal/probe

.PHONY: bench
bench: build ## measure hardpan against plain tools, as ratios of one run
	$(GO) run ./internal/bench -hardpan $(BIN)

.PHONY: pgo
pgo: build ## renew the profile that the compiler inlines by, from cold builds
	@rm -rf dist/pgo && mkdir -p dist/pgo && cp -r specs/images dist/pgo/ && for i in 1 2 3; do rm -rf dist/pgo/cache/keys; \
	  $(BIN) build dist/pgo/images/python/3.13.yaml --cache-dir dist/pgo/cache --layout dist/pgo/out --cpuprofile dist/pgo/$$i.prof >/dev/null; done
	$(GO) tool pprof -proto dist/pgo/2.prof dist/pgo/3.prof > cmd/hardpan/default.pgo

.PHONY: compare
compare: ## compare hardpan check with Dockle and docker-bench on real images, and write docs/comparison.md
	$(GO) test ./internal/check -run 'TestDockle|TestRealArchiveDockle' -update -compare -v -timeout 30m

.PHONY: sbom-tools
sbom-tools:
	@.ci/tool sbomqs github.com/interlynk-io/sbomqs/v2 github.com/interlynk-io/sbomqs/v2 v2.0.2
	@.ci/tool syft github.com/anchore/syft/cmd/syft github.com/anchore/syft v1.54.1
	@.ci/tool osv-scanner github.com/google/osv-scanner/v2/cmd/osv-scanner github.com/google/osv-scanner/v2 v2.3.5

.PHONY: sbom-score
sbom-score: build sbom-tools ## score the SBOMs of images by sbomqs, and by what NTIA and BSI ask for
	PATH="$(CURDIR)/bin/tools:$$PATH" $(GO) test ./sboms -run TestRealArchiveQuality -count 1 -v -hardpan $(CURDIR)/$(BIN)

.PHONY: compare-sbom
compare-sbom: build sbom-tools ## compare the packages of SBOMs with those that syft and osv-scanner find in the images
	PATH="$(CURDIR)/bin/tools:$$PATH" $(GO) test ./sboms -run TestRealArchiveScanners -count 1 -v -hardpan $(CURDIR)/$(BIN)

.PHONY: oracle
oracle: ## compare the resolver with apt on the whole corpus
	$(GO) test ./internal/debian/resolve -run TestRealArchiveAptOracle -v -oracle=all -timeout 30m

# FIDELITY is what the program is given, such as `-diff nginx` or `-sample 40`; without it the whole corpus runs.
FIDELITY ?=
.PHONY: fidelity
fidelity: build ## compare hardpan's trees with dpkg's over the corpus (FIDELITY="-diff nginx" for one)
	@mkdir -p dist && $(GO) build -o dist/fidelity ./internal/fidelity && dist/fidelity -hardpan $(BIN) $(FIDELITY)

FUZZTIME ?= 20s
.PHONY: fuzz
fuzz: ## run every fuzz target for FUZZTIME
	@set -e; for dir in $$(grep -rl --include='*_test.go' '^func Fuzz' . | xargs -n1 dirname | sort -u); do \
	  for target in $$(grep -hoE '^func Fuzz[A-Za-z0-9]+' $$dir/*_test.go | cut -c6-); do \
	    echo "$$dir $$target"; $(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) $$dir; \
	  done; \
	done

.PHONY: clean
clean: ## remove what the targets made; the cache of hardpan stays
	rm -rf bin dist
