/** Child processes that never outlive the program that started them. */
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { fileURLToPath } from "node:url";

let keeper = null;

/** Tells the keeper what has to go when this program does; see keeper.mjs. */
function keep(kind, name, { gone = false } = {}) {
  if (keeper === null) {
    const program = fileURLToPath(new URL("keeper.mjs", import.meta.url));
    // In a session of its own, or Ctrl-C would end it together with us.
    const options = { detached: true, stdio: ["pipe", "ignore", "inherit"] };
    keeper = spawn(process.execPath, [program], options);
    keeper.unref();
    keeper.stdin.unref();
  }
  keeper.stdin.write(`${JSON.stringify({ kind, name, gone })}\n`);
}

/** Makes a folder that is removed at the latest when this program ends. */
export async function temporaryFolder(prefix) {
  const folder = await mkdtemp(prefix);
  keep("folder", folder);
  return folder;
}

/** Removes a folder made by `temporaryFolder`. */
export async function removeFolder(folder) {
  // A server's last request may still be writing a file.
  await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  keep("folder", folder, { gone: true });
}

/** Runs a program to its end and gives back what it printed; a failure carries all of its output. */
export async function run(command, args, { cwd, env, input } = {}) {
  const child = spawn(command, args, {
    cwd,
    env: { ...process.env, ...env },
    stdio: [input === undefined ? "ignore" : "pipe", "pipe", "pipe"],
  });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text) => (stderr += text));
  if (input !== undefined) child.stdin.end(input);
  const status = await new Promise((resolve, reject) => {
    child.on("error", (error) => reject(new Error(`${command} cannot be started: ${error.message}`)));
    child.on("close", (code, signal) => resolve(code ?? signal));
  });
  if (status !== 0) {
    const line = [command, ...args].join(" ");
    throw Object.assign(new Error(`${line}\nended with ${status}\n${stdout}${stderr}`), {
      status,
      stdout,
      stderr,
    });
  }
  return stdout;
}

/**
 * Starts a server in a process group of its own.
 *
 * `php -S` with workers is several processes; a signal to the group reaches every one of them.
 */
export function start(command, args, { cwd, env, output } = {}) {
  const child = spawn(command, args, {
    cwd,
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  // A server is no reason to go on: a test that failed before it could stop its server ends all the same.
  for (const each of [child, child.stdout, child.stderr]) each.unref();
  const server = { child, log: "", ended: false };
  const listeners = new Set();
  const finished = new Promise((resolve) => {
    child.on("error", (error) => {
      server.log += `${command} cannot be started: ${error.message}\n`;
      end(resolve);
    });
    child.on("close", () => end(resolve));
  });
  function end(resolve) {
    server.ended = true;
    if (child.pid) keep("group", child.pid, { gone: true });
    for (const listener of [...listeners]) listener();
    resolve();
  }
  for (const stream of [child.stdout, child.stderr]) {
    let rest = "";
    stream.setEncoding("utf8").on("data", (text) => {
      server.log += text;
      const parts = (rest + text).split("\n");
      rest = parts.pop();
      for (const line of parts) output?.(line);
      for (const listener of [...listeners]) listener();
    });
  }

  /** Resolves with the first match of `pattern` in the output so far or to come. */
  server.printed = (pattern, { within_s = 30 } = {}) =>
    new Promise((resolve, reject) => {
      const look = () => {
        const match = server.log.match(pattern);
        if (match) return done(resolve, match);
        if (server.ended) {
          done(reject, new Error(`${command} ended before it printed ${pattern}:\n${server.log}`));
        }
      };
      const done = (settle, value) => {
        clearTimeout(timer);
        listeners.delete(look);
        settle(value);
      };
      const timer = setTimeout(
        () => done(reject, new Error(`${command} did not print ${pattern} in ${within_s} s:\n${server.log}`)),
        within_s * 1000,
      );
      listeners.add(look);
      look();
    });

  /** Sends the signal to the whole group and waits until the process is gone. */
  server.stop = async (signal = "SIGTERM") => {
    kill(server, signal);
    const late = setTimeout(() => kill(server, "SIGKILL"), 10_000);
    await finished;
    clearTimeout(late);
  };
  server.finished = finished;
  if (child.pid) keep("group", child.pid);
  return server;
}

function kill(server, signal) {
  if (server.ended || !server.child.pid) return;
  try {
    process.kill(-server.child.pid, signal);
  } catch (error) {
    if (error.code !== "ESRCH") throw error;
  }
}

/** A loopback port nobody listens on. Another program may take it meanwhile: try again then. */
export async function freePort() {
  const server = createServer();
  await new Promise((resolve, reject) => {
    server.on("error", reject).listen(0, "127.0.0.1", resolve);
  });
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Asks again until `condition` gives something true, and gives that back. */
export async function until(condition, { within_s = 10, every_ms = 50, what = "the condition" } = {}) {
  const deadline = Date.now() + within_s * 1000;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > deadline) throw new Error(`${what} did not come true in ${within_s} s`);
    await new Promise((resolve) => setTimeout(resolve, every_ms));
  }
}
