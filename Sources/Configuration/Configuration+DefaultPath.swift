extension Configuration {
    /// The configuration file where none is named.
    public static let defaultPath = "/etc/tapline/tapline.yaml"
}
