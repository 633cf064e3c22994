import Glibc
import Sockets
import Testing

@Suite struct ErrnoTests {
    @Test func errno_known_hasItsNameAndWords() {
        #expect(Errno(ECONNREFUSED).name == "ECONNREFUSED")
        #expect(Errno(ECONNREFUSED).description == "Connection refused")
        #expect(Errno.timedOut.name == "ETIMEDOUT")
    }

    @Test func errno_unknown_isItsNumber() {
        #expect(Errno(9999).name == "errno 9999")
        #expect(!Errno(9999).description.isEmpty)
    }

    @Test func systemError_withAdvice_saysWhatWhyAndWhatToDo() {
        let error = SystemError("listen on 127.0.0.1:80", Errno(EACCES), advice: "choose a higher port")
        #expect(
            error.description
                == "cannot listen on 127.0.0.1:80: Permission denied (EACCES); choose a higher port")
        #expect(
            SystemError("start 4 workers", Errno(EAGAIN)).description
                == "cannot start 4 workers: Resource temporarily unavailable (EAGAIN)")
    }

    @Test func buffer_filledFromAnother_holdsThatRange() {
        let source = ByteBuffer(capacity: 16)
        let copy = ByteBuffer(capacity: 4)
        copy.fill(from: source, offset: 12, count: 4)
        let isEqual = source.withBytes(from: 12, count: 4) { left in
            copy.withBytes(from: 0, count: 4) { right in
                (0..<4).allSatisfy {
                    left.unsafeLoad(fromByteOffset: $0, as: UInt8.self)
                        == right.unsafeLoad(fromByteOffset: $0, as: UInt8.self)
                }
            }
        }
        #expect(isEqual)
    }

    @Test func smallFile_missing_isNil() {
        #expect(SmallFile.read("/nonexistent") == nil)
        #expect(SmallFile.read("/proc/self/comm")?.isEmpty == false)
    }

    @Test func descriptorLimit_raised_isMoreThanIsInUse() {
        #expect(DescriptorLimit.raise() > DescriptorLimit.inUse())
        #expect(DescriptorLimit.inUse() >= 3)
    }
}
