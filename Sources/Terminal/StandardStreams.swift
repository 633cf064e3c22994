package import Sockets

/// Writes text to standard error at once, without the diagnostics' thread: before it starts or after it has ended.
package func writeToStandardError(_ text: String) {
    var offset = 0
    // A failure cannot be reported anywhere.
    try? OutputFile.standardError.write(Array(text.utf8), from: &offset)
}

/// Writes text to standard output at once, without a writer's thread.
package func writeToStandardOutput(_ text: String) throws(SystemError) {
    var offset = 0
    do {
        try OutputFile.standardOutput.write(Array(text.utf8), from: &offset)
    } catch {
        throw SystemError("write to standard output", error)
    }
}
