import ArgumentParser
import Client
import Configuration
import Glibc
import Sockets
import Terminal

/// The options of every command that connects to a running Tapline.
struct AdminOptions: ParsableArguments {
    @Option(
        name: [.customShort("a"), .long],
        help: ArgumentHelp(
            "Admin API address: HOST:PORT, PORT or unix:PATH. Default: $\(AdminTarget.variable), then admin.listen of the "
                + "configuration, then the socket of the running `forward`, then \(AdminSettings.defaultListen).",
            valueName: "address"))
    var admin: String?

    @Option(
        name: [.customShort("c"), .long],
        help: ArgumentHelp(
            "Configuration file that contains the address. Default: $\(ConfigurationPlaces.variable), or the first of these with admin.listen: "
                + "./tapline.yaml (local addresses only), $XDG_CONFIG_HOME/tapline/tapline.yaml (~/.config) and "
                + "\(ConfigurationFile.defaultPath).",
            valueName: "path"), completion: .configurations)
    var config: String?

    @Option(
        help: ArgumentHelp(
            "File with the admin API's token. Default: $\(AdminSettings.tokenVariable), then the configuration's.",
            valueName: "path"), completion: .file())
    var tokenFile: String?

    @Flag(name: [.customShort("j"), .long], help: "Print the admin API's JSON objects, one per line.")
    var json = false

    /// A client of the tapline that the options name. `asksForwards`: if several `forward` processes run, the error says
    /// what each of them forwards. `onlyReads`: the command changes nothing by itself, so if nothing listens at the
    /// address of a default configuration file, it may show the running `forward` instead. A shutdown that is for a
    /// service must not stop a `forward`.
    func client(asksForwards: Bool = true, onlyReads: Bool = false) throws -> AdminClient {
        let refusal: ((AdminAddress) -> Errno?)? = onlyReads ? { AdminTarget.refusal(of: $0) } : nil
        return AdminClient(
            target: try AdminTarget.find(
                admin: admin, config: config, tokenFile: tokenFile,
                in: AdminTarget.Surroundings(
                    variable: ProcessEnvironment.value, variables: ProcessEnvironment.all,
                    directory: workingDirectory(), canRead: { access($0, R_OK) == 0 },
                    sockets: {
                        RuntimeFolder.find(variable: ProcessEnvironment.value(RuntimeFolder.variable)).liveSockets()
                    },
                    choice: { asksForwards ? SocketChoice.failure($0) : CommandFailure(.usage, "") },
                    refusal: refusal,
                    report: { writeToStandardError($0 + "\n") })))
    }
}
