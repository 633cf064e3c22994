#define _GNU_SOURCE

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "flows.h"

static const char usage[] =
    "usage: flows play --records FIFO --folder DIR [--seed N] [--at-once N] [--patience SECONDS]\n"
    "       flows hold\n"
    "       flows plan SEED FLOW                     what a flow does, in words\n"
    "       flows table SEED                         what the content of every flow is cut from\n"
    "\n"
    "play says first where its upstreams listen, and then takes lines of standard input:\n"
    "       at RELAY ADDRESS       where a relay listens\n"
    "       play FIRST COUNT       plays those flows\n"
    "       only FLOW TIMES        plays one flow so often\n"
    "       volume UP DOWN         plays one flow with UP and DOWN bytes\n"
    "       stop                   begins no more\n"
    "What it says are objects, one a line: `trouble` for each fault, `recorded` for each recorded flow, `played` once\n"
    "a second, `done` at the end of each job. End records come through the FIFO, as Tapline writes them (JSON).\n";

struct run run = {.seed = 1, .at_once = 96, .patience = 40000000000};

static uint64_t number(const char *text) {
    char *end;
    errno = 0;
    uint64_t value = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != 0 || errno != 0) die("%s: a number is wanted", text);
    return value;
}

// MARK: Commands

static void begin(enum job job, uint64_t first, uint64_t count) {
    run.job = job;
    run.first = first;
    run.end = job == job_play ? first + count : count;
    for (int lane = 0; lane < lane_count; lane++) run.lane_next[lane] = job == job_play ? first : 0;
}

static void obey(const char *line) {
    char name[64], address[128];
    uint64_t first, second;
    if (sscanf(line, "at %63s %127s", name, address) == 2) {
        struct slot *slot = slot_named(name, strlen(name));
        if (slot == NULL) die("%s: there is no such relay", name);
        strcpy(slot->relay_address, address);
        return;
    }
    if (strcmp(line, "stop") == 0) {
        run.end = 0;
        return;
    }
    for (unsigned i = 0; i < run.slot_count; i++)
        if (run.slots[i].relay_address[0] == 0) die("%s has no address", run.slots[i].name);
    if (sscanf(line, "play %" SCNu64 " %" SCNu64, &first, &second) == 2) {
        begin(job_play, first, second);
    } else if (sscanf(line, "only %" SCNu64 " %" SCNu64, &first, &second) == 2) {
        begin(job_only, first, second);
    } else if (sscanf(line, "volume %" SCNu64 " %" SCNu64, &first, &second) == 2) {
        begin(job_volume, 0, 1);
        run.volume[client] = first;
        run.volume[upstream] = second;
    } else {
        die("%s: no such command", line);
    }
}

bool commands_read(void) {
    static char text[65536];
    static size_t length;
    ssize_t count = read(0, text + length, sizeof text - length - 1);
    if (count <= 0) return false;
    length += (size_t)count;
    char *line = text, *end;
    while ((end = memchr(line, '\n', length - (size_t)(line - text))) != NULL) {
        *end = 0;
        obey(line);
        line = end + 1;
    }
    length -= (size_t)(line - text);
    memmove(text, line, length);
    return true;
}

// MARK: Playing

static void watch(int fd, void *mark) {
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = mark};
    if (epoll_ctl(run.poller, EPOLL_CTL_ADD, fd, &event) < 0) die("epoll_ctl: %s", strerror(errno));
}

static void play(void) {
    // Two addresses that are no sides; a listener's mark is odd (slot.c).
    static uint64_t of_input, of_records;
    if (run.records == NULL || run.folder == NULL) die("--records and --folder are wanted");
    content_fill(run.seed);
    run.poller = epoll_create1(EPOLL_CLOEXEC);
    run.record_pipe = open(run.records, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (run.poller < 0 || run.record_pipe < 0) die("%s: %s", run.records, strerror(errno));
    slots_make();
    watch(0, &of_input);
    watch(run.record_pipe, &of_records);
    int64_t told_at = now_ns();
    for (;;) {
        int64_t now = now_ns(), next = slots_turn(now), wait = next - now;
        if (run.job != job_none && now - told_at >= 1000000000) {
            printf("{\"played\": %" PRIu64 ", \"busy\": %u, \"troubles\": %" PRIu64 "}\n", run.tally.played, run.busy,
                   run.tally.troubles);
            told_at = now;
        }
        struct epoll_event events[256];
        if (wait > 1000000000) wait = 1000000000;
        int count = epoll_wait(run.poller, events, 256, wait <= 0 ? 0 : (int)((wait + 999999) / 1000000));
        if (count < 0 && errno != EINTR) die("epoll_wait: %s", strerror(errno));
        now = now_ns();
        for (int i = 0; i < count; i++) {
            if (events[i].data.u64 & 1) {
                slot_accept(&run.slots[events[i].data.u64 >> 1], now);
            } else if (events[i].data.ptr == &of_input) {
                if (!commands_read()) return;
            } else if (events[i].data.ptr == &of_records) {
                if (records_read()) continue;
                if (run.busy > 0) die("tapline has closed its output");
                epoll_ctl(run.poller, EPOLL_CTL_DEL, run.record_pipe, NULL);
            } else {
                side_step(events[i].data.ptr, now);
            }
        }
    }
}

static void play_options(int count, char **arguments) {
    static const struct option options[] = {
        {"seed", required_argument, NULL, 's'},   {"at-once", required_argument, NULL, 'a'},
        {"patience", required_argument, NULL, 'p'}, {"records", required_argument, NULL, 'r'},
        {"folder", required_argument, NULL, 'f'}, {NULL, 0, NULL, 0}};
    int option;
    while ((option = getopt_long(count, arguments, "", options, NULL)) != -1) {
        switch (option) {
        case 's': run.seed = number(optarg); break;
        case 'a': run.at_once = (unsigned)number(optarg); break;
        case 'p': run.patience = (int64_t)number(optarg) * 1000000000; break;
        case 'r': run.records = optarg; break;
        case 'f': run.folder = optarg; break;
        default: exit(64);
        }
    }
    if (optind < count) die("%s: one word too many", arguments[optind]);
    // A slot's number is the last byte of its clients' address.
    if (run.at_once < 1 || run.at_once > 200) die("1 to 200 flows at once");
}

int main(int count, char **arguments) {
    // A peer that goes away is an error to report, not a reason to die; a driver that goes away ends us too.
    signal(SIGPIPE, SIG_IGN);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);

    const char *name = count > 1 ? arguments[1] : "";
    if (strcmp(name, "table") == 0 && count == 3) {
        content_fill(number(arguments[2]));
        return fwrite(content, 1, content_period, stdout) == content_period ? 0 : 1;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (strcmp(name, "play") == 0) {
        play_options(count - 1, arguments + 1);
        play();
    } else if (strcmp(name, "hold") == 0 && count == 2) {
        hold();
    } else if (strcmp(name, "plan") == 0 && count == 4) {
        struct plan plan = plan_make(number(arguments[2]), number(arguments[3]));
        plan_print(&plan, stdout);
        putchar('\n');
    } else {
        fputs(usage, stderr);
        return 64;
    }
    return 0;
}
