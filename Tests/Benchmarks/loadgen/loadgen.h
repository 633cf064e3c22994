// The load generator of the benchmarks: one small program, one subcommand a file. It talks to itself: `serve` is the
// upstream behind the relay, the other subcommands are its clients. Every byte that it reads is either compared with
// what was sent (messages) or counted and compared in samples (streams).

#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdnoreturn.h>
#include <sys/types.h>

/// The first bytes of every connection: they tell the server what the connection is for. An echo connection gets them
/// back, so that they are also its first message; nothing smaller than this is ever sent as one.
struct request {
    char magic[4];
    char kind;         // 'E': echo all; 'D': the server sends a stream; 'U': the server reads a stream
    uint32_t id;       // of the stream, to compare what both ends counted; of the connection, in messages
    uint64_t sequence; // of the message
    int64_t from;      // the measured window, CLOCK_MONOTONIC in ns (both ends are on one machine);
    int64_t until;     // a stream is sent from the request on and ends when the window does
    char rest[24];
};

#define REQUEST_MAGIC {'T', 'L', 'B', 'M'}
enum { request_size = sizeof(struct request) };
_Static_assert(sizeof(struct request) == 64, "a request is a 64-byte message");

// MARK: Streams

/// One direction of a bulk transfer at one of its ends.
struct stream {
    uint32_t id;
    int64_t from, until;
    uint64_t bytes;        // since the request
    uint64_t window_bytes; // what was read within the window; only a reader counts them
    uint64_t reads;
    bool wrong; // a byte was not what was sent
};

enum progress { blocked, more, finished, failed };

/// Sends until the socket blocks, its share of this event is used up, or the time is over.
enum progress stream_send(struct stream *stream, int fd);
/// Reads likewise, until the end of the stream.
enum progress stream_read(struct stream *stream, int fd);

/// What every stream and every message beyond its first 64 bytes consists of: `pattern[i] == pattern[i + period]`, and
/// any `pattern_period` bytes from any offset below the period may be read.
extern uint8_t pattern[];
enum { pattern_period = 256 * 1024, message_limit = 64 * 1024 };
void pattern_fill(void);

// MARK: Sockets, time and failure

struct target {
    uint32_t address; // in network order
    uint16_t port;    // the first, in the host's order
    uint16_t ports;   // how many follow each other: several relays on one address
};

/// `port` is PORT or PORT+COUNT.
struct target target_parse(const char *host, const char *port);
/// Where connection `number` goes: the ports take turns.
struct sockaddr_in target_address(struct target target, uint64_t number);
/// A connected, blocking socket with TCP_NODELAY, and five seconds as the bound of each call.
int connect_blocking(struct target target, uint64_t number);
/// Sends a message of `size` bytes and reads its echo; false when it did not come back as it was.
bool exchange_blocking(int fd, uint32_t id, uint64_t sequence, size_t size);
void set_nodelay(int fd);
void set_nonblocking(int fd);
struct request request_make(char kind, uint32_t id, uint64_t sequence);

int64_t now_ns(void);
noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));
/// Tells the driver that all is set up, and waits until it says go: it reads the relay's CPU time in between.
void ready_and_wait(void);
/// Waits until the driver, which has read the relay's CPU time again, closes our standard input.
void wait_for_end(void);

// MARK: Latencies

/// Counts of latencies in buckets 1/64 apart, from 1 ns to 70 s.
struct histogram {
    uint64_t count;
    uint32_t buckets[64 * 32];
};

void histogram_add(struct histogram *histogram, int64_t ns);
/// The latency in microseconds that the fraction `rank` of all did not exceed.
double histogram_us(const struct histogram *histogram, double rank);

// MARK: Subcommands, each in its own file

void serve(uint16_t port);
void bulk(struct target target, char kind, unsigned streams, double seconds);
void messages(struct target target, unsigned connections, size_t size, double seconds);
void churn(struct target target, unsigned slots, double seconds);
void idle(struct target target, unsigned connections);
void start(struct target target, char **command);

// The same with TLS between the clients and the relay.
void secure_bulk(struct target target, char kind, double seconds);
void secure_messages(struct target target, unsigned connections, double seconds);
void secure_handshakes(struct target target, bool resumes, unsigned slots, double seconds);
void secure_idle(struct target target, unsigned connections);
