// BullMQ under measurement. Its parts run as processes of their own:
//   worker PORT CONCURRENCY FOLDER     says `ready`, and takes jobs once its input says `go`
//   backlog PORT FROM COUNT            adds jobs in bulk
//   steady PORT FROM COUNT RATE FOLDER adds them one by one, RATE a second
//   single PORT FROM COUNT FOLDER      adds one when the one before has ended
// Settings are BullMQ's own unless said here. What happened is left in FOLDER as records of three 64-bit numbers, the
// job's number first: in `ran-*` when its handler began and when Redis knew that it had ended, in `added-*` when
// adding began and when Redis had confirmed it; nanoseconds of the machine's monotonic clock.

import { createHash } from "node:crypto";
import { fstatSync, openSync, readdirSync, statSync, writeSync } from "node:fs";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { Queue, Worker } from "bullmq";

const QUEUE = "bench";
const BULK = 1000;
const RECORD = 24;
const now = () => process.hrtime.bigint();

const [mode, port, ...rest] = process.argv.slice(2);
const connection = { host: "127.0.0.1", port: Number(port), maxRetriesPerRequest: null };
const filler = Array.from({ length: 32 }, (_, i) => createHash("md5").update(String(i + 1)).digest("hex")).join("");

/** Gathers records and writes them when the event loop has a turn to spare. */
class Records {
  constructor(folder, name) {
    this.file = openSync(`${folder}/${name}-${process.pid}`, "a");
    this.waiting = [];
  }

  add(number, first, second) {
    if (this.waiting.length === 0) setImmediate(() => this.write());
    this.waiting.push(BigInt(number), first, second);
  }

  write() {
    const bytes = new Uint8Array(BigUint64Array.from(this.waiting).buffer);
    this.waiting.length = 0;
    for (let at = 0; at < bytes.length; ) at += writeSync(this.file, bytes, at);
  }
}

function work(concurrency, folder) {
  const records = new Records(folder, "ran");
  const begun = new Map();
  const handler = async (job) => {
    // A job that runs twice has a record for each time.
    begun.set(job, now());
  };
  const worker = new Worker(QUEUE, handler, { connection, concurrency, autorun: false });
  worker.on("completed", (job) => {
    records.add(job.data.number, begun.get(job), now());
    begun.delete(job);
  });
  worker.on("failed", (job, error) => fail(`job ${job?.data.number}: ${error.message}`));
  worker.on("error", (error) => console.error(error.message));
  createInterface({ input: process.stdin }).on("line", (line) => {
    if (line === "go") worker.run().catch((error) => fail(error.message));
  });
  return worker.waitUntilReady().then(() => console.log("ready"));
}

async function backlog(queue, from, count) {
  for (let at = from; at < from + count; at += BULK) {
    const numbers = Array.from({ length: Math.min(BULK, from + count - at) }, (_, i) => at + i);
    await queue.addBulk(numbers.map((number) => ({ name: "noop", data: { number, filler } })));
  }
}

async function add(queue, records, number) {
  const begun = now();
  await queue.add("noop", { number, filler });
  records.add(number, begun, now());
}

async function steady(queue, from, count, rate, folder) {
  const records = new Records(folder, "added");
  const started = performance.now();
  const adding = [];
  for (let i = 0; i < count; i++) {
    const early = started + (i * 1000) / rate - performance.now();
    if (early > 0) await sleep(early);
    adding.push(add(queue, records, from + i));
  }
  await Promise.all(adding);
}

async function single(queue, from, count, folder) {
  const records = new Records(folder, "added");
  const ran = `${folder}/${readdirSync(folder).find((name) => name.startsWith("ran-"))}`;
  const before = statSync(ran).size;
  const file = openSync(ran, "r");
  for (let i = 0; i < count; i++) {
    await add(queue, records, from + i);
    while (fstatSync(file).size < before + (i + 1) * RECORD) await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

function fail(message) {
  console.error(message);
  process.exit(1);
}

const numbers = rest.map(Number);
if (mode === "worker") {
  await work(numbers[0], rest[1]);
} else {
  const queue = new Queue(QUEUE, { connection });
  await queue.waitUntilReady();
  if (mode === "backlog") await backlog(queue, ...numbers);
  else if (mode === "steady") await steady(queue, ...numbers.slice(0, 3), rest[3]);
  else if (mode === "single") await single(queue, ...numbers.slice(0, 2), rest[2]);
  else fail(`there is no mode ${mode}`);
  // The last records are written in a turn of their own.
  await new Promise((resolve) => setImmediate(resolve));
  await queue.close();
}
