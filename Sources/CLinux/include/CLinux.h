// The few Linux calls that Swift cannot reach: what glibc declares only under _GNU_SOURCE, what the kernel's headers
// declare, variadic functions, and macros that are expressions. They are functions, not inlines: a header that defines
// _GNU_SOURCE would clash with Swift's own view of glibc.
#ifndef TAPLINE_CLINUX_H
#define TAPLINE_CLINUX_H

#include <spawn.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/types.h>

// openat(2), which is variadic.
int tapline_openat(int directory, const char *name, int flags, mode_t mode);

// Whether writing to a file costs less where its blocks were allocated ahead: 1 on ext4 and XFS, also below an overlay,
// which reserve blocks one by one as a file grows. Not where that makes pages (tmpfs) or crosses a network.
int tapline_gains_by_preallocation(int fd);

// Whether a lock (flock(2)) on a file concerns only who asks for one: 1 but on network file systems. A lock over SMB keeps
// everybody else from reading; one over NFS that is lost with the connection makes every write fail.
int tapline_lock_is_harmless(int fd);

// fallocate(2) with FALLOC_FL_KEEP_SIZE.
int tapline_preallocate(int fd, off_t offset, off_t length);

// renameat2(2) with RENAME_NOREPLACE; EINVAL where the file system cannot do it.
int tapline_rename_to_free_name(const char *from, const char *to);

// accept4(2) with SOCK_NONBLOCK and SOCK_CLOEXEC.
int tapline_accept(int fd, struct sockaddr *address, socklen_t *length);

// pipe2(2) with O_NONBLOCK and O_CLOEXEC.
int tapline_pipe(int fds[2]);

// splice(2) with SPLICE_F_MOVE and SPLICE_F_NONBLOCK, and no other flag: SPLICE_F_MORE holds small messages back for
// 200 ms.
ssize_t tapline_splice(int from, int to, size_t count);

// fcntl(2) F_SETPIPE_SZ and F_GETPIPE_SZ.
int tapline_set_pipe_size(int fd, int size);
int tapline_pipe_size(int fd);

// fcntl(2) F_SETFL with O_NONBLOCK added.
int tapline_set_nonblocking(int fd);

// SIOCOUTQ (tcp(7), unix(7)): bytes that the peer's kernel has not acknowledged, or that its reader has not taken.
int tapline_unsent(int fd, int *bytes);

// SIOCINQ (tcp(7), unix(7)): bytes that have come and are not read.
int tapline_unread(int fd, int *bytes);

// The C symbol of an error number; NULL when there is none.
const char *tapline_errno_name(int code);

// sched_getaffinity(2): how many cores the process may run on; 1 when the system does not say.
int tapline_available_cores(void);

// Names the calling thread, in 15 bytes at most.
int tapline_set_thread_name(const char *name);

// Marks every descriptor from 3 on as closed on exec: close_range(2), Linux 5.11. -1 and errno before that.
int tapline_close_all_on_exec(void);

// Has a program that is started close every descriptor from this one on (posix_spawn_file_actions_addclosefrom_np, glibc
// 2.34); an error number or 0.
int tapline_add_close_from(posix_spawn_file_actions_t *actions, int lowest);

// signalfd(2) for SIGINT and SIGTERM, which are blocked for the calling thread and those that it starts from now on; -1
// and errno when that fails.
int tapline_interrupt_descriptor(void);

// Takes one signal from such a descriptor: whether there was one.
int tapline_take_interrupt(int fd);

// TIOCGWINSZ: how many columns a terminal has; 0 when it does not say, or is none.
int tapline_terminal_columns(int fd);

// TIOCGWINSZ: how many rows a terminal has; 0 when it does not say, or is none.
int tapline_terminal_rows(int fd);

// Whether the system has what one more thread with an epoll set, an eventfd and a timerfd takes, all of which are given
// back: 0, or the error number of what it refused.
int tapline_try_event_loop(void);

// memfd_create(2) with MFD_CLOEXEC: a file without a name, in memory.
int tapline_memory_file(const char *name);

// The kernel's struct tcp_info as far as Tapline reads it (linux/tcp.h, which cannot be included beside netinet/tcp.h).
struct tapline_tcp_info {
    uint8_t state, ca_state, retransmits, probes, backoff, options;
    uint8_t window_scales, flags;
    uint32_t rto, ato, snd_mss, rcv_mss;
    uint32_t unacked, sacked, lost, retrans, fackets;
    uint32_t last_data_sent, last_ack_sent, last_data_recv, last_ack_recv;
    uint32_t pmtu, rcv_ssthresh, rtt, rttvar, snd_ssthresh, snd_cwnd, advmss, reordering;
    uint32_t rcv_rtt, rcv_space, total_retrans;
};

#endif
