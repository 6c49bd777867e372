import { existsSync, realpathSync } from "node:fs";
import { dirname, join, sep } from "node:path";
import { fileURLToPath } from "node:url";

/**
 * Returns the folder of the package: where this file is, or two above where it was compiled to. Who
 * can write there can write this code; no other folder is asked.
 */
function packageFolder(): string {
  const own = dirname(fileURLToPath(import.meta.url));
  return own.endsWith(join(sep, "dist", "src")) ? dirname(dirname(own)) : own;
}

function firstThere(paths: readonly string[]): string | undefined {
  return paths.find((path) => existsSync(path));
}

/**
 * Returns the path of the shared library: what SMOLWF_LIBRARY says, else the one beside the package,
 * else the name that the system knows.
 */
export function findLibrary(): string {
  const names = ["libsmolwf.so.0", "libsmolwf.so"];
  const beside = names.map((name) => join(packageFolder(), name));
  return process.env["SMOLWF_LIBRARY"] || (firstThere(beside) ?? "libsmolwf.so.0");
}

/** Where `make install` puts the header of the library that SMOLWF_LIBRARY names. */
function installedBeside(library: string | undefined): string[] {
  if (!library || !existsSync(library)) return [];
  return [join(dirname(dirname(realpathSync(library))), "share")];
}

/**
 * Returns the path of smolwf.cdef: what SMOLWF_CDEF says, else the one beside the package, else the
 * one that was installed with the library.
 */
export function findHeader(): string {
  const asked = process.env["SMOLWF_CDEF"];
  if (asked) return asked;
  const shares = [
    ...installedBeside(process.env["SMOLWF_LIBRARY"]),
    "/usr/local/share",
    "/usr/share",
  ];
  const installed = shares.map((share) => join(share, "smolwf", "smolwf.cdef"));
  const found = firstThere([join(packageFolder(), "smolwf.cdef"), ...installed]);
  if (!found) throw new Error("smolwf.cdef is not found; set SMOLWF_CDEF to its path");
  return found;
}
