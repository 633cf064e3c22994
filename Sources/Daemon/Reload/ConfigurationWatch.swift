import Configuration
import EventLoop
import Logging

/// Watches the configuration file, the files that it includes and the files of its certificates, and calls `look` when
/// they may have changed: soon after one is written or replaced, a link on its path is changed, or a new file matches `include`. `look` finds out
/// whether the content has changed; it also gets the cause.
///
/// It watches directories (see `DirectoryWatch`) and ignores other entries: a log in the same folder must neither
/// trigger it nor delay it. A `ConfigurationPoll` finds the changes that directories do not report, and does all the
/// work where the system allows no watch. Without the poll's thread, only directories are watched. On the main loop;
/// its owner closes it.
final class ConfigurationWatch {
    /// The number of events of other files after which the watch pauses: libuv reads events as long as more arrive, so
    /// a program that writes a log here without pause would starve the loop, signals included.
    static let mostOthers = 1000
    /// The length of that pause, in milliseconds; `look` follows, so that no change is missed.
    static let rest: UInt64 = 500
    /// The most repetitions when a path changes while it is walked.
    private static let mostWalks = 5

    /// Starts the watch of a directory.
    typealias WatchDirectory =
        (EventLoop, String, @escaping (String?) -> Void) throws(DirectoryWatch.Failure) -> DirectoryWatch

    /// Starts the comparison.
    typealias MakePoll = (EventLoop, UInt64, @escaping (LookCause) -> Void) throws -> ConfigurationPoll

    private struct Watched {
        let watch: DirectoryWatch
        let identity: DirectoryIdentity
    }

    // MARK: Fixed at birth

    private let loop: EventLoop
    private let path: String
    private let included: () -> IncludedPaths?
    private let certificates: () -> [String]
    private let logger: Logger
    private let look: (LookCause) -> Void
    private let watchDirectory: WatchDirectory

    // MARK: The main thread only

    private var wanted: WatchedFiles
    private var wantedIncluded: IncludedPaths?
    private var wantedCertificates: [String]
    private var watched: [String: Watched] = [:]
    private var others = 0
    private var quietTime = QuietTime()
    /// Why the next `look` follows.
    private var cause = LookCause.precaution
    private var timer: Timer?
    private var poll: ConfigurationPoll?
    private var isComparing = false

    /// Watches an absolute path, and calls `look` once soon: the file may have changed since it was read. `included`
    /// returns the files included by the last read, and `certificates` the files of certificates and keys in force, both of
    /// which `look` may change.
    init(
        loop: EventLoop, path: String, included: @escaping () -> IncludedPaths? = { nil },
        certificates: @escaping () -> [String] = { [] }, logger: Logger,
        pollPeriod: UInt64 = ConfigurationPoll.period, makePoll: MakePoll = ConfigurationPoll.init,
        watchDirectory: @escaping WatchDirectory = { loop, path, action throws(DirectoryWatch.Failure) in
            try DirectoryWatch(loop: loop, path: path, action: action)
        },
        look: @escaping (LookCause) -> Void
    ) {
        self.loop = loop
        self.path = path
        self.included = included
        self.certificates = certificates
        self.logger = logger
        self.look = look
        self.watchDirectory = watchDirectory
        wantedIncluded = included()
        wantedCertificates = certificates()
        wanted = WatchedFiles(path, including: wantedIncluded, certificates: wantedCertificates)
        timer = Timer(loop: loop) { [unowned self] in timeIsUp() }
        do {
            poll = try makePoll(loop, pollPeriod) { [unowned self] in noteChange($0) }
        } catch {
            // The relays are running, and the directories report most changes.
            logger.warning(
                "changes that inotify does not report need a SIGHUP: the polling thread cannot be started: \(error)")
        }
        arm()
        noteChange(.precaution)
    }

    /// Ends the watch; a second call does nothing.
    func close() {
        timer?.close()
        timer = nil
        poll?.close()
        poll = nil
        closeWatches()
    }

    /// Whether the directories cannot be watched, so that the file is only compared periodically.
    var isSlow: Bool { isComparing }

    private func closeWatches() {
        for entry in watched.values { entry.watch.close() }
        watched = [:]
    }

    // MARK: Events

    private func changed(_ name: String?, in directory: String) {
        // A removed directory is reported under its own name; an entry with the same name costs one extra `look`.
        if name == Self.lastComponent(directory) {
            watched.removeValue(forKey: directory)?.watch.close()
        } else if let name, !wanted.matters(name, in: directory) {
            others += 1
            if others >= Self.mostOthers { rest() }
            return
        }
        noteChange(.report)
    }

    /// Closing the watches ends the stream of events; `look` follows and opens them again.
    private func rest() {
        closeWatches()
        if !quietTime.isWaiting { timer?.start(after: Self.rest) }
    }

    private func noteChange(_ cause: LookCause) {
        if cause == .report { self.cause = .report }
        timer?.start(after: quietTime.changed(at: loop.now))
    }

    private func timeIsUp() {
        quietTime.looked()
        // The watches before `look`: later changes are reported, earlier ones are read.
        arm()
        let cause = cause
        self.cause = .precaution
        look(cause)
        guard included() != wantedIncluded || certificates() != wantedCertificates else { return }
        // Other files are watched from now on; they may have changed since they were read.
        arm()
        noteChange(.precaution)
    }

    private static func lastComponent(_ path: String) -> String {
        String(path[(path.lastIndex(of: "/").map(path.index(after:)) ?? path.startIndex)...])
    }

    // MARK: Watches

    /// Watches the directories on the paths. Walking and watching are separate steps, so they are repeated until the
    /// results agree.
    private func arm() {
        others = 0
        wantedIncluded = included()
        wantedCertificates = certificates()
        // The included folder, too: its time changes when a file is added or removed.
        let paths = (wantedIncluded.map { [$0.inclusion.folder] + $0.files } ?? []) + wantedCertificates
        poll?.compare([path] + paths)
        guard !isComparing else { return }
        for _ in 0..<Self.mostWalks {
            wanted = WatchedFiles(path, including: wantedIncluded, certificates: wantedCertificates)
            let identities = wanted.entries.keys.reduce(into: [String: DirectoryIdentity]()) {
                $0[$1] = DirectoryIdentity(of: $1)
            }
            if identities == watched.mapValues(\.identity), identities.count == wanted.entries.count { return }
            for (directory, entry) in watched where identities[directory] != entry.identity {
                entry.watch.close()
                watched[directory] = nil
            }
            for (directory, identity) in identities where watched[directory] == nil {
                do {
                    let watch = try watchDirectory(loop, directory) { [unowned self] name in
                        changed(name, in: directory)
                    }
                    watched[directory] = Watched(watch: watch, identity: identity)
                } catch .noDirectory {
                    // Removed between the walk and the watch: the next walk finds the current state.
                    continue
                } catch {
                    compareInstead(directory, error)
                    return
                }
            }
        }
        noteChange(.precaution)
    }

    private func compareInstead(_ directory: String, _ failure: DirectoryWatch.Failure) {
        closeWatches()
        isComparing = true
        guard poll != nil else {
            logger.warning(
                "the configuration is reloaded only on SIGHUP, because \(directory) cannot be watched: \(failure)")
            return
        }
        logger.warning(
            "the configuration is checked every \(ConfigurationPoll.period / 1000) s, because \(directory) cannot be watched: \(failure)"
        )
    }
}
