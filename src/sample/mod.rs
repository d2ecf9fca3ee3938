//! Generated stand-ins for the data sets that lakegen may not ship.
