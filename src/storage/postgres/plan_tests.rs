//! How the server goes about every statement: none scans a table that grows.

use std::collections::BTreeSet;

use super::open_tests::Own;
use super::sql::OURS_WRITTEN;
use super::statements;

/// Part of a statement that may scan a table, and why.
const SCANS: &[(&str, &str)] = &[
    (
        "max(greatest(created_at_ms",
        "a manual clock is for tests, and opening one may take as long as the store is large",
    ),
    (
        "FROM $schema.sw_workflow_lanes AS n\n    CROSS JOIN LATERAL",
        "a list by the names of lanes looks at each lane once, and lanes are few beside runs",
    ),
];

/// Tables that have one row, or as many as there are steps of the schema.
const SMALL: [&str; 3] = ["sw_store", "sw_retention", "sw_migrations"];

/// Returns how many parameters a statement has.
fn parameters(sql: &str) -> usize {
    let numbers = sql.split('$').skip(1).map(|rest| {
        let end = rest.find(|digit: char| !digit.is_ascii_digit()).unwrap_or(rest.len());
        rest[..end].parse().unwrap_or(0)
    });
    numbers.max().unwrap_or(0)
}

/// Returns the lines of a statement's plan, as it is whatever its values are.
fn plan(own: &mut Own, sql: &str) -> Vec<String> {
    let schema = own.admin.schema().to_owned();
    own.run(&format!("PREPARE planned AS {}", sql.replace("$schema", &schema)));
    let nulls = vec!["NULL"; parameters(sql)].join(", ");
    let values = if nulls.is_empty() { String::new() } else { format!("({nulls})") };
    let told = own.admin.run_once(&format!("EXPLAIN EXECUTE planned{values}"), &[]).unwrap();
    own.run("DEALLOCATE planned");
    let line = |at| String::from_utf8(told.value(at, 0).unwrap().to_vec()).unwrap();
    (0..told.rows()).map(line).collect()
}

/// It is asked before and after each statement of the host's.
#[test]
fn what_a_statement_of_the_hosts_wrote_is_asked_of_our_tables_alone() {
    let Some(mut own) = Own::made() else { return };
    let plan = plan(&mut own, OURS_WRITTEN);
    let scans: Vec<_> = plan.iter().filter(|line| line.contains("Scan")).collect();
    assert_eq!(scans.len(), 1, "{plan:#?}");
    assert!(scans[0].contains("Index Scan using pg_class_relname_nsp_index"), "{plan:#?}");
    let range = plan.iter().find(|line| line.contains("Index Cond")).unwrap();
    assert!(range.contains("relname >= 'sw"), "{plan:#?}");
}

#[test]
fn every_statement_prepares_and_none_scans_a_table() {
    let Some(mut own) = Own::made() else { return };
    let mut excused = BTreeSet::new();
    let mut faults = Vec::new();
    for sql in statements() {
        let plan = plan(&mut own, sql);
        let scan = plan.iter().find(|line| {
            line.contains("Seq Scan on") && !SMALL.iter().any(|table| line.contains(table))
        });
        let Some(scan) = scan else { continue };
        match SCANS.iter().position(|(part, _)| sql.contains(part)) {
            Some(at) => drop(excused.insert(at)),
            None => faults.push(format!("{}\n{sql}", scan.trim())),
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n---\n"));
    assert_eq!(excused.len(), SCANS.len(), "an excuse that no statement needs");
}
