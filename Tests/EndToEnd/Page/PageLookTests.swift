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
}
