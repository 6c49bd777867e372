"""Makes of the package a wheel for one platform, where a stage has the library of that.

SMOLWF_STAGE names a folder with lib/libsmolwf.so, lib/libsmolwf_pq.so and bin/swctl, and
THIRD-PARTY.txt beside it, SMOLWF_PLATFORM the platform as wheels spell it. Without them the wheel
is for any platform, and has no library.
"""

from __future__ import annotations

import os
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class StageHook(BuildHookInterface[Any]):
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        stage = os.environ.get("SMOLWF_STAGE")
        if not stage:
            return
        build_data["tag"] = f"py3-none-{os.environ['SMOLWF_PLATFORM']}"
        build_data["pure_python"] = False
        build_data["force_include"][f"{stage}/lib/libsmolwf.so"] = "smolwf/libsmolwf.so.0"
        build_data["force_include"][f"{stage}/lib/libsmolwf_pq.so"] = "smolwf/libsmolwf_pq.so"
        build_data["force_include"][f"{stage}/../THIRD-PARTY.txt"] = "smolwf/THIRD-PARTY.txt"
        build_data["shared_scripts"][f"{stage}/bin/swctl"] = "swctl"
