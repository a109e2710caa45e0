/** A server that stands where the daemon should be, and passes questions on to it or lies. */
import { createServer, request } from "node:http";

/** The ways it lies. `silence` takes a request and says nothing for ten seconds. */
export const LIES = {
  "broken JSON": (answer) => {
    answer.writeHead(200, { "content-type": "application/json" });
    answer.end('{"wallet":"site:site-123","available":"1');
  },
  "JSON that is no wallet": (answer) => {
    answer.writeHead(200, { "content-type": "application/json" });
    answer.end('{"available":{"__proto__":[]},"unit":"<script>alert(1)</script>","activity":"none"}');
  },
  "a page of HTML": (answer) => {
    answer.writeHead(200, { "content-type": "text/html" });
    answer.end("<!doctype html><title>Welcome</title><script>document.title = 'owned'</script>");
  },
  "a redirect": (answer, { url }) => {
    answer.writeHead(302, { location: `${url}/elsewhere` });
    answer.end();
  },
  "an answer without end": (answer) => {
    answer.writeHead(200, { "content-type": "application/json" });
    const chunk = "[".repeat(64 * 1024);
    const more = () => {
      while (!answer.destroyed && answer.write(chunk));
    };
    answer.on("drain", more);
    more();
  },
  "a closed connection": (answer) => answer.destroy(),
  silence: (answer) => {
    const late = setTimeout(() => answer.end("{}"), 10_000);
    answer.on("close", () => clearTimeout(late));
  },
};

/**
 * Starts one in front of the daemon at `truth`. `liar.lie` names how it lies from now on, or is null; `liar.says` is
 * what it answers to every question, if it is set.
 */
export async function startLiar(truth) {
  const liar = { lie: null, says: null, asked: [] };
  const server = createServer((question, answer) => {
    // Somebody who hangs up in the middle of a lie is what we are after, not a fault of ours.
    answer.on("error", () => {});
    liar.asked.push(question.url);
    if (liar.lie) LIES[liar.lie](answer, liar);
    else if (liar.says !== null) answer.writeHead(200, { "content-type": "application/json" }).end(liar.says);
    else passOn(truth, question, answer);
  });
  await new Promise((resolve, reject) => server.on("error", reject).listen(0, "127.0.0.1", resolve));
  liar.url = `http://127.0.0.1:${server.address().port}`;
  liar.stop = () => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  };
  return liar;
}

function passOn(truth, question, answer) {
  const { url, method, headers } = question;
  const asked = request(truth + url, { method, headers, agent: false }, (told) => {
    answer.writeHead(told.statusCode, told.headers);
    told.pipe(answer);
  });
  asked.on("error", () => answer.destroy());
  question.pipe(asked);
}
