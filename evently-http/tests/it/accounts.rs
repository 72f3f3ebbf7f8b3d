use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use evently_core::{
    domain::Role,
    ports::{PasswordHash, PasswordHasher, PasswordsBusy},
    services::{AuthParts, AuthService, AuthTerms},
};
use http::Method;
use serde_json::{Value, json};
use tokio::{
    sync::{Notify, Semaphore},
    time,
};

use crate::app::{Answer, PASSWORD, TestApp};

#[tokio::test]
async fn an_account_is_made_and_logs_in() {
    let app = TestApp::with(&[("auth.access_ttl", "30m")]).await;
    let new = json!({"email": "Ada@Example.org", "password": PASSWORD, "name": "Ada"});
    let user = app.post("/auth/register", None, new.clone()).await.expect(201);
    assert_eq!((&user["email"], &user["role"]), (&json!("ada@example.org"), &json!("customer")));
    app.post("/auth/register", None, new).await.refused(409, "email_taken");
    let login = json!({"email": "ada@example.org", "password": PASSWORD});
    let tokens = app.post("/auth/login", None, login).await.expect(200);
    assert_eq!((&tokens["token_type"], &tokens["expires_in"]), (&json!("Bearer"), &json!(1800)));
}

#[tokio::test]
async fn an_unknown_address_and_a_wrong_password_look_the_same() {
    let app = TestApp::new().await;
    app.customer("ada").await;
    let mut answers = Vec::new();
    for email in ["ada@example.org", "bob@example.org", "no address"] {
        let mut body =
            app.post("/auth/login", None, json!({"email": email, "password": "wrong"})).await.refused(401, "invalid_credentials");
        body["trace_id"].take();
        answers.push(body);
    }
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "{answers:?}");
}

#[tokio::test]
async fn every_wrong_field_of_a_registration_is_named() {
    let app = TestApp::new().await;
    let body = app.post("/auth/register", None, json!({"email": "x", "password": "short", "name": " "})).await;
    let body = body.refused(422, "validation_failed");
    let fields = body["errors"].as_array().unwrap().iter().map(|error| error["field"].as_str().unwrap());
    assert_eq!(fields.collect::<Vec<_>>(), ["email", "password", "name"]);
    let long = json!({"email": "a@example.org", "password": "€".repeat(23) + "abcd", "name": "A"});
    app.post("/auth/register", None, long).await.refused(422, "validation_failed");
    let whole = json!({"email": "a@example.org", "password": "€".repeat(23) + "abc", "name": "A"});
    app.post("/auth/register", None, whole).await.expect(201);
    let admin = json!({"email": "b@example.org", "password": PASSWORD, "name": "B", "role": "admin"});
    app.post("/auth/register", None, admin).await.refused(422, "validation_failed");
}

#[tokio::test]
async fn a_password_that_is_easy_to_guess_is_refused() {
    let app = TestApp::new().await;
    for (password, code) in [
        ("aaaaaaaaaaaaaaaa", "too_easy"),
        ("Ada.Lovelace@example.org", "too_easy"),
        ("correct\u{0}horse battery", "invalid_character"),
    ] {
        let body = json!({"email": "ada.lovelace@example.org", "password": password, "name": "Ada"});
        let refused = app.post("/auth/register", None, body).await.refused(422, "validation_failed");
        assert_eq!((&refused["errors"][0]["field"], &refused["errors"][0]["code"]), (&json!("password"), &json!(code)));
        assert_eq!(refused["errors"].as_array().unwrap().len(), 1, "{refused}");
    }
}

#[tokio::test]
async fn the_address_is_no_password_however_it_is_typed() {
    let app = TestApp::new().await;
    let body = json!({"email": " ada.lovelace@example.org", "password": "ada.lovelace@example.org", "name": "Ada"});
    app.post("/auth/register", None, body).await.refused(422, "validation_failed");
}

#[tokio::test]
async fn a_refresh_token_is_good_once_and_its_reuse_ends_the_login() {
    let app = TestApp::new().await;
    let ada = app.customer("ada").await;
    let first = json!({"refresh_token": ada.refresh_token});
    let second = app.post("/auth/refresh", None, first.clone()).await.expect(200);
    app.get("/api/v1/me", Some(&ada)).await.expect(200);
    app.post("/auth/refresh", None, first).await.refused(401, "refresh_token_reused");
    app.post("/auth/refresh", None, json!({"refresh_token": second["refresh_token"]})).await.refused(401, "token_invalid");
    app.get("/api/v1/me", Some(&ada)).await.refused(401, "token_invalid");
}

#[tokio::test]
async fn of_a_hundred_refreshes_with_one_token_one_succeeds() {
    let app = std::sync::Arc::new(TestApp::new().await);
    let ada = app.customer("ada").await;
    let mut refreshes = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let (app, body) = (app.clone(), json!({"refresh_token": ada.refresh_token}));
        refreshes.spawn(async move { app.post("/auth/refresh", None, body).await.status.as_u16() });
    }
    let statuses = refreshes.join_all().await;
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
}

#[tokio::test]
async fn logging_out_ends_the_access_token_too() {
    // Whoever counts requests has read the token before.
    for limits in ["false", "true"] {
        ends_with_its_login(&TestApp::with(&[("rate_limit.enabled", limits)]).await).await;
    }
}

async fn ends_with_its_login(app: &TestApp) {
    let ada = app.customer("ada").await;
    app.get("/api/v1/me", Some(&ada)).await.expect(200);
    app.post("/auth/logout", None, json!({"refresh_token": ada.refresh_token})).await.expect(204);
    app.get("/api/v1/me", Some(&ada)).await.refused(401, "token_invalid");
}

#[tokio::test]
async fn what_another_process_has_ended_or_changed_counts_within_five_seconds() {
    for limits in ["false", "true"] {
        let settings = [("rate_limit.enabled", limits)];
        let here = TestApp::with(&settings).await;
        counts_within_five_seconds(&here, &here.beside(&settings).await).await;
    }
}

async fn counts_within_five_seconds(here: &TestApp, elsewhere: &TestApp) {
    let (ada, admin) = (here.customer("ada").await, here.person("admin", Role::Admin).await);
    here.get("/api/v1/me", Some(&ada)).await.expect(200);
    here.get("/api/v1/admin/users", Some(&admin)).await.expect(200);
    elsewhere.post("/auth/logout", None, json!({"refresh_token": ada.refresh_token})).await.expect(204);
    let path = format!("/api/v1/admin/users/{}", admin.id);
    elsewhere.call(Method::PATCH, &path, Some(&admin), Some(json!({"role": "customer"}))).await.expect(200);
    here.advance(5);
    here.get("/api/v1/me", Some(&ada)).await.refused(401, "token_invalid");
    here.get("/api/v1/admin/users", Some(&admin)).await.refused(403, "forbidden");
}

#[tokio::test]
async fn an_access_token_ends_after_half_an_hour_to_the_second() {
    let app = TestApp::with(&[("auth.access_ttl", "30m")]).await;
    let ada = app.customer("ada").await;
    app.advance(1799);
    app.get("/api/v1/me", Some(&ada)).await.expect(200);
    app.advance(1);
    app.get("/api/v1/me", Some(&ada)).await.refused(401, "token_expired");
}

#[tokio::test]
async fn a_login_ends_after_seven_days_however_often_it_is_refreshed() {
    let app = TestApp::new().await;
    let mut token = app.customer("ada").await.refresh_token;
    for _ in 0..6 {
        app.advance(24 * 3600);
        let pair = app.post("/auth/refresh", None, json!({"refresh_token": token})).await.expect(200);
        token = pair["refresh_token"].as_str().unwrap().to_owned();
    }
    app.advance(23 * 3600);
    let pair = app.post("/auth/refresh", None, json!({"refresh_token": token})).await.expect(200);
    assert_eq!(pair["expires_in"], 3600, "it ends with the login");
    app.advance(3600);
    let token = &pair["refresh_token"];
    app.post("/auth/refresh", None, json!({"refresh_token": token})).await.refused(401, "token_invalid");
}

#[tokio::test]
async fn no_token_and_strange_tokens_are_refused() {
    let app = TestApp::new().await;
    app.get("/api/v1/me", None).await.refused(401, "token_invalid");
    for value in ["Bearer ", "Bearer x", "Bearer a.b.c", "bearer eyJhbGciOiJub25lIn0.e30."] {
        let answer = app.call_with(Method::GET, "/api/v1/me", None, None, &[("authorization", value)]).await;
        assert_eq!(answer.status, 401, "{value:?} {answer:?}");
    }
    let basic = app.call_with(Method::GET, "/api/v1/me", None, None, &[("authorization", "Basic eDp5")]).await;
    basic.refused(400, "malformed_header");
}

#[tokio::test]
async fn only_an_admin_sees_accounts_and_changes_roles_and_it_counts_at_once() {
    let app = TestApp::new().await;
    let admin = app.person("admin", Role::Admin).await;
    app.advance(1); // ids, and so the list, go by the time
    let ada = app.customer("ada").await;
    app.get("/api/v1/admin/users", Some(&ada)).await.refused(403, "forbidden");
    app.get("/api/v1/admin/events", Some(&ada)).await.refused(403, "forbidden");
    let users = app.get("/api/v1/admin/users?limit=1", Some(&admin)).await.expect(200);
    let next = users["next_cursor"].as_str().unwrap();
    let rest = app.get(&format!("/api/v1/admin/users?limit=1&cursor={next}"), Some(&admin)).await.expect(200);
    assert_eq!((&rest["items"][0]["name"], &rest["next_cursor"]), (&json!("ada"), &json!(null)));
    let path = format!("/api/v1/admin/users/{}", ada.id);
    let role = |role: &str| Some(json!({"role": role}));
    app.call(Method::PATCH, &path, Some(&ada), role("admin")).await.refused(403, "forbidden");
    app.call(Method::PATCH, &path, Some(&admin), role("organizer")).await.expect(200);
    app.get("/api/v1/admin/events", Some(&ada)).await.expect(200);
    app.call(Method::PATCH, &path, Some(&admin), role("king")).await.refused(422, "validation_failed");
}

/// Whoever could give themselves another role could do everything.
#[tokio::test]
async fn neither_organizers_nor_staff_see_accounts_or_change_roles() {
    let app = TestApp::new().await;
    for (name, role) in [("organizer", Role::Organizer), ("door", Role::Staff)] {
        let by = app.person(name, role).await;
        app.get("/api/v1/admin/users", Some(&by)).await.refused(403, "forbidden");
        let path = format!("/api/v1/admin/users/{}", by.id);
        app.call(Method::PATCH, &path, Some(&by), Some(json!({"role": "admin"}))).await.refused(403, "forbidden");
        assert_eq!(app.get("/api/v1/me", Some(&by)).await.expect(200)["role"], role.name());
    }
}

/// Logins are limited for each account, and not here for each address.
async fn limited() -> TestApp {
    let settings = [
        ("rate_limit.enabled", "true"),
        ("rate_limit.auth", "1000000/minute"),
        ("rate_limit.login", "10/15m"),
        ("http.trusted_proxies", "0.0.0.0/0,::/0"),
    ];
    TestApp::with(&settings).await
}

/// A login from an address.
async fn log_in(app: &TestApp, from: &str, email: &str, password: &str) -> Answer {
    let body = json!({"email": email, "password": password});
    app.call_with(Method::POST, "/auth/login", None, Some(body), &[("x-forwarded-for", from)]).await
}

#[tokio::test]
async fn ten_wrong_passwords_from_many_addresses_are_all_that_an_account_takes() {
    let app = limited().await;
    app.customer("ada").await;
    let mut answers = Vec::new();
    // An address that has no account is treated alike, however either is written.
    for emails in [["ada@example.org", " Ada@Example.ORG"], ["bob@example.org", "BOB@example.org"]] {
        let mut statuses = Vec::new();
        for n in 0..20 {
            let answer = log_in(&app, &format!("203.0.113.{n}"), emails[n % 2], "wrong").await;
            statuses.push(answer.status.as_u16());
            answers.push((answer.headers.get("retry-after").cloned(), answer.json()["detail"].take()));
        }
        assert_eq!(statuses, [[401; 10], [429; 10]].concat());
    }
    assert_eq!(answers[..20], answers[20..], "nobody learns which address has an account");
    assert_eq!(answers[19].0, Some("90".parse().unwrap()));
    assert_eq!(log_in(&app, "203.0.113.99", "ada@example.org", PASSWORD).await.status, 429, "not even the right one");
    app.advance(90);
    assert_eq!(log_in(&app, "203.0.113.99", "ada@example.org", "wrong").await.status, 401, "one comes back");
    log_in(&app, "203.0.113.99", "ada@example.org", "wrong").await.refused(429, "rate_limited");
}

#[tokio::test]
async fn nobody_is_locked_out_by_somebody_elses_tries() {
    let app = limited().await;
    let ada = app.customer("ada").await;
    let (home, work, attacker) = ("198.51.100.1", "192.0.2.1", "203.0.113.1");
    for known in [home, work] {
        log_in(&app, known, "ada@example.org", PASSWORD).await.expect(200);
    }
    for _ in 0..30 {
        log_in(&app, attacker, "ada@example.org", "wrong").await;
    }
    log_in(&app, attacker, "ada@example.org", PASSWORD).await.refused(429, "rate_limited");
    log_in(&app, home, "ada@example.org", PASSWORD).await.expect(200);
    app.post("/auth/refresh", None, json!({"refresh_token": ada.refresh_token})).await.expect(200);
    app.get("/api/v1/me", Some(&ada)).await.expect(200);
    // At home there are ten tries as well, and no more.
    for _ in 0..10 {
        log_in(&app, home, "ada@example.org", "wrong").await.refused(401, "invalid_credentials");
    }
    log_in(&app, home, "ada@example.org", PASSWORD).await.refused(429, "rate_limited");
    log_in(&app, work, "ada@example.org", PASSWORD).await.expect(200);
}

/// Many a machine takes another address of its network every day.
#[tokio::test]
async fn who_has_moved_within_their_network_is_not_locked_out_by_somebody_elses_tries() {
    let app = limited().await;
    app.customer("ada").await;
    log_in(&app, "2001:db8:1:2::1", "ada@example.org", PASSWORD).await.expect(200);
    while log_in(&app, "203.0.113.1", "ada@example.org", "wrong").await.status != 429 {}
    log_in(&app, "2001:db8:1:2::2", "ada@example.org", PASSWORD).await.expect(200);
    log_in(&app, "2001:db8:1:3::1", "ada@example.org", PASSWORD).await.refused(429, "rate_limited");
    for n in 0..10 {
        let own = format!("2001:db8:1:2::{n}");
        log_in(&app, &own, "ada@example.org", "wrong").await.refused(401, "invalid_credentials");
    }
    log_in(&app, "2001:db8:1:2::a", "ada@example.org", "wrong").await.refused(429, "rate_limited");
}

#[tokio::test]
async fn who_knows_the_password_may_log_in_however_often() {
    let app = limited().await;
    app.customer("ada").await;
    for n in 0..100 {
        let tokens: Value = log_in(&app, &format!("198.51.100.{n}"), "ada@example.org", PASSWORD).await.expect(200);
        assert_eq!(tokens["token_type"], "Bearer");
    }
}

/// The same with others to look at passwords.
fn with_passwords(app: TestApp, others: impl FnOnce(Arc<dyn PasswordHasher>) -> Arc<dyn PasswordHasher>) -> TestApp {
    app.altered(|app| {
        app.auth = AuthService::new(AuthParts {
            accounts: app.store.accounts.clone(),
            sessions: app.store.sessions.clone(),
            passwords: others(app.passwords.clone()),
            tokens: app.tokens.clone(),
            clock: app.clock.clone(),
            ids: app.ids.clone(),
            caches: app.caches.clone(),
            terms: AuthTerms::default(),
        });
    })
}

/// Has no time for any password.
struct Busy;

#[async_trait]
impl PasswordHasher for Busy {
    async fn hash(&self, _: &str) -> Result<PasswordHash, PasswordsBusy> {
        Err(PasswordsBusy)
    }

    async fn verify(&self, _: &str, _: Option<&PasswordHash>) -> Result<bool, PasswordsBusy> {
        Err(PasswordsBusy)
    }
}

#[tokio::test]
async fn a_password_that_nobody_has_looked_at_was_not_a_wrong_one() {
    let app = with_passwords(limited().await, |_| Arc::new(Busy));
    for n in 0..20 {
        log_in(&app, &format!("203.0.113.{n}"), "ada@example.org", PASSWORD).await.refused(503, "overloaded");
    }
}

/// Looks at a password once somebody lets it.
struct Held {
    hasher: Arc<dyn PasswordHasher>,
    waiting: Arc<Notify>,
    gate: Arc<Semaphore>,
}

#[async_trait]
impl PasswordHasher for Held {
    async fn hash(&self, password: &str) -> Result<PasswordHash, PasswordsBusy> {
        self.hasher.hash(password).await
    }

    async fn verify(&self, password: &str, hash: Option<&PasswordHash>) -> Result<bool, PasswordsBusy> {
        self.waiting.notify_one();
        self.gate.acquire().await.unwrap().forget();
        self.hasher.verify(password, hash).await
    }
}

/// Where many log in at once it takes seconds, and some do not wait for so long.
#[tokio::test]
async fn a_right_password_was_no_wrong_one_though_nobody_waited_for_the_answer() {
    let (waiting, gate) = (Arc::new(Notify::new()), Arc::new(Semaphore::new(0)));
    let held = |hasher| -> Arc<dyn PasswordHasher> { Arc::new(Held { hasher, waiting: waiting.clone(), gate: gate.clone() }) };
    let app = with_passwords(limited().await, held);
    app.app.auth.register("ada@example.org", PASSWORD, "Ada", Role::Customer).await.unwrap();
    for n in 0..10 {
        let address = format!("203.0.113.{n}");
        tokio::select! {
            answer = log_in(&app, &address, "ada@example.org", PASSWORD) => panic!("nobody has looked: {answer:?}"),
            () = waiting.notified() => {}
        }
    }
    log_in(&app, "203.0.113.99", "ada@example.org", PASSWORD).await.refused(429, "rate_limited");
    gate.add_permits(1000);
    let counted = async {
        while log_in(&app, "203.0.113.99", "ada@example.org", PASSWORD).await.status != 200 {
            time::sleep(Duration::from_millis(5)).await;
        }
    };
    time::timeout(Duration::from_secs(30), counted).await.expect("they do not count");
}

#[tokio::test]
async fn a_password_costs_what_is_set() {
    let app = TestApp::with(&[("auth.bcrypt_cost", "5")]).await;
    app.customer("ada").await;
    let email = evently_core::domain::Email::parse("ada@example.org").unwrap();
    let hash = app.app.store.accounts.credentials(&email).await.unwrap().unwrap().password.0;
    assert!(hash.starts_with("$2b$05$"), "{hash}");
}

#[tokio::test]
async fn while_the_secret_is_changed_nobody_is_logged_out_and_the_first_one_signs() {
    let (old, new) = ("5eed".repeat(16), "feed".repeat(16));
    let before = TestApp::with(&[("auth.secret", &old)]).await;
    let meanwhile = before.beside(&[("auth.secret", &format!("{new},{old}"))]).await;
    let after = before.beside(&[("auth.secret", &new)]).await;
    let (ada, bob) = (before.customer("ada").await, meanwhile.customer("bob").await);
    for (app, ada_is, bob_is) in [(&before, 200, 401), (&meanwhile, 200, 200), (&after, 401, 200)] {
        app.get("/api/v1/me", Some(&ada)).await.expect(ada_is);
        app.get("/api/v1/me", Some(&bob)).await.expect(bob_is);
    }
}
