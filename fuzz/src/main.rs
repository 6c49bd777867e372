//! libFuzzer around the judge that `SMOLWF_FUZZ` names.

#![no_main]

use std::sync::OnceLock;

#[path = "../judges/mod.rs"]
mod judges;

fn judge(input: &[u8]) {
    static JUDGE: OnceLock<judges::Judge> = OnceLock::new();
    let named = || judges::named(&std::env::var("SMOLWF_FUZZ").expect("SMOLWF_FUZZ names a judge"));
    JUDGE.get_or_init(named)(input);
}

libfuzzer_sys::fuzz_target!(|input: &[u8]| judge(input));
