//! What tests need before they can begin, in a line or two.

mod event;
mod world;

use evently_core::domain::{Actor, Invalid, Rejection, Role, UserId};
use uuid::Uuid;

pub(crate) use self::world::{booking, paid};
pub use self::{
    event::{Fixture, layout},
    world::World,
};

const fn account(number: u128) -> UserId {
    UserId::from_uuid(Uuid::from_u128(0x0192_0000_0000_7000_8000_0000_0000_0000 | number))
}

/// Customer `number`.
pub const fn customer(number: u32) -> Actor {
    Actor::User(account(0x1_0000_0000 | number as u128), Role::Customer)
}

/// The organizer of the events of fixtures.
pub const ORGANIZER: Actor = Actor::User(account(1), Role::Organizer);

/// Somebody who organizes other events.
pub const OTHER_ORGANIZER: Actor = Actor::User(account(2), Role::Organizer);

/// Somebody who checks tickets.
pub const DOOR: Actor = Actor::User(account(3), Role::Staff);

/// An administrator.
pub const HOUSE: Actor = Actor::User(account(4), Role::Admin);

/// The payment gateway.
pub const GATEWAY: Actor = Actor::Gateway;

/// Evently itself.
pub const SYSTEM: Actor = Actor::System;

/// The account behind an actor.
pub(crate) fn user_of(actor: Actor) -> UserId {
    match actor {
        Actor::User(id, _) => id,
        Actor::Gateway | Actor::System => panic!("{} has no account", actor.name()),
    }
}

/// What is wrong with a request that was refused, field by field, such as `seat_ids[1] duplicate_seat`.
pub fn wrong<T: std::fmt::Debug>(refused: &Result<T, Rejection>) -> Vec<String> {
    let Err(Rejection::Invalid(Invalid { fields })) = refused else { panic!("it is not refused as invalid: {refused:?}") };
    fields.iter().map(|wrong| format!("{} {}", wrong.field, wrong.code)).collect()
}
