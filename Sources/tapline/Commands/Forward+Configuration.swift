import ArgumentParser
import Configuration
import Recorder
import Terminal

extension Forward {
    /// The options as a configuration.
    func relayConfiguration() throws -> Configuration {
        let isOutputTaken = view != nil || record != nil
        let access: LogSettings.Access = quiet ? .off : isOutputTaken ? .standardError : .standardOutput
        return Configuration(
            admin: try admin(),
            log: LogSettings(level: quiet ? .error : .info, format: logFormat, access: access),
            workers: workers, shutdown: .forward, relays: try relays())
    }

    /// The one recording of all connections; nil where `--record` is a folder.
    var recordingTarget: RecordingTarget? {
        guard let record, !record.hasSuffix("/") else { return nil }
        return record == "-" ? .standardOutput : .file(record)
    }

    /// A recording for each relay in the folder of `--record`. Rotation is off, since a person ends it.
    private func recordSettings() throws -> RecordSettings? {
        guard let record, record.hasSuffix("/") else { return nil }
        let directory = record.hasPrefix("/") ? record : workingDirectory() + "/" + record
        let folder = directory.count > 1 ? String(directory.dropLast()) : directory
        return RecordSettings(
            directory: folder, rotate: .init(size: 0, every: .zero, keep: 0), buffer: RecordSettings.bufferForPeople)
    }

    func admin() throws -> AdminSettings? {
        guard let adminAddress else { return nil }
        do {
            let listen = try ListenAddress(
                parsing: adminAddress, directory: workingDirectory(), mode: AdminSettings.unixMode)
            let variable = ProcessEnvironment.value(AdminSettings.tokenVariable)
            guard try listen.isLocal || TokenText.parse(variable: variable) != nil else {
                throw ValidationError(
                    "--admin \(adminAddress) can be reached from other machines; it needs a token in "
                        + "\(AdminSettings.tokenVariable).")
            }
            return AdminSettings(listen: listen)
        } catch let error as ValueError {
            throw ValidationError("--admin: \(error.message)")
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
            throw ValidationError("--upstream-proxy: \(error.message)")
        }
    }

    func relays() throws -> [RelaySettings] {
        var timeouts = Timeouts.forward
        timeouts.connect = connectTimeout
        timeouts.idle = idleTimeout
        do {
            let recording = try recordSettings()
            let proxy = try proxy()
            return try ForwardSpec.relays(specs, directory: workingDirectory(), timeouts: timeouts).map { relay in
                guard relay.upstream != .originalDestination || acceptProxy.isEmpty else {
                    throw ValidationError(
                        "--accept-proxy cannot stand beside original-destination: who is redirected sends no header.")
                }
                if proxy != nil, let message = UpstreamProxySettings.obstacle(relay.upstream) {
                    throw ValidationError("--upstream-proxy: \(message).")
                }
                var relay = relay
                relay.upstreamProxy = proxy
                relay.record = recording
                relay.proxyProtocol = proxyProtocol
                return relay
            }
        } catch let errors as ForwardSpecErrors {
            throw ValidationError(errors.description)
        }
    }
}
