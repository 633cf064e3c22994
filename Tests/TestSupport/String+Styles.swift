extension String {
    /// The text as a person reads it on a terminal: without the escape sequences of its styles.
    public var withoutStyles: String { replacing(/\u{1B}\[[\d;]*m/, with: "") }
}
