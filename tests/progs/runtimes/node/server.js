// SPDX-License-Identifier: Apache-2.0
// server.js PORT UPSTREAM WORKERS MODE: answers GET /a?id=X after calls of UPSTREAM, /up?id=X, as MODE says.
'use strict';
const crypto = require('crypto');
const fs = require('fs');
const http = require('http');
const { Worker, isMainThread, parentPort } = require('worker_threads');

if (!isMainThread) {
  parentPort.on('message', (n) => parentPort.postMessage(crypto.createHash('sha256').update(String(n)).digest('hex')));
  return;
}
const [port, upstream, workers] = process.argv.slice(2, 5).map(Number);
const mode = process.argv[5];
const queues = mode === 'agent' || mode === 'agent-sleep';
const agent = new http.Agent({ keepAlive: true, maxSockets: queues ? 4 : Infinity });

const dialling = new http.Agent({ keepAlive: false });

function call(id, done, options) {
  http.get({ agent, host: '127.0.0.1', port: upstream, path: `/up?id=${id}`, ...options }, (reply) => {
    reply.resume();
    reply.on('end', done);
  }).on('error', (err) => { throw err; });
}

const ask = (id) => new Promise((resolve) => call(id, resolve));
const fetched = async (id) => (await fetch(`http://127.0.0.1:${upstream}/up?id=${id}`)).text();
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const some = () => 1 + Math.random() * 8;

// At most four at a time, the others in a queue of the program's own.
const waiting = [];
let free = 4;
async function limited(work) {
  if (free > 0) free--;
  else await new Promise((resolve) => waiting.push(resolve));
  await work();
  if (waiting.length) waiting.shift()();
  else free++;
}

// Who comes while somebody else fetches gets what that one gets.
let fetching = null;
let cached = 0;
async function once(id) {
  if (cached-- > 0) return;
  if (!fetching) fetching = ask(id).then(() => { fetching = null; cached = 3; });
  await fetching;
}

// Some threads that work for all requests.
const pool = [];
function compute(n) {
  return new Promise((resolve) => {
    const w = pool.pop() || new Worker(__filename);
    w.once('message', (digest) => { pool.push(w); resolve(digest); });
    w.postMessage(n);
  });
}

// One call for all that came in a while.
let batch = null;
function batched(id) {
  if (!batch) {
    const mine = batch = { ids: [], done: null };
    mine.done = sleep(2).then(() => { batch = null; return ask(mine.ids[0]); });
  }
  batch.ids.push(id);
  return batch.done;
}

// One at a time; who has waited may find that there is nothing left to do. Who was first is not done with it yet.
let lock = Promise.resolve();
let fresh = 0;
async function guarded(id) {
  const before = lock;
  let unlock;
  lock = new Promise((resolve) => { unlock = resolve; });
  await before;
  const late = fresh-- <= 0;
  if (late) {
    await sleep(1);
    await ask(id);
    fresh = 1;
  }
  unlock();
  if (late) await sleep(some());
}

let timer = Promise.resolve();
const modes = {
  plain: (id, answer) => call(id, answer),
  sequence: async (id, answer) => { await ask(id); await ask(id); await ask(id); answer(); },
  parallel: async (id, answer) => { await Promise.all([ask(id), ask(id), ask(id)]); answer(); },
  both: async (id, answer) => { await ask(id); await Promise.all([ask(id), ask(id)]); await ask(id); answer(); },
  names: (id, answer) => call(id, answer, { agent: dialling, host: 'localhost' }),
  'names-sleep': async (id, answer) => {
    await sleep(some());
    await new Promise((resolve) => call(id, resolve, { agent: dialling, host: 'localhost' }));
    answer();
  },
  fetches: async (id, answer) => { await fetched(id); await Promise.all([fetched(id), fetched(id)]); answer(); },
  fetch: async (id, answer) => { await fetched(id); answer(); },
  timer: (id, answer) => setTimeout(() => call(id, answer), some()),
  timers: (id, answer) => setTimeout(() => call(id, () => setTimeout(() => call(id, answer), some())), some()),
  sleep: async (id, answer) => { await sleep(some()); await ask(id); answer(); },
  sleeps: async (id, answer) => { await sleep(some()); await ask(id); await sleep(some()); await ask(id); answer(); },
  late: async (id, answer) => { await ask(id); await sleep(some()); answer(); },
  immediate: (id, answer) => setImmediate(() => call(id, answer)),
  fs: (id, answer) => fs.readFile(__filename, () => call(id, answer)),
  'fs-promise': async (id, answer) => { await fs.promises.readFile(__filename); await ask(id); answer(); },
  crypto: (id, answer) => crypto.pbkdf2(id, 'salt', 500, 16, 'sha256', () => call(id, answer)),
  agent: (id, answer) => call(id, answer),
  'agent-sleep': async (id, answer) => { await sleep(some()); await ask(id); await ask(id); answer(); },
  worker: async (id, answer) => { await compute(id); await ask(id); answer(); },
  limit: async (id, answer) => { await limited(() => ask(id)); answer(); },
  'limit-sleep': async (id, answer) => { await limited(async () => { await sleep(some()); await ask(id); }); answer(); },
  guarded: async (id, answer) => { await guarded(id); answer(); },
  once: async (id, answer) => { await once(id); answer(); },
  batch: async (id, answer) => { await batched(id); answer(); },
  chain: async (id, answer) => { timer = timer.then(() => sleep(1)).then(() => ask(id)); await timer; answer(); },
  forget: (id, answer) => { answer(); call(id, () => {}); },
  'forget-late': (id, answer) => { answer(); setTimeout(() => call(id, () => {}), some()); },
};

if (/^(pg|redis)/.test(mode)) Object.assign(modes, require('./stores.js')(mode, { ask, sleep, some }));
if (!modes[mode]) throw new Error(`no such mode: ${mode}`);
http.createServer((req, res) => {
  const id = new URL(req.url, 'http://localhost').searchParams.get('id');
  modes[mode](id, (text = 'ok') => res.end(text));
}).listen(port, '127.0.0.1', 512);
