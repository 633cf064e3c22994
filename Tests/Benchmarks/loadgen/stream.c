#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "loadgen.h"

enum {
    send_size = pattern_period,
    read_size = 1024 * 1024,
    sample_size = 64 * 1024,
    sample_every = 64,  // one read in 64 is copied out and compared
    calls_per_event = 8 // several streams in one process take turns
};

uint8_t pattern[2 * pattern_period];

// A fixed pseudo-random sequence (SplitMix64): bytes that are lost, doubled or out of place show in any sample, unless
// they are a whole number of periods, which the count shows.
void pattern_fill(void) {
    uint64_t state = 20;
    for (size_t i = 0; i < pattern_period; i += 8) {
        uint64_t word = (state += 0x9e3779b97f4a7c15);
        word = (word ^ (word >> 30)) * 0xbf58476d1ce4e5b9;
        word = (word ^ (word >> 27)) * 0x94d049bb133111eb;
        word ^= word >> 31;
        memcpy(pattern + i, &word, 8);
    }
    memcpy(pattern + pattern_period, pattern, pattern_period);
}

enum progress stream_send(struct stream *stream, int fd) {
    for (int call = 0; call < calls_per_event; call++) {
        if (now_ns() >= stream->until) return finished;
        ssize_t sent = send(fd, pattern + stream->bytes % pattern_period, send_size, MSG_NOSIGNAL);
        if (sent < 0) return errno == EAGAIN ? blocked : failed;
        stream->bytes += (uint64_t)sent;
    }
    return more;
}

enum progress stream_read(struct stream *stream, int fd) {
    static uint8_t sample[sample_size];
    for (int call = 0; call < calls_per_event; call++) {
        // MSG_TRUNC takes the bytes off the socket without a copy: the reader should not be what is measured.
        bool compare = stream->reads++ % sample_every == 0;
        ssize_t got = compare ? recv(fd, sample, sample_size, 0) : recv(fd, NULL, read_size, MSG_TRUNC);
        if (got < 0) return errno == EAGAIN ? blocked : failed;
        if (got == 0) return finished;
        if (compare && memcmp(sample, pattern + stream->bytes % pattern_period, (size_t)got) != 0)
            stream->wrong = true;
        stream->bytes += (uint64_t)got;
        int64_t now = now_ns();
        if (now >= stream->from && now < stream->until) stream->window_bytes += (uint64_t)got;
    }
    return more;
}
