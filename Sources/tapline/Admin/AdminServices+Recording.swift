import Admin
import Configuration
import Relay
import Sockets

extension AdminServices {
    /// Recordings, in the words of the admin API. Any thread; files are made on the caller's.
    mutating func offerRecordings(of service: RelayService, defaultFolder: String) {
        startRecording = { relay, settings throws(Admin.RecordingRefusal) in
            // Without a word of the configuration or the caller: as much as there is, beside the configuration file.
            let settings = settings ?? service.configuredRecording(relay) ?? RecordSettings(directory: defaultFolder)
            do throws(RelayService.RecordingRefusal) {
                return Admin.RecordingState(try service.startRecording(relay, settings))
            } catch {
                throw Admin.RecordingRefusal(error.advice(relay))
            }
        }
        stopRecording = { relay throws(Admin.RecordingRefusal) in
            guard let state = await service.stopRecording(relay) else {
                throw Admin.RecordingRefusal(RelayService.RecordingRefusal.unknownRelay.advice(relay))
            }
            return Admin.RecordingState(state)
        }
        recordings = { service.recordings.values.map(Admin.RecordingState.init) }
        liveTap = { relay, connection throws(Admin.RecordingRefusal) in
            do throws(RelayService.RecordingRefusal) {
                return try service.liveTap(relay: relay, connection: connection)
            } catch {
                throw Admin.RecordingRefusal(error.advice(relay ?? ""))
            }
        }
    }
}

extension Admin.RecordingState {
    fileprivate init(_ state: RelayService.RecordingState) {
        self.init(
            relay: state.relay, isRecording: state.isRecording, file: state.file, recordedBytes: state.recordedBytes,
            droppedBytes: state.droppedBytes, since: state.since)
    }
}

extension RelayService.RecordingRefusal {
    /// A sentence for whoever asked.
    fileprivate func advice(_ relay: String) -> String {
        switch self {
        case .unknownRelay: "there is no relay \(relay)"
        case .noSettings: "nothing says how to record \(relay): give it a `record:` section"
        case .tooManyLive: "16 read along already; end one of them first"
        case .system(let error): error.description
        }
    }
}
