#include <inttypes.h>
#include <string.h>

#include "flows.h"

// What must be true of a flow once it is over, from what both sides did and saw, and what the end record says.

/// Ended without regard for what may still come: a reset, or a close with the other flow open.
static bool is_abrupt(const struct side *side) { return side->did_reset || side->left; }

static bool has_reason(const struct record *record, const char *side, const char *what) {
    size_t length = strlen(side);
    return strncmp(record->reason, side, length) == 0 && record->reason[length] == '_' &&
           strcmp(record->reason + length + 1, what) == 0;
}

/// Whether Tapline itself, or the driver through it, ended the connection, where that may be.
static bool is_decided(const struct slot *slot) {
    const char *reason = slot->record.reason;
    return (slot->lane == lane_refused && strcmp(reason, "connect_refused") == 0) ||
           (slot->lane == lane_hunted && strcmp(reason, "killed") == 0) ||
           (slot->lane == lane_bounded && strcmp(reason, "half_close_timeout") == 0);
}

// MARK: What a side saw

static void judge_side(struct slot *slot, int who) {
    const struct side *side = &slot->sides[who], *other = &slot->sides[!who];
    const char *name = side_names[who];
    bool is_tcp = !lane_is_unix(slot->lane, who), other_is_tcp = !lane_is_unix(slot->lane, !who);
    bool is_cut = is_decided(slot);
    if (side->received > other->sent)
        slot_trouble(slot, "the %s got %" PRIu64 " bytes of %" PRIu64 " sent", name, side->received, other->sent);
    // A Unix socket has no reset: towards it a reset is a close.
    if (side->fin_seen && (is_tcp || !(is_cut || is_abrupt(other)))) {
        if (!other->fin_sent && !(other->did_reset && !other_is_tcp))
            slot_trouble(slot, "the %s saw an end of stream that was not sent", name);
        else if (side->received != other->sent)
            slot_trouble(slot, "the %s saw an end of stream after %" PRIu64 " of %" PRIu64 " bytes", name,
                         side->received, other->sent);
    }
    if (is_abrupt(side)) return;
    // From here on it read to the end.
    if (is_cut) {
        if (is_tcp && !side->reset_seen && !(side->fin_seen && side->fin_sent))
            slot_trouble(slot, "the %s saw no reset though %s", name, slot->record.reason);
        return;
    }
    if (side->reset_seen && !is_abrupt(other)) slot_trouble(slot, "the %s was reset, but the other side did not reset", name);
    if (!is_abrupt(other) && !side->fin_seen) slot_trouble(slot, "the %s saw no end of stream", name);
    // What its system had acknowledged before the reset has to arrive; a Unix socket hands over at once.
    bool is_sure = !other_is_tcp || (other->did_reset && slot->plan.sides[!who].is_flushed &&
                                     slot->plan.sides[!who].ending != end_reset_at_once);
    bool was_left_alone = slot->record.was_connected && slot->lane != lane_hunted;
    if (is_abrupt(other) && is_sure && was_left_alone && side->received != other->sent)
        slot_trouble(slot, "the %s got %" PRIu64 " bytes of %" PRIu64 " that were on their way before the %s", name,
                     side->received, other->sent, other->did_reset ? "reset" : "close");
}

// MARK: What the record says

static void judge_reason(struct slot *slot) {
    const struct record *record = &slot->record;
    const struct side *sides = slot->sides;
    const char *by = strcmp(record->reason, "connect_refused") == 0 ? "upstream"
                     : strncmp(record->reason, "client", 6) == 0    ? "client"
                     : strncmp(record->reason, "upstream", 8) == 0  ? "upstream"
                                                                    : "tapline";
    if (strcmp(record->closed_by, by) != 0)
        slot_trouble(slot, "the record says %s by %s", record->reason, record->closed_by);
    const char *error = record->error;
    bool is_good = false, has_error = false;
    if (slot->lane == lane_refused) {
        bool is_refused = strcmp(record->reason, "connect_refused") == 0;
        is_good = is_refused || (is_abrupt(&sides[client]) && has_reason(record, "client", "reset"));
        has_error = is_refused ? strcmp(error, "ECONNREFUSED") == 0 : error[0] != 0;
        if (!has_error) slot_trouble(slot, "the record says %s with %s", record->reason, error);
    } else if (is_decided(slot)) {
        is_good = true;
    } else if (slot->lane == lane_bounded) {
        is_good = false;
    } else {
        for (int who = 0; who < 2; who++) {
            const struct side *side = &sides[who], *other = &sides[!who];
            if (has_reason(record, side_names[who], "reset")) {
                is_good = is_abrupt(side);
                has_error = strcmp(error, "ECONNRESET") == 0 || strcmp(error, "EPIPE") == 0;
                if (!has_error) slot_trouble(slot, "the record says %s with %s", record->reason, error);
            }
            if (has_reason(record, side_names[who], "closed")) {
                // Both must have ended in order, or in a way that a Unix socket cannot tell from it.
                bool ended = side->fin_sent || (side->did_reset && lane_is_unix(slot->lane, who));
                bool other_ended = other->fin_sent || (other->did_reset && lane_is_unix(slot->lane, !who));
                bool was_first = slot->plan.sides[who].ending != end_fin_after_other || is_abrupt(other);
                is_good = ended && other_ended && was_first && error[0] == 0;
            }
        }
    }
    if (!is_good)
        slot_trouble(slot, "the record says %s%s%s", record->reason, error[0] != 0 ? ", " : "", error);
}

static void judge_count(struct slot *slot, int destination, uint64_t counted) {
    const struct side *from = &slot->sides[!destination], *to = &slot->sides[destination];
    const char *name = destination == upstream ? "bytes_up" : "bytes_down";
    if (counted > from->sent || counted < to->received)
        slot_trouble(slot, "%s is %" PRIu64 ", but %" PRIu64 " were sent and %" PRIu64 " came", name, counted,
                     from->sent, to->received);
    // A side that read to the end received everything that its socket accepted, unless Tapline discarded it with its own
    // reset: also if that was requested while another reset was being passed on.
    if (!is_abrupt(to) && !is_decided(slot) && slot->lane != lane_hunted && counted != to->received)
        slot_trouble(slot, "%s is %" PRIu64 ", but %" PRIu64 " came", name, counted, to->received);
}

static void judge_recording(struct slot *slot) {
    const struct record *record = &slot->record;
    uint64_t passed = record->up + record->down;
    bool is_recorded = record->recorded >= 0 && record->dropped >= 0;
    uint64_t sum = is_recorded ? (uint64_t)record->recorded + (uint64_t)record->dropped : 0;
    switch (slot->lane) {
    case lane_recorded:
    case lane_whole:
        if (!is_recorded || sum != passed || (slot->lane == lane_whole && record->dropped != 0))
            slot_trouble(slot, "%" PRId64 " bytes are recorded and %" PRId64 " dropped of %" PRIu64, record->recorded,
                         record->dropped, passed);
        return;
    case lane_tapped:
        // It may have begun or ended in the middle.
        if (sum > passed) slot_trouble(slot, "%" PRIu64 " bytes are recorded or dropped of %" PRIu64, sum, passed);
        return;
    default:
        if (record->recorded != -1 || record->dropped != -1) slot_trouble(slot, "it is recorded, and should not be");
    }
}

void judge(struct slot *slot) {
    const struct record *record = &slot->record;
    if (!record->is_there || slot->trouble[0] != 0) return;
    for (int who = 0; who < 2; who++)
        if (who == client || slot->was_accepted) judge_side(slot, who);
    judge_reason(slot);
    judge_count(slot, upstream, record->up);
    judge_count(slot, client, record->down);
    judge_recording(slot);
    if (!slot->was_accepted && slot->lane != lane_refused && !is_abrupt(&slot->sides[client]) && !is_decided(slot))
        slot_trouble(slot, "the upstream was never connected");
    const char *address = lane_is_unix(slot->lane, client) ? "unix:" : slot->sides[client].address;
    if (strcmp(record->client, address) != 0)
        slot_trouble(slot, "the record's client is %s, not %s", record->client, address);
    if (strcmp(record->listener, slot->relay_address) != 0)
        slot_trouble(slot, "the record's listener is %s, not %s", record->listener, slot->relay_address);
    if (record->was_connected && strcmp(record->upstream_address, slot->upstream_address) != 0)
        slot_trouble(slot, "the record's upstream is %s, not %s", record->upstream_address, slot->upstream_address);
}
