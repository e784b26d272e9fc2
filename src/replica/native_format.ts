/**
 * The TypeScript side of native/format.h: every request encoded, every answer and event decoded.
 *
 * One door to several files: the frame (native_records.ts) and the bodies of the two modes
 * (native_watch_records.ts, native_apply_records.ts and, for their size, parts of it). Starts no process.
 * @module
 */
export * from "./native_records.ts";
export * from "./native_watch_records.ts";
export * from "./native_apply_records.ts";
export * from "./native_batch_records.ts";
export * from "./native_pack_records.ts";
export * from "./native_status.ts";
export * from "./native_trash_records.ts";
