//! Money: whole minor units of one currency. Never a float.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A currency of ISO 4217.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Currency(iso_currency::Currency);

impl Currency {
    /// The euro.
    pub const EUR: Self = Self(iso_currency::Currency::EUR);

    /// The three letters, such as `EUR`.
    pub fn code(self) -> &'static str {
        self.0.code()
    }

    /// How many digits of an amount stand behind the decimal point.
    pub fn exponent(self) -> u16 {
        self.0.exponent().unwrap_or(0)
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// Text that is not a currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a currency; a currency is three capital letters of ISO 4217 such as EUR")]
pub struct InvalidCurrency;

impl FromStr for Currency {
    type Err = InvalidCurrency;

    fn from_str(text: &str) -> Result<Self, InvalidCurrency> {
        iso_currency::Currency::from_code(text).map(Self).ok_or(InvalidCurrency)
    }
}

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// An amount of money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Money {
    /// In the currency's minor unit: 4500 is 45.00 EUR.
    pub amount: i64,
    /// What it is an amount of.
    pub currency: Currency,
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = usize::from(self.currency.exponent());
        if digits == 0 {
            return write!(f, "{} {}", self.amount, self.currency);
        }
        let unit = 10_u64.pow(u32::from(self.currency.exponent()));
        let sign = if self.amount < 0 { "-" } else { "" };
        let amount = self.amount.unsigned_abs();
        write!(f, "{sign}{}.{:0digits$} {}", amount / unit, amount % unit, self.currency)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_written_with_the_digits_of_their_currency() {
        let money = |amount, code: &str| Money { amount, currency: code.parse().unwrap() }.to_string();
        assert_eq!(money(4500, "EUR"), "45.00 EUR");
        assert_eq!(money(-7, "EUR"), "-0.07 EUR");
        assert_eq!(money(500, "JPY"), "500 JPY");
        assert_eq!(money(1234, "KWD"), "1.234 KWD");
    }

    #[test]
    fn nothing_has_no_sign() {
        let nothing = Money { amount: 0, currency: Currency::EUR };
        assert_eq!(nothing.to_string(), "0.00 EUR");
        assert_eq!(format!("{:?}", nothing.currency), "EUR");
    }
}
