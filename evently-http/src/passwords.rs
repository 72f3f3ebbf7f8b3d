//! Passwords, hashed with bcrypt.
//!
//! One takes a quarter of a second of a whole core, so it happens off the threads that serve requests, on no more threads
//! than there are cores, and with a short queue before them.

use std::sync::Arc;

use async_trait::async_trait;
use evently_core::ports::{PasswordHash, PasswordHasher, PasswordsBusy};
use tokio::{sync::Semaphore, task};

/// How many wait for each that is being served; at a cost of 12 that is a few seconds.
const WAITING_PER_CORE: usize = 16;

/// What passwords are hashed with.
pub struct BcryptHasher {
    cost: u32,
    /// Has a permit for each password that is being hashed or waits for that.
    queue: Arc<Semaphore>,
    /// Has a permit for each that is being hashed.
    cores: Arc<Semaphore>,
    /// A hash of the same cost that no password has.
    nobodys: Arc<str>,
}

impl BcryptHasher {
    /// The most bytes of a password that count; a longer one cannot be hashed whole, and neither can one with a zero byte in it.
    pub const BYTES_MAX: usize = 72;

    /// A hasher of this cost that keeps so many cores busy at most.
    ///
    /// # Panics
    /// Where bcrypt has no such cost, which is 4 to 31.
    pub fn new(cost: u32, cores: usize) -> Self {
        let cores = cores.max(1);
        assert!((4..=31).contains(&cost), "bcrypt has no such cost");
        // A salt and a digest of zeros: it takes as long as any to be checked, and nobody has found a password for it.
        let nobodys = format!("$2b${cost:02}${}", ".".repeat(53));
        Self {
            cost,
            queue: Arc::new(Semaphore::new(cores * (1 + WAITING_PER_CORE))),
            cores: Arc::new(Semaphore::new(cores)),
            nobodys: nobodys.into(),
        }
    }

    /// Does slow work in turn.
    async fn in_turn<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, PasswordsBusy> {
        let queued = Arc::clone(&self.queue).try_acquire_owned().map_err(|_| PasswordsBusy)?;
        let core = Arc::clone(&self.cores).acquire_owned().await.expect("it is never closed");
        let work = move || {
            // They go with the work: it goes on where nobody waits for it any more.
            let _permits = (queued, core);
            work()
        };
        Ok(task::spawn_blocking(work).await.expect("hashing does not panic"))
    }
}

#[async_trait]
impl PasswordHasher for BcryptHasher {
    async fn hash(&self, password: &str) -> Result<PasswordHash, PasswordsBusy> {
        assert!(counts_whole(password), "whoever asks has refused what cannot be hashed whole");
        let (password, cost) = (password.to_owned(), self.cost);
        let hash = self.in_turn(move || bcrypt::hash(password, cost)).await?;
        Ok(PasswordHash(hash.expect("the cost was checked")))
    }

    async fn verify(&self, password: &str, hash: Option<&PasswordHash>) -> Result<bool, PasswordsBusy> {
        let known = hash.is_some();
        // Nothing of the kind was ever hashed, and yet the answer takes as long.
        let whole = counts_whole(password);
        let password = if whole { password.to_owned() } else { String::new() };
        let hash = hash.map_or_else(|| self.nobodys.to_string(), |PasswordHash(hash)| hash.clone());
        let right = self.in_turn(move || bcrypt::verify(password, &hash)).await?;
        Ok(right.unwrap_or(false) && known && whole)
    }
}

/// Whether bcrypt takes all of the password into account. It reads 72 bytes, and repeats a shorter password with a zero byte in
/// between, so that `a` and `a\0a` would be the same.
fn counts_whole(password: &str) -> bool {
    password.len() <= BcryptHasher::BYTES_MAX && !password.contains('\0')
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::FutureExt;

    use super::*;

    fn hasher() -> BcryptHasher {
        BcryptHasher::new(4, 2)
    }

    #[tokio::test]
    async fn only_the_right_password_is_right() {
        let hasher = hasher();
        let hash = hasher.hash("correct horse battery staple").await.unwrap();
        assert!(hash.0.starts_with("$2b$04$"));
        assert!(hasher.verify("correct horse battery staple", Some(&hash)).await.unwrap());
        for wrong in ["correct horse battery stapl", "correct horse battery staple ", "", "nobody has this password"] {
            assert!(!hasher.verify(wrong, Some(&hash)).await.unwrap(), "{wrong:?}");
        }
        assert!(!hasher.verify("nobody has this password", None).await.unwrap());
    }

    #[tokio::test]
    async fn the_whole_password_counts() {
        let hasher = hasher();
        let longest = "€".repeat(24);
        let hash = hasher.hash(&longest).await.unwrap();
        assert!(hasher.verify(&longest, Some(&hash)).await.unwrap());
        for other in ["€".repeat(23), format!("{longest}a"), format!("{longest}{longest}"), "€".repeat(23) + "abc"] {
            assert!(!hasher.verify(&other, Some(&hash)).await.unwrap(), "{} bytes", other.len());
        }
        let hash = hasher.hash("a").await.unwrap();
        assert!(!hasher.verify("a\0a", Some(&hash)).await.unwrap());
        let nothing = hasher.hash("").await.unwrap();
        for not_whole in [format!("{longest}a"), "a\0".to_owned()] {
            assert!(!hasher.verify(&not_whole, Some(&nothing)).await.unwrap(), "{} bytes", not_whole.len());
        }
    }

    /// Or the time that an answer takes would tell who has an account.
    #[test]
    fn nobodys_hash_costs_what_others_do() {
        assert!(BcryptHasher::new(5, 1).nobodys.starts_with("$2b$05$"));
    }

    #[tokio::test]
    async fn what_is_no_hash_is_nobodys() {
        assert!(!hasher().verify("", Some(&PasswordHash("plain".to_owned()))).await.unwrap());
    }

    #[tokio::test]
    async fn more_than_can_wait_are_turned_away() {
        let hasher = BcryptHasher::new(4, 1);
        let (blocked, unblock) = std::sync::mpsc::channel::<()>();
        let work = hasher.in_turn(move || unblock.recv());
        let crowd = async {
            tokio::task::yield_now().await;
            let rest = futures_util::future::join_all((0..20).map(|_| hasher.in_turn(|| ())));
            let release = async { drop(blocked) };
            let (answers, ()) = tokio::join!(rest, release);
            answers.into_iter().filter(Result::is_err).count()
        };
        let (_, refused) = tokio::join!(work, crowd);
        assert_eq!(refused, 20 - WAITING_PER_CORE);
    }

    /// Or whoever logs in and hangs up, again and again, would have any number of cores busy.
    #[tokio::test]
    async fn what_nobody_waits_for_any_more_keeps_its_place_until_it_is_done() {
        let hasher = BcryptHasher::new(4, 1);
        let (blocked, unblock) = std::sync::mpsc::channel::<()>();
        let hung_up = hasher.in_turn(move || unblock.recv()).now_or_never();
        assert!(hung_up.is_none(), "it has begun");
        let rest = futures_util::future::join_all((0..=WAITING_PER_CORE).map(|_| hasher.in_turn(|| ())));
        let release = async { drop(blocked) };
        let (answers, ()) = tokio::join!(biased; rest, release);
        assert_eq!(answers.iter().filter(|answer| answer.is_err()).count(), 1);
    }

    /// Or an answer that comes at once would tell that there is no account.
    #[tokio::test]
    async fn nobodys_password_is_hashed_in_its_turn_like_any_other() {
        let hasher = BcryptHasher::new(4, 1);
        let hash = hasher.hash("somebody's").await.unwrap();
        let (blocked, unblock) = std::sync::mpsc::channel::<()>();
        let crowd = futures_util::future::join_all((0..WAITING_PER_CORE).map(|_| hasher.in_turn(|| ())));
        let last = async {
            let answers = [hasher.verify("wrong", Some(&hash)).await, hasher.verify("wrong", None).await];
            drop(blocked);
            answers
        };
        let (_, _, answers) = tokio::join!(biased; hasher.in_turn(move || unblock.recv()), crowd, last);
        assert_eq!(answers, [Err(PasswordsBusy); 2]);
    }

    #[tokio::test]
    async fn no_more_cores_are_busy_than_were_given() {
        let hasher = BcryptHasher::new(4, 2);
        let (busy, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let work = || {
            let (busy, most) = (Arc::clone(&busy), Arc::clone(&most));
            hasher.in_turn(move || {
                most.fetch_max(busy.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                bcrypt::hash("somebody's", 8).unwrap();
                busy.fetch_sub(1, Ordering::SeqCst);
            })
        };
        let done = futures_util::future::join_all((0..2 + WAITING_PER_CORE).map(|_| work())).await;
        assert!(done.iter().all(Result::is_ok));
        assert_eq!(most.load(Ordering::SeqCst), 2);
    }
}
