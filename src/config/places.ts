/**
 * Where files of configuration lie, and which there are.
 * @module
 */

/** The directories of named files: the user's own before that of the host. */
export function configDirs(env: { get(name: string): string | undefined }): string[] {
  const xdg = env.get("XDG_CONFIG_HOME");
  const home = env.get("HOME");
  const own = xdg?.startsWith("/") ? xdg : home?.startsWith("/") ? `${home}/.config` : null;
  return [...(own === null ? [] : [`${own}/psync`]), "/etc/psync"];
}

/** The names of the configurations in some directories, sorted. */
export function configNames(dirs: readonly string[]): string[] {
  const names = dirs.flatMap((dir) => {
    try {
      return [...Deno.readDirSync(dir)].flatMap(({ name }) => name.endsWith(".toml") ? [name.slice(0, -5)] : []);
    } catch {
      return []; // not there, or not ours to read
    }
  });
  return [...new Set(names)].sort();
}
