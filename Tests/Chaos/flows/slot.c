#define _GNU_SOURCE

#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "flows.h"

// Slots play flows one after the other, all of them at once. A slot's flow is over when both its sides are and its end
// record has come: so every record belongs to one flow, and an unexpected record is a fault.

/// How many of a hundred slots each lane has; one at least.
static const unsigned slot_shares[lane_count] = {36, 8, 8, 8, 14, 8, 6, 4, 5, 3};

// MARK: Trouble

void slot_trouble(struct slot *slot, const char *format, ...) {
    if (slot->trouble[0] != 0) return;
    va_list values;
    va_start(values, format);
    vsnprintf(slot->trouble, sizeof slot->trouble, format, values);
    va_end(values);
}

static void tell_trouble(struct slot *slot) {
    run.tally.troubles++;
    printf("{\"flow\": %" PRIu64 ", \"relay\": \"%s\", \"trouble\": \"%s\", ", slot->plan.number, slot->name,
           slot->trouble);
    for (int who = 0; who < 2; who++) {
        const struct side *side = &slot->sides[who];
        printf("\"%s\": {\"address\": \"%s\", \"sent\": %" PRIu64 ", \"received\": %" PRIu64 ", \"did\": \"%s%s%s\", "
               "\"saw\": \"%s%s\"}, ",
               side_names[who], side->address, side->sent, side->received, side->fin_sent ? "fin " : "",
               side->left ? "close " : "", side->did_reset ? "reset" : "", side->fin_seen ? "fin " : "",
               side->reset_seen ? "reset" : "");
    }
    const struct record *record = &slot->record;
    if (record->is_there)
        printf("\"record\": {\"id\": %" PRIu64 ", \"reason\": \"%s\", \"errno\": \"%s\", \"bytes_up\": %" PRIu64
               ", \"bytes_down\": %" PRIu64 ", \"recorded\": %" PRId64 ", \"dropped\": %" PRId64 "}, ",
               record->id, record->reason, record->error, record->up, record->down, record->recorded, record->dropped);
    printf("\"plan\": \"");
    plan_print(&slot->plan, stdout);
    puts("\"}");
}

// MARK: Set-up

static void slot_open(struct slot *slot, enum lane lane, unsigned number) {
    char address[128];
    slot->lane = lane;
    for (int who = 0; who < 2; who++) slot->sides[who] = (struct side){.slot = slot, .who = who, .fd = -1};
    snprintf(slot->name, sizeof slot->name, "%s-%u", lane_names[lane], number);
    if (lane == lane_to_unix)
        snprintf(address, sizeof address, "unix:%.64s/%s.up", run.folder, slot->name);
    else
        snprintf(address, sizeof address, "127.0.0.1:0");
    slot->listener = listen_on(address, lane != lane_refused);
    struct endpoint own = endpoint_own(slot->listener);
    endpoint_describe(&own, slot->upstream_address, sizeof slot->upstream_address);
    if (lane == lane_refused) return;
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = (uint64_t)(slot - run.slots) << 1 | 1};
    if (epoll_ctl(run.poller, EPOLL_CTL_ADD, slot->listener, &event) < 0) die("epoll_ctl: %s", strerror(errno));
}

void slots_make(void) {
    run.slots = calloc(run.at_once + lane_count, sizeof *run.slots);
    if (run.slots == NULL) die("out of memory");
    for (enum lane lane = 0; lane < lane_count; lane++) {
        unsigned count = (run.at_once * slot_shares[lane] + 99) / 100;
        for (unsigned i = 0; i < count; i++) slot_open(&run.slots[run.slot_count++], lane, i);
    }
    printf("{\"slots\": [");
    for (unsigned i = 0; i < run.slot_count; i++) {
        const struct slot *slot = &run.slots[i];
        printf("%s{\"relay\": \"%s\", \"lane\": \"%s\", \"upstream\": \"%s\"}", i ? ", " : "", slot->name,
               lane_names[slot->lane], slot->upstream_address);
    }
    puts("]}");
}

struct slot *slot_named(const char *name, size_t length) {
    for (unsigned i = 0; i < run.slot_count; i++)
        if (strlen(run.slots[i].name) == length && memcmp(run.slots[i].name, name, length) == 0) return &run.slots[i];
    return NULL;
}

// MARK: One flow

static void set_buffer(int fd, const struct side_plan *plan) {
    int size = plan->receive_buffer;
    if (size > 0) setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    // Fails on a Unix socket, which has no such thing.
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
}

static void slot_begin(struct slot *slot, struct plan plan, int64_t now) {
    slot->plan = plan;
    slot->is_busy = true;
    slot->was_accepted = false;
    slot->trouble[0] = 0;
    slot->record.is_there = false;
    slot->gives_up_at = now + run.patience;
    for (int who = 0; who < 2; who++) slot->sides[who] = (struct side){.slot = slot, .who = who, .fd = -1};
    run.busy++;
    struct side *side = &slot->sides[client];
    struct endpoint relay = endpoint_parse(slot->relay_address);
    int fd = socket(endpoint_family(&relay), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) die("socket: %s", strerror(errno));
    set_buffer(fd, &plan.sides[client]);
    if (endpoint_family(&relay) == AF_INET) {
        // A source address for each slot: the side that ends first is in TIME_WAIT, and ports must not run out.
        struct sockaddr_in source = {
            .sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000200 + (uint32_t)(slot - run.slots))};
        setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &(int){1}, sizeof(int));
        if (bind(fd, (struct sockaddr *)&source, sizeof source) < 0) die("bind: %s", strerror(errno));
    }
    int result;
    // A Unix socket whose queue is full says so at once; no event tells when there is room.
    while ((result = connect(fd, (struct sockaddr *)relay.bytes, relay.length)) < 0 && errno == EAGAIN)
        poll(NULL, 0, 1);
    if (result < 0 && errno != EINPROGRESS) {
        slot_trouble(slot, "connecting to the relay: %s", strerror(errno));
        close(fd);
        side->is_done = true;
        return;
    }
    side_begin(side, fd, result == 0, now);
}

void slot_accept(struct slot *slot, int64_t now) {
    for (;;) {
        int fd = accept4(slot->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            if (errno == EAGAIN || errno == ECONNABORTED) return;
            die("accept: %s", strerror(errno));
        }
        if (!slot->is_busy || slot->was_accepted) {
            close(fd);
            slot_trouble(slot, "one more upstream connection came than there are clients");
            if (!slot->is_busy) tell_trouble(slot);
            continue;
        }
        slot->was_accepted = true;
        set_buffer(fd, &slot->plan.sides[upstream]);
        side_begin(&slot->sides[upstream], fd, true, now);
    }
}

static void slot_end(struct slot *slot) {
    const struct record *record = &slot->record;
    struct tally *tally = &run.tally;
    judge(slot);
    tally->played++;
    for (int who = 0; who < 2; who++) {
        tally->bytes[who] += slot->sides[!who].received;
        tally->fins += slot->sides[who].fin_seen;
        tally->resets += slot->sides[who].reset_seen;
    }
    tally->refused += record->is_there && strcmp(record->reason, "connect_refused") == 0;
    tally->unconnected += !slot->was_accepted && slot->lane != lane_refused;
    if (slot->trouble[0] != 0) tell_trouble(slot);
    if (record->is_there && record->recorded >= 0) {
        tally->recorded++;
        uint64_t number = slot->plan.number;
        printf("{\"recorded\": %" PRIu64 ", \"id\": %" PRIu64 ", \"relay\": \"%s\", \"up\": %" PRIu64
               ", \"down\": %" PRIu64 ", \"bytes\": %" PRId64 ", \"dropped\": %" PRId64 
               ", \"starts\": [%" PRIu64 ", %" PRIu64 "]}\n",
               number, record->id, slot->name, record->up, record->down, record->recorded, record->dropped,
               content_start(run.seed, number, client), content_start(run.seed, number, upstream));
    }
    slot->is_busy = false;
    run.busy--;
}

/// True when it is over.
static bool slot_check(struct slot *slot, int64_t now) {
    struct side *sides = slot->sides;
    if (slot->record.is_there && sides[client].is_done && !slot->was_accepted && slot->lane != lane_refused)
        slot_accept(slot, now); // after the record no further client comes
    bool is_over = sides[client].is_done && (!slot->was_accepted || sides[upstream].is_done);
    if (is_over && slot->record.is_there) return true;
    if (now < slot->gives_up_at) return false;
    if (is_over)
        slot_trouble(slot, "no end record came within %" PRId64 " s", run.patience / 1000000000);
    else
        slot_trouble(slot, "stuck: it is not over after %" PRId64 " s", run.patience / 1000000000);
    for (int who = 0; who < 2; who++) side_abandon(&sides[who]);
    return true;
}

// MARK: All of them

/// The next flow of a lane; false when there is none.
static bool next_flow(enum lane lane, struct plan *plan) {
    uint64_t *next = &run.lane_next[lane];
    switch (run.job) {
    case job_none: return false;
    case job_play:
        while (*next < run.end) {
            *plan = plan_make(run.seed, (*next)++);
            if (plan->lane == lane) return true;
        }
        return false;
    case job_only:
        *plan = plan_make(run.seed, run.first);
        return plan->lane == lane && (*next)++ < run.end;
    case job_volume:
        *plan = plan_volume(run.seed, run.volume[client], run.volume[upstream]);
        return plan->lane == lane && (*next)++ == 0;
    }
    return false;
}

void job_end(void) {
    const struct tally *tally = &run.tally;
    printf("{\"done\": %" PRIu64 ", \"troubles\": %" PRIu64 ", \"up\": %" PRIu64 ", \"down\": %" PRIu64
           ", \"fins\": %" PRIu64 ", \"resets\": %" PRIu64 ", \"refused\": %" PRIu64 ", \"unconnected\": %" PRIu64
           ", \"recorded_flows\": %" PRIu64 ", \"other_records\": %" PRIu64 "}\n",
           tally->played, tally->troubles, tally->bytes[client], tally->bytes[upstream], tally->fins, tally->resets,
           tally->refused, tally->unconnected, tally->recorded, tally->other_records);
    run.job = job_none;
    run.tally = (struct tally){.played = 0};
}

int64_t slots_turn(int64_t now) {
    int64_t next = INT64_MAX;
    for (unsigned i = 0; i < run.slot_count; i++) {
        struct slot *slot = &run.slots[i];
        struct plan plan;
        for (int who = 0; slot->is_busy && who < 2; who++)
            if (side_next(&slot->sides[who], now) <= now) side_step(&slot->sides[who], now);
        if (slot->is_busy && slot_check(slot, now)) slot_end(slot);
        if (!slot->is_busy && next_flow(slot->lane, &plan)) slot_begin(slot, plan, now);
        for (int who = 0; slot->is_busy && who < 2; who++) {
            int64_t at = side_next(&slot->sides[who], now);
            if (at < next) next = at;
        }
    }
    if (run.busy == 0 && run.job != job_none) job_end();
    return next;
}
