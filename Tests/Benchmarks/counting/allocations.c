// Preloaded into a relay (LD_PRELOAD): counts what it allocates, each thread for itself, in a file that the driver maps too.
// glibc's own functions do the work, under the names that it keeps for this.

#define _GNU_SOURCE

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void __libc_free(void *memory);

/// One thread's counts, written by it alone. `relay.py` reads the same layout.
struct row {
    uint64_t thread; // 0: not taken
    uint64_t taken;  // malloc, calloc, realloc of nothing, memalign and its kind
    uint64_t grown;  // realloc of something
    uint64_t freed;
    uint64_t bytes; // asked for by what was taken and grown
};

enum { rows = 256 };

static struct row spare[rows]; // until the file is there, and for whatever is started without one
static struct row *table = spare;
static unsigned claimed;
static __thread struct row *mine __attribute__((tls_model("initial-exec")));

/// Before `main`: what is allocated earlier, by the loader, is not of interest.
__attribute__((constructor)) static void map_table(void) {
    const char *path = getenv("TAPLINE_COUNTS");
    int fd = path != NULL ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0) return;
    void *memory = mmap(NULL, sizeof spare, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (memory == MAP_FAILED) return;
    table = memory;
    mine = NULL;
    __atomic_store_n(&claimed, 0, __ATOMIC_RELAXED);
}

static struct row *row(void) {
    if (mine == NULL) {
        unsigned index = __atomic_fetch_add(&claimed, 1, __ATOMIC_RELAXED);
        if (index >= rows) abort(); // a count that lacks a thread would be wrong in silence
        mine = &table[index];
        __atomic_store_n(&mine->thread, (uint64_t)gettid(), __ATOMIC_RELAXED);
    }
    return mine;
}

static void add(uint64_t *count, uint64_t more) {
    __atomic_store_n(count, __atomic_load_n(count, __ATOMIC_RELAXED) + more, __ATOMIC_RELAXED);
}

static void *counted(void *memory, size_t size) {
    if (memory != NULL) {
        add(&row()->taken, 1);
        add(&row()->bytes, size);
    }
    return memory;
}

void *malloc(size_t size) { return counted(__libc_malloc(size), size); }
void *calloc(size_t count, size_t size) { return counted(__libc_calloc(count, size), count * size); }
void *memalign(size_t alignment, size_t size) { return counted(__libc_memalign(alignment, size), size); }
void *aligned_alloc(size_t alignment, size_t size) { return counted(__libc_memalign(alignment, size), size); }

int posix_memalign(void **memory, size_t alignment, size_t size) {
    if (alignment % sizeof(void *) != 0 || (alignment & (alignment - 1)) != 0) return EINVAL;
    void *found = counted(__libc_memalign(alignment, size), size);
    if (found == NULL) return ENOMEM;
    *memory = found;
    return 0;
}

void *realloc(void *memory, size_t size) {
    if (memory == NULL) return counted(__libc_realloc(memory, size), size);
    void *found = __libc_realloc(memory, size);
    if (size == 0)
        add(&row()->freed, 1);
    else if (found != NULL) {
        add(&row()->grown, 1);
        add(&row()->bytes, size);
    }
    return found;
}

void free(void *memory) {
    if (memory == NULL) return;
    add(&row()->freed, 1);
    __libc_free(memory);
}
