#pragma once

/// Whether this was built for the thread sanitizer, so that it sees who waits for a `Mutex`: `Locks.c` says how.
int thread_sanitizer_sees_locks(void);

/// How often a thread of this process had to wait for a `Mutex`; 0 without the sanitizer.
unsigned long thread_sanitizer_waits(void);
