# What people type. `make` alone lists it.

PREFIX ?= /usr/local
CARGO ?= cargo
INSTALL ?= install
export CARGO MAKE
# Where `make install` puts things; those that are not set lie below PREFIX.
export PREFIX BINDIR LIBDIR INCLUDEDIR DATADIR DESTDIR INSTALL
export BUILT_TOOL = $(or $(CARGO_TARGET_DIR),tools/swctl/target)/release/swctl
export BUILT = $(or $(CARGO_TARGET_DIR),target)/release

CLIPPY = $(CARGO) clippy --locked --all-targets
# A toolchain that the tree is not held to only tells: requirements/toolchains.txt.
STRICT = scripts/strict.sh rust "$$($(CARGO) --version | cut -d ' ' -f 2)"
DENY = deny=$$($(STRICT) >&2 && echo '-D warnings' || echo '--cap-lints warn')
# What `make check` runs, in this order, whatever fails.
PARTS = lint test postgres swctl python node go polyglot other
# What takes longer, and plays more of the same: other builds, kills, planted faults, a second server, the clients
# on a server.
LONG = lint-long plants servers litestream torture bench-once cinstall
# <tool> <command>: a tool that is missing is named and skipped, unless SW_REQUIRE_ALL=1.
if_has = if $(CARGO) $(1) --version >/dev/null 2>&1; then echo "$(2)"; $(2); \
	else echo "skipped: $(1) is missing"; [ "$(SW_REQUIRE_ALL)" != 1 ]; fi

comma := ,

# What `make packages` runs in this order, of scripts/packages.
PACKAGES = libraries archives deb wheels npm go sums

# The command-line tool is a workspace of its own.
TOOL = tools/swctl/Cargo.toml
# So is libpq, which packages bring.
LIBPQ = tools/libpq/Cargo.toml
# So is what fuzzes; `make test` plays what it found, without it.
FUZZ = fuzz/Cargo.toml
# And what measures: it loads the library that `make build` made, as any host does.
BENCH = benches/Cargo.toml
BENCH_BUILT = $(or $(CARGO_TARGET_DIR),benches/target)/release/bench

.PHONY: plants sanitize miri help demo approval fanout budget transfer build check ci tools cinstall test check-all servers clients go node \
	python polyglot other postgres cluster gauntlet litestream torture sweep fuzz swctl pictures lint rustfmt clang-format clippy clippy-features clippy-faults clippy-postgres clippy-linked clippy-fuzz clippy-bench lint-long format bench bench-postgres curves bench-once header documents \
	install uninstall packages packages-try packages-twice clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 20

demo: ## index a folder, kill it part-way, go on; DIR=path picks the folder
	@scripts/demo.sh

budget: build ## eight members share a budget, in threads, then in processes that are killed
	@folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && \
		for name in libsmolwf.so libsmolwf.so.0; do ln -s "$$(realpath "$$BUILT")/libsmolwf.so" "$$folder/$$name"; done && \
		$(CC) -std=gnu11 -O1 -pthread -Iinclude examples/c/budget.c -o "$$folder/budget" \
			-L"$$folder" -lsmolwf -Wl,-rpath,"$$folder" && \
		"$$folder/budget" "$$folder/threads.db" && echo && "$$folder/budget" "$$folder/kills.db" kills

approval: ## a purchase sleeps an hour and waits three days for approval, in no time
	@scripts/example.sh approval

transfer: ## money moves between accounts in the program's own table, in workers killed a hundred times
	@scripts/example.sh transfer kills 100

fanout: ## a thousand children, four workers, two of them killed: each child is done once
	@scripts/example.sh fanout

build: ## the release library, shared and static
	$(CARGO) library --locked

tool: ## the command-line tool, swctl: one file that can be copied; FEATURES=libpq for stores in PostgreSQL
	$(CARGO) rustc --release --locked --manifest-path $(TOOL) --features "$(FEATURES)" --bin swctl -- -C target-feature=+crt-static

check: ## everything that must hold before a change lands; all of it is run, then summed up
	@scripts/check.sh $(PARTS)

check-all: ## the same, and what takes longer: planted faults, workers under fire, a second server, the clients on a server
	@scripts/check.sh $(PARTS) $(LONG)

ci: # the same on a machine that may lack tools; see .ci/run
	@scripts/check.sh tools $(PARTS) $(LONG)

tools: # those of other makers
	@scripts/tools.sh

cinstall: # cargo-c puts down what `make install` does
	@scripts/cinstall.sh

test: ## every test suite of the library
	$(CARGO) test --locked --no-fail-fast

torture: ## workers in five languages are killed, stopped and given trouble, and a judge looks on; MINUTES=60
	@scripts/torture-workers.sh "$(if $(MINUTES),$$(($(MINUTES) * 60)),40)"

POSTGRES_TESTS = $(CARGO) test --locked --no-fail-fast --features postgres --lib --test model -- postgres the_server_answers

# In memory, where there is a disk of it: syncs are the library's tests' to wait for.
POSTGRES_ROOM = $(firstword $(wildcard /dev/shm) $(or $(TMPDIR),/tmp))

postgres: ## stores in PostgreSQL: contract of a backend, walks of the model, cuts of the wire, kills of the server, poolers
	scripts/postgres.sh 15 $(POSTGRES_TESTS) the_server_is_left
	TMPDIR=$(POSTGRES_ROOM) scripts/postgres.sh 15 $(CARGO) test --locked --features postgres --test wire --test moves

servers: ## the same on a newer server and on one without fsync; clients, examples and tool on a server, and behind a pooler; two machines
	scripts/postgres.sh 18 $(POSTGRES_TESTS)
	SW_POSTGRES_SETTINGS=fsync=off scripts/postgres.sh 15 $(CARGO) test --locked --features postgres --lib \
		what_a_server_without_fsync_can_promise_is_promised
	TMPDIR=$(POSTGRES_ROOM) scripts/postgres.sh 15 scripts/postgres-clients.sh
	SW_SCENARIOS=1 TMPDIR=$(POSTGRES_ROOM) scripts/postgres.sh 15 scripts/postgres-pooled.sh 60 scripts/postgres-clients.sh rust python node go
	@scripts/cluster.sh

cluster: ## workers in four languages at one store in PostgreSQL: one machine is cut off, a worker and the server are killed
	@scripts/cluster.sh

plants: ## faults that are planted in the library are found, each by a suite, and each function may panic
	$(CARGO) test --locked --no-fail-fast --features plant --test model --test c --test torture --test corpora -- \
		plants:: plants_against a_panic_in_any_function

sanitize: ## the library, its SQLite and std watched for strays, leaks, undefined behaviour and races; an hour at first
	@scripts/sanitize.sh address; address=$$?; scripts/sanitize.sh thread && exit $$address

miri: ## unit tests that need no SQLite, in Miri
	@scripts/miri.sh

swctl: ## tests of the command-line tool, some on a terminal that tmux is, some in a browser
	$(CARGO) test --locked --no-fail-fast --manifest-path $(TOOL); tool=$$?; scripts/page.sh && exit $$tool

pictures: ## make the pictures of the page in docs/pictures anew
	@scripts/pictures.sh

clients: go node python polyglot ## the clients in other languages

go: ## the client for Go: form, vet, tests with the race detector
	@scripts/go.sh

node: ## the client for Node: types, lint, tests
	@scripts/node.sh

python: ## the client for Python: lint, types, tests
	@scripts/python.sh

polyglot: ## one run in four languages, whose processes are killed; after `make clients`
	@scripts/polyglot.sh

other: ## bindings of other languages, killed half-way: LuaJIT, PHP, Ruby, Java
	@scripts/other.sh

gauntlet: ## each language, from a root that has nothing: install, kill, go on; after `make packages`, as root
	@scripts/tools.sh gauntlet && if ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1; then \
		scripts/postgres.sh 15 scripts/gauntlet.sh; else scripts/gauntlet.sh; fi

sweep: ## cut the power and fail each operation, of the release library; SECONDS=600 of each sweep, 0 is all of it
	$(CARGO) library --locked
	SMOLWF_LIBRARY=$(BUILT)/libsmolwf.so scripts/torture.sh crash "$(or $(SECONDS),600)"
	SMOLWF_LIBRARY=$(BUILT)/libsmolwf.so scripts/torture.sh errors "$(or $(SECONDS),600)"
	SMOLWF_LIBRARY=$(BUILT)/libsmolwf.so scripts/torture.sh syncs "$(or $(SECONDS),600)"
	SMOLWF_LIBRARY=$(BUILT)/libsmolwf.so scripts/torture.sh memory "$(or $(filter-out 0,$(SECONDS)),600)"

fuzz: ## look for inputs that the library is wrong about, guided by what it runs; SECONDS=3600 for each judge
	@scripts/fuzz.sh all "$(or $(SECONDS),3600)"

litestream: ## Litestream replicates under load, both are killed, and what is restored is whole; SECONDS=20
	@scripts/litestream.sh "$(or $(SECONDS),20)"

lint: rustfmt clang-format clippy clippy-features clippy-tool ## formatting of Rust, C and C++, and clippy; warnings are errors

lint-long: clippy-faults clippy-postgres clippy-linked clippy-fuzz clippy-bench ## clippy with each feature alone, and of what fuzzes and measures

rustfmt:
	@$(call if_has,fmt,{ $(CARGO) fmt --check && $(CARGO) fmt --check --manifest-path $(TOOL) && $(CARGO) fmt --check --manifest-path $(LIBPQ) && $(CARGO) fmt --check --manifest-path $(FUZZ) && $(CARGO) fmt --check --manifest-path $(BENCH); } || ! $(STRICT))

clang-format:
	@scripts/format.sh --check

clippy:
	@$(DENY); $(call if_has,clippy,$(CLIPPY) -- $$deny)

clippy-features:
	@$(DENY); $(call if_has,clippy,$(CLIPPY) --features plant$(comma)postgres -- $$deny)

clippy-faults:
	@$(DENY); $(call if_has,clippy,$(CLIPPY) --features plant -- $$deny)

clippy-postgres:
	@$(DENY); $(call if_has,clippy,$(CLIPPY) --features postgres -- $$deny)

# Looked at alone: who links it brings libpq.
clippy-linked:
	@$(DENY); $(call if_has,clippy,$(CARGO) clippy --locked --lib --features postgres-linked -- $$deny)

clippy-tool:
	@$(DENY); $(call if_has,clippy,$(CLIPPY) --features postgres --manifest-path $(TOOL) -- $$deny)

# Its C++ is built for it, too.
clippy-fuzz:
	@$(DENY); if command -v "$${CXX:-c++}" >/dev/null; then $(call if_has,clippy,$(CLIPPY) --manifest-path $(FUZZ) -- $$deny); \
		else echo "skipped: a C++ compiler is missing, which fuzz/ needs"; [ "$(SW_REQUIRE_ALL)" != 1 ]; fi

format: ## writes Rust, C and C++ as `make lint` wants them
	$(CARGO) fmt
	$(CARGO) fmt --manifest-path $(TOOL)
	$(CARGO) fmt --manifest-path $(LIBPQ)
	$(CARGO) fmt --manifest-path $(FUZZ)
	$(CARGO) fmt --manifest-path $(BENCH)
	@scripts/format.sh

clippy-bench:
	@$(DENY); $(call if_has,clippy,$(CLIPPY) --manifest-path $(BENCH) -- $$deny)

BENCH_RUN = $(CARGO) build --release --locked --manifest-path $(BENCH) && \
	SMOLWF_LIBRARY="$${SMOLWF_LIBRARY:-$(BUILT)/libsmolwf.so}" $(BENCH_BUILT)

bench: build ## how fast it is, beside the limits of this machine: docs/PERFORMANCE.md; ROWS=step,open picks
	$(BENCH_RUN) --json target/bench/$(if $(ROWS),some,results).json $(ROWS)

# A server in memory would be none: its files lie below TMPDIR, as all of a bench does. Where Absurd cannot be
# installed, its rows are skipped, and said to be.
bench-postgres: ## stores on a server of PostgreSQL, beside its own pgbench and Absurd
	CARGO_TARGET_DIR=target/postgres $(CARGO) library --locked --features postgres
	$(CARGO) build --release --locked --manifest-path $(BENCH)
	SW_ABSURD="$$(scripts/venv.sh absurd)" \
	SMOLWF_LIBRARY=$$PWD/target/postgres/release/libsmolwf.so scripts/postgres.sh 15 \
		$(BENCH_BUILT) --json target/bench/postgres.json $(or $(ROWS),server)

curves: build ## how rates go with threads, processes, payloads and history: draws docs/pictures/curve-*.svg
	$(BENCH_RUN) --json target/bench/curves.json curve
	python3 scripts/curves.py

# Those that need no file of a million rows.
SMALL_ROWS = step,replay,queue,wake,open,call,room,retention
bench-once: build # these for a moment, so that what measures is known to work
	export SW_BENCH_ROUNDS=1 SW_BENCH_MS=20; $(BENCH_RUN) $(SMALL_ROWS)

header: ## write include/smolwf.h, .cdef and abi/smolwf.h anew; BREAK=1 when more than added
	SW_UPDATE_HEADER=1 SW_BREAK_ABI=$(BREAK) $(CARGO) test --locked --test header

documents: ## write the clients' types of documents anew, from docs/schemas
	python3 scripts/documents.py

packages: ## what is given to others, in dist/: archives, Debian packages, those of languages; docs/INSTALL.md
	@set -e; for part in $(PACKAGES); do scripts/packages/$$part.sh; done

packages-try: ## programs built from the packages in dist/, in C and C++, killed and run again
	@scripts/packages/try.sh

packages-twice: ## dist/ once more, from a clone in another folder: its bytes must be the same
	@scripts/packages/twice.sh

install: ## puts what `make build` made below PREFIX (/usr/local), below DESTDIR; needs no cargo
	@scripts/install.sh install

uninstall: ## takes away what install put there
	@scripts/install.sh uninstall

clean: ## removes what was built
	$(CARGO) clean
