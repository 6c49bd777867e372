//! What `make install` puts down is all that a program in C or C++ needs: headers, both libraries, and
//! files for pkg-config and CMake. The README's program is the judge, built in every way.

use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

#[path = "support/native.rs"]
mod native;

use native::{all_said, has, said, strict};

const REPOSITORY: &str = env!("CARGO_MANIFEST_DIR");
const SIGKILL: i32 = 9;

/// Installs once for all tests of this file, into a folder whose name no tool may take apart.
fn prefix() -> &'static Path {
    static PREFIX: OnceLock<PathBuf> = OnceLock::new();
    PREFIX.get_or_init(|| {
        let prefix = Path::new(env!("CARGO_TARGET_TMPDIR")).join("installed here & there");
        if prefix.exists() {
            fs::remove_dir_all(&prefix).expect("remove the folder of an earlier test run");
        }
        said(install(built()).arg(variable("PREFIX", &prefix)));
        prefix
    })
}

/// Builds the release library once, and returns the folder of what cargo builds.
fn built() -> &'static Path {
    static TARGET: OnceLock<&Path> = OnceLock::new();
    TARGET.get_or_init(|| {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("target/tmp");
        // With the whole environment: whoever runs the tests says there how cargo gets along.
        let mut build = Command::new("make");
        build.arg("-C").arg(REPOSITORY).arg("build").arg(concat!("CARGO=", env!("CARGO")));
        for inherited in ["MAKEFLAGS", "MFLAGS", "MAKELEVEL"] {
            build.env_remove(inherited);
        }
        said(build.env("CARGO_TARGET_DIR", target));
        target
    })
}

/// Calls make for this repository with an environment as bare as sudo's: without cargo.
fn make(asked: &str, target: &Path) -> Command {
    let mut make = Command::new("make");
    make.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("CARGO_TARGET_DIR", target);
    make.arg("-C").arg(REPOSITORY).arg(asked).arg("CARGO=/nowhere/cargo");
    make
}

fn install(target: &Path) -> Command {
    make("install", target)
}

/// A variable of make.
fn variable(name: &str, value: &Path) -> String {
    format!("{name}={}", value.display())
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Returns what pkg-config says, taken apart as a shell does.
fn pkg_config(arguments: &[&str]) -> Vec<String> {
    let script = r#"eval "set -- $(pkg-config "$@" smolwf)" && printf '%s\n' "$@""#;
    let mut shell = Command::new("sh");
    shell.args(["-euc", script, "sh"]).args(arguments);
    let said = said(shell.env("PKG_CONFIG_PATH", prefix().join("lib/pkgconfig")));
    said.lines().map(str::to_owned).collect()
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
    let compiler = std::env::var(variable).unwrap_or_else(|_| usual.into());
    said(
        Command::new(&compiler)
            .args(strict(&compiler))
            .args([language.standard, "-Wall", "-Wextra", "-Wpedantic"])
            .args(pkg_config(&["--cflags"]))
            .arg(source)
            .arg("-o")
            .arg(&program)
            .args(link),
    );
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
    let listing = said(Command::new("nm").args([option, "--defined-only"]).arg(library));
    let names = listing.lines().filter_map(|line| line.split_whitespace().nth(2));
    names.map(str::to_owned).collect()
}

fn quickstart_by_pkg_config(language: &Language, is_static: bool) {
    if !has("pkg-config") || !has("readelf") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let source = Path::new(REPOSITORY).join(language.source);
    let program = compile(language, &source, folder.path(), &link_flags(is_static));
    assert_eq!(transcript(&program, folder.path()), expected());
    assert_needs_smolwf(&program, !is_static);
}

fn assert_needs_smolwf(program: &Path, is_needed: bool) {
    let needed = said(Command::new("readelf").arg("-d").arg(program));
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
@BROUGHT@
foreach(library smolwf smolwf_static)
  add_executable(c_${library} "@ROOT@/examples/c/quickstart.c")
  add_executable(cpp_${library} "@ROOT@/examples/cpp/quickstart.cpp")
  target_compile_features(cpp_${library} PRIVATE cxx_std_17)
  target_link_libraries(c_${library} PRIVATE smolwf::${library})
  target_link_libraries(cpp_${library} PRIVATE smolwf::${library})
endforeach()
"#;

/// Configures a project that brings smolwf in by some lines.
fn configure(folder: &Path, brought: &str) -> Output {
    let lists = CMAKE_LISTS.replace("@ROOT@", REPOSITORY).replace("@BROUGHT@", brought);
    fs::write(folder.join("CMakeLists.txt"), lists).expect("a file in a fresh folder");
    let mut cmake = Command::new("cmake");
    cmake.arg("-S").arg(folder).arg("-B").arg(folder.join("build"));
    cmake.arg(format!("-DCMAKE_PREFIX_PATH={}", prefix().display()));
    cmake.output().expect("cmake can be started")
}

fn find_package(version: &str) -> String {
    format!("find_package(smolwf {version} REQUIRED CONFIG)")
}

/// Builds the quickstart in both languages with both libraries, and runs all four.
fn quickstarts_by_cmake(brought: &str) {
    if !has("cmake") || !has("readelf") {
        return;
    }
    let folder = tempfile::Builder::new().prefix("a build").tempdir().expect("a folder");
    let output = configure(folder.path(), brought);
    assert!(output.status.success(), "{}", all_said(&output));
    said(Command::new("cmake").arg("--build").arg(folder.path().join("build")));
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
fn the_cmake_package_is_enough_for_the_quickstart_in_both_languages_and_both_libraries() {
    quickstarts_by_cmake(&find_package("0.1"));
}

#[test]
fn the_sources_fetched_by_cmake_are_enough_for_the_same() {
    quickstarts_by_cmake(&format!(
        r#"include(FetchContent)
        set(SMOLWF_TARGET_DIR "{}" CACHE PATH "")
        set(SMOLWF_CARGO "{}" CACHE FILEPATH "")
        FetchContent_Declare(smolwf SOURCE_DIR "{REPOSITORY}")
        FetchContent_MakeAvailable(smolwf)"#,
        built().display(),
        env!("CARGO"),
    ));
}

#[test]
fn the_sources_fetched_by_cmake_take_an_installed_library_and_then_need_no_cargo() {
    quickstarts_by_cmake(&format!(
        r#"include(FetchContent)
        set(SMOLWF_PREFIX "{}" CACHE PATH "")
        set(SMOLWF_CARGO "/nowhere/cargo" CACHE FILEPATH "")
        FetchContent_Declare(smolwf SOURCE_DIR "{REPOSITORY}")
        FetchContent_MakeAvailable(smolwf)"#,
        prefix().display(),
    ));
}

#[test]
fn the_cmake_package_is_not_taken_for_another_version() {
    if !has("cmake") {
        return;
    }
    for asked in ["0.2", "1.0", "0.0", "0.1.1"] {
        let folder = tempfile::tempdir().expect("a folder");
        let output = configure(folder.path(), &find_package(asked));
        assert!(!output.status.success(), "{asked} is answered by the package");
        assert!(text(&output.stderr).contains("compatible"), "{}", text(&output.stderr));
    }
}

#[test]
fn a_host_with_an_sqlite_of_its_own_keeps_running_its_own() {
    if !has("pkg-config") {
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
            said(host.current_dir(folder.path()).env("LD_LIBRARY_PATH", prefix().join("lib")));
        }
    }
}

#[test]
fn the_shared_library_is_found_by_its_soname_and_exports_sw_names_alone() {
    if !has("readelf") || !has("nm") {
        return;
    }
    let lib = prefix().join("lib");
    let real = lib.join(concat!("libsmolwf.so.", env!("CARGO_PKG_VERSION")));
    for link in ["libsmolwf.so", "libsmolwf.so.0"] {
        assert_eq!(fs::canonicalize(lib.join(link)).expect(link), real.canonicalize().expect("it"));
    }
    let dynamic = said(Command::new("readelf").arg("-d").arg(&real));
    assert!(dynamic.contains("Library soname: [libsmolwf.so.0]"), "{dynamic}");
    assert_shows_sw_names_alone(&defined_names(&real, "-D"));
}

/// What no program carries must not come back unseen: a tenth of it was there because cargo had
/// optimised each crate by itself.
#[test]
fn a_stripped_library_has_no_more_bytes_than_it_is_given() {
    const BYTES_MAX: u64 = 3_900_000;
    if !has("strip") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let stripped = folder.path().join("libsmolwf.so");
    let library = prefix().join("lib/libsmolwf.so");
    said(Command::new("strip").arg(library).arg("-o").arg(&stripped));
    let bytes = fs::metadata(&stripped).expect("it").len();
    assert!(
        bytes <= BYTES_MAX,
        "{bytes} bytes, {BYTES_MAX} allowed: is it built by `cargo library`?"
    );
}

/// A host may bring its own SQLite: the one inside the archive must not stand in for it.
#[test]
fn the_static_library_shows_sw_names_alone() {
    if has("nm") {
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
    if has("pkg-config") {
        assert_eq!(pkg_config(&["--modversion"]), [env!("CARGO_PKG_VERSION")]);
    }
}

/// What is put down beside the shapes of documents.
const BESIDE_SHAPES: [&str; 12] = [
    "include/smolwf.h",
    "include/smolwf.hpp",
    "include/smolwf_testing.h",
    "include/smolwf_worker.hpp",
    "lib/cmake/smolwf/smolwfConfig.cmake",
    "lib/cmake/smolwf/smolwfConfigVersion.cmake",
    "lib/libsmolwf.a",
    "lib/libsmolwf.so",
    "lib/libsmolwf.so.0",
    concat!("lib/libsmolwf.so.", env!("CARGO_PKG_VERSION")),
    "lib/pkgconfig/smolwf.pc",
    "share/smolwf/smolwf.cdef",
];

/// All that is put down, in order.
fn installed() -> Vec<String> {
    let shapes = Path::new(REPOSITORY).join("docs/schemas");
    let shapes = files(&shapes).into_iter().map(|file| format!("share/smolwf/schemas/{file}"));
    let mut all: Vec<_> = BESIDE_SHAPES.map(str::to_owned).into_iter().chain(shapes).collect();
    all.sort();
    all
}

/// A folder for DESTDIR whose name has a space.
fn stage() -> tempfile::TempDir {
    tempfile::Builder::new().prefix("a stage").tempdir().expect("a folder")
}

#[test]
fn uninstall_takes_away_every_file_that_install_put_below_destdir() {
    let stage = stage();
    let places = [variable("DESTDIR", stage.path()), "PREFIX=/opt/smol wf".into()];
    said(install(built()).args(&places));
    let below = |file: String| format!("opt/smol wf/{file}");
    assert_eq!(files(stage.path()), installed().into_iter().map(below).collect::<Vec<_>>());
    for file in ["pkgconfig/smolwf.pc", "cmake/smolwf/smolwfConfig.cmake"] {
        let text = fs::read_to_string(stage.path().join("opt/smol wf/lib").join(file)).expect(file);
        assert!(!text.contains('@'), "{text}");
        assert!(text.contains("prefix=/opt/smol wf\n") || text.contains("/../include\""), "{text}");
    }
    said(make("uninstall", built()).args(&places));
    assert_eq!(files(stage.path()), Vec::<String>::new());
}

#[test]
fn a_relative_prefix_is_made_absolute() {
    let stage = stage();
    let places = [variable("DESTDIR", stage.path()), "PREFIX=build/../some place".into()];
    said(install(built()).args(&places));
    let prefix = Path::new(REPOSITORY).join("some place");
    let below = stage.path().join(prefix.strip_prefix("/").expect("an absolute path"));
    assert_eq!(files(&below), installed());
    let pc = fs::read_to_string(below.join("lib/pkgconfig/smolwf.pc")).expect("smolwf.pc");
    for line in [("prefix", ""), ("libdir", "/lib"), ("includedir", "/include")] {
        let line = format!("{}={}{}\n", line.0, prefix.display(), line.1);
        assert!(pc.contains(&line), "{pc}");
    }
    said(make("uninstall", built()).args(&places));
    assert_eq!(files(stage.path()), Vec::<String>::new());
}

#[test]
fn folders_may_be_given_one_by_one() {
    let stage = stage();
    let places = ["PREFIX=/p", "LIBDIR=/p/lib 64/multi", "INCLUDEDIR=/inc lude", "DATADIR=/d"];
    said(install(built()).arg(variable("DESTDIR", stage.path())).args(places));
    let cmake = "p/lib 64/multi/cmake/smolwf/smolwfConfig.cmake";
    let cmake = fs::read_to_string(stage.path().join(cmake)).expect(cmake);
    assert!(cmake.contains("${_smolwf_libdir}/../../../inc lude\""), "{cmake}");
    for file in ["inc lude/smolwf.h", "d/smolwf/smolwf.cdef", "p/lib 64/multi/libsmolwf.so.0"] {
        assert!(stage.path().join(file).exists(), "{file}: {:?}", files(stage.path()));
    }
}

/// Fails to install and returns why; nothing may have been put down.
fn refused(target: &Path, prefix: &str) -> String {
    let stage = stage();
    let mut install = install(target);
    install.arg(variable("DESTDIR", stage.path())).arg(format!("PREFIX={prefix}"));
    let output = native::output(&mut install);
    assert!(!output.status.success(), "{prefix} was installed from {}", target.display());
    assert_eq!(files(stage.path()), Vec::<String>::new());
    all_said(&output)
}

#[test]
fn a_prefix_that_the_files_for_other_build_systems_cannot_hold_is_refused() {
    for prefix in ["/a\"b", "/a\\b", "/a;b", "/a#b", "~/local"] {
        let why = refused(built(), prefix);
        assert!(why.contains(&format!("PREFIX is '{prefix}'")), "{why}");
    }
}

#[test]
fn install_builds_nothing_and_says_what_to_run_first() {
    let target = tempfile::tempdir().expect("a folder");
    let why = refused(target.path(), "/opt");
    assert!(why.contains("release/libsmolwf.so is not built: run `make build` first"), "{why}");
}

#[test]
fn a_library_older_than_one_of_its_sources_is_not_installed() {
    let target = tempfile::tempdir().expect("a folder");
    let source = target.path().join("a source.rs");
    File::create(&source).expect("a file");
    let release = target.path().join("release");
    fs::create_dir(&release).expect("a folder");
    for name in ["libsmolwf.so", "libsmolwf.a"] {
        fs::copy(built().join("release").join(name), release.join(name)).expect(name);
    }
    let spelled = source.display().to_string().replace(' ', "\\ ");
    fs::write(release.join("libsmolwf.d"), format!("libsmolwf.so: /gone.rs {spelled}\n"))
        .expect("a file");
    let library = File::options().append(true).open(release.join("libsmolwf.so")).expect("it");
    let hour = Duration::from_secs(3600);
    library.set_modified(SystemTime::now() - hour).expect("a time");
    let why = refused(target.path(), "/opt");
    assert!(why.contains("a source.rs is newer than"), "{why}");
    assert!(why.contains("run `make build` first"), "{why}");

    library.set_modified(SystemTime::now() + hour).expect("a time");
    let stage = stage();
    said(install(target.path()).arg(variable("DESTDIR", stage.path())).arg("PREFIX=/opt"));
}

#[test]
fn the_tool_is_installed_where_it_is_built_and_taken_away_again() {
    let target = tempfile::tempdir().expect("a folder");
    let release = target.path().join("release");
    fs::create_dir(&release).expect("a folder");
    for name in ["libsmolwf.so", "libsmolwf.a", "libsmolwf.d"] {
        fs::copy(built().join("release").join(name), release.join(name)).expect(name);
    }
    fs::write(release.join("swctl"), "a program").expect("a file");
    fs::write(release.join("swctl.d"), "swctl: /gone.rs\n").expect("a file");
    let stage = stage();
    let asked = |what| {
        let mut make = make(what, target.path());
        make.arg(variable("DESTDIR", stage.path())).arg("PREFIX=/opt");
        said(&mut make)
    };
    asked("install");
    let wanted = [
        "opt/bin/swctl",
        "opt/share/bash-completion/completions/swctl",
        "opt/share/fish/vendor_completions.d/swctl.fish",
        "opt/share/man/man1/swctl.1",
        "opt/share/zsh/site-functions/_swctl",
    ];
    let there = files(stage.path());
    for file in wanted {
        assert!(there.iter().any(|it| it == file), "{file} is not among {there:?}");
    }
    asked("uninstall");
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
