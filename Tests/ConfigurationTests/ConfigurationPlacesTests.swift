import Testing

@testable import Configuration

/// The search for a configuration that the command line does not name.
struct ConfigurationPlacesTests {
    private static let system = "/etc/tapline/tapline.yaml"

    @Test(
        arguments: [
            ([:], ["./tapline.yaml", system]),
            (["HOME": "/h"], ["./tapline.yaml", "/h/.config/tapline/tapline.yaml", system]),
            (["HOME": "/h", "XDG_CONFIG_HOME": "/x"], ["./tapline.yaml", "/x/tapline/tapline.yaml", system]),
            (["HOME": "h", "XDG_CONFIG_HOME": "x"], ["./tapline.yaml", system]),
            (["HOME": "/h", "TAPLINE_CONFIG": "t.yaml"], ["t.yaml"]),
            (["TAPLINE_CONFIG": ""], ["./tapline.yaml", system]),
        ] as [([String: String], [String])])
    func places_followTheEnvironment(variables: [String: String], paths: [String]) {
        #expect(ConfigurationPlaces(variables).paths == paths)
    }

    @Test func first_isTheFirstThatExists_elseTheErrorNamesAll() throws {
        let places = ConfigurationPlaces(["HOME": "/h"])
        #expect(try places.first { $0.hasPrefix("/") } == "/h/.config/tapline/tapline.yaml")
        let error = #expect(throws: ConfigurationNotFound.self) { try places.first { _ in false } }
        let text = error?.description ?? ""
        for path in places.paths { #expect(text.contains(path)) }
        #expect(text.contains("--config FILE"))
        #expect(try ConfigurationPlaces(["TAPLINE_CONFIG": "t"]).first { _ in false } == "t")
    }
}
