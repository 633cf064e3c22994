#define _GNU_SOURCE

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "loadgen.h"

// Clients that speak TLS 1.3 with AES-128-GCM and X25519 to the relay; `serve` behind it is the same as without TLS. All bytes
// are decrypted here, so that all of a stream is compared. The certificate is not verified: that is the client's work, and
// with two cores the client should not be what is measured. The signature of the handshake is.

static const double warm_up = 0.3;

static SSL_CTX *make_context(void) {
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    if (context == NULL || SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) != 1 ||
        SSL_CTX_set_ciphersuites(context, "TLS_AES_128_GCM_SHA256") != 1 ||
        SSL_CTX_set1_groups_list(context, "X25519") != 1)
        die("TLS cannot be set up");
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_AUTO_RETRY);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    return context;
}

/// A session after its handshake; with an earlier session it may be resumed. NULL if there is none.
static SSL *secure(SSL_CTX *context, int fd, SSL_SESSION *earlier) {
    SSL *ssl = SSL_new(context);
    if (ssl == NULL) die("out of memory");
    SSL_set_fd(ssl, fd);
    SSL_set_tlsext_host_name(ssl, "bench.example");
    if (earlier != NULL) SSL_set_session(ssl, earlier);
    if (SSL_connect(ssl) == 1) return ssl;
    SSL_free(ssl);
    return NULL;
}

static bool exchange(SSL *ssl, uint32_t id, uint64_t sequence) {
    struct request request = request_make('E', id, sequence), reply;
    if (SSL_write(ssl, &request, request_size) != request_size) return false;
    for (int got = 0; got < request_size;) {
        int result = SSL_read(ssl, (char *)&reply + got, request_size - got);
        if (result <= 0) return false;
        got += result;
    }
    return memcmp(&request, &reply, request_size) == 0;
}

// MARK: Bulk, one stream

void secure_bulk(struct target target, char kind, double seconds) {
    static uint8_t buffer[pattern_period];
    SSL *ssl = secure(make_context(), connect_blocking(target, 0), NULL);
    if (ssl == NULL) die("no handshake");
    // nginx ends a stream without close_notify. Both ends' counts are compared in any case. Not in general: with this
    // option OpenSSL would not resume such a session.
    SSL_set_options(ssl, SSL_OP_IGNORE_UNEXPECTED_EOF);
    ready_and_wait();
    int64_t from = now_ns() + (int64_t)(warm_up * 1e9), until = from + (int64_t)(seconds * 1e9);
    struct request request = request_make(kind, 0, 0);
    request.from = from;
    request.until = until;
    if (SSL_write(ssl, &request, request_size) != request_size) die("request");
    uint64_t bytes = 0, window = 0;
    bool wrong = false, failed = false;
    if (kind == 'D') {
        int got;
        while ((got = SSL_read(ssl, buffer, sizeof buffer)) > 0) {
            wrong |= memcmp(buffer, pattern + bytes % pattern_period, (size_t)got) != 0;
            bytes += (uint64_t)got;
            int64_t now = now_ns();
            if (now >= from && now < until) window += (uint64_t)got;
        }
        failed = SSL_get_error(ssl, got) != SSL_ERROR_ZERO_RETURN;
        SSL_shutdown(ssl);
        shutdown(SSL_get_fd(ssl), SHUT_WR);
    } else {
        while (now_ns() < until) {
            int sent = SSL_write(ssl, pattern + bytes % pattern_period, pattern_period);
            if (sent <= 0) {
                failed = true;
                break;
            }
            bytes += (uint64_t)sent;
        }
        SSL_shutdown(ssl);
        shutdown(SSL_get_fd(ssl), SHUT_WR);
        // The other end closes when it has read everything.
        failed |= SSL_read(ssl, buffer, 1) > 0;
    }
    close(SSL_get_fd(ssl));
    printf("{\"seconds\": %.6f, \"errors\": %d, \"streams\": [{\"id\": 0, \"bytes\": %ju, \"window_bytes\": %ju, "
           "\"wrong\": %s}]}\n",
           (double)(until - from) / 1e9, failed, (uintmax_t)bytes, (uintmax_t)window, wrong ? "true" : "false");
    wait_for_end();
}

// MARK: Messages of 64 bytes, one in flight on each connection

struct line {
    SSL *ssl;
    struct request request, reply;
    int received;
    int64_t sent_at;
};

static bool begin(struct line *line, int64_t now) {
    line->request.sequence++;
    line->received = 0;
    line->sent_at = now;
    return SSL_write(line->ssl, &line->request, request_size) == request_size;
}

void secure_messages(struct target target, unsigned count, double seconds) {
    static struct histogram latencies;
    SSL_CTX *context = make_context();
    int poller = epoll_create1(EPOLL_CLOEXEC);
    struct line *lines = calloc(count, sizeof *lines);
    if (lines == NULL || poller < 0) die("out of memory");
    for (unsigned i = 0; i < count; i++) {
        int fd = connect_blocking(target, i);
        lines[i] = (struct line){.ssl = secure(context, fd, NULL), .request = request_make('E', i, 0)};
        if (lines[i].ssl == NULL || !exchange(lines[i].ssl, i, 0)) die("connection %u: no first message", i);
        set_nonblocking(fd);
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &lines[i]};
        if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event) < 0) die("epoll_ctl: %s", strerror(errno));
    }

    ready_and_wait();
    int64_t began = now_ns(), from = began + (int64_t)(warm_up * 1e9), until = from + (int64_t)(seconds * 1e9);
    uint64_t total = 0;
    unsigned in_flight = count;
    for (unsigned i = 0; i < count; i++)
        if (!begin(&lines[i], began)) die("connection %u cannot send", i);
    while (in_flight > 0) {
        struct epoll_event events[256];
        int ready = epoll_wait(poller, events, 256, 5000);
        if (ready < 0 && errno != EINTR) die("epoll_wait: %s", strerror(errno));
        if (ready == 0) die("stalled: %u messages never came back", in_flight);
        for (int e = 0; e < ready; e++) {
            struct line *line = events[e].data.ptr;
            int got = SSL_read(line->ssl, (char *)&line->reply + line->received, request_size - line->received);
            if (got <= 0 && SSL_get_error(line->ssl, got) == SSL_ERROR_WANT_READ) continue;
            if (got <= 0) die("connection %u: closed with a message in flight", line->request.id);
            line->received += got;
            if (line->received < request_size) continue;
            if (memcmp(&line->reply, &line->request, request_size) != 0)
                die("connection %u: a message came back changed", line->request.id);
            int64_t now = now_ns();
            total++;
            if (now >= from && now < until) histogram_add(&latencies, now - line->sent_at);
            if (now >= until)
                in_flight--;
            else if (!begin(line, now))
                die("connection %u cannot send", line->request.id);
        }
    }
    printf("{\"seconds\": %.6f, \"messages\": %ju, \"total\": %ju, \"p50_us\": %.2f, \"p99_us\": %.2f}\n",
           (double)(until - from) / 1e9, (uintmax_t)latencies.count, (uintmax_t)total, histogram_us(&latencies, 0.5),
           histogram_us(&latencies, 0.99));
    wait_for_end();
}

// MARK: Handshakes: a thread for each slot connects, exchanges a message and ends in order

struct slot {
    pthread_t thread;
    SSL_CTX *context;
    struct target target;
    uint32_t id;
    bool resumes;
    int64_t from, until;
    uint64_t total, resumed;
    struct histogram latencies;
    const char *failure;
};

static int connect_from(struct slot *slot, uint64_t number) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) die("socket: %s", strerror(errno));
    // Closed connections rest in TIME_WAIT here, so that each slot has its own address.
    struct sockaddr_in source = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000101 + slot->id)};
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &(int){1}, sizeof(int));
    struct timeval bound = {.tv_sec = 5};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &bound, sizeof bound);
    set_nodelay(fd);
    struct sockaddr_in address = target_address(slot->target, number);
    if (bind(fd, (struct sockaddr *)&source, sizeof source) < 0 ||
        connect(fd, (struct sockaddr *)&address, sizeof address) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/// One connection; NULL, or why it failed. Replaces the session to resume.
static const char *handshake_once(struct slot *slot, SSL_SESSION **session) {
    int fd = connect_from(slot, slot->total);
    if (fd < 0) return "connect";
    SSL *ssl = secure(slot->context, fd, *session);
    const char *failure = ssl == NULL ? "handshake" : exchange(ssl, slot->id, slot->total) ? NULL : "message";
    if (failure == NULL) {
        slot->resumed += (uint64_t)SSL_session_reused(ssl);
        if (slot->resumes) {
            // The ticket has come with the message.
            SSL_SESSION_free(*session);
            *session = SSL_get1_session(ssl);
        }
        SSL_shutdown(ssl);
        shutdown(fd, SHUT_WR);
        char byte;
        if (SSL_read(ssl, &byte, 1) > 0) failure = "bytes after the end";
    }
    SSL_free(ssl);
    close(fd);
    return failure;
}

static void *run_slot(void *argument) {
    struct slot *slot = argument;
    SSL_SESSION *session = NULL;
    int64_t began, now = now_ns();
    while (now < slot->until && slot->failure == NULL) {
        began = now;
        slot->failure = handshake_once(slot, &session);
        now = now_ns();
        slot->total++;
        if (began >= slot->from && now < slot->until) histogram_add(&slot->latencies, now - began);
    }
    SSL_SESSION_free(session);
    return NULL;
}

void secure_handshakes(struct target target, bool resumes, unsigned count, double seconds) {
    struct slot *slots = calloc(count, sizeof *slots);
    SSL_CTX *context = make_context();
    if (slots == NULL) die("out of memory");
    ready_and_wait();
    int64_t began = now_ns(), from = began + (int64_t)(warm_up * 1e9), until = from + (int64_t)(seconds * 1e9);
    for (unsigned i = 0; i < count; i++) {
        slots[i] = (struct slot){
            .context = context, .target = target, .id = i, .resumes = resumes, .from = from, .until = until};
        if (pthread_create(&slots[i].thread, NULL, run_slot, &slots[i]) != 0) die("no thread");
    }
    static struct histogram latencies;
    uint64_t total = 0, resumed = 0, failures = 0;
    const char *first_failure = "";
    for (unsigned i = 0; i < count; i++) {
        pthread_join(slots[i].thread, NULL);
        total += slots[i].total;
        resumed += slots[i].resumed;
        if (slots[i].failure != NULL) {
            failures++;
            first_failure = slots[i].failure;
        }
        latencies.count += slots[i].latencies.count;
        for (unsigned b = 0; b < 64 * 32; b++) latencies.buckets[b] += slots[i].latencies.buckets[b];
    }
    printf("{\"seconds\": %.6f, \"connections\": %ju, \"total\": %ju, \"resumed\": %ju, \"failures\": %ju, "
           "\"first_failure\": \"%s\", \"p50_us\": %.2f, \"p99_us\": %.2f}\n",
           (double)(until - from) / 1e9, (uintmax_t)latencies.count, (uintmax_t)total, (uintmax_t)resumed,
           (uintmax_t)failures, first_failure, histogram_us(&latencies, 0.5), histogram_us(&latencies, 0.99));
    wait_for_end();
}

// MARK: Idle sessions that have carried one message

void secure_idle(struct target target, unsigned count) {
    SSL_CTX *context = make_context();
    SSL **sessions = calloc(count, sizeof *sessions);
    if (sessions == NULL) die("out of memory");
    for (unsigned i = 0; i < count; i++) {
        sessions[i] = secure(context, connect_blocking(target, i), NULL);
        if (sessions[i] == NULL || !exchange(sessions[i], i, 0)) die("connection %u: no first message", i);
    }
    ready_and_wait();
    unsigned dead = 0;
    for (unsigned i = 0; i < count; i++) {
        dead += !exchange(sessions[i], i, 1);
        close(SSL_get_fd(sessions[i]));
    }
    printf("{\"connections\": %u, \"dead\": %u}\n", count, dead);
    wait_for_end();
}
