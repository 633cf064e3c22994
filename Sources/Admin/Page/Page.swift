/// The page at `/`, its style sheet and its script, which the package manager embeds in the program.
///
/// The Content Security Policy (Level 3) lets the page load these and connect to this server only. Inline scripts, inline
/// styles and handlers in attributes do not work.
enum Page {
    /// The page's answer.
    static let document = Answer(
        type: "text/html; charset=utf-8",
        fields: [
            "Content-Security-Policy": policy, "Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY",
            "Cross-Origin-Opener-Policy": "same-origin",
        ],
        content: .whole(PackageResources.page_html))

    /// The style sheet's answer.
    static let style = Answer(type: "text/css; charset=utf-8", content: .whole(PackageResources.page_css))

    /// The script's answer.
    static let script = Answer(
        type: "text/javascript; charset=utf-8", content: .whole(Array(scriptParts.joined())))

    static let policy =
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; base-uri 'none'; "
        + "form-action 'none'; frame-ancestors 'none'"

    /// The parts of the one module that the script is: a part may use what the parts before it define while it is
    /// evaluated, and what any part defines in functions that run later.
    private static let scriptParts = [
        PackageResources.elements_js, PackageResources.units_js, PackageResources.server_js,
        PackageResources.dialogs_js, PackageResources.state_js, PackageResources.graph_js,
        PackageResources.capture_js, PackageResources.pcapng_js, PackageResources.phrases_js,
        PackageResources.table_js, PackageResources.tables_js, PackageResources.connections_js,
        PackageResources.relays_js, PackageResources.connection_js, PackageResources.traffic_js,
        PackageResources.drawer_js, PackageResources.reload_js, PackageResources.header_js,
        PackageResources.updates_js, PackageResources.start_js,
    ]
}
