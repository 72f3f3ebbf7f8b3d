//! The accounts that the buyers share. Passwords are slow to hash by design, so it is a few accounts for many buyers.

use std::{rc::Rc, time::Duration};

use serde_json::json;
use tokio::{sync::Mutex, time::Instant};

use super::{
    OnSale,
    stage::{self, Stage, Tokens},
};
use crate::{
    failure::Failure,
    http1::{Connection, Request},
    progress,
    reply::talk,
};

/// How many are registered at the same time; the service hashes no more at a time than it has cores for.
const AT_ONCE: usize = 4;
const ACCOUNTS_MAX: u32 = 64;

/// An account that is logged in, for as long as the on-sale takes.
pub struct Account(Mutex<Login>);

struct Login {
    access_token: Rc<str>,
    refresh_token: String,
    /// Half of the time that the access token is good for.
    renew_at: Instant,
}

impl Account {
    fn new(tokens: Tokens) -> Self {
        Self(Mutex::new(Login::new(tokens)))
    }

    /// An access token that is still good for a while. One caller renews it and the others wait, since a refresh token is good once;
    /// where it cannot be renewed the old one is as good as none, and the service will say so.
    pub async fn token(&self, connection: &mut Connection) -> Rc<str> {
        let mut login = self.0.lock().await;
        if Instant::now() >= login.renew_at {
            let body = json!({ "refresh_token": login.refresh_token }).to_string();
            if let Ok(answer) = connection.send(&Request::post("/auth/refresh", body.as_bytes())).await
                && let Ok(tokens) = stage::wanted(&answer, "POST /auth/refresh")
            {
                *login = Login::new(tokens);
            }
        }
        Rc::clone(&login.access_token)
    }
}

impl Login {
    fn new(Tokens { access_token, refresh_token, expires_in }: Tokens) -> Self {
        let renew_at = Instant::now() + Duration::from_secs(expires_in) / 2;
        Self { access_token: access_token.into(), refresh_token, renew_at }
    }
}

/// Registers the accounts and logs them in.
pub async fn register(options: &OnSale, stage: &Stage) -> Result<Vec<Account>, Failure> {
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
            let mut accounts = Vec::new();
            for number in (first..wanted as usize).step_by(AT_ONCE) {
                accounts.push(one(&options, &format!("buyer-{number}-{run}@bench.evently")).await?);
                bar.inc(1);
            }
            Ok::<_, Failure>(accounts)
        }));
    }
    let mut accounts = Vec::new();
    for task in tasks {
        accounts.extend(task.await.map_err(|error| Failure::no(format_args!("registering fell over: {error}")))??);
    }
    bar.finish_and_clear();
    Ok(accounts)
}

async fn one(options: &OnSale, email: &str) -> Result<Account, Failure> {
    let mut connection = options.connection();
    let body = json!({ "email": email, "password": options.password, "name": "Load buyer" }).to_string();
    let request = Request::post("/auth/register", body.as_bytes());
    let answer = stage::patiently(&mut connection, &options.url, &request).await?;
    stage::wanted::<stage::Identified>(&answer, "POST /auth/register")?;
    stage::log_in(&mut connection, &options.url, email, &options.password).await.map(Account::new)
}

#[cfg(test)]
mod tests {
    use std::{
        io::{BufRead, BufReader, Read, Write},
        net::TcpListener,
        sync::mpsc,
    };

    use super::*;
    use crate::http1::Target;

    /// A service that renews every token it is sent, and tells what came.
    fn service() -> (Target, mpsc::Receiver<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let target = Target::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        let (tell, told) = mpsc::channel();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let mut reader = BufReader::new(&stream);
                let head = reader.by_ref().lines().map_while(Result::ok).take_while(|line| !line.is_empty()).collect::<Vec<_>>();
                let length = head.iter().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
                // What is not read would end the connection with a reset.
                reader.read_exact(&mut vec![0; length.unwrap()]).unwrap();
                tell.send(head[0].clone()).unwrap();
                let body = json!({"access_token": "second", "refresh_token": "two", "expires_in": 1800}).to_string();
                write!(&stream, "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len()).unwrap();
            }
        });
        (target, told)
    }

    #[tokio::test]
    async fn a_token_that_runs_out_is_renewed_once_for_all_who_share_it() {
        let (target, told) = service();
        let connection = || Connection::new(target.clone(), Duration::from_secs(20));
        let tokens = |expires_in| Tokens { access_token: "first".to_owned(), refresh_token: "one".to_owned(), expires_in };
        let fresh = Account::new(tokens(1800));
        assert_eq!(&*fresh.token(&mut connection()).await, "first");
        let account = Account::new(tokens(0));
        let (mut here, mut there) = (connection(), connection());
        let (one, other) = tokio::join!(account.token(&mut here), account.token(&mut there));
        assert_eq!((&*one, &*other), ("second", "second"));
        assert_eq!(told.try_iter().collect::<Vec<_>>(), ["POST /auth/refresh HTTP/1.1"]);
    }
}
