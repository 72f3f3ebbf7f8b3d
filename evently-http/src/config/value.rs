//! What a setting can be: how it is written, read, and shown again.

mod address;
mod secrets;
mod store;
mod units;
mod words;

use std::{net::SocketAddr, path::PathBuf};

pub use self::{
    address::{Network, Origin},
    secrets::Secrets,
    store::{PostgresUrl, RabbitMqUrl, RedisUrl, ServerUrl, StoreUrl},
    units::{Rate, Size},
    words::{Gateway, LogFormat, LogLevel, Pooler, Profile, QueuePrefix},
};

/// Something that a setting can be.
pub(super) trait Value: Sized {
    /// What would be right, for whoever wrote something else.
    const RIGHT: &'static str;

    /// Reads the value; `None` where it is not one.
    fn parse(text: &str) -> Option<Self>;

    /// The value as it would be written.
    fn show(&self) -> String;
}

impl Value for bool {
    const RIGHT: &'static str = "true or false";

    fn parse(text: &str) -> Option<Self> {
        text.parse().ok()
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

macro_rules! numbers {
    ($($number:ty)*) => {$(
        impl Value for $number {
            const RIGHT: &'static str = "a whole number";

            fn parse(text: &str) -> Option<Self> {
                text.replace('_', "").parse().ok()
            }

            fn show(&self) -> String {
                self.to_string()
            }
        }
    )*};
}

numbers!(u32 usize);

impl Value for SocketAddr {
    const RIGHT: &'static str = "an address with a port, such as 127.0.0.1:8080 or [::]:8080";

    fn parse(text: &str) -> Option<Self> {
        text.parse().ok()
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl Value for PathBuf {
    const RIGHT: &'static str = "a path";

    fn parse(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| text.into())
    }

    fn show(&self) -> String {
        self.display().to_string()
    }
}

/// A list is written with commas, or as a list in YAML.
impl<T: Value> Value for Vec<T> {
    const RIGHT: &'static str = T::RIGHT;

    fn parse(text: &str) -> Option<Self> {
        text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(T::parse).collect()
    }

    fn show(&self) -> String {
        self.iter().map(T::show).collect::<Vec<_>>().join(",")
    }
}

#[cfg(test)]
mod tests {
    use super::Value;

    /// Whether a value is shown as it was written.
    pub(super) fn is_kept<T: Value>(text: &str) -> bool {
        T::parse(text).is_some_and(|value| value.show() == text)
    }
}
