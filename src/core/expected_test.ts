import { assertEquals } from "@std/assert";
import { dir, file, link, newStamp, row } from "../../tests/support/entries.ts";
import { expectedOf, expectedOfObservation, expectedOfView, viewOf } from "./expected.ts";
import type { Observation } from "./observation.ts";
import { parseRelPath } from "./path.ts";

const PATH = parseRelPath("a");

Deno.test("expectedOf() takes the stamp of the side that is asked for", () => {
  const ofFile = row(file("a"));
  assertEquals(expectedOf(ofFile, "left"), { kind: "file", stamp: ofFile.left });
  assertEquals(expectedOf(ofFile, "right"), { kind: "file", stamp: ofFile.right });
  const ofLink = row(link("x"));
  assertEquals(expectedOf(ofLink, "right"), { kind: "link", stamp: ofLink.right, target: "x" });
  const ofDir = row(dir({ mode: 0o700 }));
  assertEquals(expectedOf(ofDir, "left"), { kind: "dir", mode: 0o700, owner: null, stamp: ofDir.left });
  assertEquals(expectedOf(null, "left"), { kind: "absent" });
});

Deno.test("expectedOfView() believes what was seen more than the archive", () => {
  const archived = { row: row(file("a")), side: "left" } as const;
  const stamp = newStamp(link("x"));
  assertEquals(expectedOfView({ kind: "unchanged" }, archived), { kind: "file", stamp: archived.row.left });
  assertEquals(expectedOfView({ kind: "present", entry: link("x"), stamp }, archived), {
    kind: "link",
    stamp,
    target: "x",
  });
  assertEquals(expectedOfView({ kind: "absent" }, archived), { kind: "absent" });
  assertEquals(expectedOfView({ kind: "blocked" }, archived), null);
});

Deno.test("an observation that proves nothing is expected nowhere and blocks its side", () => {
  const proofless: Observation[] = [
    { kind: "orphan", path: PATH, began: 1 },
    { kind: "busy", path: PATH, began: 1 },
    { kind: "blocked", path: PATH, began: 1, reason: "mount", detail: "" },
  ];
  for (const seen of proofless) {
    assertEquals(expectedOfObservation(seen), null);
    assertEquals(viewOf(seen), { kind: "blocked" });
  }
});

Deno.test("an observation that proves something is expected as it was seen", () => {
  const entry = file("a");
  const stamp = newStamp(entry);
  const seen: Observation = { kind: "present", path: PATH, began: 1, entry, stamp, content: null };
  assertEquals(expectedOfObservation(seen), { kind: "file", stamp });
  assertEquals(viewOf(seen), { kind: "present", entry, stamp });
  assertEquals(expectedOfObservation({ kind: "absent", path: PATH, began: 1 }), { kind: "absent" });
  assertEquals(viewOf({ kind: "absent", path: PATH, began: 1 }), { kind: "absent" });
});
