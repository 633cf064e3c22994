#define _GNU_SOURCE

#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "flows.h"

// Held connections: idle, or each with a stream that pauses only briefly. One process is both of their ends.
// It says where it listens as the upstream, and then takes lines of standard input:
//
//     open ADDRESS COUNT   opens COUNT more, each with a message there and back
//     stream BYTES MS      every MS milliseconds, BYTES bytes down on each, until `rest`
//     rest                 no more of that; answers when all of it has arrived
//     close                ends them in order, after one more message there and back on each

enum { most_held = 12000, message_size = 64 };
static const uint64_t seed = 1;
static const int patience = 30000; // milliseconds

struct held {
    int fds[2];
    uint64_t sent, received; // down
};

static struct held *held;
static unsigned held_count, wrong;
static int listener, poller;
static uint8_t buffer[content_piece];

// MARK: One at a time

static void await_event(int fd, short event) {
    struct pollfd one = {.fd = fd, .events = event};
    if (poll(&one, 1, patience) != 1) die("nothing happens for %d s", patience / 1000);
}

static void send_message(int fd, const uint8_t *message) {
    if (send(fd, message, message_size, MSG_NOSIGNAL) != message_size) die("a message: %s", strerror(errno));
}

static void expect_message(int fd, const uint8_t *message) {
    for (size_t got = 0; got < message_size;) {
        await_event(fd, POLLIN);
        ssize_t count = recv(fd, buffer + got, message_size - got, 0);
        if (count <= 0) die("a message: %s", count == 0 ? "the end of the stream" : strerror(errno));
        got += (size_t)count;
    }
    if (memcmp(buffer, message, message_size) != 0) wrong++;
}

static void exchange(unsigned number) {
    const uint8_t *message = content_at(seed, number, client, 0);
    for (int who = 0; who < 2; who++) {
        send_message(held[number].fds[who], message);
        expect_message(held[number].fds[!who], message);
    }
}

static void open_one(const struct endpoint *relay, unsigned number) {
    struct held *one = &held[number];
    int fd = one->fds[client] = socket(endpoint_family(relay), SOCK_STREAM | SOCK_CLOEXEC, 0);
    // Many at once from one address would run out of ports that rest.
    struct sockaddr_in source = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000301 + number % 200)};
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &(int){1}, sizeof(int));
    if (fd < 0 || bind(fd, (struct sockaddr *)&source, sizeof source) < 0 ||
        connect(fd, (struct sockaddr *)relay->bytes, relay->length) < 0)
        die("connection %u: %s", number, strerror(errno));
    await_event(listener, POLLIN);
    one->fds[upstream] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (one->fds[upstream] < 0) die("accept: %s", strerror(errno));
    for (int who = 0; who < 2; who++)
        setsockopt(one->fds[who], IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    exchange(number);
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = number};
    if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event) < 0) die("epoll_ctl: %s", strerror(errno));
}

// MARK: Streams

static void receive(unsigned number) {
    struct held *one = &held[number];
    ssize_t count = recv(one->fds[client], buffer, sizeof buffer, MSG_DONTWAIT);
    if (count < 0 && errno == EAGAIN) return;
    if (count <= 0) die("connection %u: %s", number, count == 0 ? "the end of the stream" : strerror(errno));
    if (memcmp(buffer, content_at(seed, number, upstream, one->received), (size_t)count) != 0) wrong++;
    one->received += (uint64_t)count;
}

static void receive_for(int64_t ms) {
    struct epoll_event events[256];
    int count = epoll_wait(poller, events, 256, (int)ms);
    for (int i = 0; i < count; i++) receive(events[i].data.u32);
}

/// Sends on each what its socket takes, and reads in between.
static void send_round(uint64_t bytes) {
    for (unsigned i = 0; i < held_count; i++) {
        struct held *one = &held[i];
        for (uint64_t left = bytes; left > 0;) {
            uint64_t piece = left < content_piece ? left : content_piece;
            ssize_t count = send(one->fds[upstream], content_at(seed, i, upstream, one->sent), piece,
                                 MSG_NOSIGNAL | MSG_DONTWAIT);
            if (count < 0 && errno != EAGAIN) die("connection %u: %s", i, strerror(errno));
            if (count <= 0) break;
            one->sent += (uint64_t)count;
            left -= (uint64_t)count;
        }
        if (i % 16 == 15) receive_for(0);
    }
}

static bool has_input(int64_t until) {
    for (;;) {
        int64_t left = (until - now_ns()) / 1000000;
        struct pollfd both[] = {{.fd = 0, .events = POLLIN}, {.fd = poller, .events = POLLIN}};
        if (poll(both, 2, left > 0 ? (int)left : 0) < 0 && errno != EINTR) die("poll: %s", strerror(errno));
        if (both[0].revents != 0) return true;
        if (both[1].revents != 0) receive_for(0);
        if (left <= 0) return false;
    }
}

static void stream(uint64_t bytes, int64_t ms) {
    // The first round is longer, for a relay has to see that it streams.
    send_round(1 << 20);
    for (int64_t at = now_ns();; at += ms * 1000000) {
        if (has_input(at)) break;
        send_round(bytes);
    }
}

static void rest(void) {
    uint64_t total = 0;
    int64_t until = now_ns() + patience * (int64_t)1000000;
    for (unsigned i = 0; i < held_count; i++) {
        while (held[i].received < held[i].sent) {
            if (now_ns() > until)
                die("connection %u: %" PRIu64 " of %" PRIu64 " bytes came", i, held[i].received, held[i].sent);
            receive_for(100);
        }
        total += held[i].received;
    }
    printf("{\"rests\": %u, \"bytes\": %" PRIu64 ", \"wrong\": %u}\n", held_count, total, wrong);
}

static void close_all(void) {
    for (unsigned i = 0; i < held_count; i++) {
        exchange(i);
        for (int who = 0; who < 2; who++) {
            shutdown(held[i].fds[who], SHUT_WR);
            await_event(held[i].fds[!who], POLLIN);
            if (recv(held[i].fds[!who], buffer, 1, 0) != 0) wrong++;
        }
        for (int who = 0; who < 2; who++) close(held[i].fds[who]);
    }
    printf("{\"closed\": %u, \"wrong\": %u}\n", held_count, wrong);
    held_count = 0;
}

void hold(void) {
    content_fill(seed);
    held = calloc(most_held, sizeof *held);
    poller = epoll_create1(EPOLL_CLOEXEC);
    if (held == NULL || poller < 0) die("out of memory");
    listener = listen_on("127.0.0.1:0", true);
    struct endpoint own = endpoint_own(listener);
    char text[256], address[128];
    endpoint_describe(&own, address, sizeof address);
    printf("{\"listening\": \"%s\"}\n", address);
    uint64_t count, ms;
    // Unbuffered, so that what waits shows in the descriptor.
    setvbuf(stdin, NULL, _IONBF, 0);
    while (fgets(text, sizeof text, stdin) != NULL) {
        if (sscanf(text, "open %127s %" SCNu64, address, &count) == 2) {
            struct endpoint relay = endpoint_parse(address);
            if (held_count + count > most_held) die("%d at most", most_held);
            for (uint64_t i = 0; i < count; i++) open_one(&relay, held_count++);
            printf("{\"open\": %u, \"wrong\": %u}\n", held_count, wrong);
        } else if (sscanf(text, "stream %" SCNu64 " %" SCNu64, &count, &ms) == 2) {
            stream(count, (int64_t)ms);
        } else if (strcmp(text, "rest\n") == 0) {
            rest();
        } else if (strcmp(text, "close\n") == 0) {
            close_all();
        } else {
            die("%s: no such command", text);
        }
    }
}
