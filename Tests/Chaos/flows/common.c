#define _GNU_SOURCE

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "flows.h"

// MARK: Chance

uint64_t chance_next(struct chance *chance) {
    uint64_t value = chance->state += 0x9e3779b97f4a7c15;
    value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9;
    value = (value ^ value >> 27) * 0x94d049bb133111eb;
    return value ^ value >> 31;
}

struct chance chance_of(uint64_t seed, uint64_t number) {
    struct chance chance = {seed};
    // Neighbouring numbers must not give shifted copies of one sequence.
    chance.state = chance_next(&chance) + number * 0xd1342543de82ef95;
    chance.state = chance_next(&chance);
    return chance;
}

uint64_t chance_below(struct chance *chance, uint64_t count) { return chance_next(chance) % count; }

bool chance_once_in(struct chance *chance, uint64_t count) { return chance_below(chance, count) == 0; }

uint64_t chance_size(struct chance *chance, uint64_t least, uint64_t most) {
    unsigned low = 63 - (unsigned)__builtin_clzll(least), high = 63 - (unsigned)__builtin_clzll(most);
    unsigned magnitude = low + (unsigned)chance_below(chance, high - low + 1);
    uint64_t size = ((uint64_t)1 << magnitude) + chance_below(chance, (uint64_t)1 << magnitude);
    return size < least ? least : size > most ? most : size;
}

// MARK: Content

uint8_t content[content_period + content_piece];

void content_fill(uint64_t seed) {
    struct chance chance = chance_of(seed, UINT64_MAX);
    for (size_t at = 0; at + 8 <= content_period; at += 8) {
        uint64_t value = chance_next(&chance);
        memcpy(content + at, &value, 8);
    }
    memcpy(content + content_period, content, content_piece);
}

uint64_t content_start(uint64_t seed, uint64_t number, int sender) {
    struct chance chance = chance_of(seed ^ 0x636f6e74656e74, 2 * number + (uint64_t)sender);
    return chance_next(&chance) % content_period;
}

const uint8_t *content_at(uint64_t seed, uint64_t number, int sender, uint64_t offset) {
    return content + (content_start(seed, number, sender) + offset) % content_period;
}

// MARK: Addresses

struct endpoint endpoint_parse(const char *text) {
    struct endpoint endpoint = {.length = 0};
    if (strncmp(text, "unix:", 5) == 0) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        if (strlen(text + 5) >= sizeof address.sun_path) die("%s: too long for a Unix socket", text);
        strcpy(address.sun_path, text + 5);
        memcpy(endpoint.bytes, &address, endpoint.length = sizeof address);
        return endpoint;
    }
    char host[64];
    const char *colon = strrchr(text, ':');
    if (colon == NULL || (size_t)(colon - text) >= sizeof host) die("%s: no address", text);
    uint16_t port = htons((uint16_t)atoi(colon + 1));
    size_t length = (size_t)(colon - text);
    if (*text == '[') {
        memcpy(host, text + 1, length - 2);
        host[length - 2] = 0;
        struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_port = port};
        if (inet_pton(AF_INET6, host, &address.sin6_addr) != 1) die("%s: no address", text);
        memcpy(endpoint.bytes, &address, endpoint.length = sizeof address);
    } else {
        memcpy(host, text, length);
        host[length] = 0;
        struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = port};
        if (inet_pton(AF_INET, host, &address.sin_addr) != 1) die("%s: no address", text);
        memcpy(endpoint.bytes, &address, endpoint.length = sizeof address);
    }
    return endpoint;
}

int endpoint_family(const struct endpoint *endpoint) {
    sa_family_t family;
    memcpy(&family, endpoint->bytes, sizeof family);
    return family;
}

void endpoint_describe(const struct endpoint *endpoint, char *text, size_t size) {
    char host[INET6_ADDRSTRLEN];
    if (endpoint_family(endpoint) == AF_INET) {
        struct sockaddr_in address;
        memcpy(&address, endpoint->bytes, sizeof address);
        inet_ntop(AF_INET, &address.sin_addr, host, sizeof host);
        snprintf(text, size, "%s:%u", host, ntohs(address.sin_port));
    } else if (endpoint_family(endpoint) == AF_INET6) {
        struct sockaddr_in6 address;
        memcpy(&address, endpoint->bytes, sizeof address);
        inet_ntop(AF_INET6, &address.sin6_addr, host, sizeof host);
        snprintf(text, size, "[%s]:%u", host, ntohs(address.sin6_port));
    } else {
        snprintf(text, size, "unix:%s",
                 endpoint->length > offsetof(struct sockaddr_un, sun_path)
                     ? (const char *)endpoint->bytes + offsetof(struct sockaddr_un, sun_path)
                     : "");
    }
}

struct endpoint endpoint_own(int fd) {
    struct endpoint endpoint = {.length = 0};
    socklen_t length = sizeof endpoint.bytes;
    if (getsockname(fd, (struct sockaddr *)endpoint.bytes, &length) < 0) die("getsockname: %s", strerror(errno));
    endpoint.length = length;
    return endpoint;
}

int listen_on(const char *text, bool is_listening) {
    struct endpoint endpoint = endpoint_parse(text);
    int fd = socket(endpoint_family(&endpoint), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)endpoint.bytes, endpoint.length) < 0 ||
        (is_listening && listen(fd, 4096) < 0))
        die("listen on %s: %s", text, strerror(errno));
    return fd;
}

// MARK: Time and failure

int64_t now_ns(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

void die(const char *format, ...) {
    va_list values;
    va_start(values, format);
    fputs("flows: ", stderr);
    vfprintf(stderr, format, values);
    fputc('\n', stderr);
    va_end(values);
    exit(1);
}
