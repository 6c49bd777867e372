"""Stores: opening, closing, options, payloads, errors."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import threading
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

import smolwf
from smolwf import TEXT, Json, Store


def test_a_store_is_created_initialised_and_closed(tmp_path: Path) -> None:
    path = tmp_path / "new.db"
    with Store.open(path) as store:
        current, newest = store.schema_version()
        assert current == newest == len(store.migrations())
        assert store.init() == 0
        assert store.migrate(newest) == 0
        assert store.path == str(path.resolve())
    with pytest.raises(smolwf.ClosedError):
        store.schema_version()
    store.close()


def test_a_store_in_memory_has_no_path() -> None:
    with Store.open_in_memory() as store:
        assert store.path is None
        assert store.submit("a").startswith("run_")


def test_a_store_that_is_not_initialised_says_so(tmp_path: Path) -> None:
    with Store.open(tmp_path / "old.db", init=False) as store:
        assert store.schema_version()[0] == 0
        with pytest.raises(smolwf.SchemaOldError):
            store.submit("a")


def test_a_file_that_is_not_there_or_no_store_is_refused(tmp_path: Path) -> None:
    with pytest.raises(smolwf.CannotOpenError):
        Store.open(tmp_path / "absent.db", no_create=True)
    (tmp_path / "text").write_text("no database at all, but long enough to look like one\n" * 9)
    with pytest.raises(smolwf.NotAStoreError) as caught:
        Store.open(tmp_path / "text")
    assert caught.value.code == -46
    assert caught.value.name == "SW_ERR_NOT_A_STORE"
    assert not caught.value.retryable
    assert isinstance(caught.value, smolwf.EnvironmentFailure)


def test_a_read_only_store_reads(tmp_path: Path) -> None:
    with Store.open(tmp_path / "a.db") as store:
        run_id = store.submit("a")
    with Store.open(tmp_path / "a.db", read_only=True) as store:
        assert store.run(run_id)["state"] == "pending"
        with pytest.raises(smolwf.ReadOnlyError):
            store.submit("a")


def test_a_store_that_is_left_open_warns_and_is_closed(tmp_path: Path) -> None:
    def leave_open() -> None:
        Store.open(tmp_path / "a.db")
        gc.collect()

    with pytest.warns(ResourceWarning, match="unclosed"):
        leave_open()


def test_payloads_are_values_or_the_text_itself(store: Store) -> None:
    value = {"text": "\u00fc \U0001f600 \x00", "big": 2**62, "list": [1.5, None, True]}
    run_id = store.submit("a", value)
    assert store.run(run_id)["args"] == value
    attempt = store.claim()
    assert attempt is not None
    with attempt:
        assert attempt.args == value
        with attempt.step_begin("raw") as step:
            step.complete(Json('{ "kept" : 1.0 }'))
        attempt.release()
    again = store.claim()
    assert again is not None
    with again, again.step_begin("raw") as step:
        assert step.result_text == '{ "kept" : 1.0 }'
        assert step.result == {"kept": 1}


def test_a_store_of_texts_converts_nothing(tmp_path: Path) -> None:
    with Store.open(tmp_path / "a.db", codec=TEXT) as store:
        store.submit("a", "[1,  2]")
        attempt = store.claim()
        assert attempt is not None
        with attempt:
            assert attempt.args == "[1,  2]"
            assert isinstance(attempt.args, Json)
        with pytest.raises(smolwf.InvalidError, match="byte"):
            store.submit("a", "no json")


def test_what_is_no_json_is_refused_before_the_call(store: Store) -> None:
    with pytest.raises(TypeError):
        store.submit("a", object())
    with pytest.raises(ValueError, match="JSON"):
        store.submit("a", float("nan"))


def test_options_take_timedeltas_and_datetimes(store: Store) -> None:
    at = datetime(2050, 1, 1, tzinfo=timezone.utc)
    run_id = store.submit("a", run_at_ms=at, timeout_ms=timedelta(days=400), metadata={"by": "t"})
    run = store.run(run_id)
    assert run["run_at_ms"] == 2_524_608_000_000
    assert run["metadata"] == {"by": "t"}
    assert store.claim() is None
    store.advance_clock(at - datetime.fromtimestamp(store.now_ms() / 1000, timezone.utc))
    attempt = store.claim()
    assert attempt is not None
    with attempt:
        assert attempt.run_id == run_id
    with pytest.raises(ValueError, match="zone"):
        store.submit("a", run_at_ms=datetime(2050, 1, 1))


def test_an_option_that_is_not_there_is_a_type_error(store: Store) -> None:
    with pytest.raises(TypeError, match="no option colour"):
        store.submit("a", colour=1)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="no option priority of text"):
        store.submit("a", priority="high")  # type: ignore[arg-type]


def test_a_key_is_one_run(store: Store) -> None:
    first = store.submit("a", idempotency_key="k", idempotency_scope="s")
    again = store.submit("a", idempotency_key="k", idempotency_scope="s")
    assert first == again
    assert (first.existed, again.existed) == (False, True)
    assert store.find("k", "s") == first
    assert store.find("k") is None


def test_errors_of_the_caller_are_also_those_of_python(store: Store) -> None:
    with pytest.raises(LookupError):
        store.run("run_absent")
    with pytest.raises(ValueError, match="SW_ERR_INVALID"):
        store.submit("")
    with pytest.raises(smolwf.TooBigError):
        store.submit("a" * 256)


def test_a_code_that_is_not_known_is_of_its_class() -> None:
    assert type(smolwf.errors.error_of(-19, "")) is smolwf.CallerError
    assert type(smolwf.errors.error_of(-39, "")) is smolwf.StateError
    assert type(smolwf.errors.error_of(-59, "")) is smolwf.EnvironmentFailure
    assert type(smolwf.errors.error_of(-69, "")) is smolwf.LibraryError


def test_a_stop_ends_a_wait_of_another_thread(store: Store) -> None:
    stop = smolwf.Stop()
    found: list[object] = ["nothing yet"]

    def claim() -> None:
        found[0] = store.claim(wait_ms=None, stop=stop)

    thread = threading.Thread(target=claim)
    thread.start()
    stop.fire()
    thread.join(20)
    assert not thread.is_alive()
    assert found == [None]


def test_a_shutdown_ends_waits(store: Store) -> None:
    caught: list[BaseException] = []

    def claim() -> None:
        try:
            store.claim(wait_ms=None)
        except smolwf.ClosedError as error:
            caught.append(error)

    thread = threading.Thread(target=claim)
    thread.start()
    store.shutdown()
    thread.join(20)
    assert len(caught) == 1 or not thread.is_alive()


def test_threads_share_a_store(store: Store) -> None:
    ids: list[str] = []

    def submit() -> None:
        ids.extend(store.submit("a", at) for at in range(20))

    threads = [threading.Thread(target=submit) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(ids)) == 160
    claimed = 0
    while True:
        attempt = store.claim()
        if attempt is None:
            break
        attempt.complete()
        claimed += 1
    assert claimed == 160


def test_a_forked_child_is_refused_and_may_open_other_files(store: Store, tmp_path: Path) -> None:
    run_id = store.submit("a")
    child = os.fork()
    if child == 0:
        status = 1
        try:
            for use in (
                lambda: store.run(run_id),
                lambda: Store.open(tmp_path / "test.db"),
            ):
                try:
                    use()
                except smolwf.ForkedError:
                    continue
                os._exit(2)
            with Store.open(tmp_path / "other.db") as other:
                other.submit("a")
            status = 0
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert store.run(run_id)["state"] == "pending"


HOLD_THE_LOCK = """
import sqlite3, sys
file = sqlite3.connect(sys.argv[1], isolation_level=None)
file.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.read()
"""


def test_a_lock_that_stays_is_busy_and_may_be_tried_again(tmp_path: Path) -> None:
    with Store.open(tmp_path / "a.db", busy_timeout_ms=20) as store:
        with subprocess.Popen(
            [sys.executable, "-c", HOLD_THE_LOCK, str(tmp_path / "a.db")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as holder:
            assert holder.stdout is not None
            assert holder.stdout.readline() == "held\n"
            with pytest.raises(smolwf.BusyError) as caught:
                store.submit("a")
            holder.communicate()
        assert caught.value.retryable
        assert store.submit("a").startswith("run_")


def test_json_quote_is_json() -> None:
    assert json.loads(smolwf.json_quote('a"\n\u00fc')) == 'a"\n\u00fc'
