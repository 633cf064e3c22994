import Foundation
import Testing

/// The page on small screens and in dark mode.
@Suite(.needs(Browser.program, "python3", "curl"))
struct PageLookTests {
    @Test(arguments: [400, 1280]) func page_hasNoHorizontalScroll_andFollowsTheSystemsLight(width: Int) async throws {
        try await scene { scene in
            let page = try await PageBench(
                scene, relays: ["web", "a-relay-whose-name-is-longer-than-most-of-them-are-meant-to-be"])
            let client = try await page.connect("client")
            _ = try await page.puppet.send("client", count: 30_000)
            let overflow = "document.documentElement.scrollWidth - innerWidth"
            var grounds: [String] = []
            for isDark in [false, true] {
                try await page.browser.view(width, 800, isDark: isDark)
                let row = try await page.row(client)
                #expect(try await page.browser.text(overflow) == "0")
                try await page.browser.click("\(row) td")
                try await page.browser.wait("document.querySelector('#story li')")
                #expect(try await page.browser.text(overflow) == "0")
                let (drawer, sight) = ("document.querySelector('#one').getBoundingClientRect()", "innerWidth")
                #expect(try await page.browser.text("\(drawer).left >= 0 && \(drawer).right <= \(sight)") == "true")
                grounds.append(try await page.browser.text("getComputedStyle(document.body).backgroundColor"))
                try await page.browser.press("Escape")
                try await page.browser.wait("document.querySelector('#one').hidden")
            }
            #expect(grounds[0] != grounds[1])
            // The switch selects the opposite of the system's setting.
            try await page.browser.click("#theme")
            #expect(try await page.browser.text("getComputedStyle(document.body).backgroundColor") == grounds[0])
            try await page.expectClean()
        }
    }

    /// The table next to an opened connection, and the cards above it, are not covered.
    @Test(arguments: [1120, 1200, 1400]) func openDrawer_coversNothing_andNamesStayInOneLine(width: Int) async throws {
        try await scene { scene in
            let page = try await PageBench(scene, relays: ["web", "mail"])
            try await page.browser.view(width, 800)
            try await page.puppet.close("mail")
            for number in 1...3 {
                try await page.puppet.connect("refused\(number)", to: page.tapline.listeners[1])
                _ = try await page.tapline.records(number)
            }
            let row = try await page.row(try await page.connect("client"))
            // Before the click, because the failing relay's card moves the rows.
            try await page.browser.wait("document.querySelector('[data-relay=mail] .pill').checkVisibility()")
            try await page.browser.click(row)
            let name = "document.querySelector('[data-relay=mail] h3').getBoundingClientRect()"
            try await page.browser.wait("document.body.classList.contains('reading')")
            #expect(try await page.browser.text("\(name).height < 24") == "true")
            let edge = "document.querySelector('#one').getBoundingClientRect().left"
            let covered =
                "[...document.querySelectorAll('#main .card, #work')].filter(box => box.getBoundingClientRect().right > \(edge))"
            #expect(try await page.browser.text("\(covered).length") == "0")
            try await page.expectClean()
        }
    }
}
