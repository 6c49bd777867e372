"""Accounts, between which a run of the workflow transfer moves money."""

import smolwf

with smolwf.Store.open_in_memory() as store:
    with store.transaction() as tx:
        tx.execute("CREATE TABLE accounts(id INTEGER PRIMARY KEY, cents INTEGER)")
        tx.execute("INSERT INTO accounts VALUES(7, 100)")
    # HERE
    run_id = store.submit("transfer", {"payer": 7, "cents": 30})
    smolwf.Worker(store, [transfer]).run_once()
    assert store.run(run_id)["result"] == [[70]]
    assert (account, cents) == (7, 100)
    assert store.count_runs(workflow="mail") == 1
