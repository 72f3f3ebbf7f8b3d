//! Plans as they come from outside: whole files, and whatever else somebody might send.

#![cfg(not(loom))]

mod fixtures;
mod properties;

use evently_core::domain::LayoutId;
use uuid::Uuid;

/// The id of every layout in these tests.
fn id() -> LayoutId {
    LayoutId::new(Uuid::from_u128(0x0192_f0c1_7d3e_7a10_8c55_5f1e_0000_0000))
}
