// SPDX-License-Identifier: Apache-2.0
// frontend: takes the customer's order and hands it to the order service.
'use strict';
const express = require('express');
const http = require('http');

const agent = new http.Agent({ keepAlive: true });
const app = express();
app.use(express.json());

app.post('/orders', (req, res) => {
  const { sku, account, cents } = req.body;
  const body = JSON.stringify({ sku, account, cents });
  const call = http.request({
    agent,
    host: process.env.ORDER_HOST || '127.0.0.1',
    port: process.env.ORDER_PORT,
    method: 'POST',
    path: `/order?order=${encodeURIComponent(req.query.order)}`,
    headers: { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) },
  }, (reply) => {
    let text = '';
    reply.setEncoding('utf8');
    reply.on('data', (part) => { text += part; });
    reply.on('end', () => res.status(reply.statusCode).type('json').send(text));
  });
  call.on('error', (err) => {
    console.error(`order ${req.query.order}: ${err.message}`);
    res.status(502).json({ error: err.message });
  });
  call.end(body);
});

const server = app.listen(Number(process.env.PORT), process.env.LISTEN || '127.0.0.1');
server.keepAliveTimeout = 75000; // longer than nginx keeps an idle connection, so that it closes first
