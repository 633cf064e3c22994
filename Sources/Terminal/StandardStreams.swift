package import Sockets

/// Writes text to standard error at once, before or after there is a thread for that.
package func writeToStandardError(_ text: String) {
    var offset = 0
    // Nobody is left to be told that standard error takes nothing.
    try? OutputFile.standardError.write(Array(text.utf8), from: &offset)
}

/// Writes text to standard output at once, for commands that only say something.
package func writeToStandardOutput(_ text: String) throws(SystemError) {
    var offset = 0
    do {
        try OutputFile.standardOutput.write(Array(text.utf8), from: &offset)
    } catch {
        throw SystemError("write to standard output", error)
    }
}
