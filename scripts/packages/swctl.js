#!/usr/bin/env node
// Runs swctl, which stands beside the library in the package of this platform. A part of the package of
// npm; scripts/packages/npm.sh puts it there.

import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { constants } from "node:os";
import { dirname, join } from "node:path";

const own = new URL("../package.json", import.meta.url);
const { resolve } = createRequire(import.meta.url);

// The packages for this processor that npm put down: one, as a rule.
function programs() {
  const names = Object.keys(JSON.parse(readFileSync(own, "utf8")).optionalDependencies);
  const ours = names.filter((name) => name.includes(`/${process.platform}-${process.arch}-`));
  return ours.flatMap((name) => {
    try {
      return [join(dirname(resolve(`${name}/package.json`)), "swctl")];
    } catch {
      return [];
    }
  });
}

const program = programs().find((path) => existsSync(path));
if (program) {
  const child = spawn(program, process.argv.slice(2), { stdio: "inherit" });
  // A key of the terminal reaches both, and what another sends is passed on: swctl says how it ends.
  for (const signal of ["SIGINT", "SIGQUIT"]) process.on(signal, () => undefined);
  for (const signal of ["SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
  child.on("error", (error) => end(`${program} cannot be run: ${error.message}`));
  child.on("exit", (code, signal) => {
    process.exitCode = code ?? 128 + constants.signals[signal];
  });
} else {
  const where = `${process.platform}-${process.arch}`;
  end(`no swctl is installed for ${where}; npm installs it unless told to omit optional packages`);
}

function end(sentence) {
  process.stderr.write(`swctl: ${sentence}\n`);
  process.exitCode = 8;
}
