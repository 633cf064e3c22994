import EventLoop
import Synchronization
package import Terminal
package import Text

/// A client of one tapline's admin API. Any thread.
package struct AdminClient: Sendable {
    /// The method of a request.
    package enum Verb: String, Sendable {
        case get = "GET"
        case post = "POST"
        case delete = "DELETE"
    }

    /// A complete answer.
    package struct Answer: Sendable {
        package var status: Int
        var body: [UInt8]

        /// The body as JSON.
        package func json() throws(CommandFailure) -> JSONValue {
            do {
                return try JSONReader.read(body)
            } catch {
                throw CommandFailure(.failure, "tapline: invalid answer from Tapline: \(error)")
            }
        }
    }

    /// The largest accepted answer: ten thousand connections are 12 MB.
    private static let mostBytes = 64 << 20

    /// The tapline that requests go to.
    package let target: AdminTarget

    /// A client of one tapline.
    package init(target: AdminTarget) {
        self.target = target
    }

    /// Sends a request and waits for the complete answer, whatever its status.
    package func ask(
        _ verb: Verb, _ path: String, body: [UInt8] = [], deadline: Int64 = 10_000
    ) throws(CommandFailure) -> Answer {
        do {
            return try attempt(verb, path, body: body, deadline: deadline)
        } catch {
            throw error.failure(target)
        }
    }

    /// The same; the caller decides what an error means.
    func attempt(
        _ verb: Verb, _ path: String, body: [UInt8] = [], deadline: Int64 = 10_000
    ) throws(HTTPTrouble) -> Answer {
        let outcome = Outcome()
        let done = Countdown(1)
        exchange(verb, path, body: body, deadline: deadline) { result in
            outcome.result.withLock { $0 = result }
            done.down()
        }
        // The connect and the answer have bounds of their own.
        while !done.wait(atMost: 60_000) {}
        guard let result = outcome.result.withLock({ $0 }) else { preconditionFailure("AdminClient: no outcome") }
        return try result.get()
    }

    /// Sends a request and waits for its JSON; a status of 400 or more is thrown.
    package func json(
        _ verb: Verb, _ path: String, body: [UInt8] = [], deadline: Int64 = 10_000
    ) throws(CommandFailure) -> JSONValue {
        let answer = try ask(verb, path, body: body, deadline: deadline)
        guard answer.status < 400 else { throw AdminRefusal(answer).failure(target) }
        return try answer.json()
    }

    /// Sends a request; the complete answer goes to the callback, once, on the client's thread.
    func fetch(
        _ verb: Verb, _ path: String, deadline: Int64 = 10_000,
        then done: @escaping @Sendable (Result<Answer, CommandFailure>) -> Void
    ) {
        let target = target
        exchange(verb, path, deadline: deadline) { result in done(result.mapError { $0.failure(target) }) }
    }

    private func exchange(
        _ verb: Verb, _ path: String, body: [UInt8] = [], deadline: Int64,
        then done: @escaping @Sendable (Result<Answer, HTTPTrouble>) -> Void
    ) {
        let gathering = Gathering()
        let request = HTTPExchange.Request(verb: verb, path: path, deadline: deadline, body: body)
        _ = HTTPExchange(request, to: target) { event in
            switch event {
            case .head(let status): gathering.answer.withLock { $0.status = status }
            case .body(let bytes):
                gathering.answer.withLock { answer in
                    if answer.body.count <= Self.mostBytes { answer.body += bytes }
                }
            case .pause: break
            case .end:
                let answer = gathering.answer.withLock { $0 }
                done(answer.body.count > Self.mostBytes ? .failure(.tooLarge) : .success(answer))
            case .failed(let trouble): done(.failure(trouble))
            }
        }
    }

    /// Requests a stream: its pieces go to the sink on the client's thread, and each further read needs a `more()`.
    func stream(_ path: String, sink: @escaping @Sendable (HTTPExchange.Event) -> Void) -> HTTPExchange {
        HTTPExchange(HTTPExchange.Request(path: path, deadline: nil), to: target, sink: sink)
    }
}

/// An answer whose pieces are being received.
private final class Gathering: Sendable {
    let answer = Mutex(AdminClient.Answer(status: 0, body: []))
}

/// The result of an exchange.
private final class Outcome: Sendable {
    let result = Mutex<Result<AdminClient.Answer, HTTPTrouble>?>(nil)
}
