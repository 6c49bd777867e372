//! Stores on a server of PostgreSQL, beside its own pgbench, which does the same by hand over libpq: inserts a
//! row like a step's; takes runs through a queue of three commits, or from one that holds many; goes over a
//! wire. And beside Absurd, in the server itself. `make bench-postgres`.

use crate::driver::Unit::PerSecond;
use crate::driver::Wanted::RatioAtLeast;
use crate::driver::{Bed, Contender};
use crate::host::{Host, POWER};
use crate::pgbench::Server;
use crate::{absurd, far, pending, queue, step};

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

pub fn run(bed: &Bed) {
    let server = &Server::found();
    server.run(TABLES);
    steps(bed, server);
    loops(bed, server);
    pending::run(bed, server);
    far::run(bed, server);
}

fn steps(bed: &Bed, server: &Server) {
    let insert = &bed.script("step.sql", STEP);
    let checkpoint = absurd::prepared(bed, server);
    let host = server.open("bench_steps");
    let mut all = Vec::new();
    for (count, least, of_absurd) in [(1, 0.65, 2.5), (8, 0.65, 3.0), (64, 1.0, 6.0)] {
        let (raw, what) = (format!("raw-step-{count}"), format!("an insert, {count} connections"));
        all.push(Contender::new(&raw, what, PerSecond, move || server.rate(insert, count)));
        if let Some(script) = &checkpoint {
            all.push(absurd::checkpoints(server, script, count));
        }
        let beside = checkpoint.as_ref().map(|_| of_absurd);
        all.push(ours(host, count, beside).of(raw).wanted(RatioAtLeast(least)));
    }
    bed.race(all);
    host.close();
}

/// Steps of a store: one figure, of two rows where it is held against Absurd as well.
fn ours<'run>(host: Host, count: u32, of_absurd: Option<f64>) -> Contender<'run> {
    let what = format!("step, POWER, {count} threads");
    let name = format!("step-{count}");
    let rate = move || step::threads(host, count, POWER).rate;
    let Some(least) = of_absurd else { return Contender::new(name, what, PerSecond, rate) };
    Contender::many(absurd::beside(count), format!("{what}, beside Absurd"), PerSecond, move || {
        vec![rate(); 2]
    })
    .of(absurd::name(count))
    .wanted(RatioAtLeast(least))
    .and(name, what, PerSecond)
}

fn loops(bed: &Bed, server: &Server) {
    let tasks = &bed.script("run.sql", RUN);
    let hosts = [1, 8].map(|count| (count, server.open(&format!("bench_queue_{count}"))));
    let mut all = Vec::new();
    for (count, host) in hosts {
        let (raw, what) = (format!("raw-run-{count}"), format!("a queue by hand, {count}"));
        all.push(Contender::new(&raw, what, PerSecond, move || server.rate(tasks, count)));
        let what = format!("submit + claim + complete, {count} worker(s)");
        let ours = move || queue::workers(host, count as usize);
        let ours = Contender::new(format!("loop-{count}"), what, PerSecond, ours);
        all.push(ours.of(raw).wanted(RatioAtLeast(0.5)));
    }
    bed.race(all);
    hosts.into_iter().for_each(|(_, host)| host.close());
}
