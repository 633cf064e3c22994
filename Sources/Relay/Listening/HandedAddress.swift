internal import Configuration
internal import Sockets

/// The sockets of one address that another process has bound and handed over. Immutable; any thread.
///
/// Those of the service manager stay here as long as the process runs, and workers get copies: a relay that was removed
/// from the configuration may return, and no other process could bind the address meanwhile. Those of a previous
/// tapline are given to the workers themselves.
final class HandedAddress: Sendable {
    let address: SocketAddress
    /// The name of the relay that they are for, or the service manager's name for them.
    let label: String
    /// The service manager bound them and keeps them.
    let isOfManager: Bool
    /// Bound to every interface of IPv6, and for IPv4 clients too.
    let servesBothFamilies: Bool
    /// The file of a Unix socket, which this process removes at the end.
    let file: SocketFile?
    /// The descriptors under which they were handed over, for messages.
    let descriptors: [Int32]
    let sockets: [SocketParcel]

    private init(_ first: HandedSocket, _ all: [HandedSocket]) {
        address = first.address
        label = first.label
        isOfManager = first.origin == .manager
        servesBothFamilies = first.servesBothFamilies
        file = first.file
        descriptors = all.map(\.descriptor)
        sockets = all.map(\.parcel)
    }

    /// Groups sockets by address, in the order in which they were handed over.
    static func grouping(_ sockets: [HandedSocket]) -> [HandedAddress] {
        var groups: [[HandedSocket]] = []
        for socket in sockets {
            let index = groups.firstIndex {
                $0[0].address == socket.address && ($0[0].origin == .manager) == (socket.origin == .manager)
            }
            if let index { groups[index].append(socket) } else { groups.append([socket]) }
        }
        return groups.map { HandedAddress($0[0], $0) }
    }

    /// Whether they serve an address that a relay wants to listen on: the same address, or, for a free port, the one
    /// that this relay had.
    func serves(_ wanted: SocketAddress, of relay: String) -> Bool {
        if wanted.port == 0 { return label == relay && address.with(port: 0) == wanted }
        return address == wanted
    }

    /// Closes sockets that no worker serves: clients must not wait in their queues.
    func close() {
        for parcel in sockets { _ = parcel.takeSocket() }
    }

    /// For a person to find them: `descriptor 3 (web, 127.0.0.1:8080)`.
    var description: String {
        let numbers = descriptors.map { "\($0)" }.joined(separator: ", ")
        let both = servesBothFamilies ? " and IPv4" : ""
        return "descriptor\(descriptors.count > 1 ? "s" : "") \(numbers) (`\(label)`, \(address)\(both))"
    }
}
