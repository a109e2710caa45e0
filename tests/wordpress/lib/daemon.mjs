/** The real daemon on loopback, and recorded WooCommerce deliveries to send to it. */
import { readFile, readdir, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { removeFolder, run, start, temporaryFolder } from "./process.mjs";
import { REPOSITORY } from "./wordpress.mjs";

const BINARY = process.env.NIVELLA_TEST_BIN || join(REPOSITORY, "target/debug/nivella-wallet");
const RECORDINGS = join(REPOSITORY, "fixtures/woocommerce");

/** What the recorded shop signed its deliveries with. */
const SECRET = "lab-webhook-secret-not-a-real-one";

// What somebody has configured for a daemon of their own is not for this one.
const ENVIRONMENT = Object.fromEntries(
  Object.keys(process.env)
    .filter((name) => name.startsWith("NIVELLA_WALLET_"))
    .map((name) => [name, undefined]),
);

/** Starts a daemon that knows the recorded shop `lab` and what its products are worth. */
export async function startDaemon() {
  const daemon = new Daemon(await temporaryFolder(join(tmpdir(), "nivella-daemon-")));
  try {
    await daemon.start();
    await daemon.run("store", "add", "lab", "--url", "http://127.0.0.1:8088", "--webhook-secret", SECRET);
    await daemon.run("package", "set", "--store", "lab", "--product", "10", "--credits", "1000");
    await daemon.run("package", "set", "--store", "lab", "--product", "11", "--credits", "5000");
  } catch (error) {
    await daemon.remove();
    throw error;
  }
  return daemon;
}

class Daemon {
  #server = null;
  #serial = 0;

  constructor(folder) {
    this.folder = folder;
    this.config = join(folder, "nivella-wallet.toml");
    this.url = null;
  }

  /** Starts it; after a stop or a kill, on the port it had before. */
  async start() {
    const listen = this.url ? new URL(this.url).host : "127.0.0.1:0";
    const database = `sqlite:${join(this.folder, "wallet.db")}`;
    await writeFile(this.config, `listen = "${listen}"\ndatabase = "${database}"\n`);
    this.#server = start(BINARY, ["--config", this.config, "serve"], {
      cwd: this.folder,
      env: ENVIRONMENT,
    });
    const [, url] = await this.#server.printed(/listening on (http:\/\/\S+)/);
    this.url = url.replace(/\/$/, "");
  }

  /** Runs a command of the daemon's program on the same database, and gives back what it printed. */
  async run(...args) {
    return run(BINARY, ["--config", this.config, ...args], { cwd: this.folder, env: ENVIRONMENT });
  }

  /** Makes an API key. */
  async key(...scopes) {
    const flags = scopes.flatMap((scope) => ["--scope", scope]);
    const printed = await this.run("key", "create", ...flags, "--name", scopes.join(" "));
    const [key] = printed.match(/nwk_[A-Za-z0-9_-]+/) ?? [];
    if (!key) throw new Error(`key create printed no key:\n${printed}`);
    return key;
  }

  /**
   * Sends a recorded delivery, such as `02-paid-order-one-token/003-order.updated`, with the bytes and the
   * headers it arrived with; of a whole folder, each in the order of arrival. Gives back the answers.
   */
  async deliver(recording) {
    if (!recording.includes("/")) {
      const folders = await readdir(join(RECORDINGS, recording), { withFileTypes: true });
      const names = folders.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
      const answers = [];
      for (const name of names.sort()) answers.push(await this.deliver(`${recording}/${name}`));
      return answers;
    }
    const body = await readFile(join(RECORDINGS, recording, "body.bin"));
    const recorded = JSON.parse(await readFile(join(RECORDINGS, recording, "headers.json"), "utf8"));
    const headers = Object.fromEntries(recorded.headers.filter(([name]) => name !== "Host"));
    const answer = await send(`${this.url}/webhooks/woocommerce/lab`, { headers, body });
    if (answer.status !== 200) {
      throw new Error(`${recording} was answered ${answer.status}: ${answer.body}`);
    }
    return JSON.parse(answer.body);
  }

  /** Asks the API. */
  async api(key, method, path, body) {
    const answer = await fetch(this.url + path, {
      method,
      headers: {
        authorization: `Bearer ${key}`,
        "content-type": "application/json",
        ...(method === "POST" && { "idempotency-key": `browser-test-${++this.#serial}` }),
      },
      body: body && JSON.stringify(body),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path} was answered ${answer.status}: ${text}`);
    return JSON.parse(text);
  }

  /** Ends it as a power cut would: without a word. */
  async kill() {
    await this.#server.stop("SIGKILL");
  }

  /** Everything it printed since it was last started. */
  get log() {
    return this.#server.log;
  }

  /** Stops it and removes its files. */
  async remove() {
    await this.#server?.stop();
    await removeFolder(this.folder);
  }
}

/** A POST with exactly these headers; `fetch` would not let some of WooCommerce's through. */
function send(url, { headers, body }) {
  return new Promise((resolve, reject) => {
    const sent = request(url, { method: "POST", headers, agent: false }, (answer) => {
      let text = "";
      answer.setEncoding("utf8");
      answer.on("data", (part) => (text += part));
      answer.on("end", () => resolve({ status: answer.statusCode, body: text }));
      answer.on("error", reject);
    });
    sent.on("error", reject);
    sent.end(body);
  });
}
