//! Scripts of `sw_tx_run`: one that fails leaves every row as it was, ours and the host's; one that succeeds
//! has a result for each of its items, and its statements have changed nothing of the library's own.

use std::sync::Arc;

use serde_json::Value;
use smolwf::domain::claim::Claim;
use smolwf::domain::step::Begin;
use smolwf::domain::submit::Submit;
use smolwf::handles::attempt::Attempt;
use smolwf::handles::begin::Begun;
use smolwf::handles::sql::InNameOf;
use smolwf::handles::step::Step;
use smolwf::handles::store::Store;
use smolwf::json::document::{items, members};

use super::place;

/// A store with rows of the host's, a run to send to, and an attempt with a step at work.
struct Place {
    store: Arc<Store>,
    target: String,
    attempt: Arc<Attempt>,
    step: Step,
    /// Queries that show every row: of the library's tables, and of the host's.
    looks: [String; 2],
}

const HOST: &str = r#"[
{"sql":"CREATE TABLE mine (id INTEGER PRIMARY KEY, note TEXT UNIQUE, n INTEGER CHECK (n < 100))"},
{"sql":"CREATE TABLE log (id INTEGER PRIMARY KEY AUTOINCREMENT, mine INTEGER REFERENCES mine (id), b)"},
{"sql":"CREATE INDEX by_n ON mine (n)"},
{"sql":"CREATE TRIGGER noted AFTER UPDATE ON mine BEGIN INSERT INTO log (mine) VALUES (new.id); END"},
{"sql":"INSERT INTO mine (note, n) VALUES ('one', 1), ('two', 2), ('three', 3)"}]"#;

/// In whose name in one byte, then the script; `@run` in it is a run to send to.
pub fn judge(input: &[u8]) {
    let Some((name, script)) = input.split_first() else { return };
    let Ok(script) = std::str::from_utf8(script) else { return };
    thread_local!(static PLACE: std::cell::RefCell<Option<Place>> = const { std::cell::RefCell::new(None) });
    let place = PLACE.take().unwrap_or_else(Place::new);
    let has_changed = place.play(*name, &script.replace("@run", &place.target));
    PLACE.set(Some(place).filter(|_| !has_changed));
}

impl Place {
    fn new() -> Place {
        let store = place::store();
        store.tx_run(InNameOf::default(), HOST).unwrap();
        let submit = || Submit { workflow: "w".into(), ..Submit::default() };
        store.submit(submit()).unwrap();
        let attempt = store.claim(Claim::default()).unwrap().expect("it is ready");
        let begun = attempt.step_begin(Begin { name: "step".into(), ..Begin::default() }).unwrap();
        let Begun::Run(step) = begun else { panic!("it is new") };
        let target = store.submit(submit()).unwrap().run_id;
        let looks = [look(&store, "LIKE"), look(&store, "NOT LIKE")];
        Place { store, target, attempt, step, looks }
    }

    /// Returns whether the script has changed anything.
    fn play(&self, name: u8, script: &str) -> bool {
        let before = self.rows();
        let name = match name % 3 {
            0 => InNameOf::default(),
            1 => InNameOf { attempt: Some(&self.attempt), ..InNameOf::default() },
            _ => InNameOf { step: Some(&self.step), ..InNameOf::default() },
        };
        let answer = self.store.tx_run(name, script);
        let after = self.rows();
        match answer {
            Err(error) => {
                assert!(error.code() > -60, "{script}: {error}");
                assert_eq!(before, after, "{script} failed, {error}, and has changed rows");
            }
            Ok(told) => {
                let told: Value = serde_json::from_str(&told).expect("results are JSON");
                let asked = items(script).expect("a script is a list");
                let results = told["results"].as_array().or(told.as_array());
                assert_eq!(results.map(Vec::len), Some(asked.len()), "{script}: {told}");
                let is_sql_alone = asked.iter().all(|item| is_sql(item));
                assert!(!is_sql_alone || before[0] == after[0], "{script} writes what is ours");
                place::assert_whole(&self.store, script);
            }
        }
        before != after
    }

    fn rows(&self) -> [String; 2] {
        let schema = self.ask("SELECT name, sql FROM sqlite_schema ORDER BY name");
        let [ours, hosts] = &self.looks;
        [self.ask(ours), schema + &self.ask(hosts)]
    }

    fn ask(&self, sql: &str) -> String {
        // A table that a script has dropped has no rows.
        self.store.query(sql, None, None).unwrap_or_else(|error| error.to_string())
    }
}

fn is_sql(item: &str) -> bool {
    let members = members(item).unwrap_or_default();
    members.iter().any(|(key, _)| key == "sql" || key == "query")
}

/// Writes the query that shows every row of the tables whose name is like ours, or is not.
fn look(store: &Store, like: &str) -> String {
    let ask = |sql: &str| -> Value {
        serde_json::from_str(&store.query(sql, None, None).unwrap()).unwrap()
    };
    let text = |value: &Value| value.as_str().expect("a name").to_owned();
    let tables = format!(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name {like} 'sw!_%' ESCAPE '!'"
    );
    let look = |row: &Value| {
        let table = text(&row[0]);
        let told = ask(&format!("SELECT * FROM \"{table}\" LIMIT 0"));
        let columns = told["columns"].as_array().expect("columns").iter();
        let quoted: Vec<String> =
            columns.map(|column| format!("quote(\"{}\")", text(column))).collect();
        let all = quoted.join(" || ',' || ");
        format!("SELECT '{table}', group_concat({all}, ';') FROM \"{table}\"")
    };
    let looks: Vec<String> =
        ask(&tables)["rows"].as_array().expect("rows").iter().map(look).collect();
    assert!(looks.len() > 1, "too few tables");
    looks.join(" UNION ALL ")
}
