import ArgumentParser
import Configuration
import Glibc
import Sockets
import Terminal

/// The options that every command has which talks to a running tapline.
struct AdminOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Where the tapline to talk to has its admin API: HOST:PORT, PORT or unix:PATH. Else \(AdminTarget.variable), "
                + "else admin.listen of the configuration, else \(AdminSettings.defaultListen).", valueName: "address"))
    var admin: String?

    @Option(
        help: ArgumentHelp(
            "The configuration to take the address from. Default: \(Run.defaultPath), if it can be read.",
            valueName: "path"), completion: .file())
    var config: String?

    @Option(
        help: ArgumentHelp(
            "A file with the admin API's token. Else \(AdminSettings.tokenVariable), else the configuration's.",
            valueName: "path"), completion: .file())
    var tokenFile: String?

    @Flag(help: "Print the admin API's own objects, one a line.")
    var json = false

    /// A client for the tapline that the options mean.
    func client() throws -> AdminClient {
        AdminClient(
            target: try AdminTarget.find(
                admin: admin, config: config, tokenFile: tokenFile,
                in: AdminTarget.Surroundings(
                    variable: ProcessEnvironment.value, variables: ProcessEnvironment.all,
                    directory: workingDirectory(), canRead: { access($0, R_OK) == 0 })))
    }
}

extension String {
    /// The text as a part of a URL's query or path (RFC 3986, section 2.3).
    var percentEncoded: String {
        var text = ""
        for byte in utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"):
                text.unicodeScalars.append(Unicode.Scalar(byte))
            default:
                text += "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
            }
        }
        return text
    }
}
