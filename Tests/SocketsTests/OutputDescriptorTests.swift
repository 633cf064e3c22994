import Glibc
import Sockets
import TestSupport
import Testing

/// Paths that name a descriptor of the process.
@Suite struct OutputDescriptorTests {
    @Test(
        arguments: [
            ("/dev/stdin", 0), ("/dev/stdout", 1), ("/dev/stderr", 2), ("/dev/fd/7", 7), ("/proc/self/fd/12", 12),
            ("/proc/thread-self/fd/3", 3), ("/proc/\(getpid())/fd/4", 4), ("//dev/./fd/../fd/9", 9),
        ] as [(String, CInt)])
    func pathsOfDescriptors_areKnown(path: String, descriptor: CInt) {
        #expect(OutputFile.descriptor(namedBy: path) == descriptor)
    }

    @Test(arguments: [
        "/dev/null", "/dev/fd", "/dev/fd/", "/dev/fd/x", "/dev/fd/-1", "/dev/fd/+1", "/dev/fd/99999999999",
        "/proc/1/fd/1",
        "/dev/fd/1/x", "/tmp/stdout", "", "/",
    ])
    func otherPaths_areNot(path: String) {
        #expect(OutputFile.descriptor(namedBy: path) == nil)
    }

    @Test func links_areFollowed_andCirclesEnd() async throws {
        try await TemporaryFolder.run { folder in
            for (name, target) in [
                ("one", "/dev/stdout"), ("two", "one"), ("three", folder + "/two"), ("round", "about"),
                ("about", "round"),
                ("file", "nothing"),
            ] {
                #expect(symlink(target, "\(folder)/\(name)") == 0)
            }
            for name in ["one", "two", "three"] {
                #expect(OutputFile.descriptor(namedBy: "\(folder)/\(name)") == 1)
            }
            for name in ["round", "file"] { #expect(OutputFile.descriptor(namedBy: "\(folder)/\(name)") == nil) }
        }
    }

    /// A socket cannot be opened by its path, but its descriptor can be written to.
    @Test func inheritedSocket_isWrittenTo() async throws {
        try await Exclusive.run {
            var pair: [CInt] = [-1, -1]
            #expect(socketpair(AF_UNIX, CInt(SOCK_STREAM.rawValue), 0, &pair) == 0)
            defer { for descriptor in pair { close(descriptor) } }
            let path = "/dev/fd/\(pair[1])"
            #expect(open(path, O_WRONLY) == -1 && errno == ENXIO)
            let output = try OutputFile(appendingTo: path)
            #expect(output.name == path)
            var offset = 0
            try output.write(Array("line\n".utf8), from: &offset)
            var bytes = [UInt8](repeating: 0, count: 16)
            #expect(read(pair[0], &bytes, 16) == 5 && bytes.prefix(5).elementsEqual("line\n".utf8))
        }
    }

    /// Descriptors that Tapline opened itself are closed on exec; such a socket may be a client's.
    @Test func ownDescriptor_closedOne_andOneForReading_areRefused() async throws {
        try await Exclusive.run {
            let own = open("/dev/null", O_WRONLY | O_CLOEXEC)
            let reading = open("/dev/null", O_RDONLY)
            defer { for descriptor in [own, reading] { close(descriptor) } }
            for number in [own, reading, 999] {
                let error = #expect(throws: SystemError.self) { _ = try OutputFile(appendingTo: "/dev/fd/\(number)") }
                #expect(
                    error?.description
                        == "cannot open /dev/fd/\(number) for writing: Bad file descriptor (EBADF); start tapline with "
                        + "descriptor \(number) open for writing")
            }
        }
    }
}
