"""Threads that wait at the queue "crowd", for scripts/torture-workers.sh.

usage: crowd.py store witness threads
"""

from __future__ import annotations

import os
import sys
import threading

from patience import patiently

import smolwf


def claim(store: smolwf.Store, witness: int) -> None:
    while True:
        attempt = patiently(lambda: store.claim("crowd", workflows=["crowd"], wait_ms=None))
        if attempt is not None:
            with attempt:
                words = [
                    "taken",
                    attempt.run_id,
                    "",
                    str(attempt.number),
                    "",
                    f"crowd.{os.getpid()}",
                ]
                os.write(witness, ("\n" + "\t".join([*words, "."])).encode())
                patiently(attempt.complete)


def main(path: str, facts: str, count: str) -> None:
    witness = os.open(facts, os.O_WRONLY | os.O_APPEND)
    with patiently(lambda: smolwf.Store.open(path, no_create=True)) as store:
        threads = [threading.Thread(target=claim, args=[store, witness]) for _ in range(int(count))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


if __name__ == "__main__":
    main(*sys.argv[1:])
