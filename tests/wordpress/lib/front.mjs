/**
 * Stands in front of the daemon: passes everything on, notes every delivery, and can be slow, silent or away.
 *
 * Pairing is the daemon's own where its program knows `store pair`. Where it does not yet, it is played here with
 * the commands there are, so that what the plugin does can be tried with real deliveries to a real daemon.
 */
import { createHmac, randomBytes } from "node:crypto";
import { createServer, request } from "node:http";

/**
 * Starts one. `front.withholdsKeys`: the daemon is given no REST keys, and knows what it is told and nothing else.
 * `front.mode`: null, "away" (hangs up), "silent" (ten seconds), "late" (`front.late_ms`), "forged" (401).
 */
export async function startFront(daemon, { store = "shop" } = {}) {
  const front = new Front(daemon, store);
  await front.open();
  return front;
}

class Front {
  #server = null;
  #port = 0;
  #token = null;
  #played = null;

  constructor(daemon, store) {
    Object.assign(this, { daemon, store, mode: null, late_ms: 0, withholdsKeys: false, deliveries: [], others: [], asked: [], secret: null, rest: null });
  }

  /** Takes connections; after `close()` again on the same port. */
  async open() {
    this.#server = createServer((question, answer) => {
      answer.on("error", () => {});
      let body = Buffer.alloc(0);
      question.on("data", (part) => (body = Buffer.concat([body, part])));
      question.on("end", () => this.#answer(question, body, answer));
    });
    await new Promise((resolve, reject) => this.#server.on("error", reject).listen(this.#port, "127.0.0.1", resolve));
    this.#port = this.#server.address().port;
    this.url = `http://127.0.0.1:${this.#port}`;
  }

  /** Nothing listens any more. */
  async close() {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /** A pairing code for this store that leads to this door. */
  async code() {
    if (await this.knowsPairing()) {
      const printed = await this.daemon.run("store", "pair", this.store, "--address", this.url);
      return printed.match(/http\S+\/pair#nwp_[A-Za-z0-9_-]{43}/)[0];
    }
    this.#token = `nwp_${randomBytes(32).toString("base64url")}`;
    return `${this.url}/pair#${this.#token}`;
  }

  /** Whether the daemon's own program can pair. */
  async knowsPairing() {
    return this.daemon.run("store", "pair", "--help").then(
      () => true,
      () => false,
    );
  }

  async #answer(question, body, answer) {
    this.asked.push(`${question.method} ${question.url}`);
    const delivery = question.url.startsWith("/webhooks/")
      ? {
          at: Date.now(),
          topic: question.headers["x-wc-webhook-topic"] ?? "ping",
          agent: question.headers["user-agent"],
          signature: question.headers["x-wc-webhook-signature"],
          raw: body,
        }
      : null;
    if (this.mode === "away") return question.socket.destroy();
    if (this.mode === "silent") {
      const late = setTimeout(() => answer.end("{}"), 10_000);
      answer.on("close", () => clearTimeout(late));
      return;
    }
    if (this.mode === "late") await new Promise((resolve) => setTimeout(resolve, this.late_ms));
    if (delivery && this.mode === "forged") {
      return send(answer, 401, { status: 401, code: "unauthorized", title: "Unauthorized", detail: "not signed with this store's secret" });
    }
    if (delivery) this.deliveries.push(delivery);
    // Where other programs of a shop have their webhooks.
    if (question.url === "/crm") {
      this.others.push({ url: question.url, raw: body });
      return send(answer, 200, {});
    }
    const pairing = question.url === "/v1/pairing" && !(await this.knowsPairing());
    if (pairing) return send(answer, ...(await this.#pairing(question, body)));
    const stores = question.url === `/v1/stores/${this.store}` && this.#played;
    if (stores) return send(answer, 200, this.#stores());
    if (this.withholdsKeys && question.method === "POST" && question.url === "/v1/pairing") {
      body = Buffer.from(JSON.stringify({ ...JSON.parse(body), rest: null }));
      question.headers["content-length"] = String(body.length);
    }
    passOn(this.daemon.url, question, body, answer, (status, text) => {
      if (delivery) Object.assign(delivery, { status, answer: text, answered: Date.now() });
    });
  }

  async #pairing(question, body) {
    if (question.method === "DELETE") {
      const key = question.headers.authorization?.replace("Bearer ", "");
      if (!this.#played || key !== this.#played.key) return [401, { status: 401, code: "unauthorized", title: "Unauthorized" }];
      await this.daemon.run("key", "revoke", this.#played.key_id);
      this.#played = null;
      return [200, { store: this.store, revoked: true }];
    }
    const { token, url, webhook_secret: secret, rest } = JSON.parse(body);
    if (!this.#token || token !== this.#token) {
      return [410, { status: 410, code: "pairing_ended", title: "The pairing has ended" }];
    }
    this.#token = null;
    this.secret = secret;
    this.rest = rest;
    const known = await this.daemon.run("store", "show", this.store).then(
      () => true,
      () => false,
    );
    const flags = ["--url", url, "--webhook-secret", secret];
    await this.daemon.run("store", known ? "set" : "add", this.store, ...flags);
    const printed = await this.daemon.run("key", "create", "--scope", "admin", "--name", `store ${this.store}`);
    if (this.#played) await this.daemon.run("key", "revoke", this.#played.key_id);
    this.#played = { key: printed.match(/nwk_[A-Za-z0-9_-]+/)[0], key_id: printed.match(/key_[A-Za-z0-9]+/)[0] };
    return [
      201,
      {
        store: this.store,
        ...this.#played,
        webhook_url: `${this.url}/webhooks/woocommerce/${this.store}`,
        events_secret: `whsec_${randomBytes(24).toString("base64")}`,
        unit: "AI Credits",
        tokens_categories: ["tokens"],
        paid_statuses: ["processing", "completed"],
        site_keys: ["_nivella_site_id", "site_id", "_site_id"],
      },
    ];
  }

  #stores() {
    const last = this.deliveries.filter(({ status }) => status === 200).at(-1);
    const result = last && JSON.parse(last.answer).result;
    return {
      name: this.store,
      url: "http://127.0.0.1",
      created_at: "2026-11-21T10:00:00Z",
      paired_at: "2026-11-21T10:00:00Z",
      tokens_categories: ["tokens"],
      paid_statuses: ["processing", "completed"],
      site_keys: ["_nivella_site_id"],
      auto_register: true,
      has_rest_keys: true,
      last_delivery: last ? { at: new Date(last.at).toISOString(), topic: last.topic, result } : null,
      last_refused_at: null,
      orders: { known: this.deliveries.length, parked: 0, attention: 0, unclaimed: 0 },
      webhooks: { state: "unknown", checked_at: null, findings: [] },
      reconciled_at: null,
    };
  }
}

/** Whether a delivery is signed with this secret. */
export function isSigned(delivery, secret) {
  return createHmac("sha256", secret).update(delivery.raw).digest("base64") === delivery.signature;
}

function send(answer, status, value) {
  const type = status < 400 ? "application/json" : "application/problem+json";
  answer.writeHead(status, { "content-type": type });
  answer.end(JSON.stringify(value));
}

function passOn(truth, question, body, answer, done) {
  const { url, method, headers } = question;
  const asked = request(truth + url, { method, headers, agent: false }, (told) => {
    let text = "";
    told.on("data", (part) => (text += part));
    told.on("end", () => done(told.statusCode, text));
    answer.writeHead(told.statusCode, told.headers);
    told.pipe(answer);
  });
  asked.on("error", () => answer.destroy());
  asked.end(body);
}
