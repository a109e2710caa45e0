/**
 * Outlives the program that started it by a moment, and cleans up after it.
 *
 * A program that is killed cannot stop its servers or remove its folders, and the test runner does kill. It
 * tells this one on a pipe what it has; when the pipe closes, however that came about, what is left is ended.
 */
import { rmSync } from "node:fs";
import { createInterface } from "node:readline";

const groups = new Set();
const folders = new Set();
const kinds = { group: groups, folder: folders };

for await (const line of createInterface({ input: process.stdin })) {
  const { kind, name, gone } = JSON.parse(line);
  if (gone) kinds[kind].delete(name);
  else kinds[kind].add(name);
}
for (const group of groups) {
  try {
    process.kill(-group, "SIGKILL");
  } catch (error) {
    if (error.code !== "ESRCH") throw error;
  }
}
for (const folder of folders) rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
