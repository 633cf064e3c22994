internal import CLinux

/// The allocator's memory.
public enum Heap {
    /// Returns free memory of all threads to the system (malloc_trim(3)). Another thread that allocates meanwhile may wait.
    ///
    /// glibc itself returns memory only from the end of a heap, so that one block near it keeps everything before it.
    public static func returnFreeMemory() {
        // Whether there was any says nothing that matters.
        _ = tapline_trim_heaps()
    }
}
