"""An npm registry of what lies in some folders: their packages' documents, and their tarballs.

usage: registry.py port folder...

It says "ready" on standard output once it listens on 127.0.0.1, and serves until it is killed.
"""

from __future__ import annotations

import base64
import hashlib
import json
import sys
import tarfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote


def manifest(tarball: Path, root: str) -> dict[str, Any]:
    """What a package says of itself, and where the registry has its file."""
    with tarfile.open(tarball) as files:
        names = [name for name in files.getnames() if name.count("/") == 1]
        inner = files.extractfile(next(name for name in names if name.endswith("/package.json")))
        assert inner is not None, f"{tarball}: package.json is no file"
        found: dict[str, Any] = json.load(inner)
    digest = base64.b64encode(hashlib.sha512(tarball.read_bytes()).digest()).decode()
    found["dist"] = {"tarball": f"{root}/-/{tarball.name}", "integrity": f"sha512-{digest}"}
    return found


def gather(folders: list[Path], root: str) -> tuple[dict[str, Any], dict[str, Path]]:
    """The document of each package by its name, and the tarballs by theirs."""
    documents: dict[str, Any] = {}
    tarballs = {path.name: path for folder in folders for path in sorted(folder.glob("*.tgz"))}
    for path in tarballs.values():
        version = manifest(path, root)
        name, number = version["name"], version["version"]
        document = documents.setdefault(name, {"name": name, "versions": {}, "dist-tags": {}})
        document["versions"][number] = version
        document["dist-tags"]["latest"] = number
    return documents, tarballs


class Registry(BaseHTTPRequestHandler):
    documents: dict[str, Any]
    tarballs: dict[str, Path]

    def do_GET(self) -> None:
        name = unquote(self.path).lstrip("/")
        if name in self.documents:
            self.answer(200, "application/json", json.dumps(self.documents[name]).encode())
        elif name.startswith("-/") and name[2:] in self.tarballs:
            self.answer(200, "application/octet-stream", self.tarballs[name[2:]].read_bytes())
        else:
            self.answer(404, "application/json", b'{"error": "not found"}')

    def answer(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


def main() -> None:
    port = int(sys.argv[1])
    folders = [Path(folder) for folder in sys.argv[2:]]
    Registry.documents, Registry.tarballs = gather(folders, f"http://127.0.0.1:{port}")
    server = ThreadingHTTPServer(("127.0.0.1", port), Registry)
    print("ready", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
