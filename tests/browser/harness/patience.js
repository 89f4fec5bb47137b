// How long checks wait at most for what comes at once on a machine that does nothing else. Beside builds and other tests on two
// cores it may take many times as long; what never comes is noticed all the same.

/** What the seconds of a check are multiplied by. */
export const PATIENCE = 3;
/** Milliseconds for what the page does at once. */
export const SOON = 20_000 * PATIENCE;
