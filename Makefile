# What people type. `make` alone lists it.

PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
DATADIR ?= $(PREFIX)/share
DESTDIR ?=
CARGO ?= cargo
INSTALL ?= install

BUILT = $(or $(CARGO_TARGET_DIR),target)/release
VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
ABI = $(shell sed -n 's/^.define SW_ABI_VERSION \([0-9]*\).*/\1/p' include/smolwf.h)
# What rustc says a static libsmolwf.a needs beside libc (--print native-static-libs).
LIBS_PRIVATE = -lgcc_s -lutil -lrt -lpthread -lm -ldl

LIBS_INSTALLED = $(LIBDIR)/libsmolwf.so.$(VERSION) $(LIBDIR)/libsmolwf.so.$(ABI) \
	$(LIBDIR)/libsmolwf.so $(LIBDIR)/libsmolwf.a $(LIBDIR)/pkgconfig/smolwf.pc
CMAKE_FILES = smolwfConfig.cmake smolwfConfigVersion.cmake
CMAKE_DIR = $(LIBDIR)/cmake/smolwf
FILES_INSTALLED = $(LIBS_INSTALLED) $(addprefix $(CMAKE_DIR)/,$(CMAKE_FILES)) \
	$(INCLUDEDIR)/smolwf.h $(INCLUDEDIR)/smolwf.hpp $(DATADIR)/smolwf/smolwf.cdef
# Fills in what a file for other build systems leaves open.
FILL_IN = sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@LIBDIR@|$(LIBDIR)|' \
	-e 's|@INCLUDEDIR@|$(INCLUDEDIR)|' -e 's|@VERSION@|$(VERSION)|' -e 's|@ABI@|$(ABI)|' \
	-e 's|@LIBS_PRIVATE@|$(LIBS_PRIVATE)|' \
	-e "s|@INCLUDEDIR_FROM_LIBDIR@|$$(realpath -m --relative-to=$(LIBDIR) $(INCLUDEDIR))|"

# Suites that exist with the fault-injecting layer alone.
FAULT_SUITES = $(patsubst tests/%.rs,--test %,$(shell grep -l 'cfg(feature = "fault")' tests/*.rs))

# A tool that is missing is named and skipped, unless SW_REQUIRE_ALL=1.
if_has = if $(1) >/dev/null 2>&1; then echo "$(3)"; $(3); \
	elif [ "$(SW_REQUIRE_ALL)" = 1 ]; then echo "$(2) is missing"; exit 1; \
	else echo "skipped: $(2) is missing"; fi
FMT = $(CARGO) fmt --check
CLIPPY = $(CARGO) clippy --locked --all-targets
CLANG_FORMAT = clang-format --dry-run --Werror include/smolwf.hpp $(wildcard examples/cpp/*.?pp examples/polyglot/*.?pp tests/cpp/*.?pp)

.PHONY: help demo approval fanout budget build check test clients go node python polyglot lint bench header install uninstall clean

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 18

demo: ## index a folder, kill it part-way, go on; DIR=path picks the folder
	@scripts/demo.sh

budget: build ## eight members share a budget, in threads, then in processes that are killed
	@folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && \
		$(CC) -std=gnu11 -O1 -pthread -Iinclude examples/c/budget.c -o "$$folder/budget" \
			-L$(BUILT) -lsmolwf -Wl,-rpath,$(abspath $(BUILT)) && \
		ln -s $(abspath $(BUILT))/libsmolwf.so "$$folder/libsmolwf.so.$(ABI)" && \
		export LD_LIBRARY_PATH="$$folder" && \
		"$$folder/budget" "$$folder/threads.db" && echo && "$$folder/budget" "$$folder/kills.db" kills

approval: ## a purchase sleeps an hour and waits three days for approval, in no time
	@scripts/example.sh approval

fanout: ## a thousand children, four workers, two of them killed: each child is done once
	@scripts/example.sh fanout

build: ## the release library, shared and static
	$(CARGO) build --release --locked

check: lint test clients ## everything that must hold before a change lands

test: ## every test suite
	$(CARGO) test --locked --no-fail-fast
	$(if $(FAULT_SUITES),$(CARGO) test --locked --no-fail-fast --features fault $(FAULT_SUITES))

clients: go node python polyglot ## the clients in other languages

go: ## the client for Go: form, vet, tests with the race detector
	@scripts/go.sh

node: ## the client for Node: types, lint, tests
	@scripts/node.sh

python: ## the client for Python: lint, types, tests
	@scripts/python.sh

polyglot: ## one run in four languages, whose processes are killed; after `make clients`
	@scripts/polyglot.sh

lint: ## formatting of Rust and C++, and clippy; warnings are errors
	@$(call if_has,$(CARGO) fmt --version,rustfmt,$(FMT))
	@$(call if_has,$(CARGO) clippy --version,clippy,$(CLIPPY) -- -D warnings)
	@$(call if_has,$(CARGO) clippy --version,clippy,$(CLIPPY) --features fault -- -D warnings)
	@$(call if_has,clang-format --version,clang-format,$(CLANG_FORMAT))

bench: ## how fast it is, beside the limits of this machine
	$(CARGO) bench --locked

header: ## write include/smolwf.h, .cdef and abi/smolwf.h anew; BREAK=1 when more than added
	SW_UPDATE_HEADER=1 SW_BREAK_ABI=$(BREAK) $(CARGO) test --locked --test header

install: build ## to PREFIX (/usr/local), below DESTDIR
	$(INSTALL) -d $(DESTDIR)$(LIBDIR)/pkgconfig $(DESTDIR)$(CMAKE_DIR) $(DESTDIR)$(INCLUDEDIR) \
		$(DESTDIR)$(DATADIR)/smolwf
	$(INSTALL) -s -m 755 $(BUILT)/libsmolwf.so $(DESTDIR)$(LIBDIR)/libsmolwf.so.$(VERSION)
	ln -sf libsmolwf.so.$(VERSION) $(DESTDIR)$(LIBDIR)/libsmolwf.so.$(ABI)
	ln -sf libsmolwf.so.$(ABI) $(DESTDIR)$(LIBDIR)/libsmolwf.so
	scripts/static-library.sh $(BUILT) $(DESTDIR)$(LIBDIR)/libsmolwf.a
	chmod 644 $(DESTDIR)$(LIBDIR)/libsmolwf.a
	$(INSTALL) -m 644 include/smolwf.h include/smolwf.hpp $(DESTDIR)$(INCLUDEDIR)
	$(INSTALL) -m 644 include/smolwf.cdef $(DESTDIR)$(DATADIR)/smolwf/smolwf.cdef
	$(FILL_IN) smolwf.pc.in > $(DESTDIR)$(LIBDIR)/pkgconfig/smolwf.pc
	$(foreach file,$(CMAKE_FILES),$(FILL_IN) cmake/$(file).in > $(DESTDIR)$(CMAKE_DIR)/$(file);)

uninstall: ## takes away what install put there
	rm -f $(addprefix $(DESTDIR),$(FILES_INSTALLED))
	rmdir $(DESTDIR)$(DATADIR)/smolwf $(DESTDIR)$(CMAKE_DIR) 2>/dev/null || true

clean: ## removes what was built
	$(CARGO) clean
