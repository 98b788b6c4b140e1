// Measures node-redlock in a process of its own.
//
//     node driver.mjs LIBRARY URL...
//
// prints a line, {"versions": "..."}, and then answers each line of stdin, {"tasks": T, "cycles": N, "prefix": "P"}: T tasks do
// N cycles altogether, each an acquire and a release of a new name that begins with P. The answer is
// {"acquire": [ns...], "release": [ns...], "wall": ns, "cpu": ns} or {"error": "..."}.

import { createInterface } from "node:readline";
import { createRequire } from "node:module";
import Redis from "ioredis";
import Redlock from "redlock";

const TTL_MILLIS = 30_000;

const read = createRequire(import.meta.url);
const version = (name) => `${name} ${read(`./node_modules/${name}/package.json`).version}`;
const say = (answer) => process.stdout.write(`${JSON.stringify(answer)}\n`);
say({ versions: `Node.js ${process.versions.node}, npm ${version("redlock")}, ${version("ioredis")}` });

const [, , , ...urls] = process.argv;
const clients = urls.map((url) => new Redis(url));
// By its defaults: ten retries after 200 ms and some; nobody else wants these locks.
const redlock = new Redlock(clients);

async function task(prefix, first, count, acquire, release) {
  for (let n = first; n < first + count; n++) {
    const started = process.hrtime.bigint();
    const lock = await redlock.acquire([`${prefix}:${n}`], TTL_MILLIS);
    const held = process.hrtime.bigint();
    await lock.release();
    release.push(Number(process.hrtime.bigint() - held));
    acquire.push(Number(held - started));
  }
}

async function block({ tasks, cycles, prefix }) {
  const each = Math.max(1, Math.floor(cycles / tasks));
  const [acquire, release] = [[], []];
  const cpu = process.cpuUsage();
  const started = process.hrtime.bigint();
  const all = Array.from({ length: tasks }, (_, n) => task(prefix, n * each, each, acquire, release));
  await Promise.all(all);
  const wall = Number(process.hrtime.bigint() - started);
  const { user, system } = process.cpuUsage(cpu);
  return { acquire, release, wall, cpu: (user + system) * 1000 };
}

for await (const line of createInterface({ input: process.stdin })) {
  try {
    say(await block(JSON.parse(line)));
  } catch (error) {
    say({ error: String(error) });
  }
}
process.exit(0);
