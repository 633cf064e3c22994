import Foundation
import Testing

extension Trait where Self == ConditionTrait {
    /// Leaves a test that takes minutes, or needs the whole machine, to `make faults`, which sets `TAPLINE_FAULTS`.
    static var ofMakeFaults: Self {
        .enabled(
            if: ProcessInfo.processInfo.environment["TAPLINE_FAULTS"] == "1", "it takes minutes: `make faults` runs it")
    }
}
