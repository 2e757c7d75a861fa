# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
# The commands of longtake. On a bare Debian 12: make demo, make test.
.DEFAULT_GOAL := help
JOBS ?= $(shell nproc)
PROMPT ?=
SECONDS_OF_VIDEO ?= 10
LINT_MINUTES ?= 8

.PHONY: help packages build package demo test clang clang-server sanitize night golden lint lint-changed fuzz speed judge judge-long bench bench-stream format clean

help: ## show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 20

packages: ## install the Debian packages that are missing
	@deploy/install-packages

build: packages ## build the programs into build/release/bin
	@mkdir -p build; cmake --preset release > build/release-configure.log 2>&1 || { cat build/release-configure.log; exit 1; }
	@cmake --build --preset programs --parallel $(JOBS)

package: build ## build a Debian package and a .tar.gz into build/release/packages
	@rm -rf build/release/packages
	@cd build/release && cpack
	@ls -l build/release/packages/longtake[-_]*

demo: ## install, build, start a server, stream a 10 s video into out/demo.mp4
	@deploy/demo "$(SECONDS_OF_VIDEO)" "$(PROMPT)"

test: ## install, build and run all tests
	@deploy/run-tests test

clang: ## build everything with clang, its check of the locks as errors, and compare take digests
	@deploy/run-tests clang

clang-server: ## of make clang what make sanitize leaves out: server, client, packer, benchmarks
	@deploy/run-tests clang-server

sanitize: ## unit and engine tests under ASan+UBSan and TSan, fuzz corpora replayed
	@deploy/run-tests sanitize

night: ## lint of everything, the long fault tests, the package in a bare system (as root), docs/reliability.md
	@deploy/run-night

golden: ## print the golden table: every comparison with the published models, and its error
	@deploy/run-tests golden

lint: clang ## clang-tidy with the short list of .clang-tidy, all enforced
	@git ls-files '*.cc' | grep -vE '^(tests|loadtest|engine/backend/cpu/kernels)/' | \
	  xargs -P $(JOBS) -n 4 clang-tidy-19 -p build/dev --quiet

lint-changed: clang-server ## the same on what changed lately, for LINT_MINUTES (8) at most
	@deploy/lint-changed --minutes $(LINT_MINUTES)

fuzz: ## fuzz every target for FUZZ_SECONDS (60) each
	@deploy/run-fuzz

speed: build ## stream takes of the embedded model and print frames per second by component
	@python3 loadtest/speed.py

judge: build ## judge the embedded model on held-out prompts into docs/model-quality.md (minutes)
	@deploy/install-packages judge
	@python3 tools/judge/judge.py truth prompts steps change report

judge-long: build ## the same over takes of 10 and 30 minutes (hours; can be cut off and go on)
	@deploy/install-packages judge
	@python3 tools/judge/judge.py long report

bench: ## print the kernel benchmarks
	@deploy/run-bench

bench-stream: ## models larger than memory beside fio, Accelerate and mmap (root, PyTorch, 65 GB, hours)
	@deploy/run-bench-stream

format: ## format the C++ sources
	@git ls-files '*.cc' '*.h' | xargs clang-format-19 -i

clean: ## remove what was built
	@rm -rf build out
