// SPDX-License-Identifier: Apache-2.0
// stores.js - modes of server.js with a pool of connections to PostgreSQL, and with Redis over one connection.
'use strict';

// 5 KiB of JSON, made anew for each request.
const document = (id) => JSON.stringify(Array.from({ length: 56 }, (_, i) =>
  ({ id, name: `article ${i}`, price: i * 1.25, labels: ['in stock', 'new', 'a longer one'] })));

module.exports = (mode, { ask, sleep, some }) => {
  const port = Number(process.env.STORE_PORT);
  const host = '127.0.0.1';
  if (mode.startsWith('pg')) {
    const { Pool } = require('pg');
    const pool = new Pool({ host, port, user: 'test', database: 'postgres', max: 8 });
    const query = (id) => pool.query(`SELECT 1 AS "id=${id}"`);
    return {
      pg: async (id, answer) => { await query(id); answer(); },
      'pg-call': async (id, answer) => { await query(id); await ask(id); answer(); },
      'pg-json': async (id, answer) => { await query(id); answer(document(id)); },
      'pg-all': async (id, answer) => { await Promise.all([query(id), query(id)]); await query(id); answer(); },
      'pg-sleep': async (id, answer) => { await sleep(some()); await query(id); await ask(id); answer(); },
    };
  }
  const Redis = require('ioredis');
  const redis = new Redis({ host, port });
  return {
    redis: async (id, answer) => { await redis.get(`id=${id}`); answer(); },
    'redis-call': async (id, answer) => { await redis.get(`id=${id}`); await ask(id); answer(); },
    'redis-cache': async (id, answer) => {
      await redis.get(`id=${id}`);
      await ask(id);
      await redis.set(`id=${id}`, 'x', 'PX', 1000);
      answer();
    },
    'redis-sleep': async (id, answer) => { await sleep(some()); await redis.get(`id=${id}`); await ask(id); answer(); },
  };
};
