//! The store in memory.

use evently_testkit::MemoryPlace;

evently_testkit::store_conformance!(MemoryPlace);
