//! The service itself, over a store in memory.

mod answer;
mod house;
mod script;

use std::time::Duration;

use http::HeaderMap;

pub use self::house::House;
use self::{answer::Answer, script::Step};
use crate::block_on;

/// So many steps tell of everything that one step leaves for the next.
const STEPS_MAX: usize = 12;

/// Requests one after the other, as `script` reads them. Afterwards all that the store holds is audited.
pub fn requests(bytes: &[u8]) {
    block_on(async {
        let mut house = House::open().await;
        for step in script::steps(bytes).take(STEPS_MAX) {
            take(&mut house, step).await;
        }
        house.check().await;
    });
}

async fn take(house: &mut House, step: Step<'_>) {
    match step {
        Step::Wait(seconds) => house.clock.advance(Duration::from_secs(seconds)),
        Step::Deliver => house.deliver().await,
        Step::Ask(text) => {
            let text = house.words.put_into(text);
            let Some(request) = script::request(&text, house) else { return };
            let answer = house.ask(&request).await;
            answer.check(&text);
            if let Some(value) = answer.json() {
                house.words.learn(&value);
            }
            if has_one_key(&request.headers) && answer.status == 201 {
                again(house, &request, &answer).await;
            }
        }
    }
}

/// The same under the same key is done once, and answered alike.
async fn again(house: &House, request: &script::Request, first: &Answer) {
    let second = house.ask(request).await;
    assert_eq!(second.header("idempotent-replayed"), Some("true"), "{second:?}");
    assert_eq!((second.status, &second.body), (first.status, &first.body));
}

fn has_one_key(headers: &HeaderMap) -> bool {
    headers.get_all("idempotency-key").iter().count() == 1 && headers.contains_key("authorization")
}
