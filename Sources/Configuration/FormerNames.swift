/// The name under which other modules still use `ConfigurationLocation`.
public typealias ConfigurationPlace = ConfigurationLocation
/// The name under which other modules still use `ConfigurationLocations`.
public typealias ConfigurationPlaces = ConfigurationLocations
