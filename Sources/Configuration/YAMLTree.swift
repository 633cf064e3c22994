/// A value of the file with its position.
struct YAMLNode {
    enum Content {
        /// The text as written; `isPlain` when it is neither quoted nor a block.
        case scalar(String, isPlain: Bool)
        case sequence([YAMLNode])
        case mapping([YAMLEntry])
        /// A value that was refused and reported, and is not reported again.
        case refused
    }

    let content: Content
    let mark: Mark

    /// Whether the value is missing, as after `key:`.
    var isEmpty: Bool {
        if case .scalar("", isPlain: true) = content { true } else { false }
    }
}

/// A key with its value.
struct YAMLEntry {
    let key: YAMLNode
    let value: YAMLNode
}

/// Builds the tree of a text's one document, and refuses what no configuration needs: anchors, aliases, tags, further
/// documents, deep nesting.
struct YAMLTree {
    /// Far more than any configuration needs (`relays`, entry, `record`, `rotate`: five). It also bounds libyaml's stack.
    static let mostDepth = 32

    /// The tree; nil after a reported mistake, or when the text has no document.
    static func read(_ written: [UInt8], _ problems: Problems) -> YAMLNode? {
        let bytes: [UInt8]
        switch TextEncoding(of: written) {
        case .utf8: bytes = written
        // Removed here, so that columns count from the first visible character, as in editors. libyaml skips the mark but
        // counts it as a column, and then refuses a `---` after it.
        case .markedUTF8: bytes = Array(written.dropFirst(TextEncoding.utf8Mark.count))
        case .other(let name):
            problems.report(.start, "the file is \(name) text; save it as UTF-8")
            return nil
        }
        var tree = YAMLTree(problems: problems)
        if let fault = YAMLEvents.read(bytes, { tree.handle($0) }) {
            let (mark, message) = YAMLAdvice.explain(fault, in: bytes)
            problems.report(mark, message)
            return nil
        }
        return tree.isBroken ? nil : tree.root
    }

    /// An unfinished list or mapping. A mapping's keys and values alternate in `items`.
    private struct Open {
        let isMapping: Bool
        let mark: Mark
        var items: [YAMLNode] = []
    }

    private let problems: Problems
    private var open: [Open] = []
    private var root: YAMLNode?
    private var documents = 0
    private var isBroken = false

    private init(problems: Problems) {
        self.problems = problems
    }

    /// Handles one event. Returns false to stop parsing.
    private mutating func handle(_ event: YAMLEvent) -> Bool {
        if let anchor = event.anchor {
            problems.report(
                event.mark, "the anchor \(quoted("&" + anchor)): anchors are not allowed; write the value out")
        }
        if let tag = event.tag {
            let standard = "tag:yaml.org,2002:"
            let written = tag.hasPrefix(standard) ? "!!" + tag.dropFirst(standard.count) : tag
            problems.report(
                event.mark,
                "the tag \(quoted(written)): tags are not allowed; remove it")
        }
        switch event.kind {
        case .documentStart:
            documents += 1
            if documents > 1 {
                return stop(event.mark, "a second document begins here; a configuration is one document")
            }
        case .scalar(let text, let isPlain):
            add(YAMLNode(content: .scalar(text, isPlain: isPlain), mark: event.mark))
        case .alias(let name):
            let text = "*" + name
            problems.report(
                event.mark,
                "the alias \(quoted(text)): aliases are not allowed; write the value out, or quote it if it is text: \"\(clipped(text))\""
            )
            add(YAMLNode(content: .refused, mark: event.mark))
        case .sequenceStart, .mappingStart:
            if open.count == Self.mostDepth {
                return stop(event.mark, "nested deeper than \(Self.mostDepth) levels")
            }
            if case .mappingStart = event.kind {
                open.append(Open(isMapping: true, mark: event.mark))
            } else {
                open.append(Open(isMapping: false, mark: event.mark))
            }
        case .collectionEnd:
            if let ended = open.popLast() { add(Self.node(of: ended)) }
        case .ignored:
            break
        }
        return true
    }

    private mutating func stop(_ mark: Mark, _ message: String) -> Bool {
        problems.report(mark, message)
        isBroken = true
        return false
    }

    private mutating func add(_ node: YAMLNode) {
        if open.isEmpty {
            root = node
        } else {
            open[open.count - 1].items.append(node)
        }
    }

    private static func node(of ended: Open) -> YAMLNode {
        guard ended.isMapping else { return YAMLNode(content: .sequence(ended.items), mark: ended.mark) }
        let entries = stride(from: 0, to: ended.items.count - 1, by: 2).map {
            YAMLEntry(key: ended.items[$0], value: ended.items[$0 + 1])
        }
        return YAMLNode(content: .mapping(entries), mark: ended.mark)
    }
}

/// The text, clipped for a message.
func clipped(_ text: some StringProtocol) -> String {
    text.count > 80 ? text.prefix(80) + "…" : String(text)
}
