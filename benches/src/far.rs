//! Steps on a server that is half a millisecond away, there and back, beside four round trips by hand: a
//! transaction that looks for the step and inserts it. How often a step waits for the wire is what tells.

use std::time::Duration;

use crate::driver::Unit::PerSecond;
use crate::driver::Wanted::RatioAtLeast;
use crate::driver::{Bed, Contender};
use crate::host::POWER;
use crate::pgbench::Server;
use crate::step;
use crate::wire::Wire;

const EACH_WAY: Duration = Duration::from_micros(250);

/// With a result of 200 bytes.
const FOUR_TRIPS: &str = "
\\set number random(1, 9000000000000000)
BEGIN;
SELECT result FROM raw_steps WHERE run_key = :client_id AND number = :number;
INSERT INTO raw_steps VALUES (:client_id, :number, repeat('x', 200));
COMMIT;";

pub fn run(bed: &Bed, server: &Server) {
    let trips = &bed.script("trips.sql", FOUR_TRIPS);
    let wire = Wire::to(server.room(), EACH_WAY);
    let server = &server.through(wire.folder());
    let host = server.open("bench_far");
    let mut all = Vec::new();
    for (count, least) in [(1, 3.0), (64, 2.5)] {
        let raw = format!("raw-far-{count}");
        let what = format!("0.5 ms away: four trips, {count} connections");
        all.push(Contender::new(&raw, what, PerSecond, move || server.rate(trips, count)));
        let what = format!("0.5 ms away: step, POWER, {count} threads");
        let ours = move || step::threads(host, count, POWER).rate;
        let ours = Contender::new(format!("far-{count}"), what, PerSecond, ours);
        all.push(ours.of(raw).wanted(RatioAtLeast(least)));
    }
    bed.race(all);
    host.close();
}
