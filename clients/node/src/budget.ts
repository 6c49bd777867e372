import type { Calls } from "./calls.js";
import type { BudgetDocument } from "./documents.js";
import { BudgetError } from "./errors.js";
import { type Integer, parseExactly } from "./numbers.js";
import { type Amounts, amountsToJson } from "./options.js";
import type { Step } from "./step.js";
import { Topic } from "./topic.js";

/** `store.budgets` */
export class Budgets extends Topic {
  /** Says what a reservation came to; `{}` gives all of it back. */
  async settle(reservationId: string, usage: Amounts): Promise<void> {
    await this.later("sw_budget_settle", reservationId, amountsToJson(usage));
  }

  /** Raises the limit of a unit; lowers it by a negative number. */
  async raise(runId: string, unit: string, delta: Integer): Promise<void> {
    await this.later("sw_budget_raise", runId, unit, delta);
  }

  /** What the tree of a run may spend, has reserved and has spent, by unit. */
  async get(runId: string): Promise<BudgetDocument> {
    const { text } = await this.later("sw_budget_get", runId);
    return parseExactly(text ?? "null") as BudgetDocument;
  }
}

/** {@link Attempt.reserve} */
export function reserve(
  calls: Calls,
  amounts: Amounts,
  options: { step?: Step | undefined; source?: string },
): Promise<string> {
  const label = `budget ${Object.keys(amounts).join(", ")}`;
  return calls.make(`the reserve of ${label}`, async () => {
    const inputs = [options.step?.handle, amountsToJson(amounts), options.source];
    try {
      const answer = await calls.ask("sw_budget_reserve", ...inputs);
      calls.waitingFor.delete(label);
      return answer.text ?? "";
    } catch (error) {
      if (error instanceof BudgetError) calls.notYet(label, error.message);
      throw error;
    }
  });
}
