import { SmolwfError } from "./errors.js";
import { EncodeError, type Json } from "./json.js";
import { type FailedHow, failureOf, recorded, recordedBriefly } from "./thrown.js";

/** Whether a value was refused for what it is: the same value would be refused again. */
export function isRefusedValue(error: unknown): boolean {
  if (error instanceof EncodeError) return true;
  const isOfLibrary = error instanceof SmolwfError;
  return isOfLibrary && ["SW_ERR_INVALID", "SW_ERR_TOO_BIG"].includes(error.name);
}

/** Whether a transaction was refused for what it does: nothing of it was done, another try may fare better. */
export function isRefusedScript(error: unknown): boolean {
  const isState =
    error instanceof SmolwfError && ["SW_ERR_CONFLICT", "SW_ERR_NOT_FOUND"].includes(error.name);
  return isState || isRefusedValue(error);
}

/** How something thrown was recorded. */
export interface Recorded {
  isRetried: boolean;
  error: Json;
}

/** Records something thrown in the fullest form that is not refused; some form never is. */
export async function recordFailure(
  thrown: unknown,
  record: (error: Json, how: FailedHow) => Promise<boolean>,
  how: FailedHow = failureOf(thrown),
): Promise<Recorded> {
  const { terminal } = how;
  const attempt = async (error: Json, how: FailedHow): Promise<Recorded> => {
    return { isRetried: await record(error, how), error };
  };
  try {
    return await attempt(recorded(thrown), how);
  } catch (refusal) {
    if (!isRefusedValue(refusal)) throw refusal;
    const brief = recordedBriefly(thrown, refusal);
    return attempt(brief, { terminal }).catch((again) => {
      if (!isRefusedValue(again)) throw again;
      return attempt(null, { terminal });
    });
  }
}
