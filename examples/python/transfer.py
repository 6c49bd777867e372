"""Ten accounts in a table of the program's own, in the store's file, and a hundred transfers.

Each transfer is a run with one step, and what the step does to the accounts and that it is done
are one commit: kill the program anywhere, and no cent is lost or moved twice.

usage: transfer.py database                 does what is left to do, and says how the accounts stand
       transfer.py database kills many      does it in workers that are killed so many times
       transfer.py database worker          one of those
"""

from __future__ import annotations

import random
import subprocess
import sys
import time

import smolwf

ACCOUNTS = 10
TRANSFERS = 100
TRIES = 100_000  # of a run: each kill in it may use one up
THREADS = 4

TABLES = (
    "CREATE TABLE IF NOT EXISTS accounts (id INTEGER PRIMARY KEY,"
    " cents INTEGER NOT NULL CHECK (cents >= 0))",
    "CREATE TABLE IF NOT EXISTS moves (transfer INTEGER NOT NULL, cents INTEGER NOT NULL)",
)
ACCOUNT = "INSERT INTO accounts VALUES ($1, 1000) ON CONFLICT DO NOTHING"


@smolwf.workflow
def transfer(context: smolwf.Context, number: int) -> int:
    """The two accounts and the amount follow from the number."""
    cents = 1 + number % 9
    take_time(number, "before")
    with context.transaction("move") as tx:
        for account, change in ((number % ACCOUNTS, -cents), ((number * 7 + 3) % ACCOUNTS, cents)):
            sql = "UPDATE accounts SET cents = cents + $1 WHERE id = $2"
            tx.execute(sql, [change, account], expect_changes=1)
        tx.execute("INSERT INTO moves VALUES ($1, $2)", [number, cents])
        tx.result(cents)
    take_time(number, "after")
    moved: int = tx.value
    return moved


def take_time(number: int, when: str) -> None:
    """A worker that is to be killed says when it begins with a transfer, and takes its time around
    the commit."""
    if sys.argv[2:] == ["worker"]:
        if when == "before":
            print(number, flush=True)
        time.sleep(0.003)


def open_bank(path: str) -> smolwf.Store:
    store = smolwf.Store.open(path)
    with store.transaction() as tx:
        for table in TABLES:
            tx.execute(table)
        for account in range(ACCOUNTS):
            tx.execute(ACCOUNT, [account])
    return store


def submit(store: smolwf.Store) -> list[str]:
    """Submits each transfer, once however often this runs: its number is its key."""
    items = (
        {
            "workflow": transfer.name,
            "args": number,
            "max_tries": TRIES,
            "idempotency_key": f"transfer {number}",
        }
        for number in range(TRANSFERS)
    )
    return list(store.submit_many(items))


def work_and_kill(path: str, kills: int) -> None:
    """Kills each worker within some milliseconds of its first transfer."""
    command = [sys.executable, __file__, path, "worker"]
    for _ in range(kills):
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as worker:
            assert worker.stdout is not None
            if worker.stdout.readline():
                time.sleep(random.uniform(0, 0.008))
            worker.kill()


def report(store: smolwf.Store) -> None:
    if not store.check()["ok"]:
        sys.exit("the store is not whole")
    ((accounts, cents),) = store.query("SELECT count(*), sum(cents) FROM accounts")
    ((twice,),) = store.query("SELECT count(*) - count(DISTINCT transfer) FROM moves")
    done = store.count_runs(state="completed")
    print(f"accounts {accounts} sum {cents}")
    print(f"transfers {TRANSFERS} done {done} twice {twice}")


def main(path: str, mode: str = "", kills: str = "0") -> None:
    with open_bank(path) as store:
        if mode == "worker":
            smolwf.Worker(store, [transfer], threads=THREADS).run()
            return
        run_ids = submit(store)
        if mode == "kills":
            work_and_kill(path, int(kills))
            ((moves,),) = store.query("SELECT count(*) FROM moves")
            print(f"# killed {kills} times, {moves} moves made by then")
        with smolwf.Worker(store, [transfer], threads=THREADS):
            for run_id in run_ids:
                store.wait_run(run_id)
        report(store)


if __name__ == "__main__":
    main(*sys.argv[1:])
