// Stands between a program and the system's accept4(2), for errors that no test may bring about for the whole machine: as
// long as the number in the file REFUSE_FILE is above zero, accepting on an IPv4 socket fails with the error number
// REFUSE_ERROR, and the number goes down by one.
//
//     cc -shared -fPIC -O2 -o refuse.so refuse.c
//     LD_PRELOAD=./refuse.so REFUSE_FILE=number REFUSE_ERROR=23 program
#define _GNU_SOURCE

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

static _Atomic int *left;
static int error_number;

__attribute__((constructor)) static void open_file(void) {
    const char *path = getenv("REFUSE_FILE"), *error = getenv("REFUSE_ERROR");
    if (!path || !error) return;
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0) abort();
    void *memory = mmap(NULL, sizeof *left, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED) abort();
    close(fd);
    left = memory;
    error_number = atoi(error);
}

static int is_refused(int fd) {
    int family = 0;
    socklen_t size = sizeof family;
    if (!left || getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &size) < 0 || family != AF_INET) return 0;
    if (atomic_load(left) <= 0) return 0;
    atomic_fetch_sub(left, 1);
    return 1;
}

int accept4(int fd, __SOCKADDR_ARG address, socklen_t *restrict length, int flags) {
    static int (*real)(int, __SOCKADDR_ARG, socklen_t *restrict, int);
    if (!real) real = (int (*)(int, __SOCKADDR_ARG, socklen_t *restrict, int))dlsym(RTLD_NEXT, "accept4");
    if (is_refused(fd)) {
        errno = error_number;
        return -1;
    }
    return real(fd, address, length, flags);
}
