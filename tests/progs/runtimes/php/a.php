<?php
// SPDX-License-Identifier: Apache-2.0
// Calls /up twice for a request, over a connection that its process keeps.
$up = pfsockopen('127.0.0.1', (int) getenv('UPSTREAM'));
for ($i = 0; $i < 2; $i++) {
	fwrite($up, "GET /up?id={$_GET['id']} HTTP/1.1\r\nHost: up\r\n\r\n");
	while (rtrim(fgets($up)) !== '');
	echo fread($up, 2);
}
