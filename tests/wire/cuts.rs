//! The connection is cut at messages of the workload, in each direction, before and after each.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use smolwf::handles::store::Store;

use crate::proxy::{Counts, Cut, Proxy, Way};
use crate::server::Server;
use crate::workload::Day;

/// Of messages that are no COMMIT, each so-many-th is cut at, unless told otherwise.
const EVERY: u32 = 149;

/// Days that are lived side by side: most of one is waiting.
const LANES: usize = 4;

/// Milliseconds that a call waits for a server that comes back, and for one that stays away.
const PATIENT_MS: u32 = 30_000;
const HASTY_MS: u32 = 60;

fn every() -> u32 {
    std::env::var("SW_WIRE_EVERY").map_or(EVERY, |every| every.parse().unwrap())
}

/// Days behind a proxy, on a store of their own.
struct Lane<'lane> {
    server: &'lane Server,
    proxy: Proxy,
    schema: String,
    judge: Arc<Store>,
}

impl Lane<'_> {
    fn of<'lane>(server: &'lane Server, name: &str) -> Lane<'lane> {
        let schema = format!("sw_test_{name}_{}", std::process::id());
        let judge = server.open(&server.url(&schema, None), PATIENT_MS).unwrap();
        judge.init().unwrap();
        Lane { server, proxy: Proxy::to(&server.room), schema, judge }
    }

    /// Lives a day with this cut in it, and judges it. Returns whether the cut was met.
    fn live(&self, cut: Option<Cut>) -> bool {
        let queue = format!("{cut:?}").replace(|letter: char| !letter.is_ascii_alphanumeric(), "_");
        let is_for_long = cut.is_some_and(|cut| cut.is_for_long);
        self.proxy.plan(cut);
        let mend = || {
            self.proxy.mend();
        };
        let day = Day::on(&queue, &mend);
        let url = self.server.url(&self.schema, Some(self.proxy.folder()));
        let patience = if is_for_long { HASTY_MS } else { PATIENT_MS };
        // A user whose open fails opens again: nothing of it is kept.
        let store = day.call("open", || self.server.open(&url, patience)).unwrap();
        day.live(&store);
        let was_cut = self.proxy.mend();
        store.close();
        day.judge(&self.judge);
        // One cut is nobody's affair where the server can be asked again.
        let failed = day.failed.borrow();
        let is_known = failed.iter().all(|(name, ..)| *name == "open");
        assert!(is_for_long || is_known, "{queue}: {failed:?}");
        was_cut
    }
}

fn whole(judge: &Store) {
    assert_eq!(judge.check().unwrap(), r#"{"ok":true,"faults":[]}"#);
}

/// Lives a day with each cut, some side by side; returns how many cuts were met.
fn live_all(server: &Server, name: &str, cuts: &[Cut]) -> u32 {
    let met = AtomicU32::new(0);
    std::thread::scope(|scope| {
        for (at, cuts) in cuts.chunks(cuts.len().div_ceil(LANES)).enumerate() {
            let met = &met;
            scope.spawn(move || {
                let lane = Lane::of(server, &format!("{name}{at}"));
                for cut in cuts {
                    met.fetch_add(u32::from(lane.live(Some(*cut))), Ordering::Relaxed);
                }
                whole(&lane.judge);
            });
        }
    });
    met.into_inner()
}

/// How many messages a day has each way.
fn of_a_day(server: &Server, name: &str) -> [Counts; 2] {
    let lane = Lane::of(server, name);
    lane.live(None);
    [Way::There, Way::Back].map(|way| lane.proxy.counts(way))
}

/// P6, P7: of each COMMIT its message, or its answer, is lost, or the connection after it.
#[test]
fn a_commit_whose_answer_is_lost_is_answered_as_it_went() {
    let Some(server) = Server::found() else { return };
    let [there, back] = of_a_day(&server, "commits");
    assert!(there.commits > 25, "{there:?} is not the workload's");
    let mut cuts = Vec::new();
    for message in 1..=there.commits {
        let cut = |way, is_after, is_for_long| Cut {
            way,
            message,
            is_of_commits: true,
            is_after,
            is_for_long,
        };
        // The message goes on and its answer does not; and one of the other ways, in turn, or all.
        cuts.push(cut(Way::There, true, false));
        // Of those that have no COMMIT there is no answer of their own.
        let answer = if message <= back.commits { Way::Back } else { Way::There };
        let others =
            [cut(Way::There, false, false), cut(answer, false, false), cut(Way::There, true, true)];
        match every() {
            1 => cuts.extend(others),
            _ => cuts.push(others[message as usize % others.len()]),
        }
    }
    let met = live_all(&server, "commits", &cuts);
    println!("{} commits, cut at {met} times", there.commits);
    assert!(met as usize > cuts.len() * 9 / 10, "{met} of {}", cuts.len());
}

/// P6, P7: any message, whatever it is.
#[test]
fn wherever_the_connection_is_cut_nothing_is_lost_or_done_twice() {
    let Some(server) = Server::found() else { return };
    let mut cuts = Vec::new();
    for (way, of) in [Way::There, Way::Back].into_iter().zip(of_a_day(&server, "cuts")) {
        for (nth, message) in (1..=of.all).step_by(every() as usize).enumerate() {
            for is_after in [false, true] {
                let is_for_long = (nth + usize::from(is_after)).is_multiple_of(3);
                cuts.push(Cut { way, message, is_of_commits: false, is_after, is_for_long });
            }
        }
    }
    let met = live_all(&server, "cuts", &cuts);
    println!("cut at {met} messages");
    assert!(met as usize > cuts.len() / 2, "{met} of {}", cuts.len());
}

/// The tables of a store are made whole or not at all, and whoever asks again gets them.
#[test]
fn wherever_the_making_of_a_store_is_cut_it_is_made_once() {
    let Some(server) = Server::found() else { return };
    let proxy = Proxy::to(&server.room);
    let mut at = 0;
    let mut make = |cut: Option<Cut>| {
        at += 1;
        let schema = format!("sw_test_made_{}_{at}", std::process::id());
        proxy.plan(cut);
        let mend = || {
            proxy.mend();
        };
        let day = Day::on("q", &mend);
        let url = server.url(&schema, Some(proxy.folder()));
        let store = day.call("open", || server.open(&url, PATIENT_MS)).unwrap();
        day.call("init", || store.init()).unwrap();
        proxy.mend();
        let judge = server.open(&server.url(&schema, None), PATIENT_MS).unwrap();
        assert_eq!(judge.init().unwrap(), 0, "it is made");
        whole(&judge);
        server.run(&format!("DROP SCHEMA {schema} CASCADE"));
    };
    make(None);
    let all = [Way::There, Way::Back].map(|way| (way, proxy.counts(way)));
    for (way, counts) in all {
        let step = every().min(61) as usize;
        let messages = (1..=counts.all).step_by(step).map(|message| (message, false));
        let commits = (1..=counts.commits).map(|message| (message, true));
        for (message, is_of_commits) in messages.chain(commits) {
            for is_after in [false, true] {
                make(Some(Cut { way, message, is_of_commits, is_after, is_for_long: false }));
            }
        }
    }
}
