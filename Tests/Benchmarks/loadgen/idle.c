#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "loadgen.h"

// Connections that have carried one message and then nothing: what they hold is what a relay could not give back.

void idle(struct target target, unsigned count) {
    int *fds = calloc(count, sizeof *fds);
    if (fds == NULL) die("out of memory");
    for (unsigned i = 0; i < count; i++) {
        fds[i] = connect_blocking(target, i);
        if (!exchange_blocking(fds[i], i, 0, request_size)) die("connection %u: its message did not come back", i);
    }

    ready_and_wait();
    unsigned dead = 0;
    for (unsigned i = 0; i < count; i++) {
        dead += !exchange_blocking(fds[i], i, 1, request_size);
        close(fds[i]);
    }
    printf("{\"connections\": %u, \"dead\": %u}\n", count, dead);
    wait_for_end();
}
