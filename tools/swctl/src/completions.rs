//! Completions for shells: those that clap writes, mended where they would offer no command after the
//! file, and with the ids of the newest runs where a run may be typed.

use clap::{Command, CommandFactory};
use clap_complete::Shell;

use crate::cli::Cli;

/// The completions for a shell.
pub fn script(shell: Shell) -> String {
    let mut text = Vec::new();
    let mut command = Cli::command();
    clap_complete::generate(shell, &mut command, "swctl", &mut text);
    let text = String::from_utf8_lossy(&text).into_owned();
    match shell {
        Shell::Bash => bash(&text, &command),
        Shell::Zsh => zsh(&text),
        Shell::Fish => fish(&text, &command),
        _ => text,
    }
}

/// Commands that take a run, or with `many` those that take several, by each of their names.
fn takers(command: &Command, many: bool) -> String {
    let takes = |sub: &&Command| {
        let mut places = sub.get_positionals();
        places.any(|arg| arg.get_id() == "runs" || !many && arg.get_id() == "run")
    };
    let names = command.get_subcommands().filter(takes).flat_map(|sub| {
        std::iter::once(sub.get_name().to_string()).chain(sub.get_all_aliases().map(String::from))
    });
    names.collect::<Vec<_>>().join(" ")
}

const BASH: &str = r#"
# What is above, but for words that stand for others; files first, and then ids of runs.
_swctl_beside_a_file() {
    local word command="${COMP_WORDS[2]}" file="${COMP_WORDS[1]}" kept=()
    _swctl "$@"
    for word in "${COMPREPLY[@]}"; do
        case "$COMP_CWORD,$word" in
            *,\<* | *,\[*) ;;
            1,-* | 1,completions | 1,help | 1,man | 1,version) kept+=("$word") ;;
            1,*) ;;
            *) kept+=("$word") ;;
        esac
    done
    COMPREPLY=("${kept[@]}")
    if [[ $COMP_CWORD -eq 1 && $2 != -* ]]; then
        compopt -o filenames 2>/dev/null
        while IFS= read -r word; do COMPREPLY+=("$word"); done < <(compgen -f -- "$2")
    elif [[ $COMP_CWORD -gt 2 && $2 != -* && " @ALL@ " == *" $command "* ]]; then
        if [[ " @MANY@ " == *" $command "* || ${COMP_WORDS[*]:3:COMP_CWORD-3} != *run_* ]]; then
            # As it was typed, with quotes or a tilde, it is no name yet; nothing of it is run.
            file=${file//[\\\"\']/} file=${file/#\~\//$HOME/}
            COMPREPLY+=($(compgen -W "latest $(swctl "$file" ls --limit 200 2>/dev/null | cut -f 1)" -- "$2"))
        fi
    fi
}
"#;

fn bash(text: &str, command: &Command) -> String {
    let own =
        BASH.replace("@ALL@", &takers(command, false)).replace("@MANY@", &takers(command, true));
    let (before, after) = text.rsplit_once("\nif [[ \"${BASH_VERSINFO[0]}\"").unwrap_or((text, ""));
    let after = after.replace("complete -F _swctl ", "complete -F _swctl_beside_a_file ");
    format!("{before}{own}\nif [[ \"${{BASH_VERSINFO[0]}}\"{after}")
}

const ZSH: &str = r#"
(( $+functions[_swctl_runs] )) ||
_swctl_runs() {
    local -a typed=(${(z)BUFFER}) runs
    local id state workflow rest
    while IFS=$'\t' read -r id state workflow rest; do
        runs+=("$id:$state $workflow")
    done < <(swctl "${${(Q)typed[2]}/#\~\//$HOME/}" ls --limit 200 2>/dev/null)
    _describe -V -t runs run runs
}
"#;

fn zsh(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + ZSH.len());
    for line in text.lines() {
        let is_run = [":run -- ", "::run -- ", "*::runs -- "].iter().any(|it| line.contains(it))
            || line.contains(":RUN:_default");
        let line =
            if is_run { line.replace(":_default", ":_swctl_runs") } else { line.to_string() };
        if line.starts_with("if [ \"$funcstack[1]\"") {
            out += &ZSH[1..];
            out.push('\n');
        }
        out += &line;
        out.push('\n');
    }
    out
}

const FISH_FILE: &str = r#"    # The file stands before the command, but for those that take none.
    if set -q argv[1]; and not contains -- $argv[1] completions help man version
        set -e argv[1]
    end
"#;

const FISH_RUNS: &str = r#"
# The newest runs, each with its state and its workflow.
function __fish_swctl_runs
    set -l words (commandline -opc)
    swctl (string replace -r '^~/' "$HOME/" -- $words[2]) ls --limit 200 2>/dev/null | string replace -r '^(\S+)\t(\S+)\t([^\t]*)\t.*' '$1\t$2 $3'
end

complete -c swctl -n "__fish_swctl_using_subcommand @ALL@" -k -f -a "(__fish_swctl_runs)"
"#;

fn fish(text: &str, command: &Command) -> String {
    const BEFORE: &str = "    if set -q argv[1]\n";
    let text = text.replacen(BEFORE, &format!("{FISH_FILE}{BEFORE}"), 1);
    format!("{text}{}", FISH_RUNS.replace("@ALL@", &takers(command, false)))
}
