// Lets the thread sanitizer see the locks of Swift's Synchronization module.
//
// A `Mutex` on Linux is a word. Locking a free one is an atomic operation that is inlined into our code and instrumented, so
// the sanitizer sees it. Waiting for a lock, and unlocking one with waiters, are calls into the standard library
// (stdlib/public/Synchronization/Mutex/LinuxImpl.swift of Swift: `_lockSlow`, `_unlockSlow`), where the kernel passes the
// word on (FUTEX_LOCK_PI) and nothing is instrumented: the sanitizer misses that one happened before the other, and reports
// a race for everything that the lock guards.
//
// These two functions replace the library's, call them, and report them to the sanitizer. An executable's symbols precede a
// library's, so linking this file is enough, and the product does not contain it. They report only an acquire and a release
// of this lock, so unguarded accesses are still found.
//
// The names are the compiler's for
//     Synchronization._MutexHandle._lockSlow(Swift.UInt32) -> ()
//     Synchronization._MutexHandle._unlockSlow() -> ()
// Should another release of Swift rename them, these are never called, and `.ci/sanitize` says so before it runs a test.

#define _GNU_SOURCE

#include "ThreadSanitizerLocks.h"

#if __has_feature(thread_sanitizer)

#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define LOCK_SLOW "$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF"
#define UNLOCK_SLOW "$s15Synchronization12_MutexHandleV11_unlockSlowyyF"

// The lock is the method's self, which Swift passes in a register of its own.
#define SWIFT_METHOD __attribute__((swiftcall))
#define SELF __attribute__((swift_context))

void __tsan_acquire(void *address);
void __tsan_release(void *address);

static SWIFT_METHOD void (*real_lock)(uint32_t thread, SELF uint32_t *word);
static SWIFT_METHOD void (*real_unlock)(SELF uint32_t *word);
static unsigned long waits;

/// Runs before any other thread exists.
__attribute__((constructor)) static void find_real_ones(void) {
    *(void **)&real_lock = dlsym(RTLD_NEXT, LOCK_SLOW);
    *(void **)&real_unlock = dlsym(RTLD_NEXT, UNLOCK_SLOW);
    if (real_lock == NULL || real_unlock == NULL) {
        fputs("ThreadSanitizerLocks: this Swift's Mutex has other functions than " __FILE__ " knows: name them there\n",
              stderr);
        abort();
    }
}

SWIFT_METHOD void see_lock(uint32_t thread, SELF uint32_t *word) __asm__(LOCK_SLOW);
SWIFT_METHOD void see_unlock(SELF uint32_t *word) __asm__(UNLOCK_SLOW);

SWIFT_METHOD void see_lock(uint32_t thread, SELF uint32_t *word) {
    real_lock(thread, word);
    __atomic_fetch_add(&waits, 1, __ATOMIC_RELAXED);
    __tsan_acquire(word);
}

SWIFT_METHOD void see_unlock(SELF uint32_t *word) {
    __tsan_release(word);
    real_unlock(word);
}

int thread_sanitizer_sees_locks(void) { return 1; }
unsigned long thread_sanitizer_waits(void) { return __atomic_load_n(&waits, __ATOMIC_RELAXED); }

#else

int thread_sanitizer_sees_locks(void) { return 0; }
unsigned long thread_sanitizer_waits(void) { return 0; }

#endif
