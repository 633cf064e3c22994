// Of the Yams package this imports libyaml itself: the tree that `Yams.compose` makes has its aliases resolved already
// (so a bomb has gone off by the time that anybody can look), stops at the first duplicate key, and forgets anchors.
internal import CYaml

/// One step of a YAML text, as libyaml reports it: what begins, ends or stands there.
struct YAMLEvent {
    /// The steps that a configuration is made of.
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
        /// What carries nothing: the stream's own ends, a document's end.
        case nothing
    }

    /// What happened.
    let kind: Kind
    /// Where it begins.
    let mark: Mark
    /// `&name` before it.
    let anchor: String?
    /// `!name` before it.
    let tag: String?
}

/// Why libyaml could not go on.
struct YAMLFault {
    /// In libyaml's words.
    let problem: String
    /// What it was doing, in its words; empty when it does not say.
    let context: String
    /// Where it noticed.
    let mark: Mark
    /// Where that began; the same as `mark` when it does not say.
    let contextMark: Mark
}

/// Reads a YAML text event by event.
///
/// All unsafe pointers of this module are in this file: libyaml is C, and no pointer of its survives a call of `read`.
enum YAMLEvents {
    /// Hands every event to `handle` until it answers false or the text ends; returns why it could not go on, or nil.
    ///
    /// Memory is bounded by the text's length: nothing is resolved or kept, and libyaml nests at most 1000 deep.
    static func read(_ bytes: [UInt8], _ handle: (YAMLEvent) -> Bool) -> YAMLFault? {
        // The parser points to itself once it has an input, so that it must not move.
        let parser = UnsafeMutablePointer<yaml_parser_t>.allocate(capacity: 1)
        defer { parser.deallocate() }
        guard yaml_parser_initialize(parser) == 1 else {
            return YAMLFault(problem: "out of memory", context: "", mark: .start, contextMark: .start)
        }
        defer { yaml_parser_delete(parser) }
        return bytes.withUnsafeBufferPointer { input in
            yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING)
            yaml_parser_set_input_string(parser, input.baseAddress, input.count)
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
            // A scalar may hold NULs ("\0"), hence its own length.
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
            kind = .nothing
        }
        return YAMLEvent(kind: kind, mark: Mark(event.start_mark), anchor: anchor, tag: tag)
    }

    private static func fault(_ parser: yaml_parser_t, in bytes: [UInt8]) -> YAMLFault {
        let problem = parser.problem.map { String(cString: $0) } ?? "not readable"
        if parser.error == YAML_READER_ERROR {
            // The reader works ahead of the marks; it tells an offset instead.
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
    /// libyaml counts from zero.
    fileprivate init(_ mark: yaml_mark_t) {
        self.init(line: mark.line + 1, column: mark.column + 1)
    }

    /// The place of a byte, by counting the lines before it.
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
