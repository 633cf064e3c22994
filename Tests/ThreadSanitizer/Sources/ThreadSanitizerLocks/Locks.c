// Lets the thread sanitizer see the locks of Swift's Synchronization module.
//
// A `Mutex` on Linux is a word. Who finds it free takes it with an atomic operation that is inlined into our code, and so
// instrumented: the sanitizer sees it. Who has to wait, or leaves one that somebody waits for, calls the standard library
// (stdlib/public/Synchronization/Mutex/LinuxImpl.swift of Swift: `_lockSlow`, `_unlockSlow`), where the kernel hands the
// word over (FUTEX_LOCK_PI) and nothing is instrumented: the sanitizer misses that the one happened before the other, and
// calls everything that the lock guards a race.
//
// So these two functions stand in front of the library's, call them, and tell the sanitizer what they do. An executable's
// symbols go before a library's, so that linking this file is all it takes, and the product has nothing of it. They say
// no more than is true, an acquire of this lock and a release of it: what a lock does not guard is still found.
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

/// Before any other thread is there.
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
