// Where the tests find what they need, and where they leave stores: what a script has built, named in
// the environment.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";

function needed(name) {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: run scripts/page.sh`);
  return value;
}

export const SWCTL = needed("SWCTL");
// Empty where there is none.
export const CHROMIUM = process.env.SW_CHROMIUM ?? "";

export class Folder {
  constructor() {
    this.path = mkdtempSync(join(tmpdir(), "page-"));
  }

  file(name) {
    return join(this.path, name);
  }

  // A store of this name: a file, or on the server that scripts/postgres.sh has started a schema of its own.
  store(name) {
    const server = process.env.SW_POSTGRES_URL;
    if (!server) return this.file(name);
    const schema = `sw_test_${Buffer.from(basename(this.path) + name).toString("hex")}`;
    return `${server}&password=sesame&sw_schema=${schema}&options=-csearch_path%3D${schema}`;
  }

  remove() {
    rmSync(this.path, { recursive: true, force: true });
  }
}
