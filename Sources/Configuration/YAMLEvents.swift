internal import CYAML

/// An event of libyaml's parser.
struct YAMLEvent {
    /// The events that a configuration consists of.
    enum Kind {
        /// A document begins, with or without `---`.
        case documentStart
        /// A scalar; plain when it is not quoted and not a block.
        case scalar(String, isPlain: Bool)
        /// A list begins.
        case sequenceStart
        /// A mapping begins.
        case mappingStart
        /// The innermost list or mapping ends.
        case collectionEnd
        /// `*name`.
        case alias(String)
        /// The start of the stream, or the end of a document.
        case ignored
    }

    let kind: Kind
    /// The position of its first character.
    let mark: Mark
    /// The name of its anchor, `&name`.
    let anchor: String?
    /// Its tag, `!name`.
    let tag: String?
}

/// An error of libyaml's parser.
struct YAMLFault {
    static let outOfMemory = YAMLFault(problem: "out of memory", context: "", mark: .start, contextMark: .start)

    /// libyaml's message.
    let problem: String
    /// libyaml's description of what it was parsing; empty without one.
    let context: String
    /// The position of the error.
    let mark: Mark
    /// The position at which the context begins; `mark` without a context.
    let contextMark: Mark
}

/// Parses YAML with libyaml's event API, which does not resolve aliases and reports duplicate keys as ordinary events.
///
/// All unsafe pointers of this module are in this file. None of libyaml's pointers is used after `read` returns.
enum YAMLEvents {
    /// Calls `handle` with each event until it returns false or the text ends. Returns libyaml's error, or nil.
    ///
    /// Memory is bounded by the text's length. libyaml 0.2.5 does not limit the depth of nesting: `handle` must.
    static func read(_ bytes: [UInt8], _ handle: (YAMLEvent) -> Bool) -> YAMLFault? {
        // The parser contains pointers to itself once it has an input, so it must not move.
        let parser = UnsafeMutablePointer<yaml_parser_t>.allocate(capacity: 1)
        defer { parser.deallocate() }
        guard yaml_parser_initialize(parser) == 1 else { return .outOfMemory }
        defer { yaml_parser_delete(parser) }
        return bytes.withUnsafeBufferPointer { input in
            // libyaml asserts that its input is not NULL.
            guard let start = input.baseAddress else { return nil }
            yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING)
            yaml_parser_set_input_string(parser, start, input.count)
            while true {
                var event = yaml_event_t()
                guard yaml_parser_parse(parser, &event) == 1 else { return fault(parser.pointee, in: bytes) }
                defer { yaml_event_delete(&event) }
                if event.type == YAML_STREAM_END_EVENT || !handle(translated(event)) { return nil }
            }
        }
    }

    private static func translated(_ event: yaml_event_t) -> YAMLEvent {
        let kind: YAMLEvent.Kind
        var anchor: String?
        var tag: String?
        switch event.type {
        case YAML_DOCUMENT_START_EVENT:
            kind = .documentStart
        case YAML_SCALAR_EVENT:
            let scalar = event.data.scalar
            // A scalar may contain NUL ("\0"), so its length is used.
            let text = String(decoding: UnsafeBufferPointer(start: scalar.value, count: scalar.length), as: UTF8.self)
            kind = .scalar(text, isPlain: scalar.style == YAML_PLAIN_SCALAR_STYLE)
            (anchor, tag) = (string(scalar.anchor), string(scalar.tag))
        case YAML_SEQUENCE_START_EVENT:
            kind = .sequenceStart
            (anchor, tag) = (string(event.data.sequence_start.anchor), string(event.data.sequence_start.tag))
        case YAML_MAPPING_START_EVENT:
            kind = .mappingStart
            (anchor, tag) = (string(event.data.mapping_start.anchor), string(event.data.mapping_start.tag))
        case YAML_SEQUENCE_END_EVENT, YAML_MAPPING_END_EVENT:
            kind = .collectionEnd
        case YAML_ALIAS_EVENT:
            kind = .alias(string(event.data.alias.anchor) ?? "")
        default:
            kind = .ignored
        }
        return YAMLEvent(kind: kind, mark: Mark(event.start_mark), anchor: anchor, tag: tag)
    }

    private static func fault(_ parser: yaml_parser_t, in bytes: [UInt8]) -> YAMLFault {
        if parser.error == YAML_MEMORY_ERROR { return .outOfMemory }
        let problem = parser.problem.map { String(cString: $0) } ?? "not readable"
        if parser.error == YAML_READER_ERROR {
            // The reader is ahead of the marks. It reports an offset instead.
            let mark = Mark(offset: parser.problem_offset, in: bytes)
            return YAMLFault(problem: problem, context: "", mark: mark, contextMark: mark)
        }
        let mark = Mark(parser.problem_mark)
        guard let context = parser.context else {
            return YAMLFault(problem: problem, context: "", mark: mark, contextMark: mark)
        }
        return YAMLFault(
            problem: problem, context: String(cString: context), mark: mark, contextMark: Mark(parser.context_mark))
    }

    private static func string(_ pointer: UnsafePointer<yaml_char_t>?) -> String? {
        pointer.map { String(cString: $0) }
    }
}

extension Mark {
    /// libyaml counts lines and columns from zero.
    fileprivate init(_ mark: yaml_mark_t) {
        self.init(line: mark.line + 1, column: mark.column + 1)
    }

    /// The position of the byte at an offset.
    fileprivate init(offset: Int, in bytes: [UInt8]) {
        var line = 1
        var column = 1
        for byte in bytes.prefix(max(0, offset)) {
            if byte == UInt8(ascii: "\n") {
                line += 1
                column = 1
            } else if byte & 0xC0 != 0x80 {
                column += 1
            }
        }
        self.init(line: line, column: column)
    }
}
