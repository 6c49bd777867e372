"""Says what is inside the packages: a bill of materials (CycloneDX 1.5), and the licences' texts.

Both come from the lock files of the library and of the tool, from the sources of the crates as cargo
fetched them, from the toolchain that links (Rust, zig), and from nothing that is written here twice.

    python3 scripts/packages/inside.py <folder to write into> <folder of ziglang>
"""

from __future__ import annotations

import html.parser
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MANIFESTS = ("Cargo.toml", "tools/swctl/Cargo.toml", "tools/libpq/Cargo.toml")
# What this tree is itself.
OWN = ("smolwf", "smolwf-pq", "swctl")
TARGETS = ("x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu", "x86_64-unknown-linux-musl")
# How those who write crates call the files of their licences.
LICENCE_FILE = re.compile(r"(licen[cs]e|copying|notice|unlicense|copyright)", re.IGNORECASE)
# Texts of licences that a crate does not bring.
BROUGHT = {"pq-src": ROOT / "tools/libpq/COPYRIGHT.postgresql"}
# What a file of libpq says of itself, where it came from elsewhere.
NOTICE = re.compile(r"/\*((?:(?!\*/).)*(?:Permission to use, copy|Redistribution and use)(?:(?!\*/).)*)\*/", re.DOTALL)
# A crate of C sources says their version after its own.
SOURCES_VERSION = r'name = "{}"\nversion = "[^"]*\+(?:libpq-)?([0-9.]+)"'
# A piece of a page that is at least this long is not written twice.
AGAIN_BYTES_MIN = 400
LOCKED = re.compile(r'name = "(.+)"\nversion = "(.+)"\nsource = ".+"\nchecksum = "(.+)"')
SQLITE_VERSION = re.compile(r'^#define SQLITE_VERSION +"([0-9.]+)"', re.MULTILINE)


def output(*command: str) -> str:
    return subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout


def is_linked(package: dict) -> bool:
    """Whether code of a crate is in the binary: macros run in the compiler."""
    return all("proc-macro" not in target["kind"] for target in package["targets"])


def crates(manifest: str, target: str) -> tuple[dict[str, dict], dict[str, list[str]]]:
    """The crates that are linked in, by id, and what each of them calls."""
    text = output(
        "cargo", "metadata", "--format-version=1", "--locked", f"--filter-platform={target}", f"--manifest-path={manifest}"
    )
    metadata = json.loads(text)
    packages = {package["id"]: package for package in metadata["packages"]}
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    found: dict[str, dict] = {}
    calls: dict[str, list[str]] = {}
    waiting = [metadata["resolve"]["root"]]
    while waiting:
        at = waiting.pop()
        if at in found:
            continue
        found[at] = packages[at]
        called = [it["pkg"] for it in nodes[at]["deps"] if any(kind["kind"] is None for kind in it["dep_kinds"])]
        calls[at] = [it for it in called if is_linked(packages[it])]
        waiting.extend(calls[at])
    return found, calls


def all_crates() -> tuple[list[dict], dict[str, list[str]]]:
    packages: dict[str, dict] = {}
    calls: dict[str, set[str]] = {}
    for manifest in MANIFESTS:
        for target in TARGETS:
            found, called = crates(manifest, target)
            packages.update({reference(package): package for package in found.values()})
            for at, below in called.items():
                calls.setdefault(reference(found[at]), set()).update(reference(found[it]) for it in below)
    ordered = [packages[ref] for ref in sorted(packages)]
    return ordered, {ref: sorted(calls[ref]) for ref in sorted(calls)}


def reference(package: dict) -> str:
    return f"pkg:cargo/{package['name']}@{package['version']}"


def checksums() -> dict[str, str]:
    """The hashes of crates, as the lock files have them."""
    locks = [(ROOT / manifest).with_suffix(".lock").read_text() for manifest in MANIFESTS]
    return {f"pkg:cargo/{name}@{version}": sha256 for lock in locks for name, version, sha256 in LOCKED.findall(lock)}


def spdx(package: dict) -> str:
    # The form with a stroke is from before SPDX.
    return package["license"].replace("/", " OR ")


def crate_component(package: dict, sums: dict[str, str]) -> dict:
    ref = reference(package)
    component = {
        "type": "library",
        "bom-ref": ref,
        "name": package["name"],
        "version": package["version"],
        "licenses": [{"expression": spdx(package)}],
        "purl": ref,
    }
    if ref in sums:
        component["hashes"] = [{"alg": "SHA-256", "content": sums[ref]}]
    return component


def component(name: str, version: str, licence: str) -> dict:
    ref = f"pkg:generic/{name}@{version}"
    return {
        "type": "library",
        "bom-ref": ref,
        "name": name,
        "version": version,
        "licenses": [{"expression": licence}],
        "purl": ref,
    }


def folder(package: dict) -> Path:
    return Path(package["manifest_path"]).parent


def sqlite_version(packages: list[dict]) -> str:
    sys_crate = next(package for package in packages if package["name"] == "libsqlite3-sys")
    found = SQLITE_VERSION.search((folder(sys_crate) / "sqlite3/sqlite3.h").read_text())
    if found is None:
        raise SystemExit("libsqlite3-sys has no sqlite3.h with a version")
    return found[1]


def sources_version(crate: str) -> str:
    locks = [(ROOT / f"tools/{tool}/Cargo.lock").read_text() for tool in ("libpq", "swctl")]
    found = {version for lock in locks for version in re.findall(SOURCES_VERSION.format(crate), lock)}
    if len(found) != 1:
        raise SystemExit(f"the locks of tools/libpq and tools/swctl name {crate} with these sources: {found}")
    return found.pop()


def beneath(packages: list[dict], zig: Path) -> list[dict]:
    """What is linked in beside crates."""
    rust = output("rustc", "--version").split()[1]
    zig_version = output(str(zig / "zig"), "version").strip()
    return [
        component("sqlite", sqlite_version(packages), "blessing"),
        component("rust-std", rust, "MIT OR Apache-2.0"),
        component("llvm-libunwind", f"zig-{zig_version}", "Apache-2.0 WITH LLVM-exception"),
        component("musl", f"rust-{rust}", "MIT"),
        component("libpq", sources_version("pq-src"), "PostgreSQL"),
        component("openssl", sources_version("openssl-src"), "Apache-2.0"),
    ]


def bill(packages: list[dict], calls: dict[str, list[str]], others: list[dict]) -> dict:
    sums = checksums()
    own = next(package for package in packages if package["name"] == "smolwf")
    stamp = time.gmtime(int(os.environ["SOURCE_DATE_EPOCH"]))
    inside = [crate_component(package, sums) for package in packages if package is not own]
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.5.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", stamp),
            "component": crate_component(own, sums),
        },
        "components": inside + others,
        "dependencies": [{"ref": ref, "dependsOn": below} for ref, below in calls.items()],
    }


class Text(html.parser.HTMLParser):
    """The text of a page, each piece once: a text of a licence stands there for every crate that has it."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.is_hidden = False

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.is_hidden = tag in ("style", "title")

    def handle_data(self, data: str) -> None:
        is_again = len(data) > AGAIN_BYTES_MIN and data.strip("\n") in self.lines
        if data.strip() and not self.is_hidden:
            self.lines.append("(the same text as above)" if is_again else data.strip("\n"))


def page_text(path: Path) -> str:
    reader = Text()
    reader.feed(path.read_text())
    return "\n".join(reader.lines)


def crate_texts(package: dict) -> list[tuple[str, str]]:
    """The licences of a crate as it brings them; a crate without any cannot be passed on."""
    files = sorted(path for path in folder(package).iterdir() if path.is_file() and LICENCE_FILE.match(path.name))
    if package["name"] in BROUGHT:
        files.append(BROUGHT[package["name"]])
    if not files:
        raise SystemExit(f"{reference(package)} brings no text of its licence, {package['license']}")
    return [(path.name, path.read_text(errors="replace").strip()) for path in files]


def libpq_notices(packages: list[dict]) -> str:
    """What came to libpq from elsewhere, under terms that stand in its files alone."""
    sources = next(folder(package) for package in packages if package["name"] == "pq-src") / "source"
    found = [NOTICE.findall(path.read_text(errors="replace")) for path in sorted(sources.rglob("*.[ch]"))]
    texts = [re.sub(r"(?m)^ \*[ \t]?", "", text).strip() for each in found for text in each]
    if not all(any(name in text for text in texts) for name in ("Todd C. Miller", "Eric P. Allman")):
        raise SystemExit("the notices of strlcpy.c and snprintf.c are not among those that libpq's files have")
    return "\n\n".join(dict.fromkeys(texts))


def openssl_licence() -> str:
    """Of the sources that only the build reads: no crate that is linked in has them."""
    metadata = json.loads(output("cargo", "metadata", "--format-version=1", "--locked", f"--manifest-path={MANIFESTS[2]}"))
    sources = next(package for package in metadata["packages"] if package["name"] == "openssl-src")
    return (folder(sources) / "openssl/LICENSE.txt").read_text().strip()


def beneath_texts(packages: list[dict], zig: Path) -> list[tuple[str, str]]:
    docs = Path(output("rustc", "--print", "sysroot").strip()) / "share/doc/rust"
    return [
        ("Rust's standard library", page_text(docs / "COPYRIGHT-library.html")),
        ("libunwind of LLVM", (zig / "lib/libunwind/LICENSE.TXT").read_text().strip()),
        ("musl, in swctl alone", (zig / "lib/libc/musl/COPYRIGHT").read_text().strip()),
        ("OpenSSL, in libsmolwf_pq.so and swctl", openssl_licence()),
        ("parts of libpq, in libsmolwf_pq.so and swctl", libpq_notices(packages)),
    ]


def licences(packages: list[dict], others: list[dict], zig: Path) -> str:
    """Every text once, under the names of those who bring it."""
    names: dict[str, list[str]] = {}
    for package in packages:
        for _, text in crate_texts(package):
            names.setdefault(text, []).append(f"{package['name']} {package['version']} ({spdx(package)})")
    sqlite = next(other for other in others if other["name"] == "sqlite")
    parts = [
        "What is inside the libraries and the tool of smolwf that others wrote, and the texts of their licences.",
        f"SQLite {sqlite['version']} is in the public domain: https://sqlite.org/copyright.html",
    ]
    named = [(", ".join(dict.fromkeys(who)), text) for text, who in names.items()]
    for who, text in named + beneath_texts(packages, zig):
        parts.append(f"{'=' * 78}\n{who}\n{'=' * 78}\n\n{text}")
    return "\n\n".join(parts) + "\n"


def main() -> None:
    into, zig = Path(sys.argv[1]), Path(sys.argv[2])
    packages, calls = all_crates()
    others = beneath(packages, zig)
    version = next(package["version"] for package in packages if package["name"] == "smolwf")
    into.mkdir(parents=True, exist_ok=True)
    whole = json.dumps(bill(packages, calls, others), indent=1, sort_keys=True)
    (into / f"smolwf-{version}.cdx.json").write_text(whole + "\n")
    foreign = [package for package in packages if package["name"] not in OWN]
    (into / "THIRD-PARTY.txt").write_text(licences(foreign, others, zig))


if __name__ == "__main__":
    main()
