//! Cursors: whatever stands in one, the answer is a refusal or rows of the list that was asked for, in its
//! order, none twice and none left out behind the first. The cursor of one list is refused by all others.

use std::sync::Arc;

use serde_json::Value;
use smolwf::domain::claim::Claim;
use smolwf::domain::step::Begin;
use smolwf::domain::submit::Submit;
use smolwf::handles::begin::Begun;
use smolwf::handles::store::Store;

use super::place;

const INVALID: i32 = -2;

const FILTERS: [&str; 8] = [
    "{}",
    r#"{"order":"oldest"}"#,
    r#"{"workflow":"a"}"#,
    r#"{"workflow":"b","order":"oldest"}"#,
    r#"{"state":"completed"}"#,
    r#"{"state":["pending","running"],"include":["args"]}"#,
    r#"{"metadata":{"odd":true}}"#,
    r#"{"roots_only":true}"#,
];

const SECTIONS: [&str; 5] = ["attempts", "steps", "signals", "children", "events"];

/// Lists that are known whole, and a true cursor of each.
struct Lists {
    store: Arc<Store>,
    run_ids: Vec<String>,
    whole: Vec<Vec<Value>>,
    cursors: Vec<String>,
}

/// Which list in one byte, how long a page in one more, and the cursor. What no input can know it names:
/// `$3` is a true cursor of list 3, `%3` the middle of that.
pub fn judge(input: &[u8]) {
    let [which, len, rest @ ..] = input else { return };
    let Ok(text) = std::str::from_utf8(rest) else { return };
    thread_local!(static LISTS: Lists = Lists::new());
    let (which, limit) = (usize::from(*which), u32::from(*len % 4) + 1);
    LISTS.with(|lists| {
        lists.runs(which % FILTERS.len(), text, limit);
        lists.history(which % lists.run_ids.len(), text, limit);
    });
}

impl Lists {
    fn new() -> Lists {
        let store = place::store();
        let run_ids = fill(&store);
        let mut lists = Lists { store, run_ids, whole: Vec::new(), cursors: Vec::new() };
        for filter in FILTERS {
            let (whole, next) = lists.page(filter, None, 100);
            assert!(whole.len() > 2 && next.is_none(), "{filter} means too few runs");
            lists.whole.push(whole);
            lists.cursors.push(lists.page(filter, None, 2).1.expect("there is a next page"));
        }
        lists
    }

    fn page(&self, filter: &str, cursor: Option<&str>, limit: u32) -> (Vec<Value>, Option<String>) {
        let told = self.store.run_list(Some(filter), cursor, limit).unwrap();
        let told: Value = serde_json::from_str(&told).unwrap();
        let ids = told["items"].as_array().unwrap().iter().map(|run| run["run_id"].clone());
        (ids.collect(), told["next"].as_str().map(str::to_owned))
    }

    fn named(&self, text: &str) -> String {
        let mut named = text.to_owned();
        for (at, cursor) in self.cursors.iter().enumerate() {
            let middle = cursor.split('.').nth(1).expect("a cursor has three parts");
            named = named.replace(&format!("${at}"), cursor).replace(&format!("%{at}"), middle);
        }
        named
    }

    fn runs(&self, list: usize, text: &str, limit: u32) {
        let (filter, cursor) = (FILTERS[list], self.named(text));
        let told = format!("{filter} from {cursor:?} by {limit}");
        let answer = self.store.run_list(Some(filter), Some(&cursor), limit);
        let is_of = self.cursors.iter().position(|it| *it == cursor);
        if let Err(error) = &answer {
            assert!(error.code() == INVALID && is_of != Some(list), "{told}: {error}");
            return;
        }
        assert!(is_of.is_none_or(|of| of == list), "{told}: it is of list {is_of:?}");
        let (mut rows, mut next) = self.page(filter, Some(&cursor), limit);
        assert!(rows.len() <= limit as usize, "{told}: {} rows", rows.len());
        while let Some(cursor) = next {
            let (more, after) = self.page(filter, Some(&cursor), limit);
            rows.extend(more);
            next = after;
        }
        let whole = &self.whole[list];
        assert!(whole.ends_with(&rows), "{told}: {rows:?} of {whole:?}");
        assert!(is_of.is_none() || rows == whole[2..], "{told}: {rows:?}");
    }

    fn history(&self, run: usize, cursor: &str, limit: u32) {
        let run_id = &self.run_ids[run];
        let told = format!("history of {run} from {cursor:?} by {limit}");
        let read = |cursor: Option<&str>, limit| self.store.run_history(run_id, cursor, limit);
        let mut page = match read(Some(cursor), limit) {
            Ok(page) => page,
            Err(error) => return assert_eq!(error.code(), INVALID, "{told}: {error}"),
        };
        let whole: Value = serde_json::from_str(&read(None, 1_000).unwrap()).unwrap();
        let mut seen = SECTIONS.map(|_| Vec::new());
        loop {
            let shown: Value = serde_json::from_str(&page).unwrap();
            let mut count = 0;
            for (section, rows) in SECTIONS.iter().zip(&mut seen) {
                let more = shown[section].as_array().unwrap();
                count += more.len();
                rows.extend(more.clone());
            }
            assert!(count <= limit as usize, "{told}: {count} rows");
            let Some(next) = shown["next"].as_str() else { break };
            page = read(Some(next), limit).unwrap();
        }
        for (section, rows) in SECTIONS.iter().zip(&seen) {
            let all = whole[section].as_array().unwrap();
            assert!(all.ends_with(rows), "{told}: {section} {rows:?}");
        }
    }
}

/// Runs of two workflows, some of them ended, and one with a history of every kind.
fn fill(store: &Arc<Store>) -> Vec<String> {
    let submit = |at: usize| Submit {
        workflow: ["a", "b", "c"][at % 3].into(),
        metadata: Some(format!(r#"{{"odd":{}}}"#, at % 2 == 1)),
        ..Submit::default()
    };
    let run_ids: Vec<String> = (0..12).map(|at| store.submit(submit(at)).unwrap().run_id).collect();
    for _ in 0..4 {
        let attempt = store.claim(Claim::default()).unwrap().expect("one is ready");
        attempt.complete(None).unwrap();
    }
    let busy = store.claim(Claim::default()).unwrap().expect("one is ready");
    busy.release(0).unwrap();
    let busy = store.claim(Claim::default()).unwrap().expect("the same again");
    for at in 0..4 {
        let name = format!("step {at}");
        let begun = busy.step_begin(Begin { name: name.clone(), ..Begin::default() }).unwrap();
        let Begun::Run(step) = begun else { panic!("it is to be run") };
        step.complete(Some(format!("{at}"))).unwrap();
        busy.event_append(&name, Some("1".into()), None).unwrap();
        busy.child_submit(&name, submit(at)).unwrap();
        store.signal_send(busy.run_id().as_str(), &name, None, None).unwrap();
    }
    let busy_id = busy.run_id().as_str().to_owned();
    vec![busy_id, run_ids[0].clone(), run_ids[11].clone()]
}
