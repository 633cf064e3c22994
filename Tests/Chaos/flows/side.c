#define _GNU_SOURCE

#include <errno.h>
#include <linux/sockios.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "flows.h"

// One side of a flow: what it sends, how it reads, and how it ends. It knows nothing of the other side but what comes
// through the relay.

/// How much one step does, so that one fast flow does not starve the others.
enum { most_rounds = 32 };
/// A side with more writes has no urgent ones: each is a segment of one byte.
enum { most_urgent_writes = 300 };
static const int64_t ms = 1000000;
static uint8_t buffer[content_piece];

static const struct side_plan *plan_of(const struct side *side) { return &side->slot->plan.sides[side->who]; }

// MARK: Watching

static void watch(struct side *side, uint32_t events) {
    if (events == side->watched) return;
    int operation = side->watched == 0 ? EPOLL_CTL_ADD : events == 0 ? EPOLL_CTL_DEL : EPOLL_CTL_MOD;
    struct epoll_event event = {.events = events, .data.ptr = side};
    if (epoll_ctl(run.poller, operation, side->fd, &event) < 0) die("epoll_ctl: %s", strerror(errno));
    side->watched = events;
}

static void finish(struct side *side) {
    // Closing takes it out of the poller.
    close(side->fd);
    side->fd = -1;
    side->watched = 0;
    side->is_done = true;
}

static void reset(struct side *side) {
    struct linger linger = {.l_onoff = 1};
    setsockopt(side->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    side->did_reset = true;
    finish(side);
}

void side_abandon(struct side *side) {
    if (side->fd >= 0) reset(side);
    side->is_done = true;
}

// MARK: Sending

/// How far it may send now.
static uint64_t send_limit(const struct side *side) {
    const struct side_plan *plan = plan_of(side), *other = &side->slot->plan.sides[!side->who];
    uint64_t limit = plan->total;
    if (plan->ending == end_reset_sent && plan->ending_at < limit) limit = plan->ending_at;
    if (side->fin_seen) return limit;
    if (plan->ending == end_fin_after_other && plan->early < limit) limit = plan->early;
    if (side->received < plan->begin_after) return 0;
    if (plan->turn > 0) {
        // The client has the first turn.
        uint64_t turns = side->received / other->turn + (side->who == client);
        if (turns * plan->turn < limit) limit = turns * plan->turn;
    }
    return limit;
}

static void send_failed(struct side *side, int code) {
    if (code != ECONNRESET && code != EPIPE)
        slot_trouble(side->slot, "the %s's send failed: %s", side_names[side->who], strerror(code));
    // Sending met it first: reading will only find the end of what had come.
    side->reset_seen = true;
}

/// True when something went out.
static bool send_some(struct side *side) {
    const struct side_plan *plan = plan_of(side);
    uint64_t left = send_limit(side);
    if (left <= side->sent || side->fin_sent || side->reset_seen || side->is_flushing) return false;
    left -= side->sent;
    uint32_t piece = side->writes < plan->tiny_writes ? plan->tiny_piece : plan->piece;
    int flags = MSG_NOSIGNAL;
    if (plan->urgent_every > 0 && side->writes < most_urgent_writes &&
        side->writes % plan->urgent_every == plan->urgent_every - 1) {
        piece = 1;
        flags |= MSG_OOB;
    }
    if (left < piece) piece = (uint32_t)left;
    if (plan->fin_with_data && plan->ending == end_fin && side->sent + piece == plan->total && !(flags & MSG_OOB))
        flags |= MSG_MORE; // held back, so that the end of stream goes out with it
    const struct plan *flow = &side->slot->plan;
    ssize_t count = send(side->fd, content_at(flow->seed, flow->number, side->who, side->sent), piece, flags);
    if (count < 0) {
        if (errno != EAGAIN) send_failed(side, errno);
        return false;
    }
    side->sent += (uint64_t)count;
    side->writes++;
    return true;
}

// MARK: Receiving

static bool may_read(const struct side *side, int64_t now) {
    return !side->fin_seen && plan_of(side)->reading != read_never && now >= side->rests_until;
}

/// True when something came. It may be over afterwards.
static bool receive_some(struct side *side, int64_t now) {
    const struct side_plan *plan = plan_of(side);
    const struct plan *flow = &side->slot->plan;
    if (!may_read(side, now)) return false;
    bool is_slow = plan->reading == read_slowly && side->naps < plan->naps;
    ssize_t count = recv(side->fd, buffer, is_slow ? plan->read_piece : sizeof buffer, 0);
    if (count > 0) {
        if (memcmp(buffer, content_at(flow->seed, flow->number, !side->who, side->received), (size_t)count) != 0)
            slot_trouble(side->slot, "the %s got other bytes than were sent, within %zd from %ju on",
                         side_names[side->who], count, (uintmax_t)side->received);
        side->received += (uint64_t)count;
        if (is_slow) {
            side->naps++;
            side->rests_until = now + plan->nap_ms * ms;
        }
        return true;
    }
    if (count == 0) {
        if (side->reset_seen)
            finish(side);
        else
            side->fin_seen = true;
        return false;
    }
    if (errno == EAGAIN) return false;
    // A reset after the other's end of stream is EPIPE (tcp_reset in the kernel).
    if (errno != ECONNRESET && errno != EPIPE)
        slot_trouble(side->slot, "the %s's receive failed: %s", side_names[side->who], strerror(errno));
    side->reset_seen = true;
    finish(side);
    return false;
}

// MARK: Ending

/// What the socket has to tell: an error number, 0 if none.
static int socket_error(const struct side *side) {
    int code = 0;
    socklen_t length = sizeof code;
    getsockopt(side->fd, SOL_SOCKET, SO_ERROR, &code, &length);
    return code;
}

/// Whether everything sent is acknowledged, or will never be.
static bool has_sent_all(const struct side *side) {
    int unsent;
    if (lane_is_unix(side->slot->lane, side->who)) return true; // handed over at once
    return ioctl(side->fd, SIOCOUTQ, &unsent) < 0 || unsent == 0 || side->reset_seen || socket_error(side) != 0;
}

static void end_by_reset(struct side *side, int64_t now) {
    // The end of stream counts as unsent too, until it is acknowledged. No event tells when it is.
    if (!plan_of(side)->is_flushed || has_sent_all(side)) return reset(side);
    side->is_flushing = true;
    side->looks_at = now + ms;
}

static void end_writing(struct side *side) {
    shutdown(side->fd, SHUT_WR);
    side->fin_sent = true;
}

/// Ends what is to be ended now.
static void check_end(struct side *side, int64_t now) {
    const struct side_plan *plan = plan_of(side);
    bool is_sent = side->sent == plan->total;
    switch (plan->ending) {
    case end_fin:
        if (is_sent && !side->fin_sent) end_writing(side);
        break;
    case end_fin_after_other:
        if (is_sent && side->fin_seen && !side->fin_sent) end_writing(side);
        break;
    case end_reset_sent:
        if (side->sent >= plan->ending_at) return end_by_reset(side, now);
        break;
    case end_reset_received:
        // A Unix socket has no reset: there the other's may look like its end.
        if (side->received >= plan->ending_at || side->fin_seen) return end_by_reset(side, now);
        break;
    case end_reset_timed:
        if (now >= side->began + (int64_t)plan->ending_at * ms) return end_by_reset(side, now);
        break;
    case end_reset_at_once: return reset(side);
    case end_reset_after_fin:
        if (!is_sent) break;
        if (!side->fin_sent) {
            end_writing(side);
            side->resets_at = now + (int64_t)plan->ending_at * ms;
        }
        if (now >= side->resets_at) return end_by_reset(side, now);
        break;
    case end_leave:
        if (is_sent) {
            side->fin_sent = side->left = true;
            return finish(side);
        }
        break;
    case end_stay: break;
    }
    if (side->fin_seen && (side->fin_sent || side->reset_seen)) finish(side);
}

/// All that it could still see is a reset, which only the socket's error tells of once the end of stream was read.
static bool only_waits(const struct side *side) {
    return side->fin_seen && !side->fin_sent && !side->reset_seen && side->sent >= send_limit(side);
}

// MARK: Steps

void side_begin(struct side *side, int fd, bool is_connected, int64_t now) {
    const struct side_plan *plan = plan_of(side);
    side->fd = fd;
    side->is_connected = is_connected;
    side->began = now;
    if (plan->reading == read_late) side->rests_until = now + plan->nap_ms * ms;
    struct endpoint own = endpoint_own(fd);
    endpoint_describe(&own, side->address, sizeof side->address);
    side_step(side, now);
}

void side_step(struct side *side, int64_t now) {
    if (side->is_done) return;
    if (!side->is_connected) {
        int code = socket_error(side);
        struct endpoint other;
        socklen_t other_length = sizeof other.bytes;
        if (code == 0 && getpeername(side->fd, (struct sockaddr *)other.bytes, &other_length) < 0)
            return watch(side, EPOLLOUT);
        side->is_connected = true;
        // The relay may have reset it in the meantime, which is for reading to find; refusing it may not be.
        if (code == ECONNREFUSED) slot_trouble(side->slot, "the relay refused the client");
        if (code != 0) {
            side->reset_seen = true;
            return finish(side);
        }
    }
    bool moved = true;
    for (int round = 0; moved && !side->is_done && round < most_rounds; round++) {
        moved = send_some(side);
        if (receive_some(side, now)) moved = true;
        if (!side->is_done) check_end(side, now);
    }
    if (side->is_done) return;
    if (only_waits(side)) {
        if (socket_error(side) != 0) {
            side->reset_seen = true;
            return finish(side);
        }
        // No urgent mark is sent here; errors are reported in any case.
        return watch(side, EPOLLPRI);
    }
    uint32_t events = 0;
    if (may_read(side, now)) events |= EPOLLIN;
    if (send_limit(side) > side->sent && !side->fin_sent && !side->reset_seen && !side->is_flushing)
        events |= EPOLLOUT;
    watch(side, events);
}

int64_t side_next(const struct side *side, int64_t now) {
    if (side->is_done || side->fd < 0) return INT64_MAX;
    const struct side_plan *plan = plan_of(side);
    int64_t next = INT64_MAX;
    if (side->is_flushing) next = side->looks_at;
    if (side->rests_until > now && side->rests_until < next) next = side->rests_until;
    if (plan->ending == end_reset_timed && !side->is_flushing) {
        int64_t at = side->began + (int64_t)plan->ending_at * ms;
        if (at < next) next = at;
    }
    if (side->resets_at > 0 && !side->is_flushing && side->resets_at < next) next = side->resets_at;
    // What a rest has let pass is due at once.
    bool is_due = side->rests_until != 0 && side->rests_until <= now && !(side->watched & EPOLLIN);
    if (is_due && may_read(side, now)) next = now;
    return next;
}
