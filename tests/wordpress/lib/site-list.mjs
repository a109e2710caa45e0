/**
 * A daemon's `GET /v1/sites`, for one that does not have it yet: stands before the daemon, passes everything on, and only
 * where the daemon knows no such address puts the list together from `GET /v1/sites/{site}`. For questions only.
 */
import { createServer, request } from "node:http";

/** Starts it. `sites` are the ids it knows to ask for; `asked` all that it was asked. */
export async function startSiteList(daemon, sites) {
  const list = { asked: [], silent: false, sites: [...sites] };
  const server = createServer(async (question, answer) => {
    answer.on("error", () => {});
    list.asked.push(`${question.method} ${question.url}`);
    if (list.silent) return;
    const told = await ask(daemon.url + question.url, question).catch(() => null);
    if (told === null) return answer.destroy();
    const url = new URL(question.url, daemon.url);
    const isList = question.method === "GET" && url.pathname === "/v1/sites" && (told.status === 404 || told.status === 405);
    if (!isList) {
      answer.writeHead(told.status, told.headers);
      return answer.end(told.body);
    }
    const items = [];
    const { headers } = question;
    const found = await ask(`${daemon.url}/v1/accounts?query=${encodeURIComponent(url.searchParams.get("account"))}`, { headers });
    const account = JSON.parse(found.body).items.find(({ names }) => names.includes(url.searchParams.get("account")));
    for (const id of list.sites) {
      const site = await ask(`${daemon.url}/v1/sites/${encodeURIComponent(id)}`, { headers });
      if (site.status !== 200) continue;
      const item = JSON.parse(site.body);
      if (account && item.account?.id === account.id) items.push({ ...item, available: "0" });
    }
    answer.writeHead(200, { "content-type": "application/json" });
    answer.end(JSON.stringify({ items, next_cursor: null }));
  });
  await new Promise((resolve, reject) => server.on("error", reject).listen(0, "127.0.0.1", resolve));
  list.url = `http://127.0.0.1:${server.address().port}`;
  list.stop = () => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  };
  return list;
}

function ask(url, { headers }) {
  return new Promise((resolve, reject) => {
    const asked = request(url, { headers, agent: false }, (answer) => {
      const parts = [];
      answer.on("data", (part) => parts.push(part));
      answer.on("end", () => resolve({ status: answer.statusCode, headers: answer.headers, body: Buffer.concat(parts) }));
      answer.on("error", reject);
    });
    asked.on("error", reject);
    asked.end();
  });
}
