import Testing
import Text

@testable import Configuration

@Suite struct QuantityTests {
    @Test(
        arguments: [
            ("0", .zero), ("0s", .zero), ("250ms", .milliseconds(250)), ("5s", .seconds(5)), ("10m", .seconds(600)),
            ("1h", .seconds(3600)), ("0005s", .seconds(5)), ("8760h", DurationText.longest),
        ] as [(String, Duration)])
    func duration_isRead(_ text: String, _ duration: Duration) throws {
        #expect(try DurationText.parse(text) == duration)
    }

    @Test(arguments: [
        ("5", "`5` has no unit; write 5ms, 5s, 5m, 5h"),
        ("99999999999", "`99999999999` has no unit; write 250ms, 5s, 10m or 1h"),
        ("", "`` is not a duration; write 250ms, 5s, 10m or 1h"),
        ("s", "`s` is not a duration; write 250ms, 5s, 10m or 1h"),
        ("-5s", "`-5s` is not a duration; write 250ms, 5s, 10m or 1h"),
        ("5 s", "`5 s` is not a duration; write 250ms, 5s, 10m or 1h"),
        ("1.5s", "`1.5s` is not a duration; write 250ms, 5s, 10m or 1h"),
        ("1h30m", "`1h30m` is not a duration; write 250ms, 5s, 10m or 1h"),
        ("1d", "`1d` is not a duration; write 250ms, 5s, 10m or 1h"),
        ("٥s", "`٥s` is not a duration; write 250ms, 5s, 10m or 1h"),
        ("8761h", "`8761h` is too long; a duration is at most 8760h, a year"),
        ("9223372036854775807h", "`9223372036854775807h` is too long; a duration is at most 8760h, a year"),
        ("9223372036854775808ms", "`9223372036854775808ms` is too long; a duration is at most 8760h, a year"),
    ])
    func duration_isRefused(_ text: String, _ message: String) {
        #expect(throws: ValueError(message)) { try DurationText.parse(text) }
    }

    @Test(
        arguments: [
            (.zero, "0s"), (.milliseconds(250), "250ms"), (.milliseconds(1500), "1500ms"), (.seconds(90), "90s"),
            (.seconds(300), "5m"), (.seconds(3600), "1h"), (.microseconds(1500), "1ms"), (.microseconds(1), "0s"),
        ] as [(Duration, String)])
    func duration_isWritten_inTheLargestExactUnit(_ duration: Duration, _ text: String) {
        #expect(DurationText.text(of: duration) == text)
    }

    @Test(arguments: [
        ("0", 0), ("1B", 1), ("64KiB", 65_536), ("64kB", 64_000), ("64KB", 64_000), ("100MB", 100_000_000),
        ("16MiB", 16_777_216), ("1GiB", 1 << 30), ("1TiB", 1 << 40),
    ])
    func size_isRead(_ text: String, _ size: Int) throws {
        #expect(try SizeText.parse(text, in: 0...1 << 40) == size)
    }

    @Test(arguments: [
        ("64", "`64` has no unit; write 64KiB, 64MiB, 64GiB"),
        ("64k", "`64k` is not a size; write 64KiB, 16MiB or 100MB"),
        ("-1B", "`-1B` is not a size; write 64KiB, 16MiB or 100MB"),
        ("0", "`0` is out of range; write a value from 1B to 1MiB"),
        ("1025KiB", "`1025KiB` is out of range; write a value from 1B to 1MiB"),
        ("9223372036854775807TiB", "`9223372036854775807TiB` is out of range; write a value from 1B to 1MiB"),
    ])
    func size_isRefused(_ text: String, _ message: String) {
        #expect(throws: ValueError(message)) { try SizeText.parse(text, in: 1...1 << 20) }
    }

    @Test(arguments: [(0, "0"), (1, "1B"), (1500, "1500B"), (64_000, "64kB"), (65_536, "64KiB"), (100 << 20, "100MiB")])
    func size_isWritten_inTheLargestExactUnit(_ size: Int, _ text: String) {
        #expect(SizeText.text(of: size) == text)
    }

    @Test(arguments: [
        "", "-1", "+1", "0", "101", "1.0", "0x10", "1_0", " 1", "9223372036854775807", "9223372036854775808",
    ])
    func number_isRefused_outsideItsRange(_ text: String) {
        #expect(throws: ValueError("`\(text)` is not a whole number from 1 to 100")) {
            try NumberText.parse(text, in: 1...100)
        }
    }

    @Test(arguments: [("auto", .automatic), ("1", .exactly(1)), ("256", .exactly(256))] as [(String, WorkerCount)])
    func workers_areRead(_ text: String, _ count: WorkerCount) throws {
        #expect(try WorkerCount(parsing: text) == count)
    }

    @Test(arguments: ["0", "257", "-1", "Auto", "9223372036854775808", ""])
    func workers_areRefused(_ text: String) {
        #expect(throws: ValueError("`\(text)` is neither `auto` nor a whole number from 1 to 256")) {
            try WorkerCount(parsing: text)
        }
    }
}
