internal import CLibuv
internal import Glibc
public import Sockets

/// One lookup of a host's addresses (`getaddrinfo` in libuv's thread pool).
///
/// It keeps itself alive until the pool answers. After `cancel`, a thread of the pool may stay busy with it for a
/// while, without effect.
public final class NameLookup {
    /// Why a lookup gave no address.
    public enum Failure: Error, Hashable, Sendable {
        /// The name does not exist or has no address.
        case notFound
        /// The name service failed, with this message.
        case failed(String)
    }

    private unowned let loop: EventLoop
    private let request: UnsafeMutablePointer<uv_getaddrinfo_t>
    private var completion: ((Result<[SocketAddress], Failure>) -> Void)?

    /// Starts a lookup for both address families. The addresses have port 0 and the order of RFC 6724. The completion
    /// is called once, on the loop's thread, never from inside this call.
    public init(
        loop: EventLoop, host: String, completion: @escaping (Result<[SocketAddress], Failure>) -> Void
    ) throws(UVError) {
        loop.assertOnThread()
        self.loop = loop
        request = .allocate(capacity: 1)
        self.completion = completion
        var hints = addrinfo()
        hints.ai_family = AF_UNSPEC
        hints.ai_socktype = CInt(SOCK_STREAM.rawValue)
        hints.ai_protocol = CInt(IPPROTO_TCP)
        let result = uv_getaddrinfo(
            loop.raw, request,
            { request, status, list in
                guard let data = request?.pointee.data else { return }
                let lookup = Unmanaged<NameLookup>.fromOpaque(data).takeRetainedValue()
                lookup.finish(status, list)
            }, host, nil, &hints)
        guard result == 0 else {
            request.deallocate()
            self.completion = nil
            throw UVError(code: result)
        }
        request.pointee.data = Unmanaged.passRetained(self).toOpaque()
        loop.started(self)
    }

    /// Cancels the lookup: the completion is not called.
    public func cancel() {
        guard completion != nil else { return }
        completion = nil
        loop.abandoned(self)
        // uv_cancel works only before a thread has started the request; either way `finish` is called once.
        request.withMemoryRebound(to: uv_req_t.self, capacity: 1) { _ = uv_cancel($0) }
    }

    private func finish(_ status: CInt, _ list: UnsafeMutablePointer<addrinfo>?) {
        defer {
            uv_freeaddrinfo(list)
            request.deallocate()
        }
        loop.finished(self, wasAbandoned: completion == nil)
        guard let completion else { return }
        self.completion = nil
        guard status == 0 else {
            let missing = [UV_EAI_NONAME, UV_EAI_NODATA, UV_EAI_ADDRFAMILY].contains { $0.rawValue == status }
            completion(.failure(missing ? .notFound : .failed(UVError(code: status).description)))
            return
        }
        var addresses: [SocketAddress] = []
        var entry = list
        while let current = entry {
            if let raw = current.pointee.ai_addr,
                let address = SocketAddress(raw, length: current.pointee.ai_addrlen), !addresses.contains(address)
            {
                addresses.append(address)
            }
            entry = current.pointee.ai_next
        }
        completion(addresses.isEmpty ? .failure(.notFound) : .success(addresses))
    }
}
