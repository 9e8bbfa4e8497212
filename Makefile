# Gatehouse. `make` lists the targets; `make run` and `make test` are all that a newcomer needs.
#
# Every go command below runs under the same settings. Caddy is 6 CPU-minutes of compiling, and each
# other set of flags would compile it once more; the tags leave out databases that the edge never opens.
export GOFLAGS     := -trimpath -tags=nobadger,nomysql,nopgx
export CGO_ENABLED := 0

# The race detector alone needs cgo.
RACE := CGO_ENABLED=1 go test -race

# Certified OpenID implementations, against which ours are checked.
CROSSCHECK := dev/idp/crosscheck

LINT_VERSION := v2.15.0
LINT         := bin/golangci-lint-$(LINT_VERSION)

# How long `make fuzz` stays with each target, and how long each suite behind a build tag may take.
FUZZTIME       ?= 30s
TAGGED_TIMEOUT ?= 2h

# What `make mutants` changes: SAMPLE places of each package, chosen by SEED; 0 is all of them.
PACKAGES ?= ./identity/...
SAMPLE   ?= 20
SEED     ?= 1

# Order matters, and two test suites at once would disturb each other's timings.
.NOTPARALLEL:
.DEFAULT_GOAL := help

.PHONY: help
help: ## list the targets
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

##
## Every day

.PHONY: run
run: ## start Redis, PostgreSQL, two edge nodes and the backend, and say what to try
	@go build -o bin/stack ./dev/stack/cmd/stack
	@exec bin/stack run

.PHONY: test
test: deps $(CROSSCHECK)/node_modules/.package-lock.json verify vet lint unit blanked stories ## everything that a change must pass

.PHONY: build
build: ## build the edge and the backend: bin/gatehouse, bin/backend
	go build -ldflags '-w -s' -o bin/gatehouse ./caddymodules/cmd/gatehouse
	go build -ldflags '-w -s' -o bin/backend ./backend/cmd/backend

##
## The parts of make test

.PHONY: deps
deps: ## install what the tests need, or say what to type
	@go run ./dev/stack/cmd/stack deps --test

# Nothing of it runs while it is installed. It brings a Node.js of its own where the machine's is too old.
$(CROSSCHECK)/node_modules/.package-lock.json: $(CROSSCHECK)/package-lock.json
	npm ci --ignore-scripts --no-audit --no-fund --prefix $(CROSSCHECK)
	touch $@

.PHONY: verify
verify: ## xcaddy.toml, imports.go, go.mod and go.sum agree
	go run ./caddymodules/cmd/build --check
	go mod tidy -diff

.PHONY: vet
vet: ## go vet
	go vet ./...

.PHONY: lint
lint: $(LINT) ## golangci-lint, and the formatting
	$(LINT) run --allow-parallel-runners ./...

# Kept by version, and never a tool of go.mod, whose versions it would drag along. 5 minutes, once.
$(LINT):
	mkdir -p bin
	GOBIN='$(CURDIR)/bin' go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINT_VERSION)
	mv bin/golangci-lint $(LINT)

.PHONY: unit
unit: ## tests of all packages but tests/, under the race detector
	@packages=$$(go list ./...) && $(RACE) -timeout 10m $$(printf '%s\n' "$$packages" | grep -v '/gatehouse/tests/')

# Such builds show what is in the Trash, at one place: the tests alone are made of them.
.PHONY: blanked
blanked: ## each place that reads live rows without its predicate: something notices (build tag blanksites)
	go test -tags nobadger,nomysql,nopgx,blanksites -run '^Test(Sites|Blanked)' -count=1 -timeout 15m ./backend/softdelete ./backend/httpapi

# These stories measure no wait: two packages run at once. The others run one at a time, because they measure
# waits and stop processes. The drivers run without the race detector: stories that need it build the edge with it.
# The binaries that the stories start are outside go's test cache, so -count=1 runs every story.
UNTIMED := adapt browser deploy docs identity layout

.PHONY: stories
stories: ## the built binaries with real Redis and PostgreSQL, golden Caddyfiles, layout
	go test -timeout 15m -count=1 -p 2 $(UNTIMED:%=./tests/%/...)
	@packages=$$(go list ./tests/...) && go test -timeout 15m -count=1 -p 1 \
		$$(printf '%s\n' "$$packages" | grep -vE '/tests/($(subst $() ,|,$(UNTIMED)))(/|$$)')

##
## Heavier, by hand or by night

.PHONY: fuzz
fuzz: ## fuzz each target for FUZZTIME (30s)
	@list=$$(go test -list '^Fuzz' ./...) || { echo "$$list" >&2; exit 1; }; \
	targets=$$(echo "$$list" | awk '/^Fuzz/ { t[n++] = $$1 } /^ok/ { while (n) print $$2 ":" t[--n] }'); \
	test -n "$$targets" || { echo 'there are no fuzz targets' >&2; exit 1; }; \
	for t in $$targets; do \
		log=$$(go test -run '^$$' -fuzz "^$${t##*:}$$" -fuzztime $(FUZZTIME) "$${t%%:*}" 2>&1) && failed= || failed=1; \
		printf '%s\n' "$$log"; \
		test -z "$$failed" || printf '%s\n' "$$log" | awk '$(FUZZ_ENDED)' || exit 1; \
	done

# Before Go 1.27 the end of FUZZTIME can fail a target with this line alone, without a failing input
# (go.dev/issue/75804). This awk program succeeds for that output only.
FUZZ_ENDED := /^--- FAIL/ { n++; getline; if ($$0 !~ /^ *context deadline exceeded$$/) bad = 1 } \
	/Failing input written/ { bad = 1 } END { exit n != 1 || bad }

.PHONY: mutants
mutants: ## change one place at a time of PACKAGES, and list what their tests accept
	go run ./dev/mutants -sample $(SAMPLE) -seed $(SEED) $(PACKAGES)

.PHONY: bench
bench: ## what the handlers cost: benchmarks, then the edge with and without them
	go test -run '^$$' -bench . -benchmem -timeout 1h ./caddymodules/...
	$(call tagged,bench)

.PHONY: chaos
chaos: ## faults at random, on the built binaries (build tag chaos)
	$(call tagged,chaos)

.PHONY: soak
soak: ## hours of steady load (build tag soak)
	$(call tagged,soak)

# tagged runs the tests behind a build tag. A suite that does not exist is an error, not a success.
define tagged
	@files=$$(grep -rlE --include='*_test.go' '^//go:build .*\<$(1)\>' tests caddymodules) || \
	{ echo 'there is no $(1) suite yet: no test has the build tag $(1)' >&2; exit 1; }; \
	go test -tags nobadger,nomysql,nopgx,$(1) -timeout $(TAGGED_TIMEOUT) -count=1 -p 1 -v \
		$$(for f in $$files; do echo "./$${f%/*}"; done | sort -u)
endef

.PHONY: clean
clean: ## remove what was built and what make run kept
	rm -rf bin .stack
