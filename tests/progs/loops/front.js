// SPDX-License-Identifier: Apache-2.0
// front.js PORT UPSTREAM MODE: answers /a?order=ID after calling /up?order=ID upstream, in the way that MODE says.
'use strict';
const http = require('http');
const [port, upstream, mode] = [Number(process.argv[2]), Number(process.argv[3]), process.argv[4]];
const agent = new http.Agent({ keepAlive: true, maxSockets: mode === 'queue' ? 4 : Infinity });

function call(id, then) {
  http.request({ agent, host: '127.0.0.1', port: upstream, path: `/up?order=${id}` }, (reply) => {
    reply.resume();
    reply.on('end', then);
  }).end();
}
const promised = (id) => new Promise((done) => { call(id, done); });

const modes = {
  // Handled in the callback of the read, or in what follows from a reply: the cause can be proved.
  plain: (id, end) => call(id, end),
  sequence: (id, end) => call(id, () => call(id, () => call(id, end))),
  promises: async (id, end) => { await promised(id); await promised(id); end(); },
  parallel: async (id, end) => { await Promise.all([promised(id), promised(id), promised(id)]); end(); },
  // Timers and queues of the program decide when the call is sent: the kernel does not see whose it is.
  timer: (id, end) => setTimeout(() => call(id, end), 1 + Math.random() * 5),
  timers: (id, end) => setTimeout(() => call(id, () => setTimeout(end, 2)), 2),
  immediate: (id, end) => setImmediate(() => call(id, end)),
  queue: (id, end) => call(id, end),
  mixed: (id, end) => (Number(id.slice(-1)) % 2 ? modes.plain : modes.timers)(id, end),
};

http.createServer((req, res) => {
  modes[mode](new URL(req.url, 'http://x').searchParams.get('order'), () => res.end('ok'));
}).listen(port, '127.0.0.1');
