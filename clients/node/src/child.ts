import type { Calls } from "./calls.js";
import { fromJson, toJson } from "./json.js";
import type { Answer, Library } from "./library.js";
import { type SubmitOptions, snakeKeys, submitFields } from "./options.js";
import { type Named, nameOf } from "./workflow.js";

/** A child has no idempotency key of its own: its name is its key within its parent. */
export type ChildOptions = Omit<SubmitOptions, "idempotencyKey" | "idempotencyScope" | "budget">;

/** One child of `attempt.children`. */
export interface ChildItem extends ChildOptions {
  /** The child's key within its parent, counted up like a step's name; absent is the workflow. */
  name?: string;
  /** Its workflow, or the name of that. */
  workflow: string | Named;
  /** Its arguments; absent is null. */
  args?: unknown;
}

/** {@link Attempt.child} */
export function submitChild(
  library: Library,
  calls: Calls,
  name: string,
  workflow: string | Named,
  args: unknown,
  options: ChildOptions,
): Promise<string> {
  return calls.make(`child ${name}`, async () => {
    const fields = submitFields(library, options);
    const inputs = [name, nameOf(workflow), toJson(args), fields];
    const submit = (): Promise<Answer> => calls.ask("sw_child_submit", ...inputs);
    return (await calls.inOrder("children", submit)).text ?? "";
  });
}

/** {@link Attempt.children} */
export function submitChildren(calls: Calls, items: readonly ChildItem[]): Promise<string[]> {
  return calls.make("children", async () => {
    const named = items.map((item) => {
      const workflow = nameOf(item.workflow);
      return snakeKeys({ name: workflow, ...item, workflow });
    });
    const text = toJson(named);
    const submit = (): Promise<Answer> => calls.ask("sw_child_submit_many", text);
    const answer = await calls.inOrder("children", submit);
    return fromJson<{ run_id: string }[]>(answer.text ?? "[]").map((one) => one.run_id);
  });
}
