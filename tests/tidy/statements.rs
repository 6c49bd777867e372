//! Statements are constants, gathered for the tests of their plans.

use std::path::Path;

use super::{Source, VERBS, assert_none, files, has_word, read, words};

/// Returns the statements of a topic that stand as constants: name and line.
fn statements(source: &Source) -> Vec<(usize, &str)> {
    let lines = source.product().lines().enumerate();
    let constants = lines.filter_map(|(at, line)| Some((at, line.split_once("const ")?.1)));
    let named = constants.filter_map(|(at, rest)| Some((at, rest.split_once(": &str =")?)));
    let is_sql = |value: &str| words(value).next().is_some_and(|w| VERBS.iter().any(|v| v.0 == w));
    let with_value = named.filter(|(at, (_, value))| {
        let rest = source.product().lines().skip(at + 1).collect::<Vec<_>>().join("\n");
        is_sql(&format!("{value}\n{rest}"))
    });
    with_value.map(|(at, (name, _))| (at, name)).collect()
}

pub(super) fn unlisted(source: &Source, index: &Source) -> Vec<String> {
    let list = source.product().split_once("const STATEMENTS: &[&str] =");
    let list = list.map_or("", |(_, rest)| rest.split(']').next().unwrap_or_default());
    let all = statements(source);
    let missing = all.iter().filter(|(_, name)| !has_word(list, name));
    let mut faults: Vec<String> = missing
        .map(|(at, name)| source.fault(*at, &format!("{name} is not in STATEMENTS")))
        .collect();
    let topic = Path::new(&source.path).file_stem().unwrap_or_default().to_string_lossy();
    if !all.is_empty() && !index.text.contains(&format!("{topic}::STATEMENTS")) {
        faults.push(index.fault(0, &format!("does not gather {topic}::STATEMENTS")));
    }
    faults
}

/// Files whose statements run on any schema and on none of ours, or ask the server of itself.
const UNLISTED: [&str; 6] = [
    "/migrate.rs",
    "postgres/connect.rs",
    "postgres/ear.rs",
    "postgres/sql.rs",
    "postgres/transaction.rs",
    "postgres/tx.rs",
];

#[test]
fn every_statement_is_in_the_list_that_the_test_of_plans_reads() {
    for folder in ["src/storage/sqlite", "src/storage/postgres"] {
        let index = read(&format!("{folder}/mod.rs"));
        let topics = files(&[folder], &[".rs"]);
        let topics =
            topics.iter().filter(|source| !UNLISTED.iter().any(|it| source.path.ends_with(it)));
        let (all, faults): (Vec<_>, Vec<_>) =
            topics.map(|it| (statements(it).len(), unlisted(it, &index))).unzip();
        assert!(all.iter().sum::<usize>() > 30, "found {all:?} statements only");
        assert_none(&faults.concat());
    }
}
