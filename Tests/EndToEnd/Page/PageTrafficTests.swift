import Foundation
import Testing

/// Live traffic on the page: as text, as hex, and never as markup.
@Suite(.needs(Browser.program, "python3", "curl"))
struct PageTrafficTests {
    private static let hostile =
        "<script>document.title = 'taken'</script><img src=x onerror=\"document.title = 'taken'\">"
    private static let pieces = "[...document.querySelectorAll('#traffic .seg pre')].map(pre => pre.textContent)"

    /// No bytes of peers have become an element.
    private func expectNoMarkup(_ page: PageBench) async throws {
        #expect(try await page.browser.text("document.querySelectorAll('#traffic :is(script, img, b)').length") == "0")
        #expect(try await page.browser.text("document.querySelectorAll('script').length") == "1")
        #expect(try await page.browser.text("document.title.includes('taken')") == "false")
    }

    /// The stream is made by Wireshark's own tool, over both versions of IP, so that reader and writer do not share a
    /// mistake.
    @Test(.needs("text2pcap"), arguments: ["-4 192.0.2.9,192.0.2.1", "-6 2001:db8::9,2001:db8::1"])
    func foreignCapture_isShownAsTextAndHex(addresses: String) async throws {
        try await scene { scene in
            let page = try await PageBench(scene)
            let client = try await page.connect("client")
            // One line per packet: its direction (I is inbound, from the client), an offset, its bytes.
            let packets: [(String, [UInt8])] = [
                ("I", Array("\(Self.hostile)\r\n".utf8)),
                ("O", [0, 1, 0xC3, 0xA4, 0xFF, 0x3C, 0x62, 0x3E, 0xE2, 0x80, 0xAE]),
            ]
            let dump = packets.map { way, bytes in
                "\(way) 000000 "
                    + bytes.map { String(UInt16($0) + 0x100, radix: 16).dropFirst() }.joined(separator: " ")
            }
            let input = try scene.file("dump", dump.joined(separator: "\n") + "\n")
            let capture = scene.path("capture.pcapng")
            let words = ["text2pcap", "-q", "-D"] + addresses.split(separator: " ").map(String.init)
            try await scene.run(words + ["-T", "40000,80", input, capture])
            try await page.browser.answer("*/v1/tap*", with: capture)

            try await page.browser.click("\(try await page.row(client)) td")
            try await page.browser.click("#wire button.strong")
            try await page.browser.wait("\(Self.pieces).length === 2")
            let ways = "[...document.querySelectorAll('#traffic .seg')].map(seg => seg.classList[1])"
            #expect(try await page.browser.text(ways) == "up,down")
            #expect(try await page.browser.text("\(Self.pieces)[0]") == "\(Self.hostile)\n")
            // Control characters are shown as symbols, and marks of the writing direction have no effect.
            #expect(try await page.browser.text("\(Self.pieces)[1]") == "\u{2400}\u{2401}ä\u{FFFD}<b>\u{FFFD}")
            try await page.browser.click(".segments button:last-child")
            let hex = try await page.browser.text("\(Self.pieces)[1]")
            #expect(hex.hasPrefix("00000000  00 01 c3 a4 ff 3c 62 3e  e2 80 ae "))
            #expect(hex.hasSuffix(" |.....<b>...|"))
            try await expectNoMarkup(page)
            try await page.expectClean()
        }
    }

    /// A relay's name cannot contain markup, but a path can, and so can a mistake in the configuration.
    @Test func configuration_withMarkupInIt_staysText() async throws {
        try await scene { scene in
            let page = try await PageBench(scene)
            let good = try String(contentsOfFile: page.configuration, encoding: .utf8)
            let markup = "<img src=x onerror=document.title='taken'>"
            let relay = "  - { name: odd, listen: '127.0.0.1:0', upstream: \"unix:\(scene.path(markup))\" }\n"
            _ = try scene.file("tapline.yaml", good + relay)
            let card = "document.querySelector('[data-relay=odd]')?.textContent"
            try await page.browser.wait("\(card)?.includes(\"\(markup)\")")
            _ = try scene.file("tapline.yaml", good + relay + "\"\(markup)\": 1\n")
            try await page.browser.wait("document.querySelector('#reloaded.bad')?.textContent.includes(\"\(markup)\")")
            #expect(try await page.browser.text("document.querySelectorAll('img').length") == "0")
            try await expectNoMarkup(page)
            try await page.expectClean()
        }
    }

    @Test func conversation_isShownWhileItPasses_andToItsEnd() async throws {
        try await scene { scene in
            let page = try await PageBench(scene)
            let client = try await page.connect("client")
            try await page.browser.click("\(try await page.row(client)) td")
            try await page.browser.click("#wire button.strong")
            // Bytes before the tap are not shown: send some until they appear.
            try await scene.eventually("the page shows bytes") {
                try await page.puppet.send("client", Self.hostile)
                try await page.puppet.receive("client-upstream", count: Self.hostile.utf8.count)
                return try await page.browser.text("\(Self.pieces).length > 0") == "true"
            }
            try await page.puppet.send("client-upstream", "<b>answer</b>")
            try await page.browser.wait("\(Self.pieces).includes('<b>answer</b>')")
            #expect(try await page.browser.text("\(Self.pieces)[0]") == Self.hostile)
            let down = "[...document.querySelectorAll('#traffic .seg.down pre')].map(pre => pre.textContent).join()"
            #expect(try await page.browser.text(down) == "<b>answer</b>")
            try await page.browser.click(".segments button:last-child")
            try await page.browser.wait("\(Self.pieces).at(-1).includes('3c 62 3e 61 6e 73 77 65')")
            try await expectNoMarkup(page)
            // While paused, traffic is kept and not shown.
            try await page.browser.press("p")
            let count = try await page.browser.text("\(Self.pieces).length")
            try await page.puppet.send("client-upstream", "later")
            try await page.browser.wait("document.querySelector('#wire .status').textContent.includes('18')")
            #expect(try await page.browser.text("\(Self.pieces).length") == count)
            try await page.browser.press("p")
            try await page.browser.wait("\(Self.pieces).at(-1).includes('6c 61 74 65 72')")
            try await page.puppet.finish("client")
            try await page.puppet.finish("client-upstream")
            try await page.browser.wait("document.querySelector('#traffic').textContent.includes('end of stream')")
            try await page.expectClean()
        }
    }

    @Test func recording_isSwitchedOnAndOff() async throws {
        try await scene { scene in
            let page = try await PageBench(scene)
            let control = "[data-relay=web] [role=switch]"
            #expect(try await page.browser.text("document.querySelector('\(control)').ariaChecked") == "false")
            try await page.browser.click(control)
            try await page.browser.wait("document.querySelector('\(control)').ariaChecked === 'true'")
            try await page.connect("client")
            try await page.puppet.send("client", "hello")
            let file = "document.querySelector('[data-relay=web] .file').textContent"
            try await page.browser.wait("\(file).endsWith('.pcapng')")
            let path = try await page.browser.text(file)
            try await page.browser.click(control)
            try await page.browser.wait("document.querySelector('\(control)').ariaChecked === 'false'")
            #expect(FileManager.default.fileExists(atPath: path))
            try await page.expectClean()
        }
    }
}
