//! A step as Absurd has it: a function in the server that looks at the run, extends its lease, looks for the
//! checkpoint and writes it, in one call. Its schema is what `scripts/venv.sh absurd` installs. pgbench calls
//! it, so that nothing of a client's own work is in the figure.

use std::path::PathBuf;

use crate::driver::Unit::PerSecond;
use crate::driver::{Bed, Contender};
use crate::pgbench::Server;

const CONNECTIONS: [u32; 3] = [1, 8, 64];

/// A claimed task for each connection.
const CLAIMS: &str = "
SELECT absurd.spawn_task('bench', 'bench', 'null') FROM generate_series(1, 64);
CREATE TABLE absurd_claims AS
    SELECT row_number() OVER () - 1 AS client, task_id, run_id
    FROM absurd.claim_task('bench', 'bench', 86400, 64);";

/// With a result of 200 bytes, and a lease of as many seconds as its clients ask for.
const CHECKPOINT: &str = "
\\if :begun = 0
SELECT task_id AS task, run_id AS run FROM absurd_claims WHERE client = :client_id \\gset
\\set begun 1
\\endif
\\set number random(1, 9000000000000000)
SELECT absurd.set_task_checkpoint_state(
    'bench', :task, 'step-' || :number, to_jsonb(repeat('x', 198)), :run, 120
);";

/// Lays its schema and a queue, and returns the script of a step; `None` where nobody asks for it, and, said
/// aloud, where it is missing.
pub fn prepared(bed: &Bed, server: &Server) -> Option<PathBuf> {
    let is_wanted = |count| bed.wants(&name(count)) || bed.wants(&beside(count));
    if !CONNECTIONS.into_iter().any(is_wanted) {
        return None;
    }
    let programs = std::env::var("SW_ABSURD").unwrap_or_default();
    if programs.is_empty() {
        assert!(std::env::var("SW_REQUIRE_ALL").is_err(), "SW_ABSURD names no folder");
        println!(
            "skipped: absurd: SW_ABSURD names no folder of absurdctl, make bench-postgres does"
        );
        return None;
    }
    let absurdctl = PathBuf::from(programs).join("absurdctl");
    server.lend(&absurdctl, &["init", "--database"]);
    server.lend(&absurdctl, &["create-queue", "bench", "--database"]);
    server.run(CLAIMS);
    Some(bed.script("absurd.sql", CHECKPOINT))
}

pub fn name(connections: u32) -> String {
    format!("absurd-step-{connections}")
}

/// The row of ours that is held against it.
pub fn beside(connections: u32) -> String {
    format!("step-{connections}-absurd")
}

pub fn checkpoints<'run>(
    server: &'run Server,
    script: &'run std::path::Path,
    connections: u32,
) -> Contender<'run> {
    let what = format!("Absurd's checkpoint, {connections} connections");
    Contender::new(name(connections), what, PerSecond, move || server.rate(script, connections))
}
