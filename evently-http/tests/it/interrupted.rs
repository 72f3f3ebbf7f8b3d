//! The making of the demo data may be interrupted at any time.
//!
//! Not on PostgreSQL: what somebody who was killed had sent is carried out there after all, and is there long before their claim is over. Nobody
//! waits for that here.

use evently_core::ports::CLAIM_LASTS;

use crate::{
    app::TestApp,
    demo::{seed, to_be_seen, within},
};

#[tokio::test]
async fn demo_data_whose_making_was_interrupted_is_completed_at_the_next_start() {
    let whole = TestApp::new().await;
    assert!(seed(&whole).await);
    let app = TestApp::new().await;
    let mut interrupted = 0;
    while within(interrupted * 3, seed(&app)).await.is_none() {
        interrupted += 1;
        // What it had claimed when it was killed is nobody's again by the next start.
        app.advance(CLAIM_LASTS.as_secs() + 1);
    }
    assert!(interrupted > 5, "it was interrupted {interrupted} times");
    assert_eq!(to_be_seen(&app).await, to_be_seen(&whole).await);
    assert!(!seed(&app).await, "there is nothing more to make");
}
