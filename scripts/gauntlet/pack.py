"""Fetches packages of npm that a lock file names, as tarballs, and holds each to its hash.

usage: pack.py package-lock.json folder package...
"""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import sys
from pathlib import Path


def fetch(name: str, version: str, folder: Path) -> Path:
    """The tarball of a package, fetched unless it is there."""
    tarball = folder / f"{name.replace('@', '').replace('/', '-')}-{version}.tgz"
    if not tarball.exists():
        subprocess.run(
            ["npm", "pack", "--silent", f"{name}@{version}"],
            cwd=folder,
            check=True,
            stdout=subprocess.DEVNULL,
        )
    return tarball


def main() -> None:
    locked = json.loads(Path(sys.argv[1]).read_text())["packages"]
    for name in sys.argv[3:]:
        package = locked[f"node_modules/{name}"]
        tarball = fetch(name, package["version"], Path(sys.argv[2]))
        digest = base64.b64encode(hashlib.sha512(tarball.read_bytes()).digest()).decode()
        if package["integrity"] != f"sha512-{digest}":
            sys.exit(f"{tarball} is sha512-{digest}, {sys.argv[1]} has {package['integrity']}")


if __name__ == "__main__":
    main()
