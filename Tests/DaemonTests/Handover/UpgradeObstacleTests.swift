import Configuration
import Recorder
import Relay
import TestSupport
import Testing

@testable import Daemon

/// Settings that prevent another process from taking over.
@Suite struct UpgradeObstacleTests {
    @Test(arguments: [
        ("/dev/fd/3", 3), ("/proc/self/fd/17", 17), ("/dev/fd/2", nil), ("/dev/stdout", nil), ("/var/log/tapline", nil),
    ])
    func accessLogInADescriptor_thatTheNextProcessDoesNotGet_isOne(path: String, descriptor: Int?) {
        var configuration = Configuration(relays: [])
        let plan = RunPlan(configuration: configuration, isForPerson: false)
        // The one in force counts, not that of the start.
        configuration.log.access = .file(path)
        #expect(
            plan.obstacleToUpgrade(with: configuration)
                == descriptor.map {
                    "log.access is \(path), and the new process does not get descriptor \($0); set it to stdout, stderr or a file"
                })
        configuration.log.access = .standardOutput
        #expect(plan.obstacleToUpgrade(with: configuration) == nil)
    }

    @Test func commandAndOnce_areOne_andExitIdleIsNot() {
        let configuration = Configuration(relays: [])
        func obstacle(_ lifecycle: LifecyclePlan) -> String? {
            RunPlan(configuration: configuration, isForPerson: true, lifecycle: lifecycle)
                .obstacleToUpgrade(with: configuration)
        }
        #expect(obstacle(LifecyclePlan(command: "npm start"))?.contains("--exec") == true)
        #expect(obstacle(LifecyclePlan(isOnce: true))?.contains("--once") == true)
        #expect(obstacle(LifecyclePlan(exitIdle: .seconds(300))) == nil)
    }

    @Test func recordingIntoOneFile_isOne() {
        let configuration = Configuration(relays: [])
        let plan = RunPlan(configuration: configuration, recording: .file("a.pcapng"), isForPerson: false)
        #expect(plan.obstacleToUpgrade(with: configuration)?.contains("--record") == true)
    }
}
