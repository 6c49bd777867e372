/** Whatever a program may call or set says what it is, where an editor shows it. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";

const FOLDER = new URL("../src/", import.meta.url);

/** The names that the package exports, of the text of its `index.d.ts`. */
function exported(index: string): Set<string> {
  const lists = [...index.matchAll(/export (?:type )?\{([^}]*)\}/g)].map((list) => list[1] ?? "");
  const names = lists.flatMap((list) => list.split(","));
  return new Set(names.map((name) => name.replace("type ", "").trim()).filter(Boolean));
}

/** What declarations leave without a comment, as `Store.open`; of several forms the first needs one. */
function undocumented(text: string, isMeant: (name: string) => boolean): string[] {
  const found: string[] = [];
  let of = "";
  let isWhole = false;
  let before = "";
  let last = "";
  for (const line of text.split("\n")) {
    const [, kind, top] =
      /^export (?:declare )?(class|interface|type|function|const) (\w+)/.exec(line) ?? [];
    const member = /^ {4}(?:static |readonly |get |set |override )*(\w+)[?]?[(:<]/.exec(line)?.[1];
    if (line === "}") of = "";
    if (kind) isWhole = kind === "class" || kind === "interface";
    if (top) of = isMeant(top) ? top : "";
    if (line === "    name: string;" && of.match(/Error$|Failure$|^Suspended$|^WorkerStopped$/))
      continue;
    const isMember = isWhole && member !== undefined && member !== "constructor";
    const name = top ? of : of && isMember ? `${of}.${member}` : "";
    if (name && name !== last && !before.trimEnd().endsWith("*/")) found.push(name);
    if (name) last = name;
    before = line;
  }
  return found;
}

/** Each folder that a program may import, with how many names it exports at least. */
const FOLDERS = [
  [FOLDER, 60],
  [new URL("testing/", FOLDER), 11],
] as const;

for (const [folder, least] of FOLDERS) {
  test(`whatever ${folder.pathname.split("/").at(-2)} exports has a comment`, () => {
    const names = exported(readFileSync(new URL("index.d.ts", folder), "utf8"));
    assert.ok(names.size >= least, `${names.size} names`);
    const files = readdirSync(folder).filter((name) => name.endsWith(".d.ts"));
    const wholes = new Set(["index.d.ts", "errors.d.ts", "documents.d.ts"]);
    const found = files.flatMap((file) => {
      const text = readFileSync(new URL(file, folder), "utf8");
      return undocumented(text, (name) => wholes.has(file) || names.has(name));
    });
    assert.deepEqual(found, []);
  });
}

test("what lacks one is found", () => {
  const text = `/** Said. */
export declare class Said {
    #private;
    constructor(of: string);
    /** Told. */
    told(): void;
    told(more: string): void;
    readonly silent: string;
    quiet<T>(of: T): void;
}
export interface Bare {
    /** Told. */
    told?: string;
    untold?: string;
}
`;
  const found = undocumented(text, (name) => name !== "Hidden");
  assert.deepEqual(found, ["Said.silent", "Said.quiet", "Bare", "Bare.untold"]);
});
