#!/usr/bin/env node
/**
 * Starts a WordPress with the plugin, prints how to reach it, and stops on Ctrl-C.
 *
 *   node tests/wordpress/start.mjs [--port N] [--link] [--no-plugin] [--woocommerce none|stub|real]
 *                                  [--url DAEMON --key KEY [--store NAME]] [--json] [--prepare]
 *
 * `--prepare` only downloads and installs what later starts copy. `--link` links the plugin's folder
 * instead of copying it, so that an edit shows on the next request. `--json` prints one line for programs.
 */
import { parseArgs } from "node:util";
import { prepare, startWordPress } from "./lib/wordpress.mjs";

const { values } = parseArgs({
  options: {
    port: { type: "string", default: "0" },
    link: { type: "boolean", default: false },
    "no-plugin": { type: "boolean", default: false },
    woocommerce: { type: "string", default: process.env.WOOCOMMERCE_ZIP ? "real" : "stub" },
    url: { type: "string" },
    key: { type: "string", default: "" },
    store: { type: "string", default: "" },
    json: { type: "boolean", default: false },
    prepare: { type: "boolean", default: false },
  },
});

const say = (line) => console.error(line);
if (values.prepare) {
  await prepare(say);
  process.exit(0);
}

const site = await startWordPress({
  port: Number(values.port),
  link: values.link,
  plugin: values["no-plugin"] ? null : undefined,
  woocommerce: values.woocommerce,
  settings: values.url ? { url: values.url, key: values.key, store: values.store } : null,
  say,
});
const page = "/wp-admin/admin.php?page=nivella-credit-wallet";
if (values.json) {
  console.log(
    JSON.stringify({
      url: site.url,
      user: site.user,
      password: site.password,
      login: site.loginUrl("admin", page),
      folder: site.root,
      debug_log: `${site.folder}/debug.log`,
    }),
  );
} else {
  console.log(`WordPress        ${site.url}/`);
  console.log(`wallet page      ${site.loginUrl("admin", page)}`);
  console.log(`My Account       ${site.loginUrl("alice", "/my-account/")}`);
  console.log(`log in as        admin, alice or bob; password ${site.password}`);
  console.log(`files            ${site.root}`);
  console.log(`debug log        ${site.folder}/debug.log`);
  console.log(`WP-CLI           php ${site.cli.join(" ")}`);
  console.log("Ctrl-C stops it and removes its files.");
}

// The server alone does not keep this program running.
setInterval(() => {}, 1 << 30);
for (const signal of ["SIGINT", "SIGTERM"]) {
  process.once(signal, async () => {
    await site.stop();
    process.exit(0);
  });
}
