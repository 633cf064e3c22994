import ArgumentParser

@main
struct Tapline: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "tapline")
}
