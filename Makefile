# Tapline's own commands. `make run` and `make test` are all that a new machine needs.
PREFIX ?= /usr/local
SYSCONFDIR ?= /etc
# systemd looks for units there too; a package has its units in /usr/lib/systemd/system or /lib/systemd/system.
UNITDIR ?= $(PREFIX)/lib/systemd/system
DOCDIR ?= $(PREFIX)/share/doc/tapline
BINARY ?= .build/release/tapline
SOURCES = Package.swift Sources Tests
TESTS = swift test --skip-build --event-stream-version 0 --event-stream-output-path .build-faults
FUZZ_SECONDS ?= 60

.PHONY: help run test faults setup build lint format bench counts soak sanitize fuzz install install-files \
	install-service docs dist deb test-deb test-container clean

help:
	@echo 'make run        set up, build, and run a demonstration'
	@echo 'make test       set up, and run every test'
	@echo 'make build      the release build: .build/release/tapline'
	@echo 'make install    install the release build: program, unit, configuration, documents, manual pages and completions,'
	@echo '                to $(PREFIX) and $(SYSCONFDIR)/tapline (DESTDIR as usual); it compiles nothing'
	@echo 'make dist       one binary that needs glibc only, and a tar.xz with documents and completions, in .build-dist'
	@echo 'make deb        a Debian package, in .build-dist; make test-deb installs, upgrades and purges it'
	@echo 'make test-container  the root folder of a container image, tested without a container engine'
	@echo 'make setup      install missing packages with apt: libuv, libyaml, OpenSSL, and the programs that the tests use'
	@echo 'make docs       generate the reference in docs/reference; make lint checks the format, make format repairs it'
	@echo 'make faults     inject every fault Tapline must survive, and report the results (15 minutes)'
	@echo 'make bench      compare with HAProxy and nginx (BENCH="--quick" passes options on)'
	@echo 'make counts     system calls and allocations against Tests/Benchmarks/thresholds.json (make test does this, too)'
	@echo 'make sanitize   the in-process tests under the thread and the address sanitizer'
	@echo 'make soak       the largest load on one running tapline, with a report and a plot (SOAK="--short": some minutes)'
	@echo 'make fuzz       random input for every parser, each for FUZZ_SECONDS ($(FUZZ_SECONDS))'

run: setup build
	.build/release/tapline demo

# In parts, because the first two count the descriptors and threads of their own process, and the third starts programs.
# The end-to-end tests run the release build, as users do. The results are compared with the fault matrix.
test: build
	swift build --build-tests
	mkdir -p .build-faults
	$(TESTS)/test-1.jsonl --filter '^(SocketsTests|EventLoopTests|RecorderTests|RelayTests)\.'
	$(TESTS)/test-2.jsonl --filter '^(AdminTests|ClientTests|ConfigurationTests|DaemonTests|ShowTests|TaplineTests|TerminalTests)\.'
	$(TESTS)/test-3.jsonl --filter '^(ProxyProtocolTests|RecordingTests|StartTLSTests|TLSHelloTests|TLSTests|TextTests|TunnelTests)\.'
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

# The in-process tests. SANITIZE=thread or SANITIZE=address runs one half.
sanitize: setup
	.ci/sanitize $(SANITIZE)

# A separate package with libFuzzer's instrumentation. Inputs that reach new code go to .build-fuzz; an input on which a
# target fails goes to Tests/Fuzz/corpus, which the tests read once it is committed. FUZZ_SECONDS for each target.
fuzz: setup
	swift build -c release --package-path Tests/Fuzz --scratch-path .build-fuzz
	Tests/Fuzz/run $(FUZZ_SECONDS)

# Builds nothing, so that `sudo make install` neither compiles nor runs apt as root.
install:
	@[ -x $(BINARY) ] || { echo 'install: $(BINARY) does not exist. Run "make build" first, as an ordinary user.' >&2; exit 1; }
	@$(MAKE) --no-print-directory install-files install-service
	@echo 'install: tapline is in $(DESTDIR)$(PREFIX)/bin, its unit in $(DESTDIR)$(UNITDIR), its configuration in' \
		'$(DESTDIR)$(SYSCONFDIR)/tapline'

# Installs existing files only, also for packages: BINARY is the program, DESTDIR the package's folder.
install-files:
	install -D -m 755 $(BINARY) $(DESTDIR)$(PREFIX)/bin/tapline
	install -D -m 644 -t $(DESTDIR)$(DOCDIR) README.md LICENSE CHANGELOG.md CONTRIBUTING.md \
		SECURITY.md config/tapline.yaml
	for file in $$(find docs config -type f -not -path 'config/debian/*'); do \
		install -D -m 644 $$file $(DESTDIR)$(DOCDIR)/$$file || exit 1; \
	done
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/tapline config/tapline.schema.json config/tapline.include.schema.json \
		config/openapi.yaml config/grafana.json config/alerts.yaml
	scratch=$$(mktemp -d) && trap 'rm -rf "$$scratch"' EXIT && \
	.ci/manual $(BINARY) "$$scratch/manual" && \
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/man/man1 "$$scratch"/manual/*.1 && \
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/man/man5 "$$scratch"/manual/*.5 && \
	for shell in bash zsh fish; do \
		$(BINARY) --generate-completion-script $$shell >"$$scratch/$$shell" || exit 1; \
	done && \
	install -D -m 644 "$$scratch/bash" $(DESTDIR)$(PREFIX)/share/bash-completion/completions/tapline && \
	install -D -m 644 "$$scratch/zsh" $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_tapline && \
	install -D -m 644 "$$scratch/fish" $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/tapline.fish

# The unit with this prefix, and a configuration, unless there is one.
install-service:
	install -d $(DESTDIR)$(UNITDIR) $(DESTDIR)$(SYSCONFDIR)/tapline/conf.d
	sed -e 's,/usr/bin/tapline,$(PREFIX)/bin/tapline,g' -e 's,/etc/tapline/,$(SYSCONFDIR)/tapline/,g' \
		config/systemd/tapline.service >$(DESTDIR)$(UNITDIR)/tapline.service
	chmod 644 $(DESTDIR)$(UNITDIR)/tapline.service
	[ -e $(DESTDIR)$(SYSCONFDIR)/tapline/tapline.yaml ] || { \
		sed -e 's,/usr/share/doc/tapline,$(DOCDIR),' -e 's,/etc/tapline/,$(SYSCONFDIR)/tapline/,' config/debian/tapline.yaml \
			>$(DESTDIR)$(SYSCONFDIR)/tapline/tapline.yaml && \
		chmod 644 $(DESTDIR)$(SYSCONFDIR)/tapline/tapline.yaml && \
		install -m 644 config/debian/conf.d/example.yaml $(DESTDIR)$(SYSCONFDIR)/tapline/conf.d/example.yaml; }

# The generated pages of docs/reference; a test compares them.
docs: build
	.ci/reference .build/release/tapline

dist: setup
	.ci/dist

deb: setup
	.ci/dist package
	.ci/deb

# In a separate Debian, which mmdebstrap creates the first time (a minute) and which is kept in .build-deb.
test-deb: deb
	Tests/Packages/deb

test-container: setup
	.ci/dist binary
	Tests/Packages/container

clean:
	rm -rf .build .build-*
