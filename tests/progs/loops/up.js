// SPDX-License-Identifier: Apache-2.0
// up.js PORT: answers everything after up to 4 ms.
'use strict';
require('http').createServer((req, res) => {
  setTimeout(() => res.end('{"ok":1}'), Math.random() * 4);
}).listen(Number(process.argv[2]), '127.0.0.1');
