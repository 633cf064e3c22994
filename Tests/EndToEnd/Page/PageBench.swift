import Foundation
import Testing

/// A Tapline with an admin API, a browser on its page, and peers that talk through it.
struct PageBench {
    let scene: Scene
    let puppet: Puppet
    let tapline: TaplineProcess
    let browser: Browser
    /// The page's origin, such as `http://127.0.0.1:41234`.
    let origin: String
    /// The configuration file.
    let configuration: String

    /// Starts all of it. Each relay has its own upstream: the puppet's listener with the relay's name.
    init(_ scene: Scene, relays names: [String] = ["web"], admin more: String = "", opens: Bool = true) async throws {
        self.scene = scene
        puppet = try scene.puppet()
        var relays = ""
        for name in names {
            let upstream = try await puppet.listen(name)
            relays += "  - { name: \(name), listen: '127.0.0.1:0', upstream: '\(upstream)' }\n"
        }
        tapline = try await scene.run(
            relays: relays, more: "admin: { listen: '127.0.0.1:0'\(more) }", listeners: names.count)
        configuration = scene.path("tapline.yaml")
        let line = try await tapline.program.errors.line(containing: "the admin API answers on ")
        origin = "http://" + (try JSONDecoder().decode(Announcement.self, from: Data(line.utf8)).admin)
        browser = try await scene.browser()
        try await browser.view(1280)
        try await browser.open("\(origin)/")
        if opens { try await browser.wait("document.querySelectorAll('#relays article').length === \(names.count)") }
    }

    /// Opens a connection through a relay: a client `NAME` and, at the upstream, `NAME-upstream`. Returns the client's
    /// address.
    @discardableResult
    func connect(_ name: String, relay: String = "web", listener: Int = 0) async throws -> String {
        let address = try await puppet.connect(name, to: tapline.listeners[listener])
        try await puppet.accept("\(name)-upstream", from: relay)
        return address
    }

    /// The selector of the row of a client.
    func row(_ client: String, in table: String = "open") async throws -> String {
        let cells = "[...document.querySelectorAll('#\(table) td[data-at=client]')]"
        let found = "\(cells).find(cell => cell.textContent === '\(client)')"
        try await browser.wait(found)
        return "#\(table) tr[data-id=\"\(try await browser.text("\(found).parentNode.dataset.id"))\"]"
    }

    /// Waits until a cell of a row has a text; a number of bytes is compared with the digits in the title.
    func wait(_ row: String, _ cell: String, is text: String) async throws {
        try await browser.wait("document.querySelector('\(row) td[data-at=\(cell)]')?.textContent === '\(text)'")
    }

    /// Waits until a row counts this many bytes.
    func wait(_ row: String, _ cell: String, counts bytes: Int) async throws {
        let title = "document.querySelector('\(row) td[data-at=\(cell)]')?.title"
        try await browser.wait("\(title)?.replace(/\\D/g, '') === '\(bytes)'")
    }

    /// The page has respected its policy, requested nothing from other servers, and caused no error but the given
    /// refusals.
    func expectClean(refusals: [Int] = []) async throws {
        let seen = try await browser.seen()
        #expect(
            seen.requests.allSatisfy { $0.hasPrefix("\(origin)/") || $0.hasPrefix("data:") || $0.hasPrefix("blob:") })
        #expect(seen.requests.contains("\(origin)/v1/events"))
        let unexpected = seen.messages.filter { message in
            !refusals.contains { message.contains("the server responded with a status of \($0) ") }
        }
        #expect(unexpected == [])
    }
}

/// The line with the address of the admin API.
private struct Announcement: Decodable {
    var admin: String
}
