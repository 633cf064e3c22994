import Configuration
import Glibc
import Sockets
import TestSupport
import Testing
import Text

@testable import Admin
@testable import Relay

struct EndRecordTests {
    @Test func aWholeConnection_inText() {
        #expect(
            text { Self.complete.appendEndRecord(as: .text, to: &$0) } == """
                time=2026-11-22T20:15:00.123Z id=7 relay=web generation=1 client=192.0.2.7:50000 \
                listener=127.0.0.1:8080 upstream=example.com:80 upstream_address=198.51.100.1:80 bytes_up=14 \
                bytes_down=14 duration_ms=1234 connect_ms=3 first_byte_ms=0 closed_by=client reason=client_closed \
                errno=null recorded_bytes=null dropped_bytes=null proxied_by=null unique_id=null server_name=null \
                alpn=null waited_for=null held_bytes=null waited_ms=null held_ms=null attempts=1\
                 tls=null tls_peer=null upstream_tls=null upstream_tls_peer=null tls_fault=null

                """)
    }

    @Test func aWholeConnection_inJSON() {
        #expect(
            text { Self.complete.appendEndRecord(as: .json, to: &$0) } == """
                {"time":"2026-11-22T20:15:00.123Z","id":7,"relay":"web","generation":1,"client":"192.0.2.7:50000",\
                "listener":"127.0.0.1:8080","upstream":"example.com:80","upstream_address":"198.51.100.1:80",\
                "bytes_up":14,"bytes_down":14,"duration_ms":1234,"connect_ms":3,"first_byte_ms":0,\
                "closed_by":"client","reason":"client_closed","errno":null,"recorded_bytes":null,\
                "dropped_bytes":null,"proxied_by":null,"unique_id":null,"server_name":null,"alpn":null,\
                "waited_for":null,"held_bytes":null,"waited_ms":null,"held_ms":null,"attempts":1,\
                "tls":null,"tls_peer":null,"upstream_tls":null,"upstream_tls_peer":null,"tls_fault":null}

                """)
    }

    @Test func aRefusedConnectionOfAUnixClient_hasNullsAndTheErrorsName() {
        var record = Self.complete
        record.client = .unix(path: "/tmp/a client's own name")
        record.listener = .unix(path: "/run/my app.sock")
        record.connectDuration = nil
        record.firstByteDuration = nil
        record.end?.reason = .connectRefused
        record.end?.errno = Errno(ECONNREFUSED)
        record.recordedBytes = 0
        record.droppedBytes = 0
        let line = text { record.appendEndRecord(as: .text, to: &$0) }
        #expect(line.contains(#" client=unix: listener="unix:/run/my app.sock" "#))
        #expect(line.contains(" connect_ms=null first_byte_ms=null closed_by=upstream reason=connect_refused "))
        #expect(
            line.hasSuffix(
                " errno=ECONNREFUSED recorded_bytes=0 dropped_bytes=0 proxied_by=null unique_id=null server_name=null "
                    + "alpn=null" + Self.noWait + "\n"))
    }

    @Test func aProxiedConnection_namesTheSenderOfItsHeader_andItsID() {
        var record = Self.complete
        record.proxy = ProxyFacts(
            peer: .ipv4(IPv4Address(bits: 0x0A00_0001), port: 4444), version: "v2", uniqueID: "id with \"quotes\"")
        #expect(
            text { record.appendEndRecord(as: .text, to: &$0) }.hasSuffix(
                #" proxied_by=10.0.0.1:4444 unique_id="id with \"quotes\"" server_name=null alpn=null"#
                    + Self.noWait + "\n"))
        record.proxy = ProxyFacts(peer: .unix(path: "/run/haproxy"), version: "v1")
        #expect(
            text { record.appendEndRecord(as: .json, to: &$0) }.hasSuffix(
                #""proxied_by":"unix:","unique_id":null,"server_name":null,"alpn":null,"waited_for":null,"#
                    + #""held_bytes":null,"waited_ms":null,"held_ms":null,"attempts":1"# + Self.noSessionsInJSON + "\n")
        )
    }

    @Test func aRoutedConnection_hasTheRequestedName() {
        var record = Self.complete
        record.hello = TLSFacts(serverName: "a.example", applications: "h2,http/1.1", version: "TLS 1.3")
        #expect(
            text { record.appendEndRecord(as: .text, to: &$0) }.hasSuffix(
                " server_name=a.example alpn=h2,http/1.1" + Self.noWait + "\n"))
        // Text from a client stays within its value: dangerous bytes are already escaped.
        record.hello = TLSFacts(serverName: "a\\x0areason=none b=\\x22")
        #expect(
            text { record.appendEndRecord(as: .text, to: &$0) }.hasSuffix(
                #" server_name="a\\x0areason=none b=\\x22" alpn=null"# + Self.noWait + "\n"))
    }

    private static let noWait =
        " waited_for=null held_bytes=null waited_ms=null held_ms=null attempts=1" + noSessions
    private static let noSessions =
        " tls=null tls_peer=null upstream_tls=null upstream_tls_peer=null tls_fault=null"
    private static let noSessionsInJSON =
        #","tls":null,"tls_peer":null,"upstream_tls":null,"upstream_tls_peer":null,"tls_fault":null}"#

    @Test func killedConnection_namesTheSideThatDidNotRead() {
        var record = Self.complete
        record.end?.reason = .killed
        record.flows = .init(up: .init(), down: .init(held: 65_536, queued: 1000, quiet: 2000))
        #expect(
            text { record.appendEndRecord(as: .text, to: &$0) }.hasSuffix(
                " alpn=null waited_for=client held_bytes=66536 waited_ms=2000 held_ms=null attempts=1"
                    + Self.noSessions + "\n"))
        #expect(
            text { record.appendEndRecord(as: .json, to: &$0) }.hasSuffix(
                #","alpn":null,"waited_for":"client","held_bytes":66536,"waited_ms":2000,"held_ms":null,"attempts":1"#
                    + Self.noSessionsInJSON + "\n"))
    }

    @Test func heldClient_hasTheTimeAndTheAttempts() {
        var record = Self.complete
        record.attempts = 26
        record.hold = HoldFacts(
            held: 12_000, limit: 30_000, failures: 25, reason: .connectRefused, errno: Errno(ECONNREFUSED),
            isConnected: true)
        #expect(
            text { record.appendEndRecord(as: .text, to: &$0) }.hasSuffix(
                " held_ms=12000 attempts=26" + Self.noSessions + "\n"))
        let json = text { record.appendEndRecord(as: .json, to: &$0) }
        #expect(json.hasSuffix(#","held_ms":12000,"attempts":26"# + Self.noSessionsInJSON + "\n"))
    }

    @Test func aConnectionThatFailedBeforeAnyAttempt_hasNoUpstreamAddress() {
        var record = Self.complete
        record.upstreamAddress = nil
        record.end?.reason = .nameNotFound
        #expect(text { record.appendEndRecord(as: .json, to: &$0) }.contains(#""upstream_address":null,"#))
    }

    @Test func aRelaysNameFromOutside_cannotBreakTheLine() {
        var record = Self.complete
        record.relay = "a\" reason=\"x\n{\u{1B}]0;title\u{7}"
        let escaped = #""a\" reason=\"x\n{\u001b]0;title\u0007""#
        #expect(text { record.appendEndRecord(as: .text, to: &$0) }.contains(" relay=\(escaped) generation="))
        #expect(text { record.appendEndRecord(as: .json, to: &$0) }.contains("\"relay\":\(escaped),\"generation\":"))
    }

    @Test(arguments: EndReason.allCases)
    func everyReason_standsWithWhoClosed(reason: EndReason) {
        var record = Self.complete
        record.end?.reason = reason
        let line = text { record.appendEndRecord(as: .text, to: &$0) }
        #expect(line.contains(" closed_by=\(reason.closedBy.rawValue) reason=\(reason.rawValue) errno=null "))
    }

    static let complete: ConnectionRecord = {
        var record = ConnectionRecord(
            id: 7, relay: "web", generation: 1,
            client: .ipv4(IPv4Address(bits: 0xC000_0207), port: 50000),
            listener: .ipv4(.loopback, port: 8080), upstream: "example.com:80",
            accepted: 1_795_378_498_889_000_000)
        record.upstreamAddress = .ipv4(IPv4Address(bits: 0xC633_6401), port: 80)
        record.connectDuration = 3_999_999
        record.attempts = 1
        record.firstByteDuration = 999_999
        record.bytesUp = 14
        record.bytesDown = 14
        record.end = ConnectionRecord.End(
            time: 1_795_378_500_123_456_789, duration: 1_234_567_890, reason: .clientClosed, errno: nil)
        return record
    }()
}
