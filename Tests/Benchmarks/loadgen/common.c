#define _GNU_SOURCE

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "loadgen.h"

// MARK: Time and failure

int64_t now_ns(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

void die(const char *format, ...) {
    va_list values;
    va_start(values, format);
    fputs("loadgen: ", stderr);
    vfprintf(stderr, format, values);
    fputc('\n', stderr);
    va_end(values);
    exit(1);
}

void ready_and_wait(void) {
    char line[64];
    puts("ready");
    if (fgets(line, sizeof line, stdin) == NULL) die("the driver went away");
}

void wait_for_end(void) {
    char bytes[64];
    while (read(0, bytes, sizeof bytes) > 0) continue;
}

// MARK: Sockets

struct target target_parse(const char *host, const char *port) {
    struct in_addr address;
    if (inet_pton(AF_INET, host, &address) != 1) die("%s: not an IPv4 address", host);
    char *end;
    long first = strtol(port, &end, 10), count = *end == '+' ? strtol(end + 1, &end, 10) : 1;
    if (*end != 0 || first < 1 || count < 1 || first + count > 65536) die("%s: PORT or PORT+COUNT is wanted", port);
    return (struct target){.address = address.s_addr, .port = (uint16_t)first, .ports = (uint16_t)count};
}

struct sockaddr_in target_address(struct target target, uint64_t number) {
    return (struct sockaddr_in){
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)(target.port + number % target.ports)),
        .sin_addr.s_addr = target.address,
    };
}

void set_nodelay(int fd) { setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int)); }

void set_nonblocking(int fd) { fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK); }

int connect_blocking(struct target target, uint64_t number) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) die("socket: %s", strerror(errno));
    struct timeval bound = {.tv_sec = 5};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &bound, sizeof bound);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &bound, sizeof bound);
    set_nodelay(fd);
    struct sockaddr_in address = target_address(target, number);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0) die("connect: %s", strerror(errno));
    return fd;
}

struct request request_make(char kind, uint32_t id, uint64_t sequence) {
    struct request request = {.magic = REQUEST_MAGIC, .kind = kind, .id = id, .sequence = sequence};
    memcpy(request.rest, pattern, sizeof request.rest);
    return request;
}

bool exchange_blocking(int fd, uint32_t id, uint64_t sequence, size_t size) {
    static uint8_t sent[message_limit], received[message_limit];
    struct request request = request_make('E', id, sequence);
    memcpy(sent, &request, request_size);
    memcpy(sent + request_size, pattern, size - request_size);
    if (send(fd, sent, size, 0) != (ssize_t)size) return false;
    for (size_t got = 0; got < size;) {
        ssize_t result = recv(fd, received + got, size - got, 0);
        if (result <= 0) return false;
        got += (size_t)result;
    }
    return memcmp(sent, received, size) == 0;
}

// MARK: Latencies

static unsigned bucket_of(uint64_t ns) {
    if (ns < 64) return (unsigned)ns;
    unsigned shift = 57 - (unsigned)__builtin_clzll(ns); // leaves 64 to 127
    unsigned bucket = (shift + 1) * 64 + (unsigned)(ns >> shift) - 64;
    return bucket < 64 * 32 ? bucket : 64 * 32 - 1;
}

void histogram_add(struct histogram *histogram, int64_t ns) {
    histogram->count++;
    histogram->buckets[bucket_of((uint64_t)ns)]++;
}

double histogram_us(const struct histogram *histogram, double rank) {
    uint64_t wanted = (uint64_t)((double)histogram->count * rank), seen = 0;
    for (unsigned bucket = 0; bucket < 64 * 32; bucket++) {
        seen += histogram->buckets[bucket];
        if (seen <= wanted) continue;
        if (bucket < 64) return bucket / 1e3;
        unsigned shift = bucket / 64 - 1;
        return (double)((uint64_t)(bucket % 64 + 64) << shift) / 1e3;
    }
    return 0;
}
