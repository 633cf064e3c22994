#define _GNU_SOURCE

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "loadgen.h"

// New connections, one after the other in each of the slots: connect, 64 bytes there, the same 64 bytes back, our end
// of stream, the other's, close. The client ends first and softly, as most clients do; no SO_LINGER, for a reset would
// take another way through the relay. So the client's sockets end in TIME_WAIT: each slot has its own source address
// (127.0.1.1 upwards), and ports do not run out on this side. The relay's own ports to the upstream are left to the
// relay and the kernel: the driver widens the range and gives every run a namespace of its own.

static const double warm_up = 0.3;
static const int64_t give_up_ns = 5000000000;

struct slot {
    int fd;
    uint32_t id;
    bool connected; // the request is sent
    bool answered;
    int64_t began;
    size_t received;
    struct request request, reply;
};

static int poller;
static struct target relay;
static uint64_t failures;
static char first_failure[160];

static void note_failure(const char *what, int code) {
    if (failures++ == 0)
        snprintf(first_failure, sizeof first_failure, "%s%s%s", what, code ? ": " : "", code ? strerror(code) : "");
}

/// True when the request is out or waits for the connection; the slot is then watched.
static bool open_slot(struct slot *slot, int64_t now) {
    slot->began = now;
    slot->connected = slot->answered = false;
    slot->received = 0;
    slot->request.sequence++;
    slot->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (slot->fd < 0) die("socket: %s", strerror(errno));
    struct sockaddr_in source = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000101 + slot->id)};
    setsockopt(slot->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &(int){1}, sizeof(int));
    if (bind(slot->fd, (struct sockaddr *)&source, sizeof source) < 0) die("bind: %s", strerror(errno));
    struct sockaddr_in address = target_address(relay, slot->id + slot->request.sequence);
    if (connect(slot->fd, (struct sockaddr *)&address, sizeof address) < 0 && errno != EINPROGRESS) {
        note_failure("connect", errno);
        close(slot->fd);
        return false;
    }
    // Over loopback the handshake is done before connect returns, unless the queue of the listener is full.
    uint32_t wanted = EPOLLIN;
    ssize_t sent = send(slot->fd, &slot->request, request_size, MSG_NOSIGNAL);
    if (sent == request_size)
        slot->connected = true;
    else
        wanted |= EPOLLOUT;
    struct epoll_event event = {.events = wanted, .data.ptr = slot};
    if (epoll_ctl(poller, EPOLL_CTL_ADD, slot->fd, &event) < 0) die("epoll_ctl: %s", strerror(errno));
    return true;
}

enum step { waiting, done, broken };

static enum step advance(struct slot *slot) {
    if (!slot->connected) {
        if (send(slot->fd, &slot->request, request_size, MSG_NOSIGNAL) != request_size) {
            if (errno == EAGAIN) return waiting;
            note_failure("request", errno);
            return broken;
        }
        slot->connected = true;
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = slot};
        epoll_ctl(poller, EPOLL_CTL_MOD, slot->fd, &event);
        return waiting;
    }
    if (slot->answered) {
        char byte;
        ssize_t got = recv(slot->fd, &byte, 1, 0);
        if (got == 0) return done;
        if (got < 0 && errno == EAGAIN) return waiting;
        note_failure(got > 0 ? "more bytes than were sent" : "end", got > 0 ? 0 : errno);
        return broken;
    }
    ssize_t got = recv(slot->fd, (char *)&slot->reply + slot->received, request_size - slot->received, 0);
    if (got < 0 && errno == EAGAIN) return waiting;
    if (got <= 0) {
        note_failure(got == 0 ? "closed before the answer" : "answer", got == 0 ? 0 : errno);
        return broken;
    }
    slot->received += (size_t)got;
    if (slot->received < request_size) return waiting;
    if (memcmp(&slot->request, &slot->reply, request_size) != 0) die("the answer is not what was sent");
    slot->answered = true;
    shutdown(slot->fd, SHUT_WR);
    return waiting;
}

void churn(struct target target, unsigned count, double seconds) {
    static struct histogram latencies;
    relay = target;
    poller = epoll_create1(EPOLL_CLOEXEC);
    struct slot *slots = calloc(count, sizeof *slots);
    if (slots == NULL || poller < 0) die("out of memory");

    ready_and_wait();
    int64_t began = now_ns(), from = began + (int64_t)(warm_up * 1e9), until = from + (int64_t)(seconds * 1e9);
    uint64_t total = 0;
    unsigned active = 0;
    for (unsigned i = 0; i < count; i++) {
        slots[i].id = i;
        slots[i].request = request_make('E', i, 0);
        active += open_slot(&slots[i], began);
    }
    while (active > 0) {
        struct epoll_event events[256];
        int ready = epoll_wait(poller, events, 256, 1000);
        if (ready < 0 && errno != EINTR) die("epoll_wait: %s", strerror(errno));
        int64_t now = now_ns();
        for (int e = 0; e < ready; e++) {
            struct slot *slot = events[e].data.ptr;
            enum step step = advance(slot);
            if (step == waiting) continue;
            close(slot->fd);
            slot->fd = -1;
            now = now_ns();
            if (step == done) {
                total++;
                if (now >= from && now < until) histogram_add(&latencies, now - slot->began);
            }
            // A slot that failed is not used again: the run is marked anyway, and a refused connect would spin.
            if (step == broken || now >= until || !open_slot(slot, now)) active--;
        }
        if (now > until + give_up_ns) {
            while (active > 0) {
                note_failure("never ended", ETIMEDOUT);
                active--;
            }
        }
    }
    printf("{\"seconds\": %.6f, \"connections\": %ju, \"total\": %ju, \"failures\": %ju, \"first_failure\": \"%s\", "
           "\"p50_us\": %.2f, \"p99_us\": %.2f}\n",
           (double)(until - from) / 1e9, (uintmax_t)latencies.count, (uintmax_t)total, (uintmax_t)failures,
           first_failure, histogram_us(&latencies, 0.5), histogram_us(&latencies, 0.99));
    wait_for_end();
}
