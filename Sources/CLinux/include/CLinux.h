// Linux calls that Swift cannot import: declarations under _GNU_SOURCE, kernel headers, variadic functions, expression
// macros. Not inline, because a header that defines _GNU_SOURCE would clash with Swift's Glibc module.
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

// Whether preallocation makes writing to a file cheaper: 1 on ext4 and XFS, also below an overlay, because they reserve
// blocks one by one as a file grows. 0 where it would allocate pages (tmpfs) or cross a network.
int tapline_gains_by_preallocation(int fd);

// Whether a lock (flock(2)) on a file affects only processes that also lock it: 0 on network file systems. A lock over
// SMB blocks all other readers; a lock over NFS that is lost with the connection makes every write fail.
int tapline_lock_is_harmless(int fd);

// fallocate(2) with FALLOC_FL_KEEP_SIZE.
int tapline_preallocate(int fd, off_t offset, off_t length);

// renameat2(2) with RENAME_NOREPLACE; EINVAL if the file system does not support it.
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

// SIOCOUTQ (tcp(7), unix(7)): bytes that the peer's kernel has not acknowledged (TCP) or the peer has not read (Unix).
int tapline_unsent(int fd, int *bytes);

// SIOCINQ (tcp(7), unix(7)): bytes received and not yet read.
int tapline_unread(int fd, int *bytes);

// The C symbol of an error number, or NULL.
const char *tapline_errno_name(int code);

// sched_getaffinity(2): the number of cores that the process may run on; 1 if the call fails.
int tapline_available_cores(void);

// malloc_trim(3): returns the free pages of all heaps of the process to the system. 1 if there were any.
int tapline_trim_heaps(void);

// Names the calling thread; at most 15 bytes.
int tapline_set_thread_name(const char *name);

// Marks every descriptor from 3 on as closed on exec: close_range(2), Linux 5.11; -1 and errno on older kernels.
int tapline_close_all_on_exec(void);

// Closes every descriptor from `lowest` on in the new program (posix_spawn_file_actions_addclosefrom_np, glibc 2.34);
// returns 0 or an error number.
int tapline_add_close_from(posix_spawn_file_actions_t *actions, int lowest);

// signalfd(2) for SIGINT and SIGTERM, which are blocked for the calling thread and threads that it starts later; -1 and
// errno on failure.
int tapline_interrupt_descriptor(void);

// Reads one signal from that descriptor; returns whether one was pending.
int tapline_read_interrupt(int fd);

// TIOCGWINSZ: the columns of a terminal; 0 if unknown or not a terminal.
int tapline_terminal_columns(int fd);

// TIOCGWINSZ: the rows of a terminal; 0 if unknown or not a terminal.
int tapline_terminal_rows(int fd);

// Creates a thread, an epoll set, an eventfd and a timerfd, and releases them: 0, or the error number of the first that
// the system refused.
int tapline_try_event_loop(void);

// memfd_create(2) with MFD_CLOEXEC: an anonymous file in memory.
int tapline_memory_file(const char *name);

// The part of the kernel's struct tcp_info that Tapline reads (linux/tcp.h conflicts with netinet/tcp.h).
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
