import Foundation
import Testing

/// What the page shows of its server: rates before it was loaded, a server that stopped, an upstream proxy.
@Suite(.needs(Browser.program, "python3", "curl"))
struct PageServerTests {
    @Test func graph_hasTheRatesBeforeThePageWasLoaded() async throws {
        try await scene { scene in
            let page = try await PageBench(scene)
            let client = try await page.connect("client")
            _ = try await page.puppet.send("client", count: 300_000)
            try await page.puppet.receive("client-upstream", count: 300_000)
            try await page.wait(try await page.row(client), "bytes_up", counts: 300_000)
            // From now on nothing is forwarded, so only the server's history can have a rate.
            let admin = AdminClient(scene: scene, address: String(page.origin.dropFirst("http://".count)), token: nil)
            try await admin.await("a sample of the transfer", "/v1/history") { answer -> Bool? in
                let rates = try answer.json["relays"]?.list.first?["rate_up"]?.list.compactMap(\.number) ?? []
                return rates.contains { $0 > 0 } && rates.last == 0 ? true : nil
            }
            let rate = "document.querySelectorAll('[data-relay=web] .stats dd')[1]?.textContent"
            try await page.browser.wait("\(rate) === '0\\u202fB/s'")
            try await page.browser.open("\(page.origin)/")
            try await page.browser.wait(
                "/\\d (?!30)\\d+\\.\\d/.test(document.querySelector('[data-relay=web] .u')?.getAttribute('d')"
                    + ".replaceAll('V', ' '))")
            try await page.expectClean()
        }
    }

    /// Its sockets accept, and the event stream stays open: only silence shows that it has stopped.
    @Test func stoppedServer_isShown_andItsReturnToo() async throws {
        try await scene { scene in
            let page = try await PageBench(scene)
            let state = "document.querySelector('#state')"
            try await page.browser.wait("\(state).title === 'Live updates'")
            let start = ContinuousClock.now
            try await StoppedProcess.stop(page.tapline.pid)
            defer { kill(page.tapline.pid, SIGCONT) }
            try await page.browser.wait("['not answering', 'connection lost'].includes(\(state).textContent)")
            // 4 s of silence, and room for a slow machine; a request's own time limit is 10 s.
            #expect(ContinuousClock.now - start < .seconds(9))
            try await page.browser.wait("!document.querySelector('#lost').hidden")
            kill(page.tapline.pid, SIGCONT)
            try await page.browser.wait("\(state).textContent === 'running'")
            try await page.browser.wait("document.querySelector('#lost').hidden")
        }
    }

    /// Memory, descriptors and recorded bytes are in no event.
    @Test func recordedBytes_growWithoutAnAction() async throws {
        try await scene { scene in
            let page = try await PageBench(scene)
            try await page.browser.click("[data-relay=web] [role=switch]")
            let word = "document.querySelector('[data-relay=web] [role=switch]').textContent"
            try await page.browser.wait("\(word).startsWith('Recording, ')")
            try await page.connect("client")
            _ = try await page.puppet.send("client", count: 300_000)
            try await page.puppet.receive("client-upstream", count: 300_000)
            try await page.browser.wait("\(word) === 'Recording, 293\\u202fKiB'")
            try await page.expectClean()
        }
    }

    @Test func upstreamProxy_isOnTheCardAndInTheDrawer() async throws {
        try await scene { scene in
            let page = try await PageBench(scene)
            let proxy = try await page.puppet.listen("proxy")
            let text = try String(contentsOfFile: page.configuration, encoding: .utf8)
            _ = try scene.file(
                "tapline.yaml",
                text.replacingOccurrences(
                    of: "upstream: '", with: "upstream_proxy: 'socks5://u:secret@\(proxy)', upstream: '"))
            try await page.browser.click("#reload")
            let card = "document.querySelector('[data-relay=web]').innerText"
            try await page.browser.wait("\(card).replace(/\\s+/g, ' ').includes('→ socks5://\(proxy) →')")
            #expect(try await page.browser.text(card).contains("secret") == false)
            // The proxy does not answer the client's greeting, so the connection keeps connecting.
            let client = try await page.puppet.connect("client", to: page.tapline.listeners[0])
            try await page.puppet.accept("greeting", from: "proxy")
            try await page.browser.click("\(try await page.row(client)) td")
            try await page.browser.wait(
                "[...document.querySelectorAll('.leg')].pop()?.textContent.includes('through the proxy \(proxy)')")
            try await page.browser.wait(
                "document.querySelector('#story')?.textContent.includes('through the proxy \(proxy).')")
            try await page.expectClean()
        }
    }
}
