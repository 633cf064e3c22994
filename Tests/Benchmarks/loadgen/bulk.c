#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "loadgen.h"

/// Buffers grow and relays change over to splicing in this time; what passes in it is not in the rate.
static const double warm_up = 0.5;

void bulk(struct target target, char kind, unsigned count, double seconds) {
    struct stream *streams = calloc(count, sizeof *streams);
    int *fds = calloc(count, sizeof *fds);
    bool *sent = calloc(count, sizeof *sent);
    int poller = epoll_create1(EPOLL_CLOEXEC);
    if (streams == NULL || fds == NULL || sent == NULL || poller < 0) die("out of memory");
    for (unsigned i = 0; i < count; i++) fds[i] = connect_blocking(target, i);

    ready_and_wait();
    int64_t from = now_ns() + (int64_t)(warm_up * 1e9), until = from + (int64_t)(seconds * 1e9);
    for (unsigned i = 0; i < count; i++) {
        struct request request = request_make(kind, i, 0);
        request.from = from;
        request.until = until;
        if (send(fds[i], &request, request_size, 0) != request_size) die("request: %s", strerror(errno));
        streams[i] = (struct stream){.id = i, .from = from, .until = until};
        set_nonblocking(fds[i]);
        struct epoll_event event = {.events = kind == 'D' ? EPOLLIN : EPOLLOUT, .data.u32 = i};
        if (epoll_ctl(poller, EPOLL_CTL_ADD, fds[i], &event) < 0) die("epoll_ctl: %s", strerror(errno));
    }

    // A stream that we read ends with its end; one that we send is over when the other end, having read it all,
    // has closed too. Ten seconds without anything are a stall.
    unsigned open = count, errors = 0;
    while (open > 0) {
        struct epoll_event events[64];
        int ready = epoll_wait(poller, events, 64, 10000);
        if (ready < 0 && errno != EINTR) die("epoll_wait: %s", strerror(errno));
        if (ready == 0) die("stalled: %u of %u streams never ended", open, count);
        for (int e = 0; e < ready; e++) {
            uint32_t i = events[e].data.u32;
            enum progress progress;
            if (sent[i]) {
                char byte;
                progress = recv(fds[i], &byte, 1, 0) == 0 ? finished : failed;
            } else if (kind == 'U') {
                progress = stream_send(&streams[i], fds[i]);
                if (progress == finished) {
                    shutdown(fds[i], SHUT_WR);
                    sent[i] = true;
                    struct epoll_event event = {.events = EPOLLIN, .data.u32 = i};
                    epoll_ctl(poller, EPOLL_CTL_MOD, fds[i], &event);
                    continue;
                }
            } else {
                progress = stream_read(&streams[i], fds[i]);
            }
            if (progress == blocked || progress == more) continue;
            errors += progress == failed;
            close(fds[i]);
            open--;
        }
    }

    printf("{\"seconds\": %.6f, \"errors\": %u, \"streams\": [", (double)(until - from) / 1e9, errors);
    for (unsigned i = 0; i < count; i++)
        printf("%s{\"id\": %u, \"bytes\": %ju, \"window_bytes\": %ju, \"wrong\": %s}", i ? ", " : "", i,
               (uintmax_t)streams[i].bytes, (uintmax_t)streams[i].window_bytes, streams[i].wrong ? "true" : "false");
    puts("]}");
    wait_for_end();
}
