import { existsSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The folder of this file and those above it, up to the root of a source tree. */
function foldersAbove(): string[] {
  const folders = [dirname(fileURLToPath(import.meta.url))];
  for (let at = 0; at < 6; at += 1) folders.push(dirname(folders.at(-1) ?? "/"));
  return folders;
}

function firstThere(paths: readonly string[]): string | undefined {
  return paths.find((path) => existsSync(path));
}

function newest(paths: readonly string[]): string | undefined {
  const changed = (path: string): number => statSync(path).mtimeMs;
  return paths.filter((path) => existsSync(path)).sort((a, b) => changed(b) - changed(a))[0];
}

/**
 * Returns the path of the shared library: what SMOLWF_LIBRARY says, else one next to the package,
 * else the newer one of a source tree's target folders, else the name that the system knows.
 */
export function findLibrary(): string {
  const asked = process.env.SMOLWF_LIBRARY;
  if (asked) return asked;
  for (const folder of foldersAbove()) {
    const beside = ["libsmolwf.so.0", "libsmolwf.so"].map((name) => join(folder, name));
    const builds = ["debug", "release"].map((kind) => join(folder, "target", kind, "libsmolwf.so"));
    const found = firstThere(beside) ?? newest(builds);
    if (found) return found;
  }
  return "libsmolwf.so.0";
}

/** Returns the path of smolwf.cdef: what SMOLWF_CDEF says, next to the package, or as installed. */
export function findHeader(): string {
  const asked = process.env.SMOLWF_CDEF;
  if (asked) return asked;
  const near = foldersAbove().flatMap((folder) => [
    join(folder, "smolwf.cdef"),
    join(folder, "include", "smolwf.cdef"),
  ]);
  const installed = ["/usr/local/share", "/usr/share"].map((at) => join(at, "smolwf/smolwf.cdef"));
  const found = firstThere([...near, ...installed]);
  if (!found) throw new Error("smolwf.cdef is not found; set SMOLWF_CDEF to its path");
  return found;
}
