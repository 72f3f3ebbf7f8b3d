//! Prices as people write them: `45.00`, exactly, in the digits that the currency has.

use evently_core::domain::Currency;

/// A category and its price, as in `Stalls=45.00`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedPrice {
    /// The category's name.
    pub name: String,
    /// The price, not read yet: what it means depends on the currency.
    pub price: String,
}

impl std::str::FromStr for NamedPrice {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, price) = text.rsplit_once('=').ok_or("a price is written CATEGORY=AMOUNT, as in Stalls=45.00")?;
        let (name, price) = (name.trim(), price.trim());
        if name.is_empty() || price.is_empty() {
            return Err("a price is written CATEGORY=AMOUNT, as in Stalls=45.00");
        }
        Ok(Self { name: name.to_owned(), price: price.to_owned() })
    }
}

/// An amount in the minor units of the currency.
pub fn minor_units(text: &str, currency: Currency) -> Result<i64, String> {
    let digits = usize::from(currency.exponent());
    let wrong = || match digits {
        0 => format!("`{text}` is not a price in {currency}, which has no smaller unit: write 45"),
        _ => format!("`{text}` is not a price in {currency}: write 45 or 45.{:0digits$}", 0),
    };
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let only_digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    let right = !whole.is_empty() && only_digits(whole) && only_digits(fraction);
    let right = right && (fraction.len() == digits || !text.contains('.'));
    if !right {
        return Err(wrong());
    }
    // Digits and nothing else, so what fails here is too large.
    format!("{whole}{fraction:0<digits$}").parse().map_err(|_| format!("`{text}` is more than any seat costs"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, currency: &str) -> Option<i64> {
        minor_units(text, currency.parse().unwrap()).ok()
    }

    #[test]
    fn amounts_are_exact_in_every_currency() {
        assert_eq!(read("45.00", "EUR"), Some(4500));
        assert_eq!(read("45", "EUR"), Some(4500));
        assert_eq!(read("0.07", "EUR"), Some(7));
        assert_eq!(read("500", "JPY"), Some(500));
        assert_eq!(read("1.234", "KWD"), Some(1234));
        assert_eq!(read("0.29", "USD"), Some(29));
    }

    #[test]
    fn a_price_has_a_name_and_an_amount() {
        for text in ["Stalls=", "=45", "Stalls", "="] {
            assert!(text.parse::<NamedPrice>().is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        for text in
            ["", ".", "45.", ".50", "45.0", "45.000", "-1.00", "+1.00", "1,50", "1e3", "4 5", "٣.00", "99999999999999999999"]
        {
            assert_eq!(read(text, "EUR"), None, "{text:?}");
        }
        assert_eq!(read("45.00", "JPY"), None);
    }

    #[test]
    fn a_category_may_have_any_name() {
        assert_eq!("A=B=1.00".parse(), Ok(NamedPrice { name: "A=B".to_owned(), price: "1.00".to_owned() }));
        assert!("Stalls".parse::<NamedPrice>().is_err());
        assert!("=1.00".parse::<NamedPrice>().is_err());
    }
}
