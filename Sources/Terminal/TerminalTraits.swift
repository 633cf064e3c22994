package import Sockets

/// What an output can show.
package struct TerminalTraits: Hashable, Sendable {
    /// Colours may be used.
    package var showsColor: Bool
    /// Characters beyond ASCII may be used.
    package var showsUnicode: Bool

    /// Colours on a terminal that has them. `NO_COLOR` (no-color.org) turns them off; otherwise `FORCE_COLOR`
    /// (force-color.org) or `CLICOLOR_FORCE` (bixense.com/clicolors) turns them on for any output, for `| less -R`.
    /// `FORCE_COLOR=0` turns them off. Unicode by the first non-empty one of `LC_ALL`, `LC_CTYPE` and `LANG`
    /// (locale(7)).
    package init(isTerminal: Bool, environment: (String) -> String?) {
        showsColor =
            if environment("NO_COLOR")?.isEmpty == false {
                false
            } else if let force = environment("FORCE_COLOR"), !force.isEmpty {
                !["0", "false"].contains(force)
            } else if let force = environment("CLICOLOR_FORCE"), !force.isEmpty, force != "0" {
                true
            } else {
                isTerminal && environment("TERM") != "dumb"
            }
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].lazy.compactMap(environment).first { !$0.isEmpty }
        let name = locale?.uppercased() ?? ""
        showsUnicode = name.contains("UTF-8") || name.contains("UTF8")
    }

    /// Traits as given.
    package init(showsColor: Bool, showsUnicode: Bool) {
        self.showsColor = showsColor
        self.showsUnicode = showsUnicode
    }

    /// The traits of an output of this process.
    package init(of output: OutputFile) {
        self.init(isTerminal: output.isTerminal, environment: ProcessEnvironment.value)
    }
}
