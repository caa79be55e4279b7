// SPDX-License-Identifier: Apache-2.0
/*
 * up PORT: who is called. Answers everything after up to 4 ms; a thread a connection. It resets the connection
 * instead where the id is said to be in vain (ID.vain), and answers without a body where it says so (ID.empty).
 */
#include <pthread.h>

#include "http.h"

static void *serve(void *arg)
{
	unsigned seed = (unsigned)(long)arg;
	char id[ID_LEN];

	while (http__read((int)(long)arg, id)) {
		usleep((unsigned)rand_r(&seed) % 4000);
		if (strstr(id, ".vain")) {
			struct linger at_once = {.l_onoff = 1};

			setsockopt((int)(long)arg, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
			break;
		}
		if (strstr(id, ".empty"))
			http__answer_empty((int)(long)arg);
		else
			http__answer((int)(long)arg);
	}
	close((int)(long)arg);
	return NULL;
}

int main(int argc, char **argv)
{
	int fd = http__listen(atoi(argv[1])), c;
	pthread_t t;

	while ((c = accept(fd, NULL, NULL)) >= 0 && !pthread_create(&t, NULL, serve, (void *)(long)c))
		pthread_detach(t);
	return 1;
}
