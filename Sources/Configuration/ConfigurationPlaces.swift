/// The files that are a configuration when the command line names none. Pure.
package struct ConfigurationPlaces: Hashable, Sendable {
    /// The variable that names the only place.
    package static let variable = "TAPLINE_CONFIG"
    /// The place in the working directory.
    package static let local = "./tapline.yaml"

    /// The paths in the order of precedence.
    package let paths: [String]

    /// The places of a process with these environment variables. Relative values of `XDG_CONFIG_HOME` and `HOME` do not
    /// count (XDG Base Directory Specification).
    package init(_ variables: [String: String]) {
        if let path = variables[Self.variable], !path.isEmpty {
            paths = [path]
            return
        }
        let own = variables["XDG_CONFIG_HOME"].flatMap { $0.hasPrefix("/") ? $0 : nil }
        let home = variables["HOME"].flatMap { $0.hasPrefix("/") ? $0 + "/.config" : nil }
        paths =
            [Self.local] + [own ?? home].compactMap { $0.map { $0 + "/tapline/tapline.yaml" } }
            + [ConfigurationFile.defaultPath]
    }

    /// The first place that exists.
    package func first(exists: (String) -> Bool) throws(ConfigurationNotFound) -> String {
        // The file of the variable is read in any case, so that the error says why it cannot be.
        if paths.count == 1 { return paths[0] }
        guard let path = paths.first(where: exists) else { throw ConfigurationNotFound(paths: paths) }
        return path
    }
}

/// No configuration was named, and none of the places has one.
package struct ConfigurationNotFound: Error, Hashable, CustomStringConvertible {
    /// The places.
    package let paths: [String]

    package var description: String {
        "no configuration found; looked for \(paths.joined(separator: ", "))\n"
            + "Name one with --config FILE or \(ConfigurationPlaces.variable)=FILE"
    }
}
