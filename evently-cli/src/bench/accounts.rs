//! The accounts that the buyers share. Passwords are slow to hash by design, so it is a few accounts for many buyers.

use std::rc::Rc;

use serde_json::json;

use super::{
    OnSale,
    stage::{self, Stage},
};
use crate::{failure::Failure, http1::Request, progress, reply::talk};

/// How many are registered at the same time; the service hashes no more at a time than it has cores for.
const AT_ONCE: usize = 4;
const ACCOUNTS_MAX: u32 = 64;

/// Registers the accounts and logs them in; their access tokens.
pub async fn register(options: &OnSale, stage: &Stage) -> Result<Vec<String>, Failure> {
    let wanted = options.accounts.unwrap_or(options.connections.min(ACCOUNTS_MAX)).max(1);
    talk(format_args!("registering {wanted} accounts"));
    let bar = progress::bar("accounts", u64::from(wanted));
    let options = Rc::new(options.clone());
    // The tail of the event's id is random, so that each run has accounts of its own.
    let run: Rc<str> = stage.event_id.rsplit('-').next().unwrap_or_default().into();
    let mut tasks = Vec::new();
    for first in 0..AT_ONCE.min(wanted as usize) {
        let (options, run, bar) = (Rc::clone(&options), Rc::clone(&run), bar.clone());
        tasks.push(tokio::task::spawn_local(async move {
            let mut tokens = Vec::new();
            for number in (first..wanted as usize).step_by(AT_ONCE) {
                tokens.push(one(&options, &format!("buyer-{number}-{run}@bench.evently")).await?);
                bar.inc(1);
            }
            Ok::<_, Failure>(tokens)
        }));
    }
    let mut tokens = Vec::new();
    for task in tasks {
        tokens.extend(task.await.map_err(|error| Failure::no(format_args!("registering fell over: {error}")))??);
    }
    bar.finish_and_clear();
    Ok(tokens)
}

async fn one(options: &OnSale, email: &str) -> Result<String, Failure> {
    let mut connection = options.connection();
    let body = json!({ "email": email, "password": options.password, "name": "Load buyer" }).to_string();
    let request = Request::post("/auth/register", body.as_bytes());
    let answer = stage::patiently(&mut connection, &options.url, &request).await?;
    stage::wanted::<stage::Identified>(&answer, "POST /auth/register")?;
    stage::log_in(&mut connection, &options.url, email, &options.password).await
}
