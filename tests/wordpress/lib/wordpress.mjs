/**
 * A real WordPress on loopback: PHP's own server, SQLite, and the plugin as a person would install it.
 *
 * The first start installs WordPress and keeps the result as a snapshot; each later start copies that.
 * Every WordPress started here has its own temporary folder and port, and takes both with it.
 */
import { createHash, randomBytes } from "node:crypto";
import { cp, mkdir, readFile, readdir, rename, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { cacheFolder, exists, wordpressFiles } from "./download.mjs";
import { freePort, removeFolder, run, start, temporaryFolder, until } from "./process.mjs";

const HERE = dirname(dirname(fileURLToPath(import.meta.url)));
export const REPOSITORY = resolve(HERE, "../..");
const SLUG = "nivella-credit-wallet";

/** Everybody's password in a test installation, which answers on loopback only. */
export const PASSWORD = "a-password-for-loopback-only";

// WordPress numbers users from 1. Alice and Bob get the numbers they have in the recorded shop, so that
// `account:lab:customer:2` is Alice on both sides.
const PEOPLE = [
  { name: "alice", role: "subscriber", email: "alice@example.com", display: "Alice Doe" },
  { name: "bob", role: "subscriber", email: "bob@example.com", display: "Bob Roe" },
];

/**
 * Starts a WordPress.
 *
 * - `port`: 0 picks a free one.
 * - `plugin`: the folder installed as plugins/nivella-credit-wallet and activated; `null` for none.
 * - `link`: the plugin is linked, not copied, so that an edit shows on the next request. Do not delete
 *   the plugin from such a WordPress: it would delete your files.
 * - `woocommerce`: `"none"`, `"stub"`, or `"real"` (the archive that `WOOCOMMERCE_ZIP` names).
 * - `settings`: the plugin's option, `{url, key, store}`.
 * - `say`: told in a line what is going on.
 */
export async function startWordPress({
  port = 0,
  plugin = process.env.NIVELLA_TEST_PLUGIN || join(REPOSITORY, "wp-plugin"),
  link = false,
  woocommerce = "none",
  settings = null,
  say = () => {},
} = {}) {
  const files = await wordpressFiles(say);
  const snapshot = await prepare(say);
  const folder = await temporaryFolder(join(tmpdir(), "nivella-wordpress-"));
  const site = new WordPress(folder, join(files, "wp-cli/wp-cli.phar"));
  try {
    // cp is several times quicker than copying 4,000 files one by one from here.
    await run("cp", ["-R", "--reflink=auto", `${snapshot}/.`, site.root]);
    const active = await site.install({ plugin, link, woocommerce });
    await site.serve(port, PHP_WORKERS);
    if (active.length > 0) await site.wp("plugin", "activate", ...active, "--quiet");
    if (settings) await site.settings(settings);
    if (woocommerce === "stub") await site.wp("rewrite", "flush", "--quiet");
  } catch (error) {
    await site.stop();
    throw error;
  }
  return site;
}

/** Makes the snapshot unless it is there, and names its folder. */
export async function prepare(say = () => {}) {
  const files = await wordpressFiles(say);
  const recipe = createHash("sha256").update(files);
  for (const part of [fileURLToPath(import.meta.url), join(HERE, "lab.php")]) {
    recipe.update(await readFile(part));
  }
  const snapshot = join(cacheFolder(), `installed-${recipe.digest("hex").slice(0, 16)}`);
  if (await exists(snapshot)) return snapshot;

  say("installing WordPress (once) …");
  const folder = await temporaryFolder(join(cacheFolder(), "install-"));
  const site = new WordPress(folder, join(files, "wp-cli/wp-cli.phar"));
  try {
    await run("cp", ["-R", `${join(files, "latest/wordpress")}/.`, site.root]);
    const content = join(site.root, "wp-content");
    const dropin = join(content, "mu-plugins/sqlite-database-integration");
    await mkdir(join(content, "mu-plugins"));
    await cp(join(files, "sqlite-database-integration"), dropin, { recursive: true });
    await cp(join(HERE, "lab.php"), join(content, "mu-plugins/nivella-lab.php"));
    // The drop-in falls back to a fixed folder when its placeholder was not filled in; say it here once,
    // relative to itself, because this tree is copied.
    const copy = await readFile(join(dropin, "db.copy"), "utf8");
    const placeholder = "'{SQLITE_IMPLEMENTATION_FOLDER_PATH}'";
    if (!copy.includes(placeholder)) throw new Error("db.copy of the SQLite drop-in has changed");
    await writeFile(
      join(content, "db.php"),
      copy
        .replace(placeholder, "__DIR__ . '/mu-plugins/sqlite-database-integration'")
        .replaceAll("{SQLITE_PLUGIN}", "sqlite-database-integration/load.php"),
    );
    await rm(join(content, "plugins/hello.php"), { force: true });
    await rm(join(content, "plugins/akismet"), { recursive: true, force: true });

    await site.configure("http://127.0.0.1");
    await run(
      "php",
      [
        ...site.cli,
        ...["config", "create", "--skip-check", "--dbname=wordpress", "--dbuser=none", "--dbpass=none"],
        "--extra-php",
      ],
      { input: "require __DIR__ . '/lab-config.php';\n" },
    );
    await site.wp(
      ...["core", "install", "--url=http://127.0.0.1", "--title=Nivella Test Shop", "--skip-email"],
      ...["--admin_user=admin", `--admin_password=${PASSWORD}`, "--admin_email=admin@example.com"],
    );
    for (const { name, role, email, display } of PEOPLE) {
      await site.wp(
        ...["user", "create", name, email, `--role=${role}`],
        ...[`--user_pass=${PASSWORD}`, `--display_name=${display}`],
      );
    }
    // Without avatars, no page asks another host for a picture.
    await site.wp("option", "update", "show_avatars", "0");
    await site.wp("rewrite", "structure", "/%postname%/");
    await site.wp("user", "meta", "update", "1", "show_welcome_panel", "0");
    await rm(join(site.root, "lab-config.php"));
    await rename(site.root, snapshot).catch((error) => {
      if (error.code !== "ENOTEMPTY" && error.code !== "EEXIST") throw error;
    });
  } finally {
    await removeFolder(folder);
  }
  await forgetOldSnapshots(snapshot);
  return snapshot;
}

/** A snapshot takes 117 MB. Those of yesterday's recipes go; one of today may be in use by another checkout. */
async function forgetOldSnapshots(current) {
  for (const name of await readdir(cacheFolder())) {
    const folder = join(cacheFolder(), name);
    if (!name.startsWith("installed-") || folder === current) continue;
    const { mtimeMs } = await stat(folder);
    if (Date.now() - mtimeMs > 24 * 3600 * 1000) await rm(folder, { recursive: true, force: true });
  }
}

class WordPress {
  #server = null;
  #token = randomBytes(8).toString("hex");

  constructor(folder, phar) {
    this.folder = folder;
    this.root = join(folder, "wordpress");
    this.cli = ["-d", "memory_limit=512M", phar, "--allow-root", `--path=${this.root}`];
    this.user = "admin";
    this.password = PASSWORD;
    this.url = null;
  }

  /** What differs from one start to the next, read by wp-config.php. */
  async configure(url) {
    await mkdir(this.root, { recursive: true });
    const constants = {
      WP_HOME: url,
      WP_SITEURL: url,
      WP_DEBUG: true,
      WP_DEBUG_LOG: join(this.folder, "debug.log"),
      WP_DEBUG_DISPLAY: false,
      WP_ENVIRONMENT_TYPE: "local",
      DISABLE_WP_CRON: true,
      AUTOMATIC_UPDATER_DISABLED: true,
      NIVELLA_LAB_OUTSIDE_LOG: join(this.folder, "outside.log"),
      NIVELLA_LAB_TOKEN: this.#token,
    };
    const lines = Object.entries(constants).map(
      ([name, value]) => `define( '${name}', ${typeof value === "string" ? `'${value}'` : value} );\n`,
    );
    await writeFile(join(this.root, "lab-config.php"), `<?php\n${lines.join("")}`);
  }

  async install({ plugin, link, woocommerce }) {
    const plugins = join(this.root, "wp-content/plugins");
    const active = [];
    if (woocommerce === "stub") {
      await cp(join(HERE, "stub-woocommerce"), join(plugins, "woocommerce"), { recursive: true });
      active.push("woocommerce");
    } else if (woocommerce === "real") {
      await run("unzip", ["-q", process.env.WOOCOMMERCE_ZIP, "-d", plugins]);
      active.push("woocommerce");
    } else if (woocommerce !== "none") {
      throw new Error(`woocommerce: none, stub or real, not ${woocommerce}`);
    }
    if (plugin) {
      if (!(await exists(plugin))) throw new Error(`the plugin is not at ${plugin}`);
      const to = join(plugins, SLUG);
      if (link) await symlink(resolve(plugin), to);
      else await cp(plugin, to, { recursive: true });
      active.push(SLUG);
    }
    return active;
  }

  async serve(port, workers) {
    for (let attempt = 1; ; attempt++) {
      const chosen = port || (await freePort());
      this.url = `http://127.0.0.1:${chosen}`;
      await this.configure(this.url);
      this.server = start(
        "php",
        ["-d", "opcache.enable=1", "-d", "memory_limit=256M", "-S", `127.0.0.1:${chosen}`, "-t", this.root],
        { cwd: this.root, env: { PHP_CLI_SERVER_WORKERS: String(workers) } },
      );
      const answers = () =>
        this.server.ended ||
        fetch(`${this.url}/wp-login.php`).then(
          (answer) => answer.arrayBuffer().then(() => true),
          () => false,
        );
      await until(answers, { within_s: 30, what: "an answer of WordPress" });
      if (!this.server.ended) return;
      // Somebody else took the port between our looking and PHP's binding.
      if (port || attempt === 5) {
        throw new Error(`php -S 127.0.0.1:${chosen} does not start:\n${this.server.log}`);
      }
    }
  }

  /** Runs WP-CLI in this WordPress and gives back what it printed. */
  async wp(...args) {
    return (await run("php", [...this.cli, ...args])).trimEnd();
  }

  /** What opens the doors of the lab. */
  get token() {
    return this.#token;
  }

  /** Writes the plugin's option. */
  async settings(values) {
    await this.wp("option", "update", "nivella_credit_wallet", JSON.stringify(values), "--format=json");
  }

  /** A link that logs `name` in and leads to `path`. */
  loginUrl(name = this.user, path = "/wp-admin/") {
    const to = encodeURIComponent(path).replaceAll("%2F", "/").replaceAll("%3F", "?").replaceAll("%3D", "=");
    return `${this.url}/?nivella_lab_login=${name}&token=${this.#token}&to=${to}`;
  }

  /** Everything PHP and WordPress complained about so far. */
  async debugLog() {
    return this.#read("debug.log");
  }

  /** Every address outside this machine that somebody tried to reach, a line each. */
  async outsideLog() {
    return this.#read("outside.log");
  }

  async #read(name) {
    return readFile(join(this.folder, name), "utf8").catch((error) => {
      if (error.code === "ENOENT") return "";
      throw error;
    });
  }

  /** Stops the server and removes the folder. */
  async stop() {
    await this.server?.stop();
    await rm(this.folder, { recursive: true, force: true });
  }
}

// A page of WordPress may call its own site (Site Health does), which one worker could never answer.
const PHP_WORKERS = 4;
