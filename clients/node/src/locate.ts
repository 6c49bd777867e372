import { existsSync, realpathSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, sep } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

/** The packages with a library, and what they ask for. */
const SERVED = {
  "@smolwf/linux-x64-gnu": "glibc 2.17 or newer",
  "@smolwf/linux-arm64-gnu": "glibc 2.17 or newer",
  "@smolwf/linux-x64-musl": "musl 1.2",
};

/** The name by which the system finds an installed library. */
const SYSTEM_NAME = "libsmolwf.so.0";

/** Where this code is: bundled as CommonJS it has no URL of its own. */
const HERE: string = import.meta.url ?? pathToFileURL(__filename).href;

/**
 * Returns the folder of the package: where this file is, or two above where it was compiled to. Who
 * can write there can write this code; no other folder is asked.
 */
function packageFolder(): string {
  const own = dirname(fileURLToPath(HERE));
  return own.endsWith(join(sep, "dist", "src")) ? dirname(dirname(own)) : own;
}

/** The folders of the packages for this processor that npm put down: one, as a rule. */
function platformFolders(): string[] {
  const { resolve } = createRequire(HERE);
  const ours = Object.keys(SERVED).filter((name) => name.includes(`/${platform()}-`));
  return ours.flatMap((name) => {
    try {
      return [dirname(resolve(`${name}/package.json`))];
    } catch {
      return [];
    }
  });
}

function platform(): string {
  return `${process.platform}-${process.arch}`;
}

/**
 * Returns where the shared library may be, in the order to try: where SMOLWF_LIBRARY says, and nowhere
 * else; else beside the package, in the package of the platform, where the system looks.
 */
export function findLibraries(): string[] {
  const asked = process.env["SMOLWF_LIBRARY"];
  if (asked) return [asked];
  const beside = [SYSTEM_NAME, "libsmolwf.so"].map((name) => join(packageFolder(), name));
  const packaged = platformFolders().map((folder) => join(folder, SYSTEM_NAME));
  return [...[...beside, ...packaged].filter((path) => existsSync(path)), SYSTEM_NAME];
}

/** Says what to do where no library can be loaded. */
export function unserved(tried: readonly string[]): string {
  const served = Object.entries(SERVED).map(([name, needs]) => `${name} (${needs})`);
  return (
    `no libsmolwf can be loaded here, on ${platform()}. Packages with one, which npm installs along ` +
    `unless told to omit optional ones: ${served.join(", ")}. Elsewhere build it from the sources ` +
    `(make build; Rust 1.89 or newer) and name it in SMOLWF_LIBRARY, or install it (make install). ` +
    `Tried: ${tried.join("; ")}`
  );
}

/** Where `make install` puts the header of the library that SMOLWF_LIBRARY names. */
function installedBeside(library: string | undefined): string[] {
  if (!library || !existsSync(library)) return [];
  return [join(dirname(dirname(realpathSync(library))), "share")];
}

/**
 * Returns the path of smolwf.cdef: what SMOLWF_CDEF says, else the one beside the package, or in the
 * package of the platform, else the one that was installed with the library.
 */
export function findHeader(): string {
  const asked = process.env["SMOLWF_CDEF"];
  if (asked) return asked;
  const shares = [
    ...installedBeside(process.env["SMOLWF_LIBRARY"]),
    "/usr/local/share",
    "/usr/share",
  ];
  const folders = [packageFolder(), ...platformFolders()];
  const installed = shares.map((share) => join(share, "smolwf"));
  const places = [...folders, ...installed].map((folder) => join(folder, "smolwf.cdef"));
  const found = places.find((path) => existsSync(path));
  if (!found) throw new Error("smolwf.cdef is not found; set SMOLWF_CDEF to its path");
  return found;
}
