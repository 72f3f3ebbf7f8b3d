//! What nobody may see.

use std::fmt;

use super::Value;

/// Something that no log and no table shows. More than one, separated by commas, where keys are being changed: the first one
/// signs, and all of them are taken.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Secrets(pub Vec<String>);

impl Secrets {
    /// Fewer bytes can be tried out.
    pub const BYTES_MIN: usize = 32;

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secrets({})", self.0.len())
    }
}

impl Value for Secrets {
    const RIGHT: &'static str = "at least 32 bytes that nobody can guess, as `openssl rand -hex 32` makes them";

    fn parse(text: &str) -> Option<Self> {
        let secrets: Vec<String> =
            text.split(',').map(|secret| secret.trim().to_owned()).filter(|secret| !secret.is_empty()).collect();
        secrets.iter().all(|secret| secret.len() >= Self::BYTES_MIN).then_some(Self(secrets))
    }

    fn show(&self) -> String {
        if self.is_empty() { String::new() } else { "********".to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_tried_out_is_refused() {
        let long = "0123456789abcdef0123456789abcdef";
        assert!(Secrets::parse(long).is_some() && Secrets::parse(&long[1..]).is_none(), "at least 32 bytes");
        assert_eq!(Secrets::parse(&format!("{long},too short")), None, "the one before is taken as well");
        assert!(Secrets::parse(&format!("{long},{long}")).is_some());
    }
}
