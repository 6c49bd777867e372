//! Stores on a server of PostgreSQL, beside its own pgbench, which does the same by hand over libpq: inserts a
//! row like a step's; takes runs through a queue of three commits. `make bench-postgres`.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::driver::Unit::PerSecond;
use crate::driver::Wanted::RatioAtLeast;
use crate::driver::{Bed, Contender, sample_time};
use crate::host::{Host, POWER};
use crate::{queue, step};

/// Some tasks are there from the start: a connection whose own was taken by another one finds one of those.
/// Else it would find none, and pgbench would go on without it.
const TABLES: &str = "
CREATE TABLE raw_steps (run_key bigint, number bigint, result text, PRIMARY KEY (run_key, number));
CREATE TABLE raw_tasks (task_key bigserial PRIMARY KEY, state int NOT NULL, args text);
CREATE INDEX raw_ready ON raw_tasks (task_key) WHERE state = 1;
INSERT INTO raw_tasks (state, args) SELECT 1, 'null' FROM generate_series(1, 64)";

/// With a result of 200 bytes.
const STEP: &str = "
\\set number random(1, 9000000000000000)
INSERT INTO raw_steps VALUES (:client_id, :number, repeat('x', 200));";

const RUN: &str = "
INSERT INTO raw_tasks (state, args) VALUES (1, 'null');
UPDATE raw_tasks SET state = 2 WHERE task_key = (
    SELECT task_key FROM raw_tasks WHERE state = 1 ORDER BY task_key LIMIT 1 FOR UPDATE SKIP LOCKED
) RETURNING task_key AS taken \\gset
UPDATE raw_tasks SET state = 3 WHERE task_key = :taken;";

/// The server that `scripts/postgres.sh` has started.
struct Server {
    url: String,
    programs: PathBuf,
}

impl Server {
    fn found() -> Server {
        let named = |name| std::env::var(name).expect("scripts/postgres.sh starts a server");
        Server { url: named("SW_POSTGRES_URL"), programs: named("SW_POSTGRES_PROGRAMS").into() }
    }

    fn open(&self, schema: &str) -> Host {
        Host::open(Path::new(&format!("{}&sw_schema={schema}", self.url)), POWER)
    }

    fn run(&self, sql: &str) {
        let mut psql = Command::new(self.programs.join("psql"));
        let status = psql.args(["-qX", &self.url, "-c", sql]).status().unwrap();
        assert!(status.success(), "{sql}");
    }

    /// Transactions of a script per second, from so many connections.
    fn rate(&self, script: &Path, connections: u32) -> f64 {
        let seconds = sample_time().as_secs().max(1).to_string();
        let count = connections.to_string();
        let told = Command::new(self.programs.join("pgbench"))
            .args(["-n", "-M", "prepared", "-j", "2", "-c", &count, "-T", &seconds, "-f"])
            .arg(script)
            .arg(&self.url)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&told.stdout);
        let (_, rate) = said.split_once("tps = ").unwrap_or_else(|| panic!("{told:?}"));
        rate.split(' ').next().unwrap().parse().unwrap()
    }
}

pub fn run(bed: &Bed) {
    let server = &Server::found();
    server.run(TABLES);
    let script = |name: &str, text: &str| {
        let path = bed.at(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let (insert, tasks) = (&script("step.sql", STEP), &script("run.sql", RUN));
    let steps = server.open("bench_steps");
    let queues = [1, 8].map(|count| (count, server.open(&format!("bench_queue_{count}"))));
    let mut all = Vec::new();
    for (count, least) in [(1, 0.65), (8, 0.65), (64, 1.0)] {
        let (raw, what) = (format!("raw-step-{count}"), format!("an insert, {count} connections"));
        all.push(Contender::new(&raw, what, PerSecond, move || server.rate(insert, count)));
        let what = format!("step, POWER, {count} threads");
        let ours = move || step::threads(steps, count, POWER).rate;
        let ours = Contender::new(format!("step-{count}"), what, PerSecond, ours);
        all.push(ours.of(raw).wanted(RatioAtLeast(least)));
    }
    for (count, host) in queues {
        let (raw, what) = (format!("raw-run-{count}"), format!("a queue by hand, {count}"));
        all.push(Contender::new(&raw, what, PerSecond, move || server.rate(tasks, count)));
        let what = format!("submit + claim + complete, {count} worker(s)");
        let ours = move || queue::workers(host, count as usize);
        let ours = Contender::new(format!("loop-{count}"), what, PerSecond, ours);
        all.push(ours.of(raw).wanted(RatioAtLeast(0.5)));
    }
    bed.race(all);
    steps.close();
    queues.into_iter().for_each(|(_, host)| host.close());
}
