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

const PACKAGE = "wp-studio@1.22.0";
const INTEGRITY =
  "sha512-boMtahkhgWDKKyNTBA1uTK5ghnAmxXhDY6KeQCO9FmcI3/o+YOSq8JwYW5ZYnxHCxH14Jf/mD6CJTBvTWl2Ytw==";
const FOLDER = "package/dist/cli/wp-files";
const PARTS = ["latest/wordpress", "wp-cli", "sqlite-database-integration"];

/** Where downloads and the installed snapshot are kept; `NIVELLA_TEST_CACHE` moves it. */
export function cacheFolder() {
  if (process.env.NIVELLA_TEST_CACHE) return process.env.NIVELLA_TEST_CACHE;
  return join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "nivella-wallet");
}

/**
 * The folder with `latest/wordpress`, `wp-cli/wp-cli.phar` and `sqlite-database-integration`,
 * downloaded on the first call.
 */
export async function wordpressFiles(say = () => {}) {
  const cache = cacheFolder();
  // The name follows from the bytes, so a changed pin can never meet the files of the old one.
  const digest = createHash("sha256").update(INTEGRITY).digest("hex").slice(0, 16);
  const folder = join(cache, `wordpress-${digest}`);
  if (await exists(folder)) return folder;

  say(`fetching WordPress (npm ${PACKAGE}, 67 MB, once) …`);
  await mkdir(cache, { recursive: true });
  const work = await temporaryFolder(join(cache, "download-"));
  try {
    await run("npm", ["pack", PACKAGE, "--pack-destination", work, "--loglevel", "error"], {
      cwd: work,
    });
    const [archive] = (await readdir(work)).filter((name) => name.endsWith(".tgz"));
    if (!archive) throw new Error(`npm pack ${PACKAGE} left no archive in ${work}`);

    const found = await integrity(join(work, archive));
    if (found !== INTEGRITY) {
      throw new Error(`${PACKAGE} is not the archive these tests trust: ${found}, not ${INTEGRITY}`);
    }
    const parts = PARTS.map((part) => `${FOLDER}/${part}`);
    await run("tar", ["-xzf", archive, "--no-same-owner", ...parts], { cwd: work });

    // A rename is the last step: a broken download is never mistaken for a whole one, and of two
    // test runs that fetch at the same time the second finds the first one's files.
    await rename(join(work, FOLDER), folder).catch((error) => {
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
