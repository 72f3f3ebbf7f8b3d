//! `evently venue`: plans of places.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use evently_core::{
    domain::{Layout, LayoutId, Venue},
    import::{self, Format, Import, ImportError, Problem, Warning, limits},
    services::VenueDraft,
};
use serde::{Deserialize, de::IgnoredAny};
use serde_json::{Value, json};
use uuid::Uuid;

use super::input;
use crate::{
    args::Global,
    failure::Failure,
    names,
    reply::{Reply, talk},
    shop,
    table::{Table, facts},
};

#[derive(Debug, Subcommand)]
pub enum VenueCommand {
    /// Make a venue of a plan
    Import {
        #[command(flatten)]
        plan: Plan,
        /// What people shall call it [default: as the plan calls itself, or the file]
        #[arg(long)]
        name: Option<String>,
    },
    /// Look a plan over without importing it; exit code 1 if it could not be imported
    Lint(Plan),
    /// Show a venue with its sections and categories
    Show {
        /// The venue: its id, or its name if no other has it
        venue: String,
    },
    /// List all venues
    List,
    /// Write a venue's plan to stdout
    Export {
        /// The venue: its id, or its name if no other has it
        venue: String,
        /// evently (everything), pretix (the open seating-plan JSON) or csv
        #[arg(long, default_value_t = Format::Own)]
        format: Format,
    },
}

#[derive(Debug, Args)]
pub struct Plan {
    /// The file; `-` is stdin
    file: PathBuf,
    /// evently, pretix (the open seating-plan JSON) or csv [default: as the file looks]
    #[arg(long)]
    format: Option<Format>,
}

pub async fn run(global: &Global, command: VenueCommand) -> Result<Reply, Failure> {
    match command {
        VenueCommand::Import { plan, name } => import_plan(global, &plan, name).await,
        VenueCommand::Lint(plan) => lint(&plan),
        VenueCommand::Show { venue } => show(global, &venue).await,
        VenueCommand::List => list(global).await,
        VenueCommand::Export { venue, format } => {
            let app = shop::open_existing(global).await?;
            let (venue, layout) = app.events.venue(names::venue(&app, &venue).await?.id).await?;
            Ok(Reply::file(import::write(format, &venue.name, &layout.layout)))
        }
    }
}

async fn import_plan(global: &Global, plan: &Plan, name: Option<String>) -> Result<Reply, Failure> {
    let content = input::file(&plan.file, limits::BYTES_MAX)?;
    let format = plan.format.unwrap_or_else(|| looks_like(&plan.file, &content));
    let app = shop::open(global).await?;
    let Import { name: own_name, layout, warnings } =
        import::read(format, &content, app.events.new_layout_id()).map_err(|error| refused(&plan.file, format, &error))?;
    for warning in &warnings {
        talk(format_args!("warning: {warning}"));
    }
    let name = name.or(own_name).or_else(|| file_name(&plan.file)).ok_or_else(|| {
        Failure::usage("the plan has no name, and stdin neither").hint("say what people shall call it with --name")
    })?;
    let draft = VenueDraft { name, layout: layout.clone() };
    let venue = app.events.create_venue(&shop::administrator(), draft, app.key_or_new(None)).await?.value;
    let mut json = in_json(&venue, &layout);
    json["warnings"] = json!(warnings);
    Ok(Reply::new(in_words(&venue, &layout), json))
}

/// The format of a file: by its name, and else by how it begins.
fn looks_like(path: &Path, content: &[u8]) -> Format {
    #[derive(Deserialize)]
    struct Outline {
        zones: Option<IgnoredAny>,
    }
    // Some programs begin a text with a mark of its encoding.
    let content = content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(content);
    let begins_json = content.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{');
    let csv = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("csv"));
    let zones = || match serde_json::from_slice(content) {
        Ok(Outline { zones }) => zones.is_some(),
        // What is wrong with it is to be said of what it was meant to be.
        Err(_) => content.windows(7).any(|window| window == b"\"zones\""),
    };
    match begins_json {
        _ if csv => Format::Csv,
        false => Format::Csv,
        true if zones() => Format::SeatingPlan,
        true => Format::Own,
    }
}

fn file_name(path: &Path) -> Option<String> {
    (path != Path::new("-")).then(|| path.file_stem().map(|stem| stem.to_string_lossy().into_owned())).flatten()
}

fn refused(path: &Path, format: Format, error: &ImportError) -> Failure {
    let mut lines = vec![format!("{} cannot be imported as {format}; nothing was changed", path.display())];
    lines.extend(error.problems.iter().map(Problem::to_string));
    lines.extend((error.more > 0).then(|| format!("and {} more problems", error.more)));
    Failure::no(lines.join("\n"))
}

fn lint(plan: &Plan) -> Result<Reply, Failure> {
    let content = input::file(&plan.file, limits::BYTES_MAX)?;
    let format = plan.format.unwrap_or_else(|| looks_like(&plan.file, &content));
    match import::read(format, &content, LayoutId::new(Uuid::nil())) {
        Ok(Import { name, layout, mut warnings }) => {
            warnings.extend(import::lint(&layout));
            let seats = layout.seats_total();
            let json = findings(format, name.as_deref(), &[], 0, &warnings, Some(&layout));
            let text = format!("can be imported as {format}: {seats} seats in {} sections\n", layout.sections.len());
            Ok(Reply::new(text + &lines("warning", &warnings), json))
        }
        Err(error) => {
            let json = findings(format, None, &error.problems, error.more, &[], None);
            let more = if error.more > 0 { format!("and {} more problems\n", error.more) } else { String::new() };
            let text = format!("cannot be imported as {format}\n{}{more}", lines("problem", &error.problems));
            Ok(Reply::new(text, json).only_if(false))
        }
    }
}

fn lines(what: &str, findings: &[impl std::fmt::Display]) -> String {
    findings.iter().map(|finding| format!("{what}: {finding}\n")).collect::<Vec<_>>().concat()
}

fn findings(
    format: Format,
    name: Option<&str>,
    problems: &[Problem],
    more: usize,
    warnings: &[Warning],
    layout: Option<&Layout>,
) -> Value {
    json!({
        "importable": layout.is_some(),
        "format": format,
        "name": name,
        "seats_total": layout.map(Layout::seats_total),
        "problems": problems,
        "more_problems": more,
        "warnings": warnings,
    })
}

async fn show(global: &Global, venue: &str) -> Result<Reply, Failure> {
    let app = shop::open_existing(global).await?;
    let (venue, layout) = app.events.venue(names::venue(&app, venue).await?.id).await?;
    let layout = &layout.layout;
    let mut sections = Table::new(["SECTION", "#ROWS", "#SEATS"]);
    for section in &layout.sections {
        let seats = section.rows.iter().map(|row| row.seats.len()).sum::<usize>();
        sections.row([section.name.clone(), section.rows.len().to_string(), seats.to_string()]);
    }
    let mut categories = Table::new(["CATEGORY", "#SEATS"]);
    for (category, seats) in layout.categories.iter().zip(by_category(layout)) {
        categories.row([category.name.clone(), seats.to_string()]);
    }
    let text = format!("{}\n{}\n{}", in_words(&venue, layout), sections.text(), categories.text());
    Ok(Reply::new(text, in_json(&venue, layout)))
}

async fn list(global: &Global) -> Result<Reply, Failure> {
    let app = shop::open_existing(global).await?;
    let mut table = Table::new(["ID", "#SEATS", "NAME"]);
    let mut items = Vec::new();
    for venue in names::venues(&app).await? {
        let (venue, layout) = app.events.venue(venue.id).await?;
        let seats = layout.layout.seats_total();
        table.row([venue.id.to_string(), seats.to_string(), venue.name.clone()]);
        items.push(json!({ "id": venue.id, "name": venue.name, "layout_id": venue.layout_id, "seats_total": seats }));
    }
    Ok(Reply::new(table.or_none("venues"), json!({ "items": items })))
}

fn in_words(venue: &Venue, layout: &Layout) -> String {
    facts([
        ("id", venue.id.to_string()),
        ("name", venue.name.clone()),
        ("seats", layout.seats_total().to_string()),
        ("layout", venue.layout_id.to_string()),
    ])
}

fn in_json(venue: &Venue, layout: &Layout) -> Value {
    let sections = layout.sections.iter().map(|section| {
        let seats = section.rows.iter().map(|row| row.seats.len()).sum::<usize>();
        json!({ "id": section.id, "name": section.name, "rows": section.rows.len(), "seats": seats })
    });
    let categories = layout.categories.iter().zip(by_category(layout));
    let categories =
        categories.map(|(category, seats)| json!({ "name": category.name, "color": category.color, "seats": seats }));
    json!({
        "id": venue.id,
        "name": venue.name,
        "layout_id": venue.layout_id,
        "seats_total": layout.seats_total(),
        "sections": sections.collect::<Vec<_>>(),
        "categories": categories.collect::<Vec<_>>(),
        "areas": layout.areas.len(),
    })
}

fn by_category(layout: &Layout) -> Vec<u32> {
    let mut seats = vec![0; layout.categories.len()];
    for place in layout.places() {
        seats[usize::from(place.seat.category)] += 1;
    }
    seats
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_taken_for_what_it_looks_like() {
        assert_eq!(looks_like(Path::new("hall.csv"), b"{"), Format::Csv);
        assert_eq!(looks_like(Path::new("-"), b"section,row,seat\n"), Format::Csv);
        assert_eq!(looks_like(Path::new("-"), b" {\"name\": \"x\", \"zones\": []}"), Format::SeatingPlan);
        assert_eq!(looks_like(Path::new("hall.json"), b"{\"sections\": []}"), Format::Own);
        assert_eq!(looks_like(Path::new("hall.json"), b"\xef\xbb\xbf{\"sections\": []}"), Format::Own, "as Windows writes it");
        assert_eq!(looks_like(Path::new("-"), b"\xef\xbb\xbf{\"zones\": []}"), Format::SeatingPlan);
        let named_so = b"{\"sections\": [{\"name\": \"zones\"}]}";
        assert_eq!(looks_like(Path::new("-"), named_so), Format::Own, "a section may have that name");
    }
}
