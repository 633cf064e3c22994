/// Recognises MongoDB by the header of its first message (MongoDB's documentation, "Wire Protocol").
enum MongoDBRecogniser {
    static func recognise(_ up: ArraySlice<UInt8>, _ down: ArraySlice<UInt8>) -> Protocol? {
        guard let length = up.number32(at: 0, .little), (16...48_000_000).contains(length),
            up.number32(at: 8, .little) == 0, let code = up.number32(at: 12, .little)
        else { return nil }
        switch code {
        case 2013:
            // OP_MSG: flags, then sections; the first is usually the body.
            return Protocol(.mongoDB, up.byte(at: 20) == 0 ? firstKey(of: up.rest(from: 21)) : nil)
        case 2004:
            // OP_QUERY: flags, the collection's name, two numbers, the query.
            guard let name = up.textToNUL(from: 20) else { return nil }
            return Protocol(.mongoDB, firstKey(of: up.rest(from: 20 + name.utf8.count + 1 + 8)) ?? name)
        case 2012: return Protocol(.mongoDB, "compressed")
        default: return nil
        }
    }

    /// A command is a document whose first key is the command's name.
    private static func firstKey(of document: ArraySlice<UInt8>) -> String? {
        guard let key = document.textToNUL(from: 5), !key.isEmpty, key.utf8.count <= 64,
            key.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F })
        else { return nil }
        return key
    }
}
