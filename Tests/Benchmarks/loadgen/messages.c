#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "loadgen.h"

static const double warm_up = 0.3;

/// One connection with at most one message in flight.
struct line {
    int fd;
    uint32_t id;
    struct request request; // of the message in flight
    int64_t sent_at;
    size_t sent, received;
    uint8_t *reply;
};

static size_t message_size;
static int poller;

/// Sends what is left of the message in flight; watches for room only when the socket is full, which small messages
/// never see.
static bool push(struct line *line) {
    bool waited = line->sent > 0;
    while (line->sent < message_size) {
        struct iovec parts[2] = {
            {.iov_base = &line->request, .iov_len = request_size},
            {.iov_base = pattern, .iov_len = message_size - request_size},
        };
        struct msghdr message = {.msg_iov = parts, .msg_iovlen = message_size > request_size ? 2 : 1};
        if (line->sent >= request_size) {
            parts[1].iov_base = pattern + (line->sent - request_size);
            parts[1].iov_len = message_size - line->sent;
            message.msg_iov = parts + 1;
            message.msg_iovlen = 1;
        } else {
            parts[0].iov_base = (char *)&line->request + line->sent;
            parts[0].iov_len = request_size - line->sent;
        }
        ssize_t result = sendmsg(line->fd, &message, MSG_NOSIGNAL);
        if (result < 0 && errno != EAGAIN) return false;
        if (result < 0) {
            struct epoll_event event = {.events = EPOLLIN | EPOLLOUT, .data.ptr = line};
            return epoll_ctl(poller, EPOLL_CTL_MOD, line->fd, &event) == 0;
        }
        line->sent += (size_t)result;
    }
    if (!waited) return true;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = line};
    return epoll_ctl(poller, EPOLL_CTL_MOD, line->fd, &event) == 0;
}

static bool begin(struct line *line, int64_t now) {
    line->request.sequence++;
    line->sent = line->received = 0;
    line->sent_at = now;
    return push(line);
}

void messages(struct target target, unsigned count, size_t size, double seconds) {
    static struct histogram latencies;
    message_size = size;
    poller = epoll_create1(EPOLL_CLOEXEC);
    struct line *lines = calloc(count, sizeof *lines);
    uint8_t *replies = malloc(count * size);
    if (lines == NULL || replies == NULL || poller < 0) die("out of memory");
    for (unsigned i = 0; i < count; i++) {
        lines[i] = (struct line){.fd = connect_blocking(target, i), .id = i, .reply = replies + i * size};
        lines[i].request = request_make('E', i, 0);
        if (!exchange_blocking(lines[i].fd, i, 0, size)) die("connection %u: the first message did not come back", i);
        set_nonblocking(lines[i].fd);
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &lines[i]};
        if (epoll_ctl(poller, EPOLL_CTL_ADD, lines[i].fd, &event) < 0) die("epoll_ctl: %s", strerror(errno));
    }

    ready_and_wait();
    int64_t began = now_ns(), now = began;
    int64_t from = began + (int64_t)(warm_up * 1e9), until = from + (int64_t)(seconds * 1e9);
    uint64_t total = 0;
    unsigned in_flight = count;
    for (unsigned i = 0; i < count; i++)
        if (!begin(&lines[i], now)) die("connection %u: %s", i, strerror(errno));
    while (in_flight > 0) {
        struct epoll_event events[256];
        int ready = epoll_wait(poller, events, 256, 5000);
        if (ready < 0 && errno != EINTR) die("epoll_wait: %s", strerror(errno));
        if (ready == 0) die("stalled: %u messages never came back", in_flight);
        for (int e = 0; e < ready; e++) {
            struct line *line = events[e].data.ptr;
            if (line->sent < message_size && !push(line)) die("connection %u: %s", line->id, strerror(errno));
            if (!(events[e].events & ~(uint32_t)EPOLLOUT)) continue;
            ssize_t got = recv(line->fd, line->reply + line->received, size - line->received, 0);
            if (got < 0 && errno == EAGAIN) continue;
            if (got < 0) die("connection %u: %s", line->id, strerror(errno));
            if (got == 0) die("connection %u: closed with a message in flight", line->id);
            line->received += (size_t)got;
            if (line->received < size) continue;
            if (memcmp(line->reply, &line->request, request_size) != 0 ||
                memcmp(line->reply + request_size, pattern, size - request_size) != 0)
                die("connection %u: message %ju came back changed", line->id, (uintmax_t)line->request.sequence);
            now = now_ns();
            total++;
            if (now >= from && now < until) histogram_add(&latencies, now - line->sent_at);
            if (now >= until)
                in_flight--;
            else if (!begin(line, now))
                die("connection %u: %s", line->id, strerror(errno));
        }
    }
    printf("{\"seconds\": %.6f, \"messages\": %ju, \"total\": %ju, \"p50_us\": %.2f, \"p99_us\": %.2f}\n",
           (double)(until - from) / 1e9, (uintmax_t)latencies.count, (uintmax_t)total, histogram_us(&latencies, 0.5),
           histogram_us(&latencies, 0.99));
    wait_for_end();
}
