// The longest waits of checks for events that come at once on an idle machine. Beside builds and other tests on two
// cores they may take many times as long; an event that never comes is still noticed.

/** The factor by which the seconds of a check are multiplied. */
export const PATIENCE = 3;
/** Milliseconds for actions that the page does at once. */
export const SOON = 20_000 * PATIENCE;
