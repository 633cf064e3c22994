import Configuration
import EventLoop
import Glibc
import Logging

/// Watches the configuration file, and those that it includes, and calls for a look at them when they may have changed:
/// soon after one is written to, replaced, or led elsewhere by a link on its path, or a file appears that is included
/// too. The look finds out whether the content has changed.
///
/// It watches directories (see `DirectoryWatch`), and only entries that matter count: a log in the same folder must
/// neither wake it nor hold it up. A `ConfigurationPoll` finds the changes that directories do not report, and does all
/// of the work where the system allows no watch. Where its thread cannot be started, the directories alone are watched. On the main loop; its owner closes it.
final class ConfigurationWatch {
    /// The number of events of other files after which the watch rests: libuv reads events for as long as some come, and a program
    /// that writes a log here without pause would keep the loop from everything else, signals included.
    static let mostOthers = 1000
    /// How long it rests, in milliseconds; then it looks, so that no change goes unnoticed.
    static let rest: UInt64 = 500
    /// How often a path that changes while it is walked is walked again at once.
    private static let mostWalks = 5

    /// How a directory is watched.
    typealias WatchDirectory =
        (EventLoop, String, @escaping (String?) -> Void) throws(DirectoryWatch.Failure) -> DirectoryWatch

    /// How the comparison is started.
    typealias MakePoll = (EventLoop, UInt64, @escaping () -> Void) throws -> ConfigurationPoll

    private struct Watched {
        let watch: DirectoryWatch
        let identity: DirectoryIdentity
    }

    // MARK: Fixed at birth

    private let loop: EventLoop
    private let path: String
    private let included: () -> IncludedPaths?
    private let logger: Logger
    private let look: () -> Void
    private let watchDirectory: WatchDirectory

    // MARK: The main thread only

    private var wanted: WatchedFiles
    private var wantedIncluded: IncludedPaths?
    private var watched: [String: Watched] = [:]
    private var others = 0
    private var quietTime = QuietTime()
    private var timer: Timer?
    private var poll: ConfigurationPoll?
    private var isComparing = false

    /// Watches an absolute path from now on, and looks once soon: the file may have changed since it was read. `included`
    /// says what it included when it was read last, which a look may change.
    init(
        loop: EventLoop, path: String, included: @escaping () -> IncludedPaths? = { nil }, logger: Logger,
        pollPeriod: UInt64 = ConfigurationPoll.period, makePoll: MakePoll = ConfigurationPoll.init,
        watchDirectory: @escaping WatchDirectory = { loop, path, action throws(DirectoryWatch.Failure) in
            try DirectoryWatch(loop: loop, path: path, action: action)
        },
        look: @escaping () -> Void
    ) {
        self.loop = loop
        self.path = path
        self.included = included
        self.logger = logger
        self.look = look
        self.watchDirectory = watchDirectory
        wantedIncluded = included()
        wanted = WatchedFiles(path, including: wantedIncluded)
        timer = Timer(loop: loop) { [unowned self] in timeIsUp() }
        do {
            poll = try makePoll(loop, pollPeriod) { [unowned self] in noteChange() }
        } catch {
            // The relays serve already, and their folders report most changes.
            logger.warning(
                "changes that the configuration's folders do not report need a SIGHUP: no further thread: \(error)")
        }
        arm()
        noteChange()
    }

    /// Ends the watch; a second call does nothing.
    func close() {
        timer?.close()
        timer = nil
        poll?.close()
        poll = nil
        closeWatches()
    }

    /// Whether the directories cannot be watched, so that the file is only compared from time to time.
    var isSlow: Bool { isComparing }

    private func closeWatches() {
        for entry in watched.values { entry.watch.close() }
        watched = [:]
    }

    // MARK: Events

    private func changed(_ name: String?, in directory: String) {
        // A directory that is gone says so by its own name; an entry may have the same, and costs one look.
        if name == Self.lastComponent(directory) {
            watched.removeValue(forKey: directory)?.watch.close()
        } else if let name, !wanted.matters(name, in: directory) {
            others += 1
            if others >= Self.mostOthers { rest() }
            return
        }
        noteChange()
    }

    /// Closing the watches ends the stream of events; the look that follows opens them again.
    private func rest() {
        closeWatches()
        if !quietTime.isWaiting { timer?.start(after: Self.rest) }
    }

    private func noteChange() {
        timer?.start(after: quietTime.changed(at: loop.now))
    }

    private func timeIsUp() {
        quietTime.looked()
        // First the watches and then the look: what changes after it is reported, what changed before it is seen.
        arm()
        look()
        guard included() != wantedIncluded else { return }
        // What it includes is watched from now on, and may have changed since it was read.
        arm()
        noteChange()
    }

    private static func lastComponent(_ path: String) -> String {
        String(path[(path.lastIndex(of: "/").map(path.index(after:)) ?? path.startIndex)...])
    }

    // MARK: Watches

    /// Watches the directories that the paths go through now. Walking them and watching are two things, so they are
    /// walked again until both agree.
    private func arm() {
        others = 0
        wantedIncluded = included()
        // Of the folder too: what is made or removed in it changes its own time.
        let paths = wantedIncluded.map { [$0.inclusion.folder] + $0.files } ?? []
        poll?.compare([path] + paths)
        guard !isComparing else { return }
        for _ in 0..<Self.mostWalks {
            wanted = WatchedFiles(path, including: wantedIncluded)
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
                    // It went between the walk and the watch: the next walk finds what is there now.
                    continue
                } catch {
                    compareInstead(directory, error)
                    return
                }
            }
        }
        noteChange()
    }

    private func compareInstead(_ directory: String, _ failure: DirectoryWatch.Failure) {
        closeWatches()
        isComparing = true
        guard poll != nil else {
            logger.warning("the configuration is read at SIGHUP only, for \(directory) cannot be watched: \(failure)")
            return
        }
        logger.warning(
            "the configuration is compared every \(ConfigurationPoll.period / 1000) s, for \(directory) cannot be watched: \(failure)"
        )
    }
}
