/** Stands in front of the daemon: passes everything on, notes every delivery, and can be slow, silent or away. */
import { createHmac } from "node:crypto";
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

  constructor(daemon, store) {
    Object.assign(this, { daemon, store, mode: null, late_ms: 0, withholdsKeys: false, deliveries: [], others: [], asked: [] });
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
    const printed = await this.daemon.run("store", "pair", this.store, "--address", this.url);
    return printed.match(/http\S+\/pair#nwp_[A-Za-z0-9_-]{43}/)[0];
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
    if (this.withholdsKeys && question.method === "POST" && question.url === "/v1/pairing") {
      body = Buffer.from(JSON.stringify({ ...JSON.parse(body), rest: null }));
      question.headers["content-length"] = String(body.length);
    }
    passOn(this.daemon.url, question, body, answer, (status, text) => {
      if (delivery) Object.assign(delivery, { status, answer: text, answered: Date.now() });
    });
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
