import ArgumentParser
import Configuration
import Daemon
import Glibc
import Recorder
import Sockets
import Terminal
import Text

extension Forward {
    /// The options as a configuration.
    func relayConfiguration() throws -> Configuration {
        let isOutputTaken = view != nil || record != nil
        let access: LogSettings.Access = quiet ? .off : isOutputTaken ? .standardError : .standardOutput
        var relays = try relays()
        try security.issueCertificates(for: &relays, ProcessEnvironment.all)
        return Configuration(
            admin: try admin(),
            log: LogSettings(level: quiet ? .error : .info, format: lineFormat ?? .text, access: access),
            workers: workers, shutdown: .forward, relays: relays)
    }

    /// The format of the lines that was asked for; nil: none.
    private var lineFormat: LogSettings.Format? { json ? .json : logFormat }

    /// What is shown differently because a person reads it on a terminal; nil: nothing is.
    var terminalOutput: TerminalOutput? {
        guard lineFormat == nil else { return nil }
        let isOutputTaken = view != nil || record != nil
        let records = isOutputTaken ? OutputFile.standardError : OutputFile.standardOutput
        return TerminalOutput(
            showsConnections: view == nil && !quiet && records.isTerminal,
            showsDiagnostics: OutputFile.standardError.isTerminal, isUTC: utc)
    }

    /// The folder of the default admin socket; nil with `--admin`.
    var adminFolder: RuntimeFolder? {
        adminAddress == nil ? .find(variable: ProcessEnvironment.value(RuntimeFolder.variable)) : nil
    }

    /// The one recording of all connections; nil where `--record` is a folder.
    var recordingTarget: RecordingTarget? {
        guard let record, recordFolder == nil else { return nil }
        return record == "-" ? .standardOutput : .file(record)
    }

    /// The folder of `--record`: `DIR/`, or the path of an existing folder.
    var recordFolder: String? {
        guard let record, !record.isEmpty, record != "-" else { return nil }
        var facts = stat()
        let isFolder = record.hasSuffix("/") || stat(record, &facts) == 0 && facts.st_mode & S_IFMT == S_IFDIR
        return isFolder ? record : nil
    }

    /// A recording for each relay in the folder of `--record`. Rotation is off, since a person ends it.
    private func recordSettings() throws -> RecordSettings? {
        guard let recordFolder else { return nil }
        var folder = recordFolder.hasPrefix("/") ? recordFolder : workingDirectory() + "/" + recordFolder
        while folder.count > 1, folder.hasSuffix("/") { folder.removeLast() }
        return RecordSettings(
            directory: folder, rotate: .init(size: 0, every: .zero, keep: 0), buffer: RecordSettings.bufferForPeople,
            includesEncrypted: recordEncrypted)
    }

    func admin() throws -> AdminSettings? {
        guard let adminAddress, adminAddress != "off" else { return nil }
        do {
            let listen = try ListenAddress(
                parsing: adminAddress, directory: workingDirectory(), mode: AdminSettings.unixMode)
            let variable = ProcessEnvironment.value(AdminSettings.tokenVariable)
            guard try listen.isLocal || TokenText.parse(variable: variable) != nil else {
                throw usageError(
                    "--admin \(adminAddress): other machines can reach it, so it needs a token in "
                        + "\(AdminSettings.tokenVariable)")
            }
            return AdminSettings(listen: listen)
        } catch let error as ValueError {
            throw usageError("--admin: \(error.message)")
        }
    }

    private var proxyProtocol: ProxyProtocolSettings? {
        guard !acceptProxy.isEmpty || sendProxy != nil else { return nil }
        return ProxyProtocolSettings(accept: acceptProxy.isEmpty ? nil : .init(trusted: acceptProxy), send: sendProxy)
    }

    /// The proxy of `--upstream-proxy`. The error does not repeat the value, which may contain a password.
    private func proxy() throws -> UpstreamProxySettings? {
        do {
            return try upstreamProxy.map { text throws(ValueError) in try UpstreamProxySettings(parsing: text) }
        } catch {
            throw usageError("--upstream-proxy: \(error.message)")
        }
    }

    /// The relays of the SPECs. `words`: the command line, for a proposal.
    func relays(in words: [String] = CommandWords.own) throws -> [RelaySettings] {
        var timeouts = Timeouts.forward
        timeouts.connect = connectTimeout
        timeouts.idle = idleTimeout
        timeouts.wait = lifecycle.holdTime
        do {
            let recording = try recordSettings()
            let proxy = try proxy()
            let plain = try ForwardSpec.relays(specs, directory: workingDirectory(), timeouts: timeouts)
            if let message = security.misplaced(for: plain) { throw usageError(message) }
            if recordEncrypted, !plain.contains(where: \.hasTLS) {
                throw usageError("--record-encrypted: nothing is encrypted; write a SPEC with tls:")
            }
            return try plain.map { relay in
                guard relay.upstream != .originalDestination || acceptProxy.isEmpty else {
                    throw usageError(
                        "--accept-proxy cannot be used with original-destination: redirected clients send no header")
                }
                if proxy != nil, let message = UpstreamProxySettings.obstacle(relay.upstream) {
                    throw usageError("--upstream-proxy: \(message)")
                }
                var relay = relay
                try secure(&relay)
                relay.upstreamProxy = proxy
                relay.record = recording
                if !relay.hasTLS { relay.record?.includesEncrypted = false }
                relay.proxyProtocol = proxyProtocol
                return relay
            }
        } catch let errors as ForwardSpecErrors {
            throw usageError(errors, ForwardProposal(for: specs, directory: workingDirectory()), words)
        }
    }

    private func secure(_ relay: inout RelaySettings) throws {
        do throws(ValueError) {
            try security.apply(to: &relay, directory: workingDirectory())
        } catch {
            throw usageError(error.message)
        }
    }

    /// The error for wrong SPECs; with a proposal, its reason and the whole command line with the proposed SPECs.
    private func usageError(_ errors: ForwardSpecErrors, _ proposal: ForwardProposal?, _ words: [String]) -> UsageError
    {
        guard let proposal else { return usageError(errors.description) }
        let wrong = specs.map { "`\($0.harmless)`" }.joined(separator: " ")
        return usageError(
            "\(wrong): \(proposal.reason)",
            proposals: proposal.alternatives.map { CommandWords.replacing(specs, with: $0, in: words) })
    }
}
