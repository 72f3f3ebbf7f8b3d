//! Password hashers.

use std::sync::Arc;

use evently_core::ports::PasswordHasher;

pub async fn the_right_password_opens_and_another_does_not(passwords: Arc<dyn PasswordHasher>) {
    let hash = passwords.hash("correct horse").await.unwrap();
    assert!(passwords.verify("correct horse", Some(&hash)).await.unwrap());
    for wrong in ["Correct horse", "correct horse ", "correct hors", ""] {
        assert!(!passwords.verify(wrong, Some(&hash)).await.unwrap(), "{wrong:?}");
    }
}

pub async fn without_an_account_no_password_opens(passwords: Arc<dyn PasswordHasher>) {
    assert!(!passwords.verify("correct horse", None).await.unwrap());
    assert!(!passwords.verify("", None).await.unwrap());
}

/// 72 bytes is as far as bcrypt reads.
pub async fn the_whole_password_counts(passwords: Arc<dyn PasswordHasher>) {
    let long = "ä".repeat(36);
    let hash = passwords.hash(&long).await.unwrap();
    assert!(passwords.verify(&long, Some(&hash)).await.unwrap());
    let shorter = format!("{}ö", "ä".repeat(35));
    assert!(!passwords.verify(&shorter, Some(&hash)).await.unwrap());
    let longer = format!("{long}x");
    assert!(!passwords.verify(&longer, Some(&hash)).await.unwrap_or(false));
}
