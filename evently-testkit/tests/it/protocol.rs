//! The protocol, small enough to look at every order of every step: who holds, pays, expires, crashes and is paid back, and when.
//!
//! The same model with the seat lock as its only guard sells a seat twice in nine steps, and not in fewer. So it can see what it is looking
//! for.

use stateright::{Checker, Model, Property};

/// What keeps a seat from being sold twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Guard {
    /// Whoever had the seat lock once writes what they please. A lock ends by itself, and nobody notices.
    LockAlone,
    /// A seat is replaced only in the version that was read, and only its owner is given it.
    Store,
}

#[derive(Debug, Clone, Copy)]
struct Protocol {
    guard: Guard,
    clients: usize,
    seats: usize,
    /// With a gateway that captures when it likes; without one whoever holds confirms.
    money: bool,
    /// How often each client's instance may crash.
    crashes: u8,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct State {
    seats: Vec<Seat>,
    clients: Vec<Client>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Seat {
    status: Status,
    version: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Status {
    Available,
    Reserved(usize),
    Booked(usize),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Client {
    at: At,
    seat: usize,
    charge: Charge,
    crashes: u8,
    /// Whether the hold had run out when the money bought its seat.
    revived: bool,
    /// Whether it had when its customer gave it up.
    too_late: bool,
}

/// How far a client has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum At {
    Outside,
    HasLock,
    HasSeen { version: u8 },
    Holds,
    Pays,
    Confirmed,
    Refused,
    GaveUp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Charge {
    None,
    Sent,
    Captured,
    PaidBack,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Step {
    Lock(usize, usize),
    Read(usize),
    Commit(usize),
    /// The hold on a seat runs out.
    ExpireHold(usize),
    /// Without a gateway.
    Confirm(usize),
    Charge(usize),
    /// The gateway captures, however late.
    Capture(usize),
    /// Somebody takes in that it has: whoever asked, a webhook, or whoever asks later.
    Settle(usize),
    /// A buyer gives up what they have.
    Cancel(usize),
    /// An instance crashes before it has decided; the client asks again.
    Crash(usize),
}

impl Protocol {
    const fn new(guard: Guard, clients: usize, seats: usize) -> Self {
        Self { guard, clients, seats, money: false, crashes: 0 }
    }

    /// Gives the seat to a client, where the guard lets it.
    fn write(self, state: &mut State, client: usize, may: impl Fn(Seat) -> bool, status: Status) -> bool {
        let seat = &mut state.seats[state.clients[client].seat];
        let may = self.guard == Guard::LockAlone || may(*seat);
        if may {
            *seat = Seat { status, version: seat.version + 1 };
        }
        may
    }

    fn steps_of(self, state: &State, number: usize, steps: &mut Vec<Step>) {
        let client = state.clients[number];
        match client.at {
            At::Outside => steps.extend((0..self.seats).map(|seat| Step::Lock(number, seat))),
            At::HasLock => steps.push(Step::Read(number)),
            At::HasSeen { .. } => steps.push(Step::Commit(number)),
            At::Holds if self.money => steps.extend([Step::Charge(number), Step::Cancel(number)]),
            At::Holds => steps.push(Step::Confirm(number)),
            At::Pays => steps.push(Step::Cancel(number)),
            At::Confirmed if self.money => steps.push(Step::Cancel(number)),
            At::Confirmed | At::Refused | At::GaveUp => {}
        }
        match client.charge {
            Charge::Sent => steps.push(Step::Capture(number)),
            Charge::Captured if !matches!(client.at, At::Confirmed) => steps.push(Step::Settle(number)),
            _ => {}
        }
        if matches!(client.at, At::HasLock | At::HasSeen { .. }) && client.crashes < self.crashes {
            steps.push(Step::Crash(number));
        }
    }

    /// The money is there: it buys the seat if that is still the client's, or nobody's, and goes back otherwise.
    fn settle(self, state: &mut State, number: usize) {
        let gave_up = state.clients[number].at == At::GaveUp;
        let late = state.seats[state.clients[number].seat].status == Status::Available;
        let may = |seat: Seat| !gave_up && [Status::Available, Status::Reserved(number)].contains(&seat.status);
        if self.write(state, number, may, Status::Booked(number)) {
            state.clients[number].at = At::Confirmed;
            state.clients[number].revived = late;
        } else {
            state.clients[number].charge = Charge::PaidBack;
            state.clients[number].at = if gave_up { At::GaveUp } else { At::Refused };
        }
    }

    fn cancel(self, state: &mut State, number: usize) {
        let theirs = |seat: Seat| [Status::Reserved(number), Status::Booked(number)].contains(&seat.status);
        let freed = self.write(state, number, theirs, Status::Available);
        let client = &mut state.clients[number];
        if client.at == At::Confirmed && client.charge == Charge::Captured {
            client.charge = Charge::PaidBack;
        }
        client.too_late = !freed;
        client.at = At::GaveUp;
    }
}

impl Model for Protocol {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        let client = Client { at: At::Outside, seat: 0, charge: Charge::None, crashes: 0, revived: false, too_late: false };
        let seat = Seat { status: Status::Available, version: 0 };
        vec![State { seats: vec![seat; self.seats], clients: vec![client; self.clients] }]
    }

    fn actions(&self, state: &State, steps: &mut Vec<Step>) {
        for number in 0..self.clients {
            self.steps_of(state, number, steps);
        }
        let reserved = |seat: &usize| matches!(state.seats[*seat].status, Status::Reserved(_));
        steps.extend((0..self.seats).filter(reserved).map(Step::ExpireHold));
    }

    fn next_state(&self, before: &State, step: Step) -> Option<State> {
        let mut state = before.clone();
        match step {
            Step::Lock(client, seat) => state.clients[client] = Client { at: At::HasLock, seat, ..state.clients[client] },
            Step::Read(client) => {
                let seat = state.seats[state.clients[client].seat];
                let free = seat.status == Status::Available;
                state.clients[client].at = if free { At::HasSeen { version: seat.version } } else { At::Refused };
            }
            Step::Commit(client) => {
                let At::HasSeen { version } = state.clients[client].at else { return None };
                let written = self.write(&mut state, client, |seat| seat.version == version, Status::Reserved(client));
                state.clients[client].at = if written { At::Holds } else { At::Refused };
            }
            Step::ExpireHold(seat) => {
                let Seat { version, .. } = state.seats[seat];
                state.seats[seat] = Seat { status: Status::Available, version: version + 1 };
            }
            Step::Confirm(client) => {
                let holds = |seat: Seat| seat.status == Status::Reserved(client);
                let written = self.write(&mut state, client, holds, Status::Booked(client));
                state.clients[client].at = if written { At::Confirmed } else { At::Refused };
            }
            Step::Charge(client) => {
                // A payment begins for a hold that stands; it is written down before the gateway is asked.
                let holds = state.seats[state.clients[client].seat].status == Status::Reserved(client);
                let (at, charge) = if holds { (At::Pays, Charge::Sent) } else { (At::Refused, Charge::None) };
                state.clients[client] = Client { at, charge, ..state.clients[client] };
            }
            Step::Capture(client) => state.clients[client].charge = Charge::Captured,
            Step::Settle(client) => self.settle(&mut state, client),
            Step::Cancel(client) => self.cancel(&mut state, client),
            Step::Crash(client) => {
                let crashes = state.clients[client].crashes + 1;
                state.clients[client] = Client { at: At::Outside, crashes, ..state.clients[client] };
            }
        }
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("a seat is sold once", |model: &Self, state: &State| {
                (0..model.seats).all(|seat| {
                    let theirs = |client: &&Client| client.at == At::Confirmed && client.seat == seat;
                    state.clients.iter().filter(theirs).count() <= 1
                })
            }),
            Property::always("whoever is confirmed has the seat", |_, state: &State| {
                let confirmed = state.clients.iter().enumerate().filter(|(_, client)| client.at == At::Confirmed);
                confirmed.into_iter().all(|(number, client)| state.seats[client.seat].status == Status::Booked(number))
            }),
            Property::always("nobody is confirmed who has not paid", |model: &Self, state: &State| {
                let unpaid = |client: &Client| client.at == At::Confirmed && client.charge != Charge::Captured;
                !model.money || !state.clients.iter().any(unpaid)
            }),
            // Where nobody can do anything any more. Every order of steps gets there, because each step is taken a few times at most.
            Property::always("in the end money has bought a seat or gone back", |model: &Self, state: &State| {
                let settled = state.clients.iter().all(|client| match client.charge {
                    Charge::None | Charge::PaidBack => true,
                    Charge::Sent => false,
                    Charge::Captured => client.at == At::Confirmed,
                });
                let mut steps = Vec::new();
                model.actions(state, &mut steps);
                settled || !steps.is_empty()
            }),
            Property::sometimes("money comes late and buys the seat all the same", |model: &Self, state: &State| {
                !model.money || state.clients.iter().any(|client| client.revived)
            }),
            Property::sometimes("what had run out is given up, and its money goes back", |model: &Self, state: &State| {
                !model.money || state.clients.iter().any(|client| client.too_late && client.charge == Charge::PaidBack)
            }),
            Property::sometimes("somebody is paid back", |model: &Self, state: &State| {
                !model.money || state.clients.iter().any(|client| client.charge == Charge::PaidBack)
            }),
        ]
    }
}

#[test]
fn a_lock_alone_sells_a_seat_twice_in_nine_steps() {
    use Step::{Commit, Confirm, ExpireHold, Lock, Read};
    let protocol = Protocol::new(Guard::LockAlone, 2, 1);
    let steps = [Lock(0, 0), Read(0), Commit(0), Lock(1, 0), ExpireHold(0), Read(1), Confirm(0), Commit(1), Confirm(1)];
    let nine = protocol.checker().target_max_depth(steps.len() + 1).spawn_bfs().join();
    nine.assert_discovery("a seat is sold once", steps.to_vec());
    let eight = protocol.checker().target_max_depth(steps.len()).spawn_bfs().join();
    eight.assert_no_discovery("a seat is sold once");
    let guarded = Protocol { guard: Guard::Store, ..protocol }.checker().spawn_bfs().join();
    guarded.assert_no_discovery("a seat is sold once");
}

#[test]
fn the_store_sells_each_seat_once_in_every_order_of_every_step() {
    let protocol = Protocol { money: true, crashes: 2, ..Protocol::new(Guard::Store, 3, 2) };
    let checker = protocol.checker().threads(2).spawn_bfs().join();
    println!("{} states", checker.unique_state_count());
    checker.assert_properties();
    assert!(checker.unique_state_count() >= 500_000, "{} states are few", checker.unique_state_count());
}
