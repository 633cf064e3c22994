#define _GNU_SOURCE

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "flows.h"

// End records as Tapline writes them: flat JSON, one a line.

static char text[1 << 20];
static size_t text_length;

/// Where a key's value begins; NULL when the key is not there.
static const char *value_of(const char *line, const char *key) {
    char quoted[40];
    snprintf(quoted, sizeof quoted, "\"%s\":", key);
    const char *found = strstr(line, quoted);
    return found == NULL ? NULL : found + strlen(quoted);
}

static bool text_value(const char *line, const char *key, char *into, size_t size) {
    const char *value = value_of(line, key);
    if (value == NULL) return false;
    into[0] = 0;
    if (*value != '"') return strncmp(value, "null", 4) == 0;
    const char *end = strchr(++value, '"');
    if (end == NULL || (size_t)(end - value) >= size) return false;
    memcpy(into, value, (size_t)(end - value));
    into[end - value] = 0;
    return true;
}

/// A number; -1 for null.
static bool number_value(const char *line, const char *key, int64_t *into) {
    const char *value = value_of(line, key);
    if (value == NULL) return false;
    if (strncmp(value, "null", 4) == 0) {
        *into = -1;
        return true;
    }
    char *end;
    *into = strtoll(value, &end, 10);
    return end != value;
}

static bool record_parse(const char *line, struct record *record) {
    int64_t id, up, down, connect;
    if (!number_value(line, "id", &id) || !number_value(line, "bytes_up", &up) ||
        !number_value(line, "bytes_down", &down) || !number_value(line, "connect_ms", &connect) ||
        !number_value(line, "recorded_bytes", &record->recorded) ||
        !number_value(line, "dropped_bytes", &record->dropped) ||
        !text_value(line, "reason", record->reason, sizeof record->reason) ||
        !text_value(line, "closed_by", record->closed_by, sizeof record->closed_by) ||
        !text_value(line, "errno", record->error, sizeof record->error) ||
        !text_value(line, "client", record->client, sizeof record->client) ||
        !text_value(line, "listener", record->listener, sizeof record->listener) ||
        !text_value(line, "upstream_address", record->upstream_address, sizeof record->upstream_address))
        return false;
    record->id = (uint64_t)id;
    record->up = (uint64_t)up;
    record->down = (uint64_t)down;
    record->was_connected = connect >= 0;
    record->is_there = true;
    return true;
}

static void take(const char *line) {
    const char *name = value_of(line, "relay");
    const char *end = name == NULL ? NULL : strchr(name + 1, '"');
    // What the driver does between reloads has relays of its own.
    struct slot *slot = end == NULL ? NULL : slot_named(name + 1, (size_t)(end - name - 1));
    if (slot == NULL) {
        run.tally.other_records++;
        return;
    }
    if (!slot->is_busy || slot->record.is_there) {
        run.tally.troubles++;
        printf("{\"relay\": \"%s\", \"trouble\": \"one more record came than there are connections\", \"line\": %s}\n",
               slot->name, line);
        return;
    }
    if (!record_parse(line, &slot->record)) {
        run.tally.troubles++;
        printf("{\"relay\": \"%s\", \"trouble\": \"no end record\", \"line\": %s}\n", slot->name, line);
    }
}

bool records_read(void) {
    ssize_t count = read(run.record_pipe, text + text_length, sizeof text - text_length - 1);
    if (count < 0) {
        if (errno == EAGAIN) return true;
        die("records: %s", strerror(errno));
    }
    if (count == 0) return false;
    text_length += (size_t)count;
    char *line = text, *end;
    while ((end = memchr(line, '\n', text_length - (size_t)(line - text))) != NULL) {
        *end = 0;
        take(line);
        line = end + 1;
    }
    text_length -= (size_t)(line - text);
    memmove(text, line, text_length);
    if (text_length == sizeof text - 1) die("a record without an end");
    return true;
}
