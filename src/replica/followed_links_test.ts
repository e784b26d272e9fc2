import { assertEquals } from "@std/assert";
import { file, link, newStamp } from "../../tests/support/entries.ts";
import { FakeClock } from "../../tests/support/fake_clock.ts";
import type { Entry, Stamp } from "../core/entry.ts";
import type { Observation } from "../core/observation.ts";
import { parseRelPath, type RelPath } from "../core/path.ts";
import { FOLLOW_POLL_MS, FollowedLinks } from "./followed_links.ts";
import type { WatchRecord } from "./native_format.ts";

const followed = (entry: Entry): Stamp => ({ ...newStamp(entry), birthNs: -5n });

/** A tree of observations, and the links of it that are followed. */
function world() {
  const clock = new FakeClock();
  const tree = new Map<string, Observation>();
  const asked: RelPath[][] = [];
  const told: RelPath[] = [];
  const links = new FollowedLinks({
    clock,
    looker: {
      look: (paths, options) => {
        assertEquals([options.stampOnly, options.contentLimitBytes], [true, 0]);
        asked.push([...paths]);
        return Promise.resolve(paths.map((path) => {
          const observation = tree.get(path) ?? { kind: "absent", path, began: 0 };
          links.note(observation); // as looker.ts does
          return { observation, stat: null };
        }));
      },
    },
    reporter: {
      take: (event: WatchRecord) => void (event.kind === "dirty" && told.push(...event.names.map(({ path }) => path))),
      pump: () => {},
    },
  });
  const show = (name: string, entry: Entry, stamp: Stamp) => {
    const path = parseRelPath(name);
    tree.set(name, { kind: "present", path, began: 0, entry, stamp, content: null });
    return tree.get(name)!;
  };
  return { clock, tree, asked, told, links, show };
}

Deno.test("FollowedLinks tells of a link that leads to something else than before, and of nothing twice", async () => {
  const { links, show, tree, told, asked } = world();
  const entry = file("a");
  const was = followed(entry);
  links.note(show("same", entry, was));
  links.note(show("edited", entry, was));
  links.note(show("removed", entry, was));
  links.note(show("broken", link("x"), newStamp(link("x"))));
  links.note(show("plain", entry, newStamp(entry)));
  await links.poll();
  assertEquals([told, asked], [[], [["same", "edited", "removed", "broken"].map(parseRelPath)]]);
  show("edited", entry, { ...was, ctimeNs: was.ctimeNs + 1n });
  show("broken", entry, was);
  tree.delete("removed");
  await links.poll();
  assertEquals(told, ["edited", "removed", "broken"].map(parseRelPath));
  await links.poll();
  assertEquals([told.length, asked.at(-1)], [3, ["same", "edited", "broken"].map(parseRelPath)]);
});

Deno.test("FollowedLinks keeps a link that cannot be seen for a moment", async () => {
  const { links, show, tree, told } = world();
  const entry = file("a");
  const was = followed(entry);
  const path = parseRelPath("p");
  links.note(show("p", entry, was));
  tree.set("p", { kind: "busy", path, began: 0 });
  await links.poll();
  show("p", entry, was);
  await links.poll();
  assertEquals(told, [path], "told once, when it could not be seen");
});

Deno.test("FollowedLinks looks by the clock as long as there is a link", async () => {
  const { links, show, clock, asked } = world();
  const entry = file("a");
  links.note(show("plain", entry, newStamp(entry)));
  assertEquals(clock.pending, 0);
  links.note(show("p", entry, followed(entry)));
  await clock.advance(FOLLOW_POLL_MS);
  assertEquals(asked, [[parseRelPath("p")]]);
  links.end();
  assertEquals(clock.pending, 0);
});
