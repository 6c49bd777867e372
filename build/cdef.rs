//! The plain form of the header, for readers without a preprocessor.

/// Leaves the declarations, and the constants as enums: what cffi, koffi and LuaJIT read, which have
/// no preprocessor.
pub fn plain(header: &str) -> String {
    let (mut numbers, mut kept) = (Vec::new(), String::new());
    let mut is_cplusplus = false;
    for line in without_comments(header).lines() {
        let line = line.trim_end();
        match line.split_whitespace().collect::<Vec<_>>()[..] {
            ["#ifdef", "__cplusplus"] => is_cplusplus = true,
            ["#endif", ..] => is_cplusplus = false,
            ["#define", name, value] => numbers.extend(number(name, value)),
            [] => {}
            [first, ..] if first.starts_with('#') || is_cplusplus => {}
            _ => kept.push_str(&format!("{line}\n")),
        }
    }
    format!("enum {{\n{}\n}};\nenum {{\n  SW_NTS = {ALL_ONES}\n}};\n{kept}", numbers.join(",\n"))
}

/// The largest size_t, in a form that each reader of an enum takes: 2^64 - 1 where numbers are wide,
/// and -1, which a size_t takes for the same, where they have 32 bits, as in LuaJIT.
const ALL_ONES: &str = "(1 << 16 << 16 << 16 << 16) - 1";

/// Returns the enumerator of a constant. What 32 bits do not hold stands in the header alone, since
/// LuaJIT refuses the enum; but for SW_NTS, which has an enum of its own, as other values of its
/// enum would have to share a type with it.
fn number(name: &str, value: &str) -> Option<String> {
    let value: i128 = value.trim_end_matches(['u', 'l']).parse().ok()?;
    let fits = (i128::from(i32::MIN)..=i128::from(u32::MAX)).contains(&value);
    fits.then(|| format!("  {name} = {value}"))
}

/// Removes `/* */` and `//` comments; the header has no string in which they could stand.
fn without_comments(header: &str) -> String {
    let mut rest = header;
    let mut code = String::new();
    while let Some(at) = rest.find("/*") {
        code.push_str(&rest[..at]);
        rest = rest[at..].split_once("*/").map_or("", |(_, after)| after);
    }
    code.push_str(rest);
    code.lines().map(|line| line.split("//").next().unwrap_or_default().to_owned() + "\n").collect()
}
