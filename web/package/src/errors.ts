/** An error whose message is one line: what is wrong, and what helps. */
export class FaceDotsError extends Error {
  override name = "FaceDotsError";
}

/** The message of whatever was thrown, in one line. */
export function messageOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).replace(/\s+/g, " ");
}
