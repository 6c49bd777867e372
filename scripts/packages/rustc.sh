#!/usr/bin/env bash
# Calls rustc, as RUSTC_WRAPPER of libraries.sh. Cargo gives each crate a mark that goes into its symbols,
# and makes it of the folder where a crate lies that is no member of the workspace, as the library is for
# the tool. Here the crates of this tree get marks that depend on their names alone.
#   rustc.sh <rustc> <argument>...
set -euo pipefail
arguments=("$@")
if [[ " $* " =~ \ --crate-name\ (smolwf|swctl)\  ]]; then
    arguments=("${arguments[@]/#metadata=*/metadata=${BASH_REMATCH[1]}}")
fi
exec "${arguments[@]}"
