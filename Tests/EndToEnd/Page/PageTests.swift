import Foundation
import Testing

/// The page of the admin API in a headless Chromium: what it shows, and what it can do.
@Suite(.needs(Browser.program, "python3", "curl"))
struct PageTests {
    @Test func transfer_growsInTheTable_andIsAmongTheEndedAfterwards() async throws {
        try await scene { scene in
            let page = try await PageBench(scene, relays: ["web", "cache"])
            #expect(
                try await page.browser.text("[...document.querySelectorAll('h3')].map(h => h.textContent)")
                    == "web,cache")
            let card = "document.querySelector('[data-relay=web]').textContent"
            #expect(try await page.browser.text(card).contains(page.tapline.listeners[0]))

            let client = try await page.connect("client")
            let row = try await page.row(client)
            _ = try await page.puppet.send("client", count: 300_000)
            try await page.puppet.receive("client-upstream", count: 300_000)
            try await page.wait(row, "bytes_up", counts: 300_000)
            _ = try await page.puppet.send("client-upstream", count: 70_000)
            try await page.puppet.receive("client", count: 70_000)
            try await page.wait(row, "bytes_down", counts: 70_000)
            try await page.browser.wait("\(card).includes('293\\u202fKiB')")
            // Something is drawn above the axis.
            try await page.browser.wait(
                "/\\d (?!30)\\d+\\.\\d/.test(document.querySelector('[data-relay=web] .u').getAttribute('d').replaceAll('V', ' '))"
            )

            try await page.puppet.finish("client")
            try await page.puppet.receiveToEnd("client-upstream")
            try await page.puppet.finish("client-upstream")
            try await page.browser.press("2")
            let ended = try await page.row(client, in: "ended")
            try await page.wait(ended, "reason", is: "client_closed")
            try await page.wait(ended, "bytes_up", counts: 300_000)
            try await page.wait(ended, "bytes_down", counts: 70_000)
            try await page.expectClean()
        }
    }

    @Test func kill_afterConfirmation_resetsTheConnection() async throws {
        try await scene { scene in
            let page = try await PageBench(scene)
            let client = try await page.connect("client")
            let row = try await page.row(client)
            // First cancelled.
            try await page.browser.click("\(row) .kill")
            try await page.browser.wait("document.querySelector('#ask').open")
            // The text of every line, because nothing else says what is lost.
            let asked = try await page.browser.text("document.querySelector('#ask').innerText")
            #expect(asked.contains("Kill connection ") && asked.contains("\(client) → "), "\(asked)")
            #expect(asked.contains("bytes in transit are lost") && !asked.contains("[object"), "\(asked)")
            try await page.browser.press("Escape")
            try await page.browser.wait("!document.querySelector('#ask').open")
            try await page.puppet.send("client", "still there")
            try await page.puppet.receive("client-upstream", count: 11)

            // It is shown for some seconds only, so its text is kept.
            let toast = "document.querySelector('#toast')"
            _ = try await page.browser.text(
                "window.said = [], new MutationObserver(() => window.said.push(\(toast).textContent))"
                    + ".observe(\(toast), { childList: true, characterData: true, subtree: true })")
            try await page.browser.click("\(row) .kill")
            try await page.browser.click("#yes")
            #expect(try await page.puppet.receiveToEnd("client").end == "reset")
            #expect(try await page.tapline.records()[0].reason == "killed")
            try await page.browser.wait("window.said.some(text => text.includes('was reset'))")
            try await page.browser.press("2")
            try await page.wait(try await page.row(client, in: "ended"), "reason", is: "killed")
            try await page.expectClean()
        }
    }

    @Test func deadUpstream_isRed_andItsCountsAgree() async throws {
        try await scene { scene in
            let page = try await PageBench(scene, relays: ["web", "cache"])
            try await page.puppet.close("web")
            for number in 1...4 {
                try await page.puppet.connect("client\(number)", to: page.tapline.listeners[0])
                _ = try await page.tapline.records(number)
            }
            let card = "document.querySelector('[data-relay=web]')"
            try await page.browser.wait("\(card).classList.contains('failing')")
            try await page.browser.wait("document.querySelector('#state').textContent === 'running, 1 relay failing'")
            try await page.browser.wait("\(card).innerText.includes('upstream refuses connections')")
            // The number of failed connects and the chip's number are from one update.
            let text = "\(card).innerText.replace(/\\s+/g, ' ')"
            try await page.browser.wait(
                "\(text).includes('4 failed connects') && \(text).includes('connect_refused 4')")
            #expect(
                try await page.browser.text("document.querySelector('[data-relay=cache] .facts').innerText").contains(
                    "no failed connects"))
            #expect(
                try await page.browser.text(
                    "String(document.querySelector('[data-relay=cache]').classList.contains('failing'))") == "false")

            try await page.browser.press("2")
            try await page.browser.wait("document.querySelector('#n-ended').textContent === '4'")
            try await page.browser.click("#ended tbody tr")
            try await page.browser.wait(
                "[...document.querySelectorAll('.leg')].pop()?.textContent.includes('refused the connection')")
            // Text between back-ticks becomes an element.
            try await page.browser.wait("document.querySelector('#story code')?.textContent.startsWith('ss -ltn')")
            // It was not recorded, so there is no traffic to watch or to show.
            try await page.browser.wait("document.querySelector('#wire').innerText.includes('was not recorded')")
            let controls = "document.querySelectorAll('#wire .tools > :is(button, span):not([hidden])').length"
            #expect(try await page.browser.text(controls) == "0")
            #expect(try await page.browser.text("document.querySelector('#story').textContent").contains("`") == false)
            try await page.expectClean()
        }
    }

    @Test func openDrawerOnAWideScreen_leavesTheTableATable() async throws {
        try await scene { scene in
            let page = try await PageBench(scene)
            try await page.browser.view(1400)
            let row = try await page.row(try await page.connect("client"))
            try await page.browser.click(row)
            try await page.browser.wait("document.body.classList.contains('reading')")
            #expect(
                try await page.browser.text("getComputedStyle(document.querySelector('#open tbody')).display")
                    == "table-row-group")
            // Each shown cell is below its own heading.
            let offset = """
                [...document.querySelectorAll('#open tbody tr:first-child td')].filter(cell => cell.offsetWidth)
                .every(cell => Math.abs(cell.getBoundingClientRect().left - document.querySelector(
                `#open th[data-at=${cell.dataset.at}]`).getBoundingClientRect().left) < 2)
                """
            #expect(try await page.browser.text("String(\(offset))") == "true")
            try await page.expectClean()
        }
    }

    @Test func filterAndSort_showWhatIsAskedFor() async throws {
        try await scene { scene in
            let page = try await PageBench(scene, relays: ["web", "cache"])
            let (small, big) = (try await page.connect("small"), try await page.connect("big"))
            let other = try await page.connect("other", relay: "cache", listener: 1)
            for (name, count) in [("small", 1_000), ("big", 200_000), ("other", 50_000)] {
                _ = try await page.puppet.send(name, count: count)
                try await page.puppet.receive("\(name)-upstream", count: count)
            }
            try await page.wait(try await page.row(other), "bytes_up", counts: 50_000)
            let clients =
                "[...document.querySelectorAll('#open td[data-at=client]')].map(cell => cell.textContent).join()"
            let bytes = "#open th:nth-child(6) button"
            try await page.browser.click(bytes)
            try await page.browser.wait("\(clients) === '\(big),\(other),\(small)'")
            #expect(try await page.browser.text("document.querySelector('#open [aria-sort]').ariaSort") == "descending")
            try await page.browser.click(bytes)
            try await page.browser.wait("\(clients) === '\(small),\(other),\(big)'")

            try await page.browser.press("/")
            try await page.browser.type("cache")
            try await page.browser.wait("\(clients) === '\(other)'")
            // New rows take neither the focus nor the typed text.
            try await page.connect("late")
            try await page.browser.wait("document.querySelector('#n-open').textContent === '4'")
            #expect(
                try await page.browser.text("document.activeElement.id + document.activeElement.value") == "filtercache"
            )
            #expect(try await page.browser.text(clients) == other)
            try await page.browser.press("Escape")
            try await page.browser.wait("document.querySelectorAll('#open tbody tr').length === 4")
            try await page.expectClean()
        }
    }

    @Test func story_opensAndClosesByKeyboard_andTheFocusComesBack() async throws {
        try await scene { scene in
            let page = try await PageBench(scene)
            let client = try await page.connect("client")
            let row = try await page.row(client)
            try await page.browser.press("j")
            try await page.browser.wait("document.activeElement === document.querySelector('\(row)')")
            try await page.browser.press("Enter")
            try await page.browser.wait("document.querySelector('#story')?.textContent.includes('\(client)')")
            #expect(try await page.browser.text("document.activeElement.id") == "one-title")
            // The connection ends while it is open; its story is shown to the end.
            try await page.puppet.reset("client-upstream")
            try await page.browser.wait("document.querySelector('#one-state').textContent === 'upstream_reset'")
            try await page.browser.press("Escape")
            try await page.browser.wait("document.querySelector('#one').hidden")
            #expect(try await page.browser.text("document.activeElement !== document.body") == "true")
            try await page.expectClean()
        }
    }

    /// The answer about a connection of a process from before an upgrade that does not answer; it answers later.
    @Test func refusalOfAStory_isShownAsASentence() async throws {
        try await scene { scene in
            let page = try await PageBench(scene)
            let client = try await page.connect("client")
            let row = try await page.row(client)
            let answer = """
                { error: { code: 'predecessor_silent', message: 'process 12 does not answer' } }
                """
            _ = try await page.browser.text(
                "window.real = window.fetch, window.fetch = (path, options) => path.startsWith('/v1/connections/')"
                    + " ? Promise.resolve(new Response(JSON.stringify(\(answer)), { status: 503 }))"
                    + " : window.real(path, options), 'refused'")
            try await page.browser.click(row)
            try await page.browser.wait(
                "document.querySelector('#story')?.textContent === 'Process 12 does not answer.'")
            _ = try await page.browser.text("window.fetch = window.real, 'answered'")
            try await page.browser.wait("document.querySelector('#story')?.textContent.includes('\(client)')")
            try await page.expectClean()
        }
    }

    @Test func reload_showsTheMistakesWithTheirPlaces_thenTheDifference() async throws {
        try await scene { scene in
            let page = try await PageBench(scene)
            let good = try String(contentsOfFile: page.configuration, encoding: .utf8)
            _ = try scene.file("tapline.yaml", good + "shutdwn: { drain: 1s }\n")
            try await page.browser.click("#reload")
            let lines = "document.querySelector('#reloaded ul')?.innerText"
            try await page.browser.wait("/tapline\\.yaml:\\d+:\\d+: .*shutdwn/.test(\(lines))")
            #expect(try await page.browser.text("document.querySelector('#reloaded').className") == "bad")

            let upstream = try await page.puppet.listen("more")
            _ = try scene.file(
                "tapline.yaml", good + "  - { name: more, listen: '127.0.0.1:0', upstream: '\(upstream)' }\n")
            try await page.browser.click("#reload")
            try await page.browser.wait("document.querySelector('[data-relay=more]')")
            try await page.browser.wait(
                "document.querySelector('#vitals').innerText.replace(/\\s+/g, ' ').includes('generation 2')")
            try await page.expectClean(refusals: [422])
        }
    }

    @Test func token_isAskedFor_andAWrongOneIsRefused() async throws {
        try await scene { scene in
            let path = try scene.file("token", "correct-horse-battery-staple\n")
            chmod(path, 0o600)
            let page = try await PageBench(scene, admin: ", token_file: '\(path)'", opens: false)
            try await page.browser.wait("document.querySelector('#token').open")
            try await page.browser.type("wrong")
            try await page.browser.press("Enter")
            try await page.browser.wait("document.querySelector('#wrong').textContent.includes('Wrong token')")
            try await page.browser.type("correct-horse-battery-staple")
            try await page.browser.press("Enter")
            try await page.browser.wait("document.querySelector('[data-relay=web]')")
            // Events use the token too: a new connection appears.
            let client = try await page.connect("client")
            _ = try await page.row(client)
            try await page.browser.wait("document.querySelector('#state').title.startsWith('Live')")
            #expect(
                try await page.browser.text(
                    "JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie])") == "[{},{},\"\"]")
            try await page.expectClean(refusals: [401])
        }
    }

    @Test func lostConnection_isSaid() async throws {
        try await scene { scene in
            let page = try await PageBench(scene)
            try await page.browser.wait("document.querySelector('#state').textContent === 'running'")
            try await page.tapline.stop()
            try await page.browser.wait("document.querySelector('#state').textContent === 'connection lost'")
            try await page.browser.wait("!document.querySelector('#lost').hidden")
        }
    }
}
