//! Makes a run that fails smaller for as long as it fails in the same way.

use super::{Outcome, Plan, run};

/// How many orders of its steps a smaller run is tried in.
const ORDERS: u64 = 6;
/// How many runs are tried in all.
const RUNS_MAX: u32 = 4_000;

/// The smallest plan that was found which breaks what the plan breaks.
pub fn shrunk(plan: &Plan) -> Plan {
    let Some(broken) = what_breaks(&run(plan)) else { return plan.clone() };
    let mut smallest = plan.clone();
    let mut runs = 0;
    loop {
        let smaller = smallest.smaller().into_iter().find_map(|plan| {
            let orders = (0..ORDERS).map(|order| plan.in_order(plan.order.wrapping_add(order)));
            orders.into_iter().find(|plan| {
                runs += 1;
                runs < RUNS_MAX && what_breaks(&run(plan)) == Some(broken)
            })
        });
        match smaller {
            Some(plan) => smallest = plan,
            None => return smallest,
        }
    }
}

fn what_breaks(outcome: &Outcome) -> Option<&'static str> {
    outcome.breaches.first().map(|breach| breach.invariant)
}
