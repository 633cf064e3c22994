# Tapline's own commands. `make run` and `make test` are all that a new machine needs.
PREFIX ?= /usr/local
RELEASE = swift build -c release --product tapline --static-swift-stdlib
SOURCES = Package.swift Sources Tests
FUZZ_SECONDS ?= 60

.PHONY: help run test setup build lint format bench sanitize fuzz install clean

help:
	@echo 'make run        set up, build, and see a first conversation'
	@echo 'make test       set up, and run every test'
	@echo 'make setup      install with apt what is missing: libuv and the programs that the tests talk to'
	@echo 'make build      the release build: .build/release/tapline'
	@echo 'make lint       check how the sources look; make format puts it right'
	@echo 'make bench      measure beside HAProxy and nginx (BENCH="--quick" passes options on)'
	@echo 'make sanitize   the in-process tests under the address sanitizer'
	@echo 'make fuzz       feed every parser with nonsense, each for FUZZ_SECONDS ($(FUZZ_SECONDS))'
	@echo 'make install    the release build, manual pages and completions to $(PREFIX) (DESTDIR as usual)'

run: setup build
	.build/release/tapline demo

# In parts, because the first two count the descriptors and threads of their own process, and the third starts programs
# in its. The end-to-end tests run what users run: the release build.
test: build
	swift build --build-tests
	swift test --skip-build --filter '^(SocketsTests|EventLoopTests|RelayTests)\.'
	swift test --skip-build --filter '^(AdminTests|ConfigurationTests|TaplineTests)\.'
	swift test --skip-build --filter '^(ProxyProtocolTests|RecordingTests|TextTests)\.'
	TAPLINE_BINARY="$(CURDIR)/.build/release/tapline" swift test --skip-build --filter '^EndToEnd\.'

setup:
	@.ci/setup

build: setup
	$(RELEASE)

lint:
	swift format lint --strict --recursive $(SOURCES)

format:
	swift format --in-place --recursive $(SOURCES)

bench: build
	Tests/Benchmarks/run --tapline .build/release/tapline $(BENCH)

# What runs in this process and can be watched: the loop, and the data plane against loopback peers. Not the thread
# sanitizer: it does not know the locks of Swift's Synchronization module and calls everything that they guard a race.
sanitize: setup
	LSAN_OPTIONS="suppressions=$(CURDIR)/.ci/leak-sanitizer.supp" swift test --sanitize=address --scratch-path .build-address-sanitizer \
		--filter '^(SocketsTests|EventLoopTests|RelayTests)\.'

# A package of its own with libFuzzer's instrumentation. What is found new goes to .build-fuzz; what makes a target fail goes
# to Tests/Fuzz/corpus, where the tests of every run read it again once it is committed. FUZZ_SECONDS for each target.
fuzz: setup
	swift build -c release --package-path Tests/Fuzz --scratch-path .build-fuzz
	Tests/Fuzz/run $(FUZZ_SECONDS)

install: build
	install -D -m 755 .build/release/tapline $(DESTDIR)$(PREFIX)/bin/tapline
	install -D -m 644 config/tapline.yaml $(DESTDIR)$(PREFIX)/share/doc/tapline/tapline.yaml
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/tapline config/tapline.schema.json config/openapi.yaml \
		config/grafana.json config/alerts.yaml
	.ci/manual .build/release/tapline .build/manual
	install -d $(DESTDIR)$(PREFIX)/share/man/man1
	install -m 644 .build/manual/*.1 $(DESTDIR)$(PREFIX)/share/man/man1
	for shell in bash zsh fish; do \
		.build/release/tapline --generate-completion-script $$shell >.build/completion.$$shell || exit 1; \
	done
	install -D -m 644 .build/completion.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/tapline
	install -D -m 644 .build/completion.zsh $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_tapline
	install -D -m 644 .build/completion.fish $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/tapline.fish

clean:
	rm -rf .build .build-*
