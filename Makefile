# The short commands. HACKING.md says when to use which.
.PHONY: help build run test conformance crash bench sim fuzz
GO ?= go
FUZZTIME ?= 30s

help: ## this list
	@sed -nE 's/^([a-z]+):.*## (.*)/\1	\2/p' Makefile | expand -t 14

build: ## the program, in bin/millrace
	$(GO) build -o bin/millrace ./cmd/millrace

run: build ## one node on localhost:9092
	bin/millrace dev

conformance: build ## other people's clients and tools; installs them
	$(GO) run ./test/conformance
	$(GO) run ./test/conformance -broker kafka -run '^registry'

crash: ## kill -9, power cuts and disk faults of the real program; needs root
	$(GO) run ./test/crash

bench: build ## the table beside Apache Kafka, on a quiet machine
	$(GO) run ./test/bench

test: ## every test that needs nothing but Go; five minutes, then what changed
	$(GO) test ./...

sim: ## 20,000 seeds of the commit log on a simulated disk (reliability row 1)
	$(GO) test ./internal/node/commitlog -run 'TestSim$$' -sim.seeds=20000 -timeout 30m
	$(GO) test -tags failpoint ./internal/node/commitlog -run TestSimAtFailPoints -sim.seeds=5000

# An input that fails is kept in testdata and fails the second run too; a run that only met its deadline does not.
fuzz: ## each fuzz target for half a minute; FUZZTIME=5m for longer
	@set -e; for f in $$(grep -rlE --include='*_test.go' '^func Fuzz' internal); do \
	  for t in $$(sed -nE 's/^func (Fuzz[A-Za-z0-9]+).*/\1/p' $$f); do \
	    echo "$$t in $$(dirname $$f)"; run="$(GO) test ./$$(dirname $$f) -run ^$$t -fuzz ^$$t\$$ -fuzztime $(FUZZTIME)"; \
	    $$run || $$run; done; done
