//! `evently simulate`: whole on-sales with everything that can go wrong, each as it follows from its seed.

use std::{
    ops::Range,
    time::{Duration, Instant},
};

use clap::Args;
use evently_testkit::simulation::{Breach, Many, Outcome, Plan, Rare, cores, run, run_many, shrunk, tell};
use serde_json::{Value, json};

use crate::{failure::Failure, progress, reply::Reply, table::Table};

#[derive(Debug, Args)]
pub struct Simulate {
    /// The run of this seed
    #[arg(long, value_name = "N", required_unless_present = "seeds", conflicts_with = "seeds")]
    seed: Option<u64>,
    /// The runs of the seeds from A to B, without B; the first that fails is made smaller, and told
    #[arg(long, value_name = "A..B", value_parser = seeds)]
    seeds: Option<Range<u64>>,
    /// Tell what happens in the run, line by line
    #[arg(long, conflicts_with = "seeds")]
    trace: bool,
    /// Leave each run where it stands after so many steps
    #[arg(long, value_name = "M", value_parser = clap::value_parser!(u64).range(1..))]
    steps: Option<u64>,
    /// Begin no more runs after so many minutes
    #[arg(long, value_name = "M", conflicts_with = "seed", value_parser = clap::value_parser!(u64).range(1..))]
    minutes: Option<u64>,
    /// Runs at the same time [default: one for each core]
    #[arg(long, value_name = "N", conflicts_with = "seed", value_parser = clap::value_parser!(u32).range(1..=1024))]
    threads: Option<u32>,
}

fn seeds(text: &str) -> Result<Range<u64>, String> {
    let (from, to) = text.split_once("..").ok_or("say the first seed and the one after the last, as in 0..1000")?;
    let number = |text: &str| text.parse().map_err(|_| format!("{text:?} is not a seed; seeds are whole numbers from 0"));
    let seeds = number(from)?..number(to)?;
    if seeds.is_empty() { Err(format!("there is no seed from {from} to {to}; the second is to be greater")) } else { Ok(seeds) }
}

pub fn simulate(command: &Simulate) -> Result<Reply, Failure> {
    let plan = |seed| {
        let plan = Plan::of(seed);
        command.steps.map_or(plan.clone(), |steps| plan.steps(steps))
    };
    match (command.seed, &command.seeds) {
        (Some(seed), _) => Ok(one(seed, &if command.trace { tell(&plan(seed)) } else { run(&plan(seed)) })),
        (None, Some(seeds)) => Ok(many(command, seeds.clone(), plan)),
        (None, None) => Err(Failure::usage("say --seed N or --seeds A..B")),
    }
}

fn one(seed: u64, outcome: &Outcome) -> Reply {
    let mut lines = outcome.story.clone();
    lines.push(format!("seed {seed}: {}", in_a_line(outcome)));
    lines.extend(broken(&outcome.breaches));
    let document = json!({
        "seed": seed,
        "steps": outcome.steps,
        "journal_entries": outcome.entries,
        "fingerprint": hex(outcome.fingerprint),
        "violations": outcome.breaches.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "trace": outcome.story,
    });
    Reply::new(lines.join("\n"), document).only_if(outcome.breaches.is_empty())
}

fn in_a_line(outcome: &Outcome) -> String {
    let Outcome { steps, entries, fingerprint, .. } = outcome;
    format!("{steps} steps, {entries} journal entries, fingerprint {}", hex(*fingerprint))
}

fn hex(fingerprint: u64) -> String {
    format!("{fingerprint:016x}")
}

fn broken(breaches: &[Breach]) -> Vec<String> {
    let found = breaches.iter().map(|breach| format!("violation: {breach}"));
    found.chain(breaches.is_empty().then(|| "every invariant held".to_owned())).collect()
}

fn many(command: &Simulate, seeds: Range<u64>, plan: impl Fn(u64) -> Plan + Sync) -> Reply {
    let threads = command.threads.map_or_else(cores, |threads| threads as usize);
    #[expect(clippy::disallowed_methods, reason = "the speed is measured, and the minutes are those of people")]
    let began = Instant::now();
    let over = command.minutes.map(Duration::from_mins);
    let spinner = progress::spinner("simulating");
    let many = run_many(seeds, threads, &plan, || over.is_none_or(|over| began.elapsed() < over));
    let took = began.elapsed();
    let story = many.broken.keys().next().map(|seed| tell(&shrunk(&plan(*seed))).story);
    spinner.finish_and_clear();
    judged(&many, threads, took, story.as_deref())
}

fn judged(many: &Many, threads: usize, took: Duration, story: Option<&[String]>) -> Reply {
    let document = in_json(many, threads, took, story);
    Reply::new(in_words(many, threads, took, story), document).only_if(many.broken.is_empty())
}

fn a_second(number: u64, took: Duration) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "it is a rate")]
    let number = number as f64;
    number / took.as_secs_f64().max(f64::EPSILON)
}

fn in_words(many: &Many, threads: usize, took: Duration, story: Option<&[String]>) -> String {
    let mut table = Table::new(["RARE STATE", "#TIMES"]);
    for rare in Rare::ALL {
        table.row([rare.name().to_owned(), many.met.times(*rare).to_string()]);
    }
    let mut lines = vec![table.text()];
    lines.push(format!(
        "{} seeds, {} steps ({} in the shortest run), {} journal entries; {:.0} s on {threads} threads: {:.0} seeds and {:.0} steps \
         a second",
        many.seeds,
        many.steps,
        many.steps_min,
        many.entries,
        took.as_secs_f64(),
        a_second(many.seeds, took),
        a_second(many.steps, took),
    ));
    lines.push(format!("fingerprint {}", hex(many.fingerprint)));
    if let Some(story) = story {
        lines.push("\nThe first that failed, as small as it could be made:".to_owned());
        lines.extend(story.iter().cloned());
        lines.push(String::new());
    }
    lines.extend(many.broken.iter().map(|(seed, breach)| format!("violation: seed {seed}: {breach}")));
    lines.push(match many.broken.len() {
        0 => "every invariant held".to_owned(),
        broken => format!("{broken} seeds broke an invariant"),
    });
    lines.join("\n")
}

fn in_json(many: &Many, threads: usize, took: Duration, story: Option<&[String]>) -> Value {
    let met = Rare::ALL.iter().map(|rare| (rare.name().to_owned(), json!(many.met.times(*rare))));
    let broken = many.broken.iter().map(|(seed, breach)| json!({ "seed": seed, "violation": breach.to_string() }));
    json!({
        "seeds": many.seeds,
        "steps": many.steps,
        "steps_min": many.steps_min,
        "journal_entries": many.entries,
        "threads": threads,
        "seconds": took.as_secs_f64(),
        "steps_per_second": a_second(many.steps, took),
        "seeds_per_second": a_second(many.seeds, took),
        "fingerprint": hex(many.fingerprint),
        "rare_states": Value::Object(met.collect()),
        "violations": broken.collect::<Vec<_>>(),
        "smallest": story,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What runs it every night looks at nothing else.
    #[test]
    fn one_seed_of_many_that_breaks_an_invariant_is_a_no() {
        let breach = Breach { invariant: "1", what: "a seat was sold twice".to_owned() };
        let whole = Many { seeds: 1000, ..Many::default() };
        let broken = Many { broken: [(7, breach)].into(), ..whole.clone() };
        for (many, yes) in [(whole, true), (broken, false)] {
            assert_eq!(judged(&many, 1, Duration::from_secs(1), None).is_yes(), yes, "{many:?}");
        }
    }

    #[test]
    fn one_seed_that_breaks_an_invariant_is_a_no() {
        let whole = run(&Plan::of(1).steps(1));
        let breach = Breach { invariant: "1", what: "a seat was sold twice".to_owned() };
        let broken = Outcome { breaches: vec![breach], ..whole.clone() };
        for (outcome, yes) in [(whole, true), (broken, false)] {
            assert_eq!(one(1, &outcome).is_yes(), yes, "{outcome:?}");
        }
    }

    #[test]
    fn the_story_of_the_first_that_failed_is_told() {
        let breach = Breach { invariant: "1", what: "a seat was sold twice".to_owned() };
        let broken = Many { seeds: 1000, broken: [(7, breach)].into(), ..Many::default() };
        let said = in_words(&broken, 1, Duration::from_secs(1), Some(&["somebody holds a seat".to_owned()]));
        assert!(said.contains("as small as it could be made:\nsomebody holds a seat\n\nviolation: seed 7: "), "{said}");
        assert!(said.contains("\nfingerprint "), "{said}");
    }
}
