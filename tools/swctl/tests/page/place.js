// Where the tests find what they need, and where they leave stores: what a script has built, named in
// the environment.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

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

  remove() {
    rmSync(this.path, { recursive: true, force: true });
  }
}
