/// An object that is notified at the end of a loop's turn, on the loop's thread; see `EventLoop.notifyAtTurnEnd`.
///
/// A protocol, because this module cannot name the observers' types; the loop keeps the observer until the call.
public protocol TurnObserver: AnyObject {
    /// Called after all ready events of the turn were handled.
    func turnEnded()
}
