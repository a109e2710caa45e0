#!/usr/bin/env node
/**
 * `make demo`: the daemon with recorded orders, and a WordPress that shows the wallet they filled.
 *
 * The daemon does its half by itself (`nivella-wallet demo`), and its words are passed on as they come. What
 * takes long the first time, compiling and fetching WordPress, is done side by side.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { start } from "./lib/process.mjs";
import { prepare, REPOSITORY, startWordPress } from "./lib/wordpress.mjs";

const say = (line) => console.log(line);
const began = Date.now();
let site = null;
let daemon = null;
let stopping = false;
// Servers alone do not keep this program running.
setInterval(() => {}, 1 << 30);

for (const signal of ["SIGINT", "SIGTERM"]) {
  process.once(signal, async () => {
    stopping = true;
    say("\nstopping …");
    await Promise.all([site?.stop(), daemon?.stop()]);
    // What was still being started ends with this program.
    process.exit(0);
  });
}

const [binary] = await Promise.all([build(), prepare(say)]);

daemon = start(binary, ["demo"], { cwd: REPOSITORY, output: say });
const ended = daemon.finished.then(() => {
  throw new Error("nivella-wallet demo has ended");
});
// Whoever waits below learns of it; this keeps it from counting as unhandled before that.
ended.catch(() => {});

const starting = startWordPress({ woocommerce: process.env.WOOCOMMERCE_ZIP ? "real" : "none" });
starting.then((started) => (site = started)).catch(() => {});
const [, address] = await daemon.printed(/^listening on (http:\/\/\S+)/m, { within_s: 60 });
const [, wallet, key] = await daemon.printed(/^\s*wallet key \(([^)]+)\): (nwk_\S+)/m, { within_s: 60 });
site = await Promise.race([starting, ended]);
await site.settings({ url: address.replace(/\/$/, ""), key, store: "" });

const page = "/wp-admin/admin.php?page=nivella-credit-wallet";
say("");
say(`A WordPress with the plugin, showing ${wallet} (ready after ${Math.round((Date.now() - began) / 1000)} s):`);
say(`  wallet page, logged in   ${site.loginUrl("admin", page)}`);
say(`  the same with a login    ${site.url}${page}`);
say(`  user and password        ${site.user} / ${site.password}`);
say("Ctrl-C stops both and removes their files.");

await ended.catch(async (error) => {
  if (stopping) return;
  console.error(error.message);
  await site.stop();
  process.exit(1);
});

/** Builds the daemon, and names its program. A debug build is there soonest, and quick enough to be looked at. */
async function build() {
  const cargo = spawn("cargo", ["build", "--bin", "nivella-wallet"], {
    cwd: REPOSITORY,
    stdio: ["ignore", "inherit", "inherit"],
  });
  const [status] = await once(cargo, "exit");
  if (status !== 0) process.exit(1);
  return join(process.env.CARGO_TARGET_DIR || join(REPOSITORY, "target"), "debug/nivella-wallet");
}
