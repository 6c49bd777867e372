//! Claims about stores that are moved: their rows, and their mark.

use super::carry::ended_tree;
use super::{Bed, at, plain};
use crate::domain::budget::{self, Ask, Reserved};
use crate::domain::graduate::{Mark, Phase};
use crate::domain::port::{Cell, Identity, Portion, QueueLimits, Table};
use crate::domain::queue;
use crate::domain::submit::Submit;
use crate::id;

const FEW: Portion = Portion { rows: 2, bytes: 1 << 20 };

/// Reads a table page by page.
fn rows(bed: &mut dyn Bed, table: Table, portion: Portion) -> Vec<Vec<Cell>> {
    let mut all: Vec<Vec<Cell>> = Vec::new();
    loop {
        let page = bed.tx(|port| {
            let after = all.last().map(|row| port.table_key(table, row));
            port.table_rows(table, after.as_deref(), portion).unwrap()
        });
        assert!(page.len() <= portion.rows as usize);
        if page.is_empty() {
            return all;
        }
        all.extend(page);
    }
}

/// A store that has rows in most tables, one run that is held by an attempt, and a reservation of two units,
/// whose id it returns.
fn filled(bed: &mut dyn Bed) -> String {
    ended_tree(bed);
    let limits = QueueLimits { concurrency_per_key: Some(1), ..QueueLimits::default() };
    bed.tx(|port| queue::set(port, "default", &limits)).unwrap();
    for number in 11..=14 {
        let submit = Submit {
            args: Some(format!("\"{}\"", "x".repeat(5_000))),
            concurrency_key: Some("k".into()),
            budget: Some(r#"{"t":100,"usd":9}"#.into()),
            ..plain()
        };
        bed.submit(number, &submit, at(2_000));
    }
    let fence = bed.claimed(at(2_001)).fence;
    let reserve = |bed: &mut dyn Bed, salt| {
        let amounts = [("t".to_owned(), 5), ("usd".to_owned(), 1)].into_iter().collect();
        let ask = Ask { fence, step: None, amounts, source: None, salt };
        match bed.tx(|port| budget::reserve(port, &ask, at(2_002))).unwrap() {
            Reserved::Made { id, .. } | Reserved::Existed(id) => id::write("budget", id),
            Reserved::NoRoom(..) => panic!("no room"),
        }
    };
    let first = reserve(bed, 7);
    reserve(bed, 8);
    first
}

pub(super) fn rows_come_back_as_they_were_and_are_found_as_before(bed: &mut dyn Bed) {
    let reserved = filled(bed);
    let before: Vec<_> = Table::ALL.iter().map(|table| rows(bed, *table, FEW)).collect();
    assert!(before.iter().filter(|rows| !rows.is_empty()).count() >= 10);
    let waits = bed.tx(|port| port.any_held().unwrap());
    assert_eq!(waits, Some(bed.key(11)));
    bed.tx(|port| port.tables_clear().unwrap());
    assert!(bed.tx(|port| port.is_unused().unwrap()));
    for (table, rows) in Table::ALL.iter().zip(&before) {
        for page in rows.chunks(3) {
            bed.tx(|port| port.table_put(*table, page).unwrap());
        }
    }
    assert!(!bed.tx(|port| port.is_unused().unwrap()));
    for (table, was) in Table::ALL.iter().zip(&before) {
        assert_eq!(&rows(bed, *table, FEW), was, "{table:?}");
        let all = Portion { rows: 1_000, bytes: 1 << 30 };
        assert_eq!(&rows(bed, *table, all), was, "{table:?}");
    }
    // Of both units, and of those of no other call.
    let usage = [("t".to_owned(), 2), ("usd".to_owned(), 1)].into_iter().collect();
    bed.tx(|port| budget::settle(port, &reserved, &usage, at(2_003)).unwrap());
    bed.tx(|port| {
        let found = port.run_by_idempotency("", "k").unwrap();
        assert!(found.is_some());
    });
    // Keys go on behind those that came.
    let newest = bed.key(14);
    bed.submit(15, &plain(), at(2_004));
    assert!(bed.key(15) > newest);
}

pub(super) fn a_page_of_rows_ends_at_its_bytes(bed: &mut dyn Bed) {
    filled(bed);
    let page = bed.tx(|port| {
        let portion = Portion { rows: 1_000, bytes: 6_000 };
        port.table_rows(Table::Runs, None, portion).unwrap()
    });
    let bytes: usize = page[..page.len() - 1].iter().flatten().map(Cell::bytes).sum();
    assert!(bytes < 6_000 && page.len() > 1, "{} rows of {bytes} bytes", page.len());
}

pub(super) fn a_mark_is_found_changed_and_taken_away(bed: &mut dyn Bed) {
    let before = bed.dump();
    let marks = [Phase::Frozen, Phase::Moved, Phase::Receiving, Phase::Aborted];
    for phase in marks {
        let mark = Mark::new(phase, "move_1", "ab", "elsewhere");
        let text = mark.text().unwrap();
        bed.tx(|port| port.mark_set(Some(&text), 5).unwrap());
        let found = bed.tx(|port| port.mark().unwrap()).unwrap();
        assert_eq!(Mark::read(&found), Ok(mark.clone()));
        let version = bed.tx(|port| port.schema_version().map_err(|error| error.code()));
        let migrated = bed.tx(|port| port.migrate(None, 9).map_err(|error| error.code()));
        let refused = match phase {
            Phase::Frozen | Phase::Receiving => None,
            Phase::Moved | Phase::Aborted => Some(-30),
        };
        assert_eq!(version.err(), refused, "{phase:?}");
        assert_eq!(migrated.err(), refused, "{phase:?}");
        assert!(!bed.tx(|port| port.migrations().unwrap()).contains("1000000000"));
        let noted = Mark { released: 7, ..mark };
        bed.tx(|port| port.mark_note(&noted.text().unwrap()).unwrap());
        let found = bed.tx(|port| port.mark().unwrap()).unwrap();
        assert_eq!(Mark::read(&found), Ok(noted));
    }
    bed.tx(|port| port.mark_set(None, 6).unwrap());
    assert_eq!(bed.tx(|port| port.mark().unwrap()), None);
    assert_eq!(bed.dump(), before);
}

pub(super) fn an_identity_goes_over(bed: &mut dyn Bed) {
    let identity = Identity {
        store_id: vec![7; 16],
        lineage: -5,
        created_at_ms: 12,
        clock_ms: 34,
        retention_next_ms: Some(56),
    };
    assert_ne!(bed.tx(|port| port.identity().unwrap()), identity);
    bed.tx(|port| port.identity_set(&identity).unwrap());
    assert_eq!(bed.tx(|port| port.identity().unwrap()), identity);
}
