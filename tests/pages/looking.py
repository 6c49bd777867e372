"""A store with a run that failed, one that was cancelled, and an event."""

import threading
import time
from datetime import timedelta

import smolwf

with smolwf.Store.open_in_memory(manual_clock=True) as store:
    run_id = store.submit("invoice", max_tries=1, metadata={"case": 7})
    attempt = store.claim()
    assert attempt is not None
    attempt.event_append("progress", {"done": 1})
    attempt.fail({"message": "refused"})
    store.cancel(store.submit("invoice"))
    after_seq, stop = 0, smolwf.Stop()

    def end_the_tail() -> None:
        while after_seq == 0:
            # Until the loop below has seen the event; nothing tells of that.
            time.sleep(0.01)
        stop.fire()

    threading.Thread(target=end_the_tail, daemon=True).start()
    # HERE
    assert after_seq == 1
    assert store.run(run_id)["metadata"] == {"case": 7}
