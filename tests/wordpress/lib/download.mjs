/**
 * Fetches WordPress once, and never again on the same machine.
 *
 * WordPress, WP-CLI and the SQLite drop-in are taken out of one package of the npm registry, because
 * that registry is reachable wherever these tests can be installed at all. The package is named by
 * version and by the hash of its bytes; anything else is refused. Nothing of it is kept in the repository.
 */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { access, mkdir, readdir, rename } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { removeFolder, run, temporaryFolder } from "./process.mjs";

/** What is taken out of which package of the npm registry. */
const WORDPRESS = {
  name: "wordpress",
  package: "wp-studio@1.22.0",
  integrity: "sha512-boMtahkhgWDKKyNTBA1uTK5ghnAmxXhDY6KeQCO9FmcI3/o+YOSq8JwYW5ZYnxHCxH14Jf/mD6CJTBvTWl2Ytw==",
  megabytes: 67,
  folder: "package/dist/cli/wp-files",
  parts: ["latest/wordpress", "wp-cli", "sqlite-database-integration"],
};
const OLD_WORDPRESS = {
  name: "old-wordpress",
  package: "@wp-playground/wordpress-builds@0.9.19",
  integrity: "sha512-dlqvh/MJDpE5W68vgPPKUjpip6zMuBh59L3D18ZX+pdwurC4q4ydrTww/3sTMV69BBcoH6kF93YtAtujNC5Mpw==",
  megabytes: 158,
  folder: "package",
  // Scripts and styles are not in the archives but beside them.
  parts: ["src/wordpress/wp-6.2.zip", "src/wordpress/wp-6.5.zip", "public/wp-6.2", "public/wp-6.5"],
};

/** Where downloads and the installed snapshot are kept; `NIVELLA_TEST_CACHE` moves it. */
export function cacheFolder() {
  if (process.env.NIVELLA_TEST_CACHE) return process.env.NIVELLA_TEST_CACHE;
  return join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "nivella-wallet");
}

/** The folder with `latest/wordpress`, `wp-cli/wp-cli.phar` and `sqlite-database-integration`. */
export async function wordpressFiles(say) {
  return fetched(WORDPRESS, say);
}

/** The folder with WordPress 6.2 and 6.5: `src/wordpress/wp-6.2.zip` with its programs, `public/wp-6.2` with the rest. */
export async function oldWordpressFiles(say) {
  return fetched(OLD_WORDPRESS, say);
}

/** The folder with the parts of a package, downloaded on the first call. */
async function fetched({ name, package: spec, integrity: trusted, megabytes, folder: inside, parts }, say = () => {}) {
  const cache = cacheFolder();
  // The name follows from the bytes, so a changed pin can never meet the files of the old one.
  const digest = createHash("sha256").update(trusted).digest("hex").slice(0, 16);
  const folder = join(cache, `${name}-${digest}`);
  if (await exists(folder)) return folder;

  say(`fetching WordPress (npm ${spec}, ${megabytes} MB, once) …`);
  await mkdir(cache, { recursive: true });
  const work = await temporaryFolder(join(cache, "download-"));
  try {
    await run("npm", ["pack", spec, "--pack-destination", work, "--loglevel", "error"], { cwd: work });
    const [archive] = (await readdir(work)).filter((file) => file.endsWith(".tgz"));
    if (!archive) throw new Error(`npm pack ${spec} left no archive in ${work}`);

    const found = await integrity(join(work, archive));
    if (found !== trusted) throw new Error(`${spec} is not the archive these tests trust: ${found}, not ${trusted}`);
    const wanted = parts.map((part) => `${inside}/${part}`);
    await run("tar", ["-xzf", archive, "--no-same-owner", ...wanted], { cwd: work });

    // A rename is the last step: a broken download is never mistaken for a whole one, and of two
    // test runs that fetch at the same time the second finds the first one's files.
    await rename(join(work, inside), folder).catch((error) => {
      if (error.code !== "ENOTEMPTY" && error.code !== "EEXIST") throw error;
    });
  } finally {
    await removeFolder(work);
  }
  return folder;
}

async function integrity(file) {
  const hash = createHash("sha512");
  for await (const chunk of createReadStream(file)) hash.update(chunk);
  return `sha512-${hash.digest("base64")}`;
}

/** Whether there is something at `path`. */
export async function exists(path) {
  return access(path).then(
    () => true,
    () => false,
  );
}
