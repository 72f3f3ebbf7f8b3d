//! What a new event is made of, from flags or from a file.

use std::path::PathBuf;

use clap::Args;
use evently_core::{
    domain::{Currency, EventId, Money, PriceDraft, RefundPolicy, Timestamp},
    services::EventDraft,
};
use evently_http::compose::App;
use serde::Deserialize;

use super::super::input;
use crate::{
    failure::Failure,
    names,
    price::{NamedPrice, minor_units},
    shop,
};

const FILE_BYTES_MAX: usize = 1 << 20;
/// What a file says, if there is one.
const IN_FILE: [&str; 13] = [
    "venue",
    "name",
    "description",
    "start",
    "end",
    "currency",
    "price",
    "opens",
    "closes",
    "max_seats",
    "max_held",
    "refund_until",
    "refund_percent",
];

#[derive(Debug, Args)]
pub struct Create {
    /// A JSON file with everything, as `POST /api/v1/admin/events` takes it; `-` is stdin
    #[arg(long, value_name = "JSON", conflicts_with_all = IN_FILE)]
    file: Option<PathBuf>,
    /// The venue: its id, or its name if no other has it
    #[arg(long, required_unless_present = "file")]
    venue: Option<String>,
    /// What it is called
    #[arg(long, required_unless_present = "file")]
    name: Option<String>,
    /// What it is about
    #[arg(long, default_value = "", hide_default_value = true)]
    description: String,
    /// When it begins, such as 2027-05-01T19:30:00+02:00
    #[arg(long, required_unless_present = "file", value_name = "TIME")]
    start: Option<Timestamp>,
    /// When it is over
    #[arg(long, required_unless_present = "file", value_name = "TIME")]
    end: Option<Timestamp>,
    /// What it is paid in: three letters of ISO 4217
    #[arg(long, default_value = "EUR")]
    currency: Currency,
    /// What seats of a category cost; once for each category of the venue
    #[arg(long, required_unless_present = "file", value_name = "CATEGORY=AMOUNT", num_args = 1..)]
    price: Vec<NamedPrice>,
    /// From when it can be booked [default: now]
    #[arg(long, value_name = "TIME")]
    opens: Option<Timestamp>,
    /// Until when it can be booked [default: until it begins]
    #[arg(long, value_name = "TIME")]
    closes: Option<Timestamp>,
    /// How many seats one booking may have [default: 10]
    #[arg(long, value_name = "N")]
    max_seats: Option<u32>,
    /// How many seats a customer may have on hold [default: 10]
    #[arg(long, value_name = "N")]
    max_held: Option<u32>,
    /// Until when a buyer may cancel [default: until it begins]
    #[arg(long, value_name = "TIME")]
    refund_until: Option<Timestamp>,
    /// How much of the price comes back then, 0 to 100
    #[arg(long, value_name = "PERCENT", default_value_t = 100, value_parser = clap::value_parser!(u8).range(0..=100))]
    refund_percent: u8,
    /// Whose event it is: an account's id or e-mail address [default: nobody's, so that only administrators manage it]
    #[arg(long, value_name = "USER")]
    organizer: Option<String>,
    /// Publish it at once
    #[arg(long)]
    publish: bool,
}

/// An event in a file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct EventFile {
    name: String,
    #[serde(default)]
    description: String,
    venue_id: String,
    start_time: Timestamp,
    end_time: Timestamp,
    currency: Currency,
    price_categories: Vec<PriceInFile>,
    #[serde(default)]
    sales: Sales,
    max_seats_per_booking: Option<u32>,
    max_seats_held: Option<u32>,
    refunds: Option<RefundPolicy>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PriceInFile {
    name: String,
    price: PriceIn,
}

/// Minor units, alone or with their currency.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum PriceIn {
    Minor(i64),
    Money(Money),
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sales {
    opens_at: Option<Timestamp>,
    closes_at: Option<Timestamp>,
}

impl Create {
    /// Makes the event, in the organizer's name.
    pub async fn create(self, app: &App) -> Result<EventId, Failure> {
        let by = match &self.organizer {
            Some(organizer) => shop::acting_as(names::user(app, organizer).await?.id),
            None => shop::administrator(),
        };
        let publish = self.publish;
        let draft = match &self.file {
            Some(path) => in_file(app, &input::file(path, FILE_BYTES_MAX)?).await?,
            None => self.draft(app).await?,
        };
        let id = app.events.create_event(&by, draft, app.key_or_new(None)).await?.value.id;
        if publish {
            app.events.publish(&by, id, app.key_or_new(None)).await.map_err(|error| {
                Failure::from(error)
                    .after(format_args!("the event {id} was made, but publishing it failed"))
                    .hint(format!("publish it with `evently event publish {id}`; to make it again would make a second one"))
            })?;
        }
        Ok(id)
    }

    async fn draft(self, app: &App) -> Result<EventDraft, Failure> {
        let missing = || Failure::usage("--venue, --name, --start and --end are needed");
        let (venue, name) = self.venue.zip(self.name).ok_or_else(missing)?;
        let (start_time, end_time) = self.start.zip(self.end).ok_or_else(missing)?;
        let prices = self.price.into_iter().map(|NamedPrice { name, price }| {
            let price =
                minor_units(&price, self.currency).map_err(|wrong| Failure::usage(format_args!("--price {name}: {wrong}")))?;
            Ok(PriceDraft { name, price })
        });
        Ok(EventDraft {
            name,
            description: self.description,
            venue_id: names::venue(app, &venue).await?.id,
            start_time,
            end_time,
            currency: self.currency,
            prices: prices.collect::<Result<_, Failure>>()?,
            opens_at: self.opens,
            closes_at: self.closes,
            max_seats_per_booking: self.max_seats,
            max_seats_held: self.max_held,
            refunds: Some(RefundPolicy { until: self.refund_until.unwrap_or(start_time), percent: self.refund_percent }),
        })
    }
}

async fn in_file(app: &App, content: &[u8]) -> Result<EventDraft, Failure> {
    let file: EventFile = serde_json::from_slice(content).map_err(|error| Failure::usage(format_args!("--file: {error}")))?;
    let currency = file.currency;
    let prices = file.price_categories.into_iter().map(|PriceInFile { name, price }| match price {
        PriceIn::Minor(price) => Ok(PriceDraft { name, price }),
        PriceIn::Money(money) if money.currency == currency => Ok(PriceDraft { name, price: money.amount }),
        PriceIn::Money(money) => {
            Err(Failure::usage(format_args!("--file: the price of {name} is in {}, and the event in {currency}", money.currency)))
        }
    });
    Ok(EventDraft {
        name: file.name,
        description: file.description,
        venue_id: names::venue(app, &file.venue_id).await?.id,
        start_time: file.start_time,
        end_time: file.end_time,
        currency,
        prices: prices.collect::<Result<_, Failure>>()?,
        opens_at: file.sales.opens_at,
        closes_at: file.sales.closes_at,
        max_seats_per_booking: file.max_seats_per_booking,
        max_seats_held: file.max_seats_held,
        refunds: file.refunds,
    })
}
