internal import Configuration
internal import Sockets

/// The sockets of one address that another process has bound and handed over. Immutable; any thread.
///
/// Those of the service manager stay here for as long as the process runs, and workers get copies: a relay that is gone
/// from the configuration may come back, and nobody else could bind the address meanwhile. Those of a tapline before this
/// one are given to the workers themselves.
final class HandedAddress: Sendable {
    let address: SocketAddress
    /// The name of the relay that they are for, or whatever name the service manager knows them by.
    let label: String
    /// The service manager made and keeps them.
    let isOfManager: Bool
    /// Bound to every interface of IPv6, and for clients of IPv4 too.
    let servesBothFamilies: Bool
    /// The file of a Unix socket that is ours to remove in the end.
    let file: SocketFile?
    /// The numbers that they came with, for messages.
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

    /// Puts sockets of one address together, in the order in which they came.
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

    /// Whether they serve an address that a relay wants to listen on: the same one; or, of a free port, the one that
    /// this relay had.
    func serves(_ wanted: SocketAddress, of relay: String) -> Bool {
        if wanted.port == 0 { return label == relay && address.with(port: 0) == wanted }
        return address == wanted
    }

    /// Lets go of sockets that nobody serves: clients must not wait there.
    func close() {
        for parcel in sockets { _ = parcel.takeSocket() }
    }

    /// What a person finds them by: `descriptor 3 (web, 127.0.0.1:8080)`.
    var description: String {
        let numbers = descriptors.map { "\($0)" }.joined(separator: ", ")
        let both = servesBothFamilies ? " and IPv4" : ""
        return "descriptor\(descriptors.count > 1 ? "s" : "") \(numbers) (`\(label)`, \(address)\(both))"
    }
}
