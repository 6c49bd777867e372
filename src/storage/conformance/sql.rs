//! Claims about statements of the host's.

use super::{Bed, at, subject};
use crate::domain::port::{Fence, StepKind};
use crate::domain::sql::{self, Bounds, Holder, Query, Ran, Script};
use crate::domain::step::Begin;
use crate::error::Result;
use crate::id::Id;

const BOUNDS: Bounds = Bounds { timeout_ms: 60_000, payload_bytes_max: 1_000 };

fn script(text: &str) -> Script {
    Script::read(text, || Id::from_bytes([9; 16])).unwrap()
}

fn run(bed: &mut dyn Bed, text: &str, holder: Option<Holder<'_>>) -> Result<Ran> {
    let script = script(text);
    bed.tx(|port| sql::run(port, &script, holder, 0, BOUNDS, at(10)))
}

fn asked(bed: &mut dyn Bed, sql: &str) -> String {
    let query = Query::read(sql, None, None).unwrap();
    bed.tx(|port| sql::query(port, &query).unwrap())
}

fn with_accounts(bed: &mut dyn Bed) {
    let made = r#"[{"sql":"CREATE TABLE accounts (id BIGINT PRIMARY KEY, balance BIGINT)"},
        {"sql":"INSERT INTO accounts VALUES (1, 100), (2, 9223372036854775807)","expect_changes":2}]"#;
    run(bed, made, None).unwrap();
}

pub(super) fn rows_of_the_host_come_back_as_they_were_written(bed: &mut dyn Bed) {
    with_accounts(bed);
    let rows = asked(bed, "SELECT id, balance FROM accounts ORDER BY id");
    let expected =
        r#"{"columns":["id","balance"],"rows":[[1,100],[2,9223372036854775807]],"more":false}"#;
    assert_eq!(rows, expected);
}

/// P37.
pub(super) fn a_script_records_its_step_beside_the_hosts_rows(bed: &mut dyn Bed) {
    with_accounts(bed);
    let run_key = bed.run(1, at(5));
    let fence = bed.claimed(at(6)).fence;
    let subject = subject(fence, "pay", Begin::default(), at(7));
    let text = r#"[{"sql":"UPDATE accounts SET balance = 70 WHERE id = 1","expect_changes":1},
        {"submit":{"workflow":"mail"}},{"step_complete":{"result_from":0}}]"#;
    run(bed, text, Some(Holder { fence, step: Some(&subject), asked: None })).unwrap();
    assert!(asked(bed, "SELECT balance FROM accounts WHERE id = 1").contains("[[70]]"));
    let step = bed.tx(|port| port.step(run_key, StepKind::Step, "pay", 1).unwrap().unwrap());
    assert_eq!(step.result.as_deref(), Some(r#"{"changes":1}"#));
    let mail = bed.tx(|port| port.run_by_id(Id::from_bytes([9; 16])).unwrap());
    assert!(mail.is_some());
}

/// P10.
pub(super) fn a_script_of_a_lost_attempt_does_nothing(bed: &mut dyn Bed) {
    with_accounts(bed);
    bed.run(1, at(5));
    let fence = bed.claimed(at(6)).fence;
    let stale = Fence { number: 7, ..fence };
    let text = script(r#"[{"sql":"UPDATE accounts SET balance = 70 WHERE id = 1"}]"#);
    let holder = Some(Holder { fence: stale, step: None, asked: None });
    bed.refused(-20, |port| sql::run(port, &text, holder, 0, BOUNDS, at(10)));
}

pub(super) fn what_the_host_may_not_write_is_refused(bed: &mut dyn Bed) {
    bed.run(1, at(5));
    for sql in ["DELETE FROM sw_workflow_runs", "DROP TABLE sw_store", "COMMIT"] {
        let text = script(&format!(r#"[{{"sql":"{sql}"}}]"#));
        bed.refused(-2, |port| sql::run(port, &text, None, 0, BOUNDS, at(10)));
    }
}
