#!/usr/bin/env bash
# Fetches preact and htm anew, as the versions below, and lays down the files that the page imports.
# One thing is changed in them: hooks imports "preact" by a name, which a page without a bundler or
# an import map does not know, so it becomes the path of the file beside it.
set -euo pipefail
cd "$(dirname "$0")"

room=$(mktemp -d)
trap 'rm -rf "$room"' EXIT

fetch() { # <name> <version> <sha512 of the package, as the registry states it>
    (cd "$room" && npm pack --silent "$1@$2" >/dev/null)
    echo "$(echo "$3" | base64 -d | od -An -vtx1 | tr -d ' \n')  $room/$1-$2.tgz" | sha512sum --check --quiet
    mkdir "$room/$1"
    tar xzf "$room/$1-$2.tgz" -C "$room/$1" --strip-components 1
}

lay() { # <file of a package> <its name here>
    sed -e 's/from"preact"/from".\/preact.js"/' -e '/^\/\/# sourceMappingURL=/d' "$room/$1" >"$2"
}

fetch preact 10.29.8 ej2aVZ+vZ8WO7tvlQWRM9N63A0KzF9q4mWJfDUHgYaIofWY9hu74QdnQrjoPMmZi2/nZ5gN0bJCQF49xQqx09Q==
fetch htm 3.1.1 983Vyg8NwUE7JkZ6NmOqpCZ+sh1bKv2iYTlUkzlWmA5JD2acKoxd4KVxbMmxX/85mtfdnDmTFoNKcg5DGAvxNQ==
lay preact/dist/preact.module.js preact.js
lay preact/hooks/dist/hooks.module.js hooks.js
lay htm/dist/htm.module.js htm.js
cp "$room/preact/LICENSE" LICENSE-preact
cp "$room/htm/LICENSE" LICENSE-htm
