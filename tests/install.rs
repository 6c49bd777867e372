//! What `make install` puts down is all that a program in C or C++ needs: headers, both libraries, and
//! files for pkg-config and CMake. The README's program is the judge, built in every way.

use std::fs;
use std::io::Write as _;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

const REPOSITORY: &str = env!("CARGO_MANIFEST_DIR");
const SIGKILL: i32 = 9;

/// Installs once for all tests of this file. The folder lies below the target folder.
fn prefix() -> &'static Path {
    static PREFIX: OnceLock<PathBuf> = OnceLock::new();
    PREFIX.get_or_init(|| {
        let prefix = Path::new(env!("CARGO_TARGET_TMPDIR")).join("installed");
        clear(&prefix);
        run(make("install").arg(format!("PREFIX={}", prefix.display())));
        prefix
    })
}

fn clear(folder: &Path) {
    if folder.exists() {
        fs::remove_dir_all(folder).expect("remove the folder of an earlier test run");
    }
}

/// Calls make for this repository, building where this test was built.
fn make(target: &str) -> Command {
    let target_dir = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("target/tmp");
    let mut make = Command::new("make");
    make.arg("-C").arg(REPOSITORY).arg(target).arg(format!("CARGO={}", env!("CARGO")));
    make.env("CARGO_TARGET_DIR", target_dir);
    for inherited in ["MAKEFLAGS", "MFLAGS", "MAKELEVEL", "DESTDIR", "PREFIX", "LIBDIR"] {
        make.env_remove(inherited);
    }
    make
}

fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}{}",
        output.status,
        text(&output.stdout),
        text(&output.stderr)
    );
    output
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A tool beside Rust and the C compiler: without it the test says so and passes, unless
/// SW_REQUIRE_ALL=1.
fn is_there(tool: &str) -> bool {
    let is_there = Command::new(tool).arg("--version").output().is_ok();
    let is_required = std::env::var("SW_REQUIRE_ALL").is_ok_and(|value| value == "1");
    assert!(is_there || !is_required, "{tool} is missing");
    if !is_there {
        // Not `eprintln!`, which the test runner swallows when the test passes.
        writeln!(std::io::stderr(), "skipped: {tool} is missing").expect("a standard error");
    }
    is_there
}

fn pkg_config(arguments: &[&str]) -> Vec<String> {
    let output = run(Command::new("pkg-config")
        .args(arguments)
        .arg("smolwf")
        .env("PKG_CONFIG_PATH", prefix().join("lib/pkgconfig")));
    text(&output.stdout).split_whitespace().map(str::to_owned).collect()
}

/// A language of the quickstart: its source, and how its compiler is called.
struct Language {
    source: &'static str,
    compiler: (&'static str, &'static str),
    standard: &'static str,
}

const C: Language =
    Language { source: "examples/c/quickstart.c", compiler: ("CC", "cc"), standard: "-std=c99" };
const CPP: Language = Language {
    source: "examples/cpp/quickstart.cpp",
    compiler: ("CXX", "c++"),
    standard: "-std=c++17",
};

/// Compiles a program with what pkg-config says, and with the given flags of the linker.
fn compile(language: &Language, source: &Path, folder: &Path, link: &[String]) -> PathBuf {
    let program = folder.join("program");
    let (variable, usual) = language.compiler;
    run(Command::new(std::env::var(variable).unwrap_or_else(|_| usual.into()))
        .args([language.standard, "-Wall", "-Wextra", "-Wpedantic", "-Werror"])
        .args(pkg_config(&["--cflags"]))
        .arg(source)
        .arg("-o")
        .arg(&program)
        .args(link));
    program
}

/// The linker's flags for the shared library, or for the archive and all it needs.
fn link_flags(is_static: bool) -> Vec<String> {
    if !is_static {
        return pkg_config(&["--libs"]);
    }
    let archive = prefix().join("lib/libsmolwf.a").display().to_string();
    let as_archive = |flag: String| if flag == "-lsmolwf" { archive.clone() } else { flag };
    pkg_config(&["--static", "--libs"]).into_iter().map(as_archive).collect()
}

/// Runs the program as its transcript says and writes down what it prints.
fn transcript(program: &Path, folder: &Path) -> String {
    let mut said = String::new();
    for (arguments, signal) in [(vec!["crash"], Some(SIGKILL)), (vec![], None), (vec![], None)] {
        let output = Command::new(program)
            .args(&arguments)
            .current_dir(folder)
            .env("LD_LIBRARY_PATH", prefix().join("lib"))
            .output()
            .expect("start the program");
        let errors = text(&output.stderr);
        assert_eq!(output.status.signal(), signal, "{arguments:?}: {errors}");
        assert!(signal.is_some() || output.status.success(), "{arguments:?}: {errors}");
        let line = [vec!["$ quickstart"], arguments].concat().join(" ");
        said += &format!("{line}\n{}", text(&output.stdout));
    }
    said
}

fn expected() -> String {
    let path = Path::new(REPOSITORY).join("examples/expected/quickstart.txt");
    fs::read_to_string(path).expect("the transcript")
}

/// Returns the names that a library defines: `-D` the dynamic ones, `-g` the global ones of an archive.
fn defined_names(library: &Path, option: &str) -> Vec<String> {
    let output = run(Command::new("nm").args([option, "--defined-only"]).arg(library));
    let listing = text(&output.stdout);
    let names = listing.lines().filter_map(|line| line.split_whitespace().nth(2));
    names.map(str::to_owned).collect()
}

fn quickstart_by_pkg_config(language: &Language, is_static: bool) {
    if !is_there("pkg-config") || !is_there("readelf") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let source = Path::new(REPOSITORY).join(language.source);
    let program = compile(language, &source, folder.path(), &link_flags(is_static));
    assert_eq!(transcript(&program, folder.path()), expected());
    assert_needs_smolwf(&program, !is_static);
}

fn assert_needs_smolwf(program: &Path, is_needed: bool) {
    let needed = text(&run(Command::new("readelf").arg("-d").arg(program)).stdout);
    assert_eq!(needed.contains("[libsmolwf.so.0]"), is_needed, "{needed}");
}

#[test]
fn the_shared_library_and_pkg_config_are_enough_for_the_quickstart() {
    quickstart_by_pkg_config(&C, false);
}

#[test]
fn the_static_library_and_pkg_config_are_enough_for_the_quickstart() {
    quickstart_by_pkg_config(&C, true);
}

#[test]
fn the_shared_library_and_pkg_config_are_enough_for_the_quickstart_in_cpp() {
    quickstart_by_pkg_config(&CPP, false);
}

#[test]
fn the_static_library_and_pkg_config_are_enough_for_the_quickstart_in_cpp() {
    quickstart_by_pkg_config(&CPP, true);
}

const CMAKE_LISTS: &str = r#"
cmake_minimum_required(VERSION 3.16)
project(quickstart LANGUAGES C CXX)
find_package(smolwf @ASKED@ REQUIRED CONFIG)
foreach(library smolwf smolwf_static)
  add_executable(c_${library} "@ROOT@/examples/c/quickstart.c")
  add_executable(cpp_${library} "@ROOT@/examples/cpp/quickstart.cpp")
  target_compile_features(cpp_${library} PRIVATE cxx_std_17)
  target_link_libraries(c_${library} PRIVATE smolwf::${library})
  target_link_libraries(cpp_${library} PRIVATE smolwf::${library})
endforeach()
"#;

/// Configures a project that asks for a version of the package.
fn configure(folder: &Path, asked: &str) -> Output {
    let lists = CMAKE_LISTS.replace("@ROOT@", REPOSITORY).replace("@ASKED@", asked);
    fs::write(folder.join("CMakeLists.txt"), lists).expect("a file in a fresh folder");
    let mut cmake = Command::new("cmake");
    cmake.arg("-S").arg(folder).arg("-B").arg(folder.join("build"));
    cmake.arg(format!("-DCMAKE_PREFIX_PATH={}", prefix().display()));
    cmake.output().expect("cmake can be started")
}

#[test]
fn the_cmake_package_is_enough_for_the_quickstart_in_both_languages_and_both_libraries() {
    if !is_there("cmake") || !is_there("readelf") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let output = configure(folder.path(), "0.1");
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    run(Command::new("cmake").arg("--build").arg(folder.path().join("build")));
    for language in ["c", "cpp"] {
        for (library, is_shared) in [("smolwf", true), ("smolwf_static", false)] {
            let program = folder.path().join("build").join(format!("{language}_{library}"));
            let room = tempfile::tempdir().expect("a folder");
            assert_eq!(transcript(&program, room.path()), expected(), "{language}, {library}");
            assert_needs_smolwf(&program, is_shared);
        }
    }
}

#[test]
fn the_cmake_package_is_not_taken_for_another_version() {
    if !is_there("cmake") {
        return;
    }
    for asked in ["0.2", "1.0", "0.0", "0.1.1"] {
        let folder = tempfile::tempdir().expect("a folder");
        let output = configure(folder.path(), asked);
        assert!(!output.status.success(), "{asked} is answered by the package");
        assert!(text(&output.stderr).contains("compatible"), "{}", text(&output.stderr));
    }
}

#[test]
fn a_host_with_an_sqlite_of_its_own_keeps_running_its_own() {
    if !is_there("pkg-config") {
        return;
    }
    for is_static in [false, true] {
        for is_ours_first in [false, true] {
            let folder = tempfile::tempdir().expect("a folder");
            let source = Path::new(REPOSITORY).join("tests/install/host_with_sqlite.c");
            let mut link = link_flags(is_static);
            link.insert(if is_ours_first { link.len() } else { 0 }, "-lsqlite3".into());
            let program = compile(&C, &source, folder.path(), &link);
            let mut host = Command::new(program);
            run(host.current_dir(folder.path()).env("LD_LIBRARY_PATH", prefix().join("lib")));
        }
    }
}

#[test]
fn the_shared_library_is_found_by_its_soname_and_exports_sw_names_alone() {
    if !is_there("readelf") || !is_there("nm") {
        return;
    }
    let lib = prefix().join("lib");
    let real = lib.join(concat!("libsmolwf.so.", env!("CARGO_PKG_VERSION")));
    for link in ["libsmolwf.so", "libsmolwf.so.0"] {
        assert_eq!(fs::canonicalize(lib.join(link)).expect(link), real.canonicalize().expect("it"));
    }
    let dynamic = text(&run(Command::new("readelf").arg("-d").arg(&real)).stdout);
    assert!(dynamic.contains("Library soname: [libsmolwf.so.0]"), "{dynamic}");
    assert_shows_sw_names_alone(&defined_names(&real, "-D"));
}

/// A host may bring its own SQLite: the one inside the archive must not stand in for it.
#[test]
fn the_static_library_shows_sw_names_alone() {
    if is_there("nm") {
        let names = defined_names(&prefix().join("lib/libsmolwf.a"), "-g");
        assert_shows_sw_names_alone(&names);
    }
}

fn assert_shows_sw_names_alone(names: &[String]) {
    let foreign: Vec<_> = names.iter().filter(|name| !name.starts_with("sw_")).collect();
    assert!(names.contains(&"sw_store_open".to_owned()), "{names:?}");
    assert_eq!(foreign, Vec::<&String>::new());
}

#[test]
fn pkg_config_tells_the_version_of_the_package() {
    if is_there("pkg-config") {
        assert_eq!(pkg_config(&["--modversion"]), [env!("CARGO_PKG_VERSION")]);
    }
}

#[test]
fn uninstall_takes_away_every_file_that_install_put_below_destdir() {
    let stage = tempfile::tempdir().expect("a folder");
    let destdir = format!("DESTDIR={}", stage.path().display());
    run(make("install").args([&destdir, "PREFIX=/opt/smolwf"]));
    let installed = files(stage.path());
    assert_eq!(
        installed,
        [
            "opt/smolwf/include/smolwf.h",
            "opt/smolwf/include/smolwf.hpp",
            "opt/smolwf/lib/cmake/smolwf/smolwfConfig.cmake",
            "opt/smolwf/lib/cmake/smolwf/smolwfConfigVersion.cmake",
            "opt/smolwf/lib/libsmolwf.a",
            "opt/smolwf/lib/libsmolwf.so",
            "opt/smolwf/lib/libsmolwf.so.0",
            concat!("opt/smolwf/lib/libsmolwf.so.", env!("CARGO_PKG_VERSION")),
            "opt/smolwf/lib/pkgconfig/smolwf.pc",
            "opt/smolwf/share/smolwf/smolwf.cdef",
        ]
    );
    for file in ["pkgconfig/smolwf.pc", "cmake/smolwf/smolwfConfig.cmake"] {
        let text = fs::read_to_string(stage.path().join("opt/smolwf/lib").join(file)).expect(file);
        assert!(!text.contains('@'), "{text}");
        assert!(text.contains("prefix=/opt/smolwf\n") || text.contains("/../include\""), "{text}");
    }
    run(make("uninstall").args([&destdir, "PREFIX=/opt/smolwf"]));
    assert_eq!(files(stage.path()), Vec::<String>::new());
}

/// Lists the files below a folder, links as they are, sorted.
fn files(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder").map(|entry| entry.expect("entry")) {
            if entry.file_type().expect("type").is_dir() {
                folders.push(entry.path());
            } else {
                let path = entry.path();
                found.push(path.strip_prefix(root).expect("below").display().to_string());
            }
        }
    }
    found.sort();
    found
}

#[test]
fn the_readme_shows_the_quickstart_as_it_is() {
    let readme = fs::read_to_string(Path::new(REPOSITORY).join("README.md")).expect("README.md");
    let program = fs::read_to_string(Path::new(REPOSITORY).join("examples/c/quickstart.c"));
    let blocks = readme.split("```c\n").skip(1).filter_map(|rest| rest.split_once("```"));
    let shown = blocks.map(|(block, _)| block).find(|block| block.contains("sw_store_open"));
    assert_eq!(shown.expect("a C block with sw_store_open"), program.expect("quickstart.c"));
}
