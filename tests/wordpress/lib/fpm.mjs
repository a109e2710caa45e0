/**
 * PHP-FPM behind a small web server, as most shops run: the one way to see that a visitor has their answer before the
 * request's end. `PHP_FPM` names the program; tests that need it are skipped without it.
 */
import { createServer } from "node:http";
import { connect } from "node:net";
import { createReadStream, existsSync, statSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { run, start, until } from "./process.mjs";

/** Why such tests are skipped, or false. */
export const NO_FPM = process.env.PHP_FPM ? false : "needs PHP-FPM: PHP_FPM=/usr/sbin/php-fpm8.2";

/** Serves a test WordPress a second time, with PHP-FPM, under its own address: `site.url` changes hands. */
export async function serveWithFpm(site) {
  const socket = join(site.folder, "fpm.sock");
  const config = join(site.folder, "fpm.conf");
  await writeFile(
    config,
    `[global]\nerror_log = ${site.folder}/fpm.log\ndaemonize = no\n[www]\nlisten = ${socket}\npm = static\npm.max_children = 4\nclear_env = no\ncatch_workers_output = yes\n`,
  );
  // The extensions are those of the PHP on the command line. Without -R it would not run as root.
  const php = (code) => run("php", ["-r", `echo ${code};`]);
  const [ini, scan] = [await php("php_ini_loaded_file()"), await php("PHP_CONFIG_FILE_SCAN_DIR")];
  const options = ["-R", "-F", "-y", config, "-d", "memory_limit=256M", ...(ini ? ["-c", ini] : [])];
  const fpm = start(process.env.PHP_FPM, options, { cwd: site.root, env: { PHP_INI_SCAN_DIR: scan } });
  await until(() => existsSync(socket) || fpm.ended, { what: "PHP-FPM's socket" });
  if (fpm.ended) throw new Error(`PHP-FPM does not start:\n${fpm.log}`);

  await site.server.stop();
  const { port } = new URL(site.url);
  const server = createServer((question, answer) => {
    const parts = [];
    question.on("data", (part) => parts.push(part));
    question.on("end", () => pass(site.root, socket, question, Buffer.concat(parts), answer));
  });
  await new Promise((resolve, reject) => server.on("error", reject).listen(Number(port), "127.0.0.1", resolve));
  return {
    stop: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await fpm.stop();
    },
  };
}

const TYPES = { css: "text/css", js: "text/javascript", svg: "image/svg+xml", png: "image/png" };

function pass(root, socket, question, body, answer) {
  const { pathname, search, port } = new URL(question.url, `http://${question.headers.host}`);
  const file = join(root, decodeURIComponent(pathname));
  if (!pathname.endsWith(".php") && existsSync(file) && statSync(file).isFile()) {
    answer.setHeader("content-type", TYPES[pathname.split(".").pop()] ?? "application/octet-stream");
    createReadStream(file).pipe(answer);
    return;
  }
  const script = pathname.endsWith(".php") && existsSync(file) ? file : existsSync(join(file, "index.php")) && statSync(file).isDirectory() ? join(file, "index.php") : join(root, "index.php");
  const parameters = {
    GATEWAY_INTERFACE: "CGI/1.1",
    SERVER_PROTOCOL: "HTTP/1.1",
    SERVER_SOFTWARE: "test",
    SERVER_NAME: "127.0.0.1",
    SERVER_PORT: port,
    REMOTE_ADDR: "127.0.0.1",
    REQUEST_METHOD: question.method,
    REQUEST_URI: question.url,
    QUERY_STRING: search.slice(1),
    DOCUMENT_ROOT: root,
    SCRIPT_FILENAME: script,
    SCRIPT_NAME: script.slice(root.length),
    CONTENT_TYPE: question.headers["content-type"] ?? "",
    CONTENT_LENGTH: String(body.length),
    ...Object.fromEntries(
      Object.entries(question.headers).map(([name, value]) => [`HTTP_${name.toUpperCase().replaceAll("-", "_")}`, String(value)]),
    ),
  };
  const sent = connect(socket);
  sent.on("error", () => answer.destroy());
  const pairs = Object.entries(parameters).map(([name, value]) => {
    const [key, text] = [Buffer.from(name), Buffer.from(value)];
    return Buffer.concat([length(key.length), length(text.length), key, text]);
  });
  sent.write(record(1, Buffer.from([0, 1, 0, 0, 0, 0, 0, 0])));
  sent.write(record(4, Buffer.concat(pairs)));
  sent.write(record(4, Buffer.alloc(0)));
  for (let at = 0; at < body.length; at += 65_528) sent.write(record(5, body.subarray(at, at + 65_528)));
  sent.write(record(5, Buffer.alloc(0)));

  let rest = Buffer.alloc(0);
  let out = Buffer.alloc(0);
  sent.on("data", (part) => {
    rest = Buffer.concat([rest, part]);
    while (rest.length >= 8) {
      const size = rest.readUInt16BE(4);
      const end = 8 + size + rest[6];
      if (rest.length < end) return;
      if (rest[1] === 6) out = Buffer.concat([out, rest.subarray(8, 8 + size)]);
      if (rest[1] === 3) finish(out, answer);
      rest = rest.subarray(end);
    }
  });
}

function finish(out, answer) {
  const split = out.indexOf("\r\n\r\n");
  const lines = out.subarray(0, split).toString("latin1").split("\r\n").map((line) => line.match(/^([^:]+):\s*(.*)$/).slice(1));
  const status = lines.find(([name]) => name.toLowerCase() === "status");
  answer.statusCode = status ? Number.parseInt(status[1], 10) : 200;
  for (const [name, value] of lines) {
    if (name.toLowerCase() !== "status") answer.appendHeader(name, value);
  }
  answer.end(out.subarray(split + 4));
}

function length(size) {
  if (size < 128) return Buffer.from([size]);
  const long = Buffer.alloc(4);
  long.writeUInt32BE(size + 0x80000000);
  return long;
}

function record(type, content) {
  const head = Buffer.alloc(8);
  head.writeUInt8(1, 0);
  head.writeUInt8(type, 1);
  head.writeUInt16BE(1, 2);
  head.writeUInt16BE(content.length, 4);
  return Buffer.concat([head, content]);
}
