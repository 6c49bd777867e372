//! The table that is printed, and the same as JSON.

use std::ffi::CStr;
use std::process::Command;
use std::sync::OnceLock;

use serde_json::{Value, json};

use crate::library::{library, path};
use crate::row::{Row, Unit, Wanted, spread};

/// What the figures were taken on, as it was before the first of them.
fn machine(rounds: usize) -> &'static Value {
    static MACHINE: OnceLock<Value> = OnceLock::new();
    MACHINE.get_or_init(|| looked_at(rounds))
}

fn looked_at(rounds: usize) -> Value {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let said = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).output();
        let text = output.map(|it| String::from_utf8_lossy(&it.stdout).trim().to_owned());
        text.unwrap_or_default()
    };
    let cpuinfo = read("/proc/cpuinfo");
    let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let folder = std::env::temp_dir().display().to_string();
    let mount = said("findmnt", &["-no", "FSTYPE,OPTIONS", "-T", &folder]);
    let info = unsafe { CStr::from_ptr((library().sw_build_info)()) };
    let info: Value = serde_json::from_slice(info.to_bytes()).unwrap();
    let ours = rusqlite::version();
    assert_eq!(info["sqlite_version"], ours, "the loops beside it must run the library's SQLite");
    json!({
        "processor": model.map(|(_, name)| name),
        "cores": std::thread::available_parallelism().map_or(0, |it| it.get()),
        "kernel": read("/proc/sys/kernel/osrelease").trim(),
        "folder": folder,
        "file_system": mount,
        "load_before": read("/proc/loadavg").trim(),
        "library": path().display().to_string(),
        "version": info["version"],
        "sqlite": ours,
        "commit": said("git", &["describe", "--always", "--dirty"]),
        "date": said("date", &["-u", "+%Y-%m-%dT%H:%M:%SZ"]),
        "rounds": rounds,
    })
}

pub fn head(rounds: usize) {
    let machine = machine(rounds);
    let text = |key: &str| machine[key].as_str().unwrap_or("?").to_owned();
    println!("{} x {}, Linux {}", machine["cores"], text("processor"), text("kernel"));
    println!("{} on {}", text("folder"), text("file_system"));
    println!("{}, {}, SQLite {}", text("library"), text("commit"), text("sqlite"));
    println!("load {}, {rounds} rounds\n", text("load_before"));
    println!(
        "{:<26} {:<46} {:>9}    {:<21} {:<24} {:<31} wanted",
        "row", "what", "median", "[least .. most]", "beside", "beside its floor"
    );
}

/// Three figures that count.
pub fn short(value: f64) -> String {
    match value.abs() {
        size if size >= 1e6 => format!("{:.2}M", value / 1e6),
        size if size >= 1e4 => format!("{:.1}k", value / 1e3),
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

pub fn line(row: &Row) {
    let (least, middle, most) = spread(&row.values);
    let unit = row.unit.text();
    let around = if row.values.len() > 1 {
        format!("[{} .. {}]", short(least), short(most))
    } else {
        "once".to_owned()
    };
    let part = |of: &Option<String>, ratios: &[f64]| {
        of.as_ref().map_or(String::new(), |of| format!("{} x {of}", short(spread(ratios).1)))
    };
    let (beside, floor) = (part(&row.of, &row.ratios), part(&row.floor, &row.of_floor));
    let wanted = row.wanted.map_or(String::new(), |wanted| {
        let met = match row.is_met() {
            Some(true) => "",
            Some(false) => "  (not met)",
            None => "  (unsteady)",
        };
        format!("{}{met}", asked(wanted, row.unit))
    });
    let middle = short(middle);
    println!(
        "{:<26} {:<46} {middle:>9} {unit:<3} {around:<20} {beside:<24} {floor:<31} {wanted}",
        row.name, row.what
    );
}

fn asked(wanted: Wanted, unit: Unit) -> String {
    let unit = unit.text();
    match wanted {
        Wanted::RatioAtLeast(least) => format!(">= {} x", short(least)),
        Wanted::RatioAtMost(most) => format!("<= {} x", short(most)),
        Wanted::AtLeast(least) => format!(">= {} {unit}", short(least)),
        Wanted::AtMost(most) => format!("<= {} {unit}", short(most)),
    }
}

pub fn foot(rows: &[Row]) {
    let known: Vec<bool> = rows.iter().filter_map(Row::is_met).collect();
    let met = known.iter().filter(|is_met| **is_met).count();
    let unsteady = rows.iter().filter(|row| !row.is_steady()).count();
    println!("\n{} rows; {met} of {} that want something have it", rows.len(), known.len());
    if unsteady > 0 {
        println!(
            "{unsteady} more cannot be told: their ratios differ too much from round to round"
        );
    }
}

pub fn json(rows: &[Row], rounds: usize) -> String {
    let rows: Vec<Value> = rows.iter().map(row_json).collect();
    let all = json!({ "machine": machine(rounds), "rows": rows });
    serde_json::to_string_pretty(&all).unwrap() + "\n"
}

fn row_json(row: &Row) -> Value {
    let (least, median, most) = spread(&row.values);
    let ratio = (!row.ratios.is_empty()).then(|| spread(&row.ratios));
    json!({
        "name": row.name,
        "what": row.what,
        "unit": row.unit.text(),
        "median": median, "least": least, "most": most, "values": row.values,
        "of": row.of,
        "ratio": ratio.map(|it| it.1),
        "ratio_least": ratio.map(|it| it.0), "ratio_most": ratio.map(|it| it.2),
        "floor": row.floor,
        "of_floor": (!row.of_floor.is_empty()).then(|| spread(&row.of_floor).1),
        "wanted": row.wanted.map(|wanted| asked(wanted, row.unit)),
        "is_met": row.is_met(),
        "is_steady": row.is_steady(),
        "at": row.at,
    })
}
