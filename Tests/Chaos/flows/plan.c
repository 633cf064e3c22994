#include <inttypes.h>
#include <string.h>

#include "flows.h"

const char *const lane_names[lane_count] = {
    "plain", "six", "from-unix", "to-unix", "recorded", "whole", "tapped", "hunted", "bounded", "refused"};

/// Of a thousand flows.
static const unsigned lane_shares[lane_count] = {420, 80, 80, 80, 140, 80, 60, 25, 5, 30};

bool lane_is_unix(enum lane lane, int who) {
    return who == client ? lane == lane_from_unix : lane == lane_to_unix;
}

static enum lane lane_draw(struct chance *chance) {
    unsigned place = (unsigned)chance_below(chance, 1000), lane = 0;
    while (place >= lane_shares[lane]) place -= lane_shares[lane++];
    return (enum lane)lane;
}

static uint64_t total_draw(struct chance *chance, uint64_t most) {
    switch (chance_below(chance, 16)) {
    case 0: return 0;
    case 1: return chance_size(chance, 1, 64);
    default: return chance_size(chance, 256, most);
    }
}

/// How it writes and reads, which changes nothing of what must come of it.
static void manner_draw(struct chance *chance, struct side_plan *side, bool has_urgent) {
    static const uint32_t pieces[] = {1000, 1460, 4096, 16384, 65536, content_piece};
    side->piece = pieces[chance_below(chance, sizeof pieces / sizeof *pieces)];
    if (chance_once_in(chance, 3)) {
        side->tiny_writes = 1 + (uint32_t)chance_below(chance, 200);
        side->tiny_piece = 1 + (uint32_t)chance_below(chance, 32);
    }
    if (has_urgent && chance_once_in(chance, 6)) side->urgent_every = 1 + (uint32_t)chance_below(chance, 40);
    switch (chance_below(chance, 10)) {
    case 0:
    case 1:
        side->reading = read_slowly;
        side->read_piece = (uint32_t)chance_size(chance, 100, 32768);
        side->nap_ms = 1 + (uint32_t)chance_below(chance, 5);
        side->naps = 1 + (uint32_t)chance_below(chance, 20);
        break;
    case 2:
        side->reading = read_late;
        side->nap_ms = 5 + (uint32_t)chance_below(chance, 120);
        break;
    default: side->reading = read_fast;
    }
    if (chance_once_in(chance, 5)) side->receive_buffer = (int)chance_size(chance, 2048, 131072);
    side->fin_with_data = chance_once_in(chance, 2);
}

/// A reset somewhere. `other` is what comes towards it.
static void reset_draw(struct chance *chance, struct side_plan *side, const struct side_plan *other) {
    side->is_flushed = chance_once_in(chance, 2);
    switch (chance_below(chance, 12)) {
    case 0: side->ending = end_reset_at_once; return;
    case 1:
    case 2:
        side->ending = end_reset_timed;
        side->ending_at = 1 + chance_below(chance, 40);
        if (chance_once_in(chance, 3)) {
            side->reading = read_never;
            side->is_flushed = false; // it would not notice when that becomes impossible
        }
        return;
    case 3:
    case 4:
        side->ending = end_reset_after_fin;
        side->ending_at = chance_below(chance, 30);
        return;
    case 5:
    case 6:
    case 7:
        side->ending = end_reset_received;
        side->ending_at = chance_below(chance, other->total + 1);
        return;
    default:
        side->ending = end_reset_sent;
        side->ending_at = chance_below(chance, side->total + 1);
    }
}

/// Which side waits before it sends: none, one for some of the other's bytes, or each for its turn.
static void order_draw(struct chance *chance, struct side_plan *sides) {
    int waits = (int)chance_below(chance, 2);
    switch (chance_below(chance, 8)) {
    case 0:
    case 1: sides[waits].begin_after = chance_below(chance, sides[!waits].total + 1); return;
    case 2: {
        uint64_t turns = 2 + chance_below(chance, 60);
        for (int who = 0; who < 2; who++) {
            if (sides[who].total > 1 << 20) sides[who].total >>= 4;
            sides[who].turn = sides[who].total / turns + 1;
            sides[who].total = sides[who].turn * turns;
        }
        return;
    }
    default: return;
    }
}

/// How much a side is sure to send without having seen the other's end.
static uint64_t sure(const struct side_plan *side) {
    switch (side->ending) {
    case end_reset_at_once:
    case end_reset_timed:
    case end_reset_received: return 0;
    case end_reset_sent: return side->ending_at;
    case end_fin_after_other: return side->early;
    default: return side->total;
    }
}

static void endings_draw(struct chance *chance, struct plan *plan) {
    struct side_plan *sides = plan->sides;
    int first = (int)chance_below(chance, 2);
    struct side_plan *one = &sides[first], *other = &sides[!first];
    bool may_wait = one->turn == 0;
    one->ending = other->ending = end_fin;
    if (plan->lane == lane_bounded) {
        other->ending = end_stay;
        return;
    }
    unsigned place = (unsigned)chance_below(chance, 20);
    if (place >= 8 && may_wait && chance_once_in(chance, 2)) {
        other->ending = end_fin_after_other;
        other->early = chance_below(chance, other->total + 1);
    }
    // The first eleven are in order.
    if (place >= 17) one->ending = end_leave;
    if (place >= 11 && place < 17) reset_draw(chance, one, other);
    if (place == 16) reset_draw(chance, other, one);
    // No side may wait for bytes that may not come.
    for (int who = 0; who < 2; who++) {
        struct side_plan *side = &sides[who], *peer = &sides[!who];
        if (side->begin_after > sure(peer)) side->begin_after = sure(peer);
        if (side->reading == read_never) side->begin_after = 0;
        if (side->ending == end_reset_received && side->ending_at > sure(peer)) side->ending_at = sure(peer);
    }
    // Two sides that begin after each other would hang: only one may, and an end after received bytes is a wait too.
    if (sides[client].ending == end_reset_received && sides[upstream].begin_after > 0) sides[upstream].begin_after = 0;
    if (sides[upstream].ending == end_reset_received && sides[client].begin_after > 0) sides[client].begin_after = 0;
}

struct plan plan_make(uint64_t seed, uint64_t number) {
    struct chance chance = chance_of(seed, number);
    struct plan plan = {.seed = seed, .number = number, .lane = lane_draw(&chance)};
    bool is_recorded = plan.lane == lane_recorded || plan.lane == lane_whole || plan.lane == lane_tapped;
    uint64_t most = plan.lane == lane_refused || plan.lane == lane_bounded ? 64 << 10 : is_recorded ? 1 << 20 : 4 << 20;
    for (int who = 0; who < 2; who++) {
        plan.sides[who].total = total_draw(&chance, most);
        manner_draw(&chance, &plan.sides[who], !lane_is_unix(plan.lane, who));
    }
    // What has to pass through a small receive buffer passes at some 100 KB a second: TCP waits for windows.
    for (int who = 0; who < 2; who++) {
        uint64_t narrow = 8 * (uint64_t)plan.sides[!who].receive_buffer;
        if (narrow > 0 && plan.sides[who].total > narrow) plan.sides[who].total = narrow;
    }
    if (plan.lane != lane_bounded) order_draw(&chance, plan.sides);
    endings_draw(&chance, &plan);
    return plan;
}

struct plan plan_volume(uint64_t seed, uint64_t up, uint64_t down) {
    struct plan plan = {.seed = seed, .lane = lane_plain};
    plan.sides[client] = (struct side_plan){.total = up, .piece = content_piece};
    plan.sides[upstream] = (struct side_plan){.total = down, .piece = content_piece};
    return plan;
}

// MARK: In words

static void side_print(const struct side_plan *side, FILE *file) {
    fprintf(file, "%" PRIu64 " bytes", side->total);
    if (side->begin_after > 0) fprintf(file, " after %" PRIu64 " have come", side->begin_after);
    if (side->turn > 0) fprintf(file, " in turns of %" PRIu64, side->turn);
    fprintf(file, ", writes of %" PRIu32, side->piece);
    if (side->tiny_writes > 0)
        fprintf(file, " (%" PRIu32 " of %" PRIu32 " first)", side->tiny_writes, side->tiny_piece);
    if (side->urgent_every > 0) fprintf(file, ", every %" PRIu32 "th urgent", side->urgent_every);
    switch (side->reading) {
    case read_fast: break;
    case read_slowly:
        fprintf(file, ", reads %" PRIu32 " at a time with %" PRIu32 " pauses of %" PRIu32 " ms", side->read_piece,
                side->naps, side->nap_ms);
        break;
    case read_late: fprintf(file, ", reads after %" PRIu32 " ms", side->nap_ms); break;
    case read_never: fputs(", never reads", file);
    }
    if (side->receive_buffer > 0) fprintf(file, ", a receive buffer of %d", side->receive_buffer);
    const char *how = side->is_flushed ? "a flushed reset" : "a reset";
    switch (side->ending) {
    case end_fin: fputs(side->fin_with_data ? "; ends with its last bytes" : "; ends", file); break;
    case end_fin_after_other:
        fprintf(file, "; ends after the other, %" PRIu64 " bytes before that", side->early);
        break;
    case end_reset_sent: fprintf(file, "; %s when %" PRIu64 " are sent", how, side->ending_at); break;
    case end_reset_received: fprintf(file, "; %s when %" PRIu64 " have come", how, side->ending_at); break;
    case end_reset_timed: fprintf(file, "; %s after %" PRIu64 " ms", how, side->ending_at); break;
    case end_reset_at_once: fputs("; a reset at once", file); break;
    case end_reset_after_fin: fprintf(file, "; ends, and %s %" PRIu64 " ms later", how, side->ending_at); break;
    case end_leave: fputs("; closes when it has sent", file); break;
    case end_stay: fputs("; never ends", file);
    }
}

void plan_print(const struct plan *plan, FILE *file) {
    fprintf(file, "lane %s; client: ", lane_names[plan->lane]);
    side_print(&plan->sides[client], file);
    fputs("; upstream: ", file);
    side_print(&plan->sides[upstream], file);
}
