// The generator of the chaos run: one process that is the clients of a relay and the upstreams behind it at once. What
// a flow does follows from the seed and its number alone (plan.c); both of its sides are played in one thread over
// epoll (side.c, slot.c), every byte that arrives is compared, and in the end what both sides saw is held against what
// the end record says (judge.c).

#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdnoreturn.h>
#include <sys/types.h>

// MARK: Chance

/// SplitMix64: enough for tests, and the same everywhere.
struct chance {
    uint64_t state;
};

struct chance chance_of(uint64_t seed, uint64_t number);
uint64_t chance_next(struct chance *chance);
/// From 0 to `count - 1`.
uint64_t chance_below(struct chance *chance, uint64_t count);
/// True with the probability 1 / `count`.
bool chance_once_in(struct chance *chance, uint64_t count);
/// From `least` to `most`, as often of each order of magnitude.
uint64_t chance_size(struct chance *chance, uint64_t least, uint64_t most);

// MARK: Plans

enum { client, upstream };
static const char *const side_names[] = {"client", "upstream"};

/// What lies on both sides of the relay, and how it is recorded. A slot has one for life, a flow takes a slot of its
/// own.
enum lane {
    lane_plain,     // TCP over IPv4
    lane_six,       // the client over IPv6
    lane_from_unix, // the client on a Unix socket
    lane_to_unix,   // the upstream on a Unix socket
    lane_recorded,  // recorded, and what does not fit is dropped
    lane_whole,     // recorded, and the flow waits until it fits
    lane_tapped,    // recorded now and then: the driver starts and ends it
    lane_hunted,    // the driver kills connections
    lane_bounded,   // the time of a half that is left open is short
    lane_refused,   // no process listens there
    lane_count,
};
extern const char *const lane_names[lane_count];

enum ending {
    end_fin,             // the end of stream, once all is sent
    end_fin_after_other, // the same, once the other side's has come; the rest of the bytes after that too
    end_reset_sent,      // a reset, once a number of bytes was sent
    end_reset_received,  // a reset, once a number of bytes has come
    end_reset_timed,     // a reset, after a while
    end_reset_at_once,   // a reset, as soon as it is connected
    end_reset_after_fin, // the end of stream, and a reset after a while
    end_leave,           // closes once all is sent, whatever may still come
    end_stay,            // sends all and never ends its half
};

enum reading {
    read_fast,
    read_slowly, // a little at a time, with pauses, then fast
    read_late,   // not for a while, then fast
    read_never,
};

struct side_plan {
    uint64_t total;       // what it sends if nothing cuts it short
    uint64_t begin_after; // what it has to have received before it sends anything
    uint64_t turn;        // both take turns, this much at a time; 0 if they do not
    uint64_t early;       // with end_fin_after_other: what it sends before
    uint32_t piece;       // of one write, once the tiny ones are over
    uint32_t tiny_writes, tiny_piece;
    uint32_t urgent_every; // writes; 0 is never
    enum reading reading;
    uint32_t read_piece, nap_ms, naps;
    int receive_buffer; // SO_RCVBUF; 0 leaves the system's
    enum ending ending;
    uint64_t ending_at; // bytes, or milliseconds
    bool is_flushed;    // a reset only once the relay's system has acknowledged everything
    bool fin_with_data; // in one segment with the last bytes
};

struct plan {
    uint64_t seed, number;
    enum lane lane;
    struct side_plan sides[2];
};

struct plan plan_make(uint64_t seed, uint64_t number);
/// Not random: a number of bytes one way, as fast as possible, and both ends in order.
struct plan plan_volume(uint64_t seed, uint64_t up, uint64_t down);
void plan_print(const struct plan *plan, FILE *file);

bool lane_is_unix(enum lane lane, int who);

// MARK: Content

/// The period is the greatest prime below 1 MiB, and every direction of every flow has a start of its own: what is
/// lost, doubled or swapped shows. A quarter of a MiB lies in one piece from any offset.
enum { content_period = 1048573, content_piece = 256 * 1024 };
extern uint8_t content[content_period + content_piece];
void content_fill(uint64_t seed);
/// Where in the period a direction of a flow begins.
uint64_t content_start(uint64_t seed, uint64_t number, int sender);
/// What it carries at an offset.
const uint8_t *content_at(uint64_t seed, uint64_t number, int sender, uint64_t offset);

// MARK: Sides

struct slot;

struct side {
    struct slot *slot;
    int who;
    int fd; // -1 before and after
    uint32_t watched;
    char address[64]; // its own

    uint64_t sent, received;
    uint64_t writes;
    uint32_t naps;
    int64_t began, rests_until, resets_at, looks_at; // CLOCK_MONOTONIC, ns

    bool is_connected, is_flushing;
    // What it did, and what it saw of the other.
    bool fin_sent, did_reset, left;
    bool fin_seen, reset_seen;
    bool is_done;
};

void side_begin(struct side *side, int fd, bool is_connected, int64_t now);
/// Does what can be done now. `is_error`: the socket has an error to tell.
void side_step(struct side *side, int64_t now);
/// When it wants a step without an event; INT64_MAX if it does not.
int64_t side_next(const struct side *side, int64_t now);
/// Ends it, whatever it is at.
void side_abandon(struct side *side);

// MARK: Slots

/// What the end record said.
struct record {
    bool is_there;
    uint64_t id, up, down;
    int64_t recorded, dropped; // -1 is null
    bool was_connected;
    char reason[32], closed_by[16], error[24], client[64], listener[128], upstream_address[128];
};

/// A relay with its upstream: one flow at a time.
struct slot {
    char name[32];
    enum lane lane;
    int listener; // the upstream's; only bound where it refuses
    char upstream_address[128];
    char relay_address[128];

    bool is_busy, was_accepted;
    struct plan plan;
    struct side sides[2];
    struct record record;
    int64_t gives_up_at;
    char trouble[512]; // the first
};

/// What the driver has asked for.
enum job { job_none, job_play, job_only, job_volume };

struct tally {
    uint64_t played, troubles, bytes[2], fins, resets, refused, unconnected, recorded, other_records;
};

struct run {
    uint64_t seed;
    unsigned at_once;
    int64_t patience; // ns
    const char *folder, *records;

    struct slot *slots;
    unsigned slot_count, busy;
    int poller, record_pipe;

    enum job job;
    uint64_t first, end;           // the flows of job_play; times of job_only
    uint64_t volume[2];            // of job_volume
    uint64_t lane_next[lane_count]; // where each lane is
    struct tally tally;            // of the job
};
extern struct run run;

/// Opens the upstreams and says where they are.
void slots_make(void);
/// Begins flows, plays those that run, and ends those that are over; returns when it wants to be called again.
int64_t slots_turn(int64_t now);
void slot_accept(struct slot *slot, int64_t now);
/// The job is done: says what came of it.
void job_end(void);
/// Takes lines of standard input (see main.c); false when it has ended.
bool commands_read(void);
void slot_trouble(struct slot *slot, const char *format, ...) __attribute__((format(printf, 2, 3)));
struct slot *slot_named(const char *name, size_t length);

/// Reads what end records there are; false when Tapline has closed its output.
bool records_read(void);
/// Holds a finished flow against its record.
void judge(struct slot *slot);

// MARK: Standing connections

/// Opens connections and keeps them, as lines of standard input say; see hold.c.
void hold(void);

// MARK: Sockets, time and failure

struct endpoint {
    unsigned char bytes[112]; // a sockaddr of any family
    unsigned length;
};

struct endpoint endpoint_parse(const char *text);
void endpoint_describe(const struct endpoint *endpoint, char *text, size_t size);
struct endpoint endpoint_own(int fd);
int endpoint_family(const struct endpoint *endpoint);
int listen_on(const char *address, bool is_listening);

int64_t now_ns(void);
noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));
