# Tapline's own commands. `make run` and `make test` are all that a new machine needs.
PREFIX ?= /usr/local
BINARY ?= .build/release/tapline
SOURCES = Package.swift Sources Tests
TESTS = swift test --skip-build --event-stream-version 0 --event-stream-output-path .build-faults
FUZZ_SECONDS ?= 60

.PHONY: help run test faults setup build lint format bench counts soak sanitize fuzz install install-files dist deb \
	test-deb test-container clean

help:
	@echo 'make run        set up, build, and see a first conversation'
	@echo 'make test       set up, and run every test'
	@echo 'make faults     every fault that Tapline must bear, with those that take minutes, and a report of each (15 minutes)'
	@echo 'make setup      install with apt what is missing: libuv, libyaml and the programs that the tests talk to'
	@echo 'make build      the release build: .build/release/tapline'
	@echo 'make lint       check how the sources look; make format puts it right'
	@echo 'make bench      measure beside HAProxy and nginx (BENCH="--quick" passes options on)'
	@echo 'make counts     system calls and allocations, held against Tests/Benchmarks/thresholds.json (make test has them too)'
	@echo 'make sanitize   the in-process tests under the thread and the address sanitizer'
	@echo 'make soak       the largest figures on one running tapline, with a report and a plot (SOAK="--short": some minutes)'
	@echo 'make fuzz       feed every parser with nonsense, each for FUZZ_SECONDS ($(FUZZ_SECONDS))'
	@echo 'make install    the release build, manual pages and completions to $(PREFIX) (DESTDIR as usual)'
	@echo 'make dist       one binary that needs glibc only, and a tar.xz with all that goes with it, in .build-dist'
	@echo 'make deb        a Debian package of it, in .build-dist; make test-deb installs, upgrades and purges it'
	@echo 'make test-container  the root folder of a container image, tried without a container engine'

run: setup build
	.build/release/tapline demo

# In parts, because the first two count the descriptors and threads of their own process, and the third starts programs
# in its. The end-to-end tests run what users run: the release build. What ran is held against the fault matrix.
test: build
	swift build --build-tests
	mkdir -p .build-faults
	$(TESTS)/test-1.jsonl --filter '^(SocketsTests|EventLoopTests|RecorderTests|RelayTests)\.'
	$(TESTS)/test-2.jsonl --filter '^(AdminTests|ClientTests|ConfigurationTests|DaemonTests|ShowTests|TaplineTests|TerminalTests)\.'
	$(TESTS)/test-3.jsonl --filter '^(ProxyProtocolTests|RecordingTests|TLSHelloTests|TextTests)\.'
	TAPLINE_BINARY="$(CURDIR)/.build/release/tapline" $(TESTS)/test-4.jsonl --filter '^EndToEnd\.'
	Tests/Faults/run --quiet --read .build-faults/test-*.jsonl
	Tests/Packages/kubernetes
	Tests/Benchmarks/counts .build/release/tapline

# Every row of the matrix, whether `make test` has its tests or they take minutes; the list of faults is next to the
# repository during its development.
faults: build
	swift build --build-tests
	TAPLINE_BINARY="$(CURDIR)/.build/release/tapline" Tests/Faults/run $(addprefix --against ,$(wildcard ../shared/FAULTS.md))

setup:
	@.ci/setup

build: setup
	@.ci/release

lint:
	swift format lint --strict --recursive $(SOURCES)

format:
	swift format --in-place --recursive $(SOURCES)

bench: build
	Tests/Benchmarks/run --tapline .build/release/tapline $(BENCH)

counts: build
	Tests/Benchmarks/counts .build/release/tapline $(COUNTS)

# Report and plot go to .build-soak. SOAK passes options on (--short, --scale 0.1, --phases chaos; Tests/Soak/README.md).
soak: build
	Tests/Soak/run .build/release/tapline $(SOAK)

# What runs in its own process. SANITIZE=thread or SANITIZE=address is half of it.
sanitize: setup
	.ci/sanitize $(SANITIZE)

# A package of its own with libFuzzer's instrumentation. What is found new goes to .build-fuzz; what makes a target fail goes
# to Tests/Fuzz/corpus, where the tests of every run read it again once it is committed. FUZZ_SECONDS for each target.
fuzz: setup
	swift build -c release --package-path Tests/Fuzz --scratch-path .build-fuzz
	Tests/Fuzz/run $(FUZZ_SECONDS)

install: build
	@$(MAKE) --no-print-directory install-files

# Of what is built already, for packages: BINARY is another one, DESTDIR the folder that the package is made of.
install-files:
	install -D -m 755 $(BINARY) $(DESTDIR)$(PREFIX)/bin/tapline
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/doc/tapline config/tapline.yaml LICENSE CHANGELOG.md
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/tapline config/tapline.schema.json config/tapline.include.schema.json \
		config/openapi.yaml config/grafana.json config/alerts.yaml
	rm -rf .build/manual
	.ci/manual $(BINARY) .build/manual
	install -d $(DESTDIR)$(PREFIX)/share/man/man1
	install -m 644 .build/manual/*.1 $(DESTDIR)$(PREFIX)/share/man/man1
	for shell in bash zsh fish; do \
		$(BINARY) --generate-completion-script $$shell >.build/completion.$$shell || exit 1; \
	done
	install -D -m 644 .build/completion.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/tapline
	install -D -m 644 .build/completion.zsh $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_tapline
	install -D -m 644 .build/completion.fish $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/tapline.fish

dist: setup
	.ci/dist

deb: setup
	.ci/dist binary
	.ci/deb

# In a Debian of its own, made with mmdebstrap the first time (a minute) and kept in .build-deb.
test-deb: deb
	Tests/Packages/deb

test-container: setup
	.ci/dist binary
	Tests/Packages/container

clean:
	rm -rf .build .build-*
