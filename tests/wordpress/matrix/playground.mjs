/** Any WordPress on any PHP: PHP as WebAssembly, in a process of its own, with the plugin as it is. */
import { randomBytes } from "node:crypto";
import { cp, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { oldWordpressFiles, wordpressFiles } from "../lib/download.mjs";
import { freePort, removeFolder, run, start, temporaryFolder } from "../lib/process.mjs";
import { REPOSITORY } from "../lib/wordpress.mjs";

const HERE = dirname(fileURLToPath(import.meta.url));
const CLI = join(HERE, "node_modules/.bin/wp-playground-cli");
const SLUG = "nivella-credit-wallet";

/** Where WordPress of a version comes from: puts its files into `root`. */
const SOURCES = {
  "6.2": (root) => old("6.2", root),
  "6.5": (root) => old("6.5", root),
  "7.1": async (root) => {
    const files = await wordpressFiles(console.error);
    await cp(join(files, "latest/wordpress"), root, { recursive: true });
  },
};

async function old(version, root) {
  const files = await oldWordpressFiles(console.error);
  await run("unzip", ["-q", join(files, `src/wordpress/wp-${version}.zip`), "-d", root]);
  await run("cp", ["-R", `${join(files, `public/wp-${version}`)}/.`, root]);
}

/** Starts WordPress `wp` on PHP `php` with the plugin, the stand-in for WooCommerce, and these settings of the plugin. */
export async function startPlayground({ wp, php, settings }) {
  const folder = await temporaryFolder(join(tmpdir(), "nivella-playground-"));
  const playground = new Playground(folder);
  try {
    const root = join(folder, "wordpress");
    await mkdir(root);
    await SOURCES[wp](root);
    const version = await readFile(join(root, "wp-includes/version.php"), "utf8");
    playground.version = /\$wp_version = '([^']+)'/.exec(version)[1];
    const content = join(root, "wp-content");
    await mkdir(join(content, "mu-plugins"), { recursive: true });
    await cp(join(HERE, "../lab.php"), join(content, "mu-plugins/nivella-lab.php"));
    await cp(join(HERE, "../stub-woocommerce"), join(content, "plugins/woocommerce"), { recursive: true });
    await cp(process.env.NIVELLA_TEST_PLUGIN || join(REPOSITORY, "wp-plugin"), join(content, "plugins", SLUG), {
      recursive: true,
    });
    await playground.serve({ wp, php, settings, root });
  } catch (error) {
    await playground.stop();
    throw error;
  }
  return playground;
}

class Playground {
  #server = null;
  #token = randomBytes(8).toString("hex");

  constructor(folder) {
    this.folder = folder;
    this.url = null;
    this.version = null;
  }

  async serve({ wp, php, settings, root }) {
    const blueprint = join(this.folder, "blueprint.json");
    const steps = [
      {
        step: "setSiteOptions",
        // Without avatars, no page asks another host for a picture.
        options: { nivella_credit_wallet: settings, permalink_structure: "/%postname%/", show_avatars: "0" },
      },
      ...["woocommerce/woocommerce.php", `${SLUG}/${SLUG}.php`].map((pluginPath) => ({ step: "activatePlugin", pluginPath })),
      { step: "runPHP", code: "<?php require '/wordpress/wp-load.php'; flush_rewrite_rules();" },
    ];
    // Without the versions in here, too, it takes another PHP without a word.
    await writeFile(blueprint, JSON.stringify({ preferredVersions: { php, wp }, steps }));
    const port = await freePort();
    const constants = { NIVELLA_LAB_TOKEN: this.#token, NIVELLA_LAB_OUTSIDE_LOG: "/wordpress/wp-content/outside.log" };
    const flags = { WP_DEBUG: true, WP_DEBUG_LOG: true, WP_DEBUG_DISPLAY: false, DISABLE_WP_CRON: true, AUTOMATIC_UPDATER_DISABLED: true };
    this.#server = start(
      process.execPath,
      [
        ...[CLI, "server", "--php", php, "--port", String(port), "--workers", "6", "--blueprint", blueprint],
        ...["--wordpress-install-mode", "install-from-existing-files", "--mount-before-install", `${root}:/wordpress`],
        ...Object.entries(constants).flatMap(([name, value]) => ["--define", name, value]),
        ...Object.entries(flags).flatMap(([name, value]) => ["--define-bool", name, String(value)]),
      ],
      { cwd: this.folder },
    );
    await this.#server.printed(/WordPress is running/, { within_s: 180 });
    this.url = `http://127.0.0.1:${port}`;
  }

  /** A link that logs `name` in and leads to `path`. */
  loginUrl(name, path) {
    return `${this.url}/?nivella_lab_login=${name}&token=${this.#token}&to=${encodeURIComponent(path)}`;
  }

  /** What a piece of PHP prints inside this WordPress. */
  async php(code) {
    const asked = join(this.folder, "wordpress/nivella-asked.php");
    await writeFile(asked, `<?php require __DIR__ . '/wp-load.php'; ${code}`);
    const answer = await fetch(`${this.url}/nivella-asked.php`);
    await rm(asked);
    const said = await answer.text();
    if (!answer.ok) throw new Error(`${answer.status}: ${said}\n${await this.debugLog()}`);
    return said;
  }

  /** Everything PHP and WordPress complained about so far. */
  async debugLog() {
    return readFile(join(this.folder, "wordpress/wp-content/debug.log"), "utf8").catch((error) => {
      if (error.code === "ENOENT") return "";
      throw error;
    });
  }

  async stop() {
    await this.#server?.stop();
    await removeFolder(this.folder);
  }
}
