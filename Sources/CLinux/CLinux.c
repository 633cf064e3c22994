#define _GNU_SOURCE

#include "CLinux.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/sockios.h>
#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/statfs.h>
#include <sys/timerfd.h>
#include <unistd.h>

// Swift reads the command line from /proc/self/cmdline. Without a mounted /proc it finds no arguments, and every
// command would print the help and exit with status 0. This undocumented function of the Swift runtime sets the
// arguments; the symbol is weak, so a runtime without it still reads /proc.
extern void _swift_stdlib_overrideUnsafeArgvArgc(char **arguments, int count) __attribute__((weak));

// glibc passes main's arguments to every constructor.
__attribute__((constructor)) static void set_command_line(int count, char **arguments) {
    if (_swift_stdlib_overrideUnsafeArgvArgc && count > 0) _swift_stdlib_overrideUnsafeArgvArgc(arguments, count);
}

int tapline_rename_to_free_name(const char *from, const char *to) {
    return renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE);
}

int tapline_accept(int fd, struct sockaddr *address, socklen_t *length) {
    return accept4(fd, address, length, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

int tapline_pipe(int fds[2]) { return pipe2(fds, O_NONBLOCK | O_CLOEXEC); }

ssize_t tapline_splice(int from, int to, size_t count) {
    return splice(from, NULL, to, NULL, count, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
}

int tapline_openat(int directory, const char *name, int flags, mode_t mode) {
    return openat(directory, name, flags, mode);
}

int tapline_gains_by_preallocation(int fd) {
    struct statfs facts;
    if (fstatfs(fd, &facts) < 0) return 0;
    return facts.f_type == EXT4_SUPER_MAGIC || facts.f_type == XFS_SUPER_MAGIC || facts.f_type == OVERLAYFS_SUPER_MAGIC;
}

int tapline_lock_is_harmless(int fd) {
    struct statfs facts;
    if (fstatfs(fd, &facts) < 0) return 0;
    switch ((unsigned int)facts.f_type) {
    case NFS_SUPER_MAGIC:
    case SMB_SUPER_MAGIC:
    case CIFS_SUPER_MAGIC:
    case SMB2_SUPER_MAGIC: return 0;
    default: return 1;
    }
}

int tapline_preallocate(int fd, off_t offset, off_t length) {
    return fallocate(fd, FALLOC_FL_KEEP_SIZE, offset, length);
}

int tapline_set_pipe_size(int fd, int size) { return fcntl(fd, F_SETPIPE_SZ, size); }

int tapline_pipe_size(int fd) { return fcntl(fd, F_GETPIPE_SZ); }

int tapline_set_nonblocking(int fd) {
    int flags = fcntl(fd, F_GETFL);
    return flags < 0 ? flags : fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

int tapline_unsent(int fd, int *bytes) { return ioctl(fd, SIOCOUTQ, bytes); }

int tapline_unread(int fd, int *bytes) { return ioctl(fd, SIOCINQ, bytes); }

const char *tapline_errno_name(int code) { return strerrorname_np(code); }

int tapline_available_cores(void) {
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
}

int tapline_trim_heaps(void) { return malloc_trim(0); }

int tapline_set_thread_name(const char *name) { return pthread_setname_np(pthread_self(), name); }

int tapline_memory_file(const char *name) { return memfd_create(name, MFD_CLOEXEC); }

// The first fields of the kernel's struct have had these offsets since 2.6; later kernels only append fields.
_Static_assert(offsetof(struct tapline_tcp_info, rto) == 8, "tcp_info: rto");
_Static_assert(offsetof(struct tapline_tcp_info, last_data_sent) == 44, "tcp_info: last_data_sent");
_Static_assert(offsetof(struct tapline_tcp_info, rtt) == 68, "tcp_info: rtt");
_Static_assert(offsetof(struct tapline_tcp_info, total_retrans) == 100, "tcp_info: total_retrans");

int tapline_close_all_on_exec(void) { return close_range(3, ~0U, CLOSE_RANGE_CLOEXEC); }

int tapline_add_close_from(posix_spawn_file_actions_t *actions, int lowest) {
    return posix_spawn_file_actions_addclosefrom_np(actions, lowest);
}

int tapline_interrupt_descriptor(void) {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    int error = pthread_sigmask(SIG_BLOCK, &signals, NULL);
    if (error != 0) {
        errno = error;
        return -1;
    }
    return signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
}

int tapline_read_interrupt(int fd) {
    struct signalfd_siginfo info;
    return read(fd, &info, sizeof info) == (ssize_t)sizeof info;
}

static void *tapline_return(void *argument) { return argument; }

int tapline_try_event_loop(void) {
    int error = 0;
    int descriptors[3] = {epoll_create1(EPOLL_CLOEXEC), -1, -1};
    if (descriptors[0] < 0) error = errno;
    if (error == 0 && (descriptors[1] = eventfd(0, EFD_CLOEXEC)) < 0) error = errno;
    if (error == 0 && (descriptors[2] = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC)) < 0) error = errno;
    pthread_t thread;
    if (error == 0 && (error = pthread_create(&thread, NULL, tapline_return, NULL)) == 0) pthread_join(thread, NULL);
    for (int i = 0; i < 3; i++) {
        if (descriptors[i] >= 0) close(descriptors[i]);
    }
    return error;
}

int tapline_terminal_columns(int fd) {
    struct winsize size;
    return ioctl(fd, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

int tapline_terminal_rows(int fd) {
    struct winsize size;
    return ioctl(fd, TIOCGWINSZ, &size) == 0 ? size.ws_row : 0;
}
