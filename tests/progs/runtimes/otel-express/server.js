// SPDX-License-Identifier: Apache-2.0
// server.js PORT UPSTREAM WORKERS MODE: Express, with the OpenTelemetry SDK that instrument.js has loaded.
//   two       two calls, one after the other, on kept connections
//   parallel  two at a time
//   await     an awaited promise and a timer before each of two calls
'use strict';
const http = require('http');
const express = require('express');

const [port, upstream, , mode] = process.argv.slice(2);
const agent = new http.Agent({ keepAlive: true });
const app = express();

function call(id, n) {
	return new Promise((resolve, reject) => {
		http.get({ host: '127.0.0.1', port: upstream, path: `/up?id=${id}&n=${n}`, agent }, (reply) => {
			reply.resume().on('end', resolve);
		}).on('error', reject);
	});
}

const pause = () => new Promise((resolve) => setTimeout(resolve, 1));

app.get('/a', async (request, response, next) => {
	const { id } = request.query;

	try {
		if (mode === 'parallel') {
			await Promise.all([call(id, 1), call(id, 2)]);
		} else {
			for (const n of [1, 2]) {
				if (mode === 'await')
					await pause();
				await call(id, n);
			}
		}
		response.send('ok');
	} catch (e) {
		next(e);
	}
});
app.listen(Number(port), '127.0.0.1');
