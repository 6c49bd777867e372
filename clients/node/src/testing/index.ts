/** Tests of workflows: what a crash does to them, and whether they replay what was recorded. */
export { CleanRunFailed, type CrashOptions, crash } from "./crash.js";
export { effect } from "./effect.js";
export { type Exported, replay } from "./replay.js";
export {
  CrashReport,
  type Difference,
  type DifferenceKind,
  type Finding,
  type FindingKind,
  type Moment,
  ReplayReport,
} from "./report.js";
