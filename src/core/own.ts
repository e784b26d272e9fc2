/**
 * The names of what is psync's own in a root (I10).
 * @module
 */

/** psync's own directory in a root. */
export const OWN_DIR = ".psync";
