import Configuration
import Logging
import Synchronization
import TestSupport
import Testing
import Text

@testable import Daemon

struct DiagnosticTests {
    private let diagnostic = Diagnostic(
        time: Timestamp(nanoseconds: 1_795_378_500_123_000_000), level: .notice, message: "stale socket\nfile replaced",
        fields: [
            .init(key: "path", value: .text("/run/my app.sock")), .init(key: "time", value: .text("x")),
        ])

    @Test func text_isTimeLevelMessageFields() {
        #expect(
            text { diagnostic.append(as: .text, to: &$0) } == """
                2026-11-22T20:15:00.123Z notice stale socket\\nfile replaced path="/run/my app.sock" time=x

                """)
    }

    @Test func text_withoutFields_hasNoTrailingSpace() {
        var bare = diagnostic
        bare.fields = []
        #expect(
            text { bare.append(as: .text, to: &$0) }
                == "2026-11-22T20:15:00.123Z notice stale socket\\nfile replaced\n")
    }

    @Test func json_keepsItsOwnKeysApartFromTheFields() {
        #expect(
            text { diagnostic.append(as: .json, to: &$0) } == """
                {"time":"2026-11-22T20:15:00.123Z","level":"notice","message":"stale socket\\nfile replaced",\
                "path":"/run/my app.sock","time_":"x"}

                """)
    }

    @Test func handler_sortsFieldsAndPrefersThoseOfTheCall() {
        let seen = Seen()
        logger(to: seen, level: .info).warning("w", metadata: ["b": "call", "c d=\n\"": ["x", "y"]])
        #expect(
            seen.diagnostics.withLock { $0.first?.fields } == [
                .init(key: "a", value: .text("always")), .init(key: "b", value: .text("call")),
                .init(key: "c_d___", value: .text(#"["x", "y"]"#)),
            ])
    }

    @Test func number_isANumberInJSON_andTextOfDigitsIsText() throws {
        let seen = Seen()
        logger(to: seen, level: .info).notice(
            "m",
            metadata: ["duration_ms": .stringConvertible(2), "id": .stringConvertible(UInt64.max), "relay": "8080"])
        let diagnostic = try #require(seen.diagnostics.withLock { $0.first })
        #expect(diagnostic.fields.first { $0.key == "id" }?.value == .number(.max))
        let json = text { bytes in diagnostic.append(as: .json, to: &bytes) }
        #expect(json.contains(#""duration_ms":2,"#))
        #expect(json.contains(#""relay":"8080""#))
        let line = text { bytes in diagnostic.append(as: .text, to: &bytes) }
        #expect(line.contains(" duration_ms=2 "))
    }

    @Test func flag_isABooleanInJSON_andTextOfOneIsText() throws {
        let seen = Seen()
        logger(to: seen, level: .info).notice(
            "m", metadata: ["new": .stringConvertible(true), "old": .stringConvertible(false), "relay": "true"])
        let diagnostic = try #require(seen.diagnostics.withLock { $0.first })
        let json = text { bytes in diagnostic.append(as: .json, to: &bytes) }
        #expect(json.contains(#""new":true,"old":false,"relay":"true"}"#), "\(json)")
        let line = text { bytes in diagnostic.append(as: .text, to: &bytes) }
        #expect(line.hasSuffix(" new=true old=false relay=true\n"), "\(line)")
    }

    @Test(arguments: LogSettings.Level.allCases)
    func handler_writesItsLevelAndAboveOnly(level: LogSettings.Level) throws {
        let seen = Seen()
        let logger = logger(to: seen, level: Logger.Level(level))
        for other in LogSettings.Level.allCases { logger.log(level: Logger.Level(other), "m") }
        let index = try #require(LogSettings.Level.allCases.firstIndex(of: level))
        let expected = LogSettings.Level.allCases[index...].map(\.rawValue)
        #expect(seen.diagnostics.withLock { $0.map(\.level.rawValue) } == expected)
    }

    private func logger(to seen: Seen, level: Logger.Level) -> Logger {
        var logger = Logger(label: "test") { _ in
            DiagnosticsHandler(LiveLog(level: level, format: .text)) { diagnostic in
                seen.diagnostics.withLock { $0.append(diagnostic) }
            }
        }
        logger[metadataKey: "a"] = "always"
        logger[metadataKey: "b"] = "logger"
        return logger
    }

    private final class Seen: Sendable {
        let diagnostics = Mutex<[Diagnostic]>([])
    }
}
