#define _GNU_SOURCE

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <netinet/in.h>
#include <time.h>
#include <unistd.h>

#include "loadgen.h"

// From exec to the first connection that is taken, and to the first message that came back through it. Listening is
// not yet serving: the kernel completes connections for a process that has not called accept, so both times are reported.

enum { poll_every_ns = 50 * 1000, give_up_ms = 10000, end_bound_ms = 5000 };

static void pause_ns(long ns) { nanosleep(&(struct timespec){.tv_nsec = ns}, NULL); }

static bool try_connect(struct target target) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    // A program with many relays binds them in order: it accepts when the last one does.
    struct sockaddr_in address = target_address(target, target.ports - 1u);
    bool taken = connect(fd, (struct sockaddr *)&address, sizeof address) == 0;
    close(fd);
    return taken;
}

static void end_child(pid_t child) {
    kill(child, SIGTERM);
    for (int waited = 0; waited < end_bound_ms; waited++) {
        if (waitpid(child, NULL, WNOHANG) == child) return;
        pause_ns(1000 * 1000);
    }
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}

static volatile int64_t began; // written by the child, which shares our memory until its exec

static pid_t begin(char **command) {
    pid_t child = vfork();
    if (child < 0) die("vfork: %s", strerror(errno));
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        signal(SIGPIPE, SIG_DFL);
        began = now_ns();
        execvp(command[0], command);
        _exit(127);
    }
    return child;
}

void start(struct target target, char **command) {
    prctl(PR_SET_TIMERSLACK, 1);
    pid_t child = begin(command);

    int64_t accepting = 0;
    while (accepting == 0) {
        if (try_connect(target)) {
            accepting = now_ns();
            break;
        }
        if (waitpid(child, NULL, WNOHANG) == child) die("%s ended before it listened", command[0]);
        if (now_ns() - began > (int64_t)give_up_ms * 1000000) {
            end_child(child);
            die("%s does not listen after %d ms", command[0], give_up_ms);
        }
        pause_ns(poll_every_ns);
    }
    int fd = connect_blocking(target, target.ports - 1u);
    bool served = exchange_blocking(fd, 0, 0, request_size);
    int64_t serving = now_ns();
    close(fd);
    printf("{\"pid\": %d, \"accepting_ms\": %.3f, \"serving_ms\": %.3f, \"served\": %s}\n", child,
           (double)(accepting - began) / 1e6, (double)(serving - began) / 1e6, served ? "true" : "false");
    wait_for_end();
    end_child(child);
}
