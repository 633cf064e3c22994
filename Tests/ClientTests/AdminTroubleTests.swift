import Glibc
import Sockets
import Terminal
import Testing

@testable import Client

/// The messages for errors of the admin API.
struct AdminTroubleTests {
    private let target = AdminTarget(address: .tcp(host: "127.0.0.1", port: 9180), origin: .byDefault, token: nil)

    private func refusal(_ status: Int, _ code: String, _ message: String, token: String? = nil) -> CommandFailure {
        let body = "{\"error\":{\"code\":\"\(code)\",\"message\":\"\(message)\"}}"
        let target = AdminTarget(address: target.address, origin: target.origin, token: token)
        return AdminRefusal(AdminClient.Answer(status: status, body: Array(body.utf8))).failure(target)
    }

    @Test func nothingListening_asksWhetherTaplineRuns() {
        let failure = HTTPTrouble.connect(Errno(ECONNREFUSED)).failure(target)
        #expect(failure.status == .system)
        #expect(failure.message.contains("nothing listens at 127.0.0.1:9180 (the default)"))
        #expect(failure.message.contains("--admin"))
    }

    @Test func forbiddenSocket_saysWhoMay() {
        #expect(
            HTTPTrouble.connect(Errno(EACCES)).failure(target).message.contains(
                "only root and the user that Tapline runs as can"))
    }

    @Test func missingToken_isAskedFor() {
        let failure = refusal(401, "unauthorized", "no")
        #expect(failure.status == .failure)
        #expect(failure.message.contains("--token-file") && failure.message.contains("TAPLINE_ADMIN_TOKEN"))
        #expect(!failure.message.contains("does not accept this token"))
    }

    @Test func wrongToken_isCalledWrong() {
        #expect(refusal(401, "unauthorized", "no", token: "x").message.contains("does not accept this token"))
    }

    @Test func rejectedReload_endsWith78AndThePlacesAlone() {
        let failure = refusal(422, "rejected", "/etc/t.yaml:3:1: unknown key `a`\\n/etc/t.yaml:4:1: unknown key `b`")
        #expect(failure.status == .configuration)
        #expect(
            failure.message == "/etc/t.yaml:3:1: unknown key `a`\n/etc/t.yaml:4:1: unknown key `b`")
    }

    @Test func otherServer_isRecognised() {
        let answer = AdminClient.Answer(status: 404, body: Array("<html>no</html>".utf8))
        #expect(AdminRefusal(answer).failure(target).message.contains("does not answer like Tapline"))
    }

    /// A person has no use for the status of an HTTP answer, nor for the code that programs read.
    @Test(arguments: [(401, "unauthorized"), (403, "foreign_host"), (405, "method_not_allowed"), (502, "")])
    func messages_haveNoStatusAndNoCode(status: Int, code: String) {
        let message = refusal(status, code, "method `POST` is not allowed; use GET").message
        #expect(!message.contains("\(status)") && !message.contains("_allowed") && !message.contains("foreign_"))
        #expect(!message.contains("GET") && !message.contains("POST"))
    }

    @Test func messages_cannotActOnTheTerminal() {
        let failure = refusal(404, "not_found", "no \\u001b[2J here")
        #expect(failure.message == "tapline: no \\u001b[2J here")
    }
}
