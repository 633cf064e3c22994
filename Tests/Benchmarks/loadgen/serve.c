#define _GNU_SOURCE

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "loadgen.h"

enum { stream_limit = 1024, buffer_size = 256 * 1024, patience = 3000 /* milliseconds */ };

struct connection {
    int fd;
    char kind; // 0 until the request is complete
    size_t request_bytes;
    struct request request;
    struct stream stream;
    uint8_t *kept; // of an echo: what the socket did not take
    size_t kept_from, kept_bytes;
};

static int poller;
static uint8_t buffer[buffer_size];
static uint64_t accepted, echoed, errors;
static struct stream ended[stream_limit];
static unsigned begun_count, ended_count;

static void watch(struct connection *connection, int operation, uint32_t events) {
    struct epoll_event event = {.events = events, .data.ptr = connection};
    if (epoll_ctl(poller, operation, connection->fd, &event) < 0) die("epoll_ctl: %s", strerror(errno));
}

static void end(struct connection *connection, bool error) {
    errors += error;
    if (connection->kind == 'D' || connection->kind == 'U') {
        if (ended_count == stream_limit) die("more than %d streams", stream_limit);
        ended[ended_count++] = connection->stream;
    }
    close(connection->fd);
    free(connection->kept);
    free(connection);
}

static void accept_all(int listener) {
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            if (errno == EAGAIN || errno == ECONNABORTED) return;
            die("accept: %s", strerror(errno));
        }
        accepted++;
        struct connection *connection = calloc(1, sizeof *connection);
        if (connection == NULL) die("out of memory");
        connection->fd = fd;
        watch(connection, EPOLL_CTL_ADD, EPOLLIN);
    }
}

/// Sends `count` bytes back; what the socket does not take is kept, and nothing is read until it is gone.
static bool echo(struct connection *connection, const uint8_t *bytes, size_t count) {
    ssize_t sent = send(connection->fd, bytes, count, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) return false;
    size_t taken = sent < 0 ? 0 : (size_t)sent;
    echoed += taken;
    if (taken == count) return true;
    connection->kept = malloc(count - taken);
    if (connection->kept == NULL) die("out of memory");
    memcpy(connection->kept, bytes + taken, count - taken);
    connection->kept_from = 0;
    connection->kept_bytes = count - taken;
    watch(connection, EPOLL_CTL_MOD, EPOLLOUT);
    return true;
}

static bool echo_kept(struct connection *connection) {
    size_t left = connection->kept_bytes - connection->kept_from;
    ssize_t sent = send(connection->fd, connection->kept + connection->kept_from, left, MSG_NOSIGNAL);
    if (sent < 0) return errno == EAGAIN;
    echoed += (size_t)sent;
    connection->kept_from += (size_t)sent;
    if ((size_t)sent < left) return true;
    free(connection->kept);
    connection->kept = NULL;
    watch(connection, EPOLL_CTL_MOD, EPOLLIN);
    return true;
}

/// The request is complete: from here on the connection is an echo or one end of a stream.
static bool begin(struct connection *connection) {
    static const char magic[4] = REQUEST_MAGIC;
    struct request *request = &connection->request;
    if (memcmp(request->magic, magic, sizeof magic) != 0) return false;
    connection->kind = request->kind;
    connection->stream = (struct stream){.id = request->id, .from = request->from, .until = request->until};
    switch (request->kind) {
    case 'E':
        return echo(connection, (const uint8_t *)request, request_size);
    case 'D':
        begun_count++;
        watch(connection, EPOLL_CTL_MOD, EPOLLOUT);
        return true;
    case 'U':
        begun_count++;
        return true;
    default:
        return false;
    }
}

static void on_event(struct connection *connection) {
    int fd = connection->fd;
    ssize_t got;
    switch (connection->kind) {
    case 0:
        got = recv(fd, (uint8_t *)&connection->request + connection->request_bytes,
                   request_size - connection->request_bytes, 0);
        if (got < 0 && errno == EAGAIN) return;
        // An end before the first byte is a probe for the listener; within a request it is an error.
        if (got <= 0) return end(connection, got < 0 || connection->request_bytes > 0);
        connection->request_bytes += (size_t)got;
        if (connection->request_bytes == request_size && !begin(connection)) end(connection, true);
        return;
    case 'E':
        if (connection->kept != NULL) {
            if (!echo_kept(connection)) end(connection, true);
            return;
        }
        got = recv(fd, buffer, buffer_size, 0);
        if (got < 0 && errno == EAGAIN) return;
        if (got <= 0) return end(connection, got < 0);
        if (!echo(connection, buffer, (size_t)got)) end(connection, true);
        return;
    case 'D':
        switch (stream_send(&connection->stream, fd)) {
        case finished:
            shutdown(fd, SHUT_WR);
            connection->kind = 'd';
            watch(connection, EPOLL_CTL_MOD, EPOLLIN);
            return;
        case failed:
            return end(connection, true);
        case blocked:
        case more:
            return;
        }
        return;
    case 'd': // The stream is sent; the reader ends the connection when it has it all.
        got = recv(fd, buffer, buffer_size, 0);
        if (got < 0 && errno == EAGAIN) return;
        connection->kind = 'D';
        return end(connection, got != 0);
    case 'U':
        switch (stream_read(&connection->stream, fd)) {
        case finished:
            return end(connection, false);
        case failed:
            return end(connection, true);
        case blocked:
        case more:
            return;
        }
        return;
    }
}

static int listen_on(uint16_t port) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    set_nodelay(fd); // inherited by what it accepts
    if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 4096) < 0)
        die("listen on port %u: %s", port, strerror(errno));
    return fd;
}

static void report(void) {
    printf("{\"accepted\": %ju, \"echoed\": %ju, \"errors\": %ju, \"streams\": [", (uintmax_t)accepted,
           (uintmax_t)echoed, (uintmax_t)errors);
    for (unsigned i = 0; i < ended_count; i++)
        printf("%s{\"id\": %u, \"bytes\": %ju, \"window_bytes\": %ju, \"wrong\": %s}", i ? ", " : "", ended[i].id,
               (uintmax_t)ended[i].bytes, (uintmax_t)ended[i].window_bytes, ended[i].wrong ? "true" : "false");
    puts("]}");
}

void serve(uint16_t port) {
    // Two addresses that are not connections stand for the two other descriptors.
    static char of_listener, of_input;
    int listener = listen_on(port);
    poller = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = &of_listener};
    epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event);
    event.data.ptr = &of_input;
    epoll_ctl(poller, EPOLL_CTL_ADD, 0, &event);
    puts("ready");

    struct epoll_event events[256];
    bool over = false;
    for (;;) {
        int count = epoll_wait(poller, events, 256, over ? patience : -1);
        if (count < 0 && errno != EINTR) die("epoll_wait: %s", strerror(errno));
        // The client is done; the ends of its streams may still be with the relay.
        if (over && count == 0) return report();
        for (int i = 0; i < count; i++) {
            if (events[i].data.ptr == &of_listener)
                accept_all(listener);
            else if (events[i].data.ptr == &of_input) {
                over = true;
                epoll_ctl(poller, EPOLL_CTL_DEL, 0, NULL);
            } else
                on_event(events[i].data.ptr);
        }
        if (over && ended_count == begun_count) return report();
    }
}
