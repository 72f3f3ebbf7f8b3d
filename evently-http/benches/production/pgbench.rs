//! The transaction of the plain service as `pgbench` runs it, and a hundred of them as one: the server alone.

use std::{fs, process::Command, time::Duration};

/// One booking.
pub const EACH: &str = r"\set pair random(0, 29999)
begin isolation level serializable;
select version from bench_seats where number in (:pair * 2, :pair * 2 + 1) order by number;
update bench_seats set status = 'reserved', version = version + 1 where number = :pair * 2;
update bench_seats set status = 'reserved', version = version + 1 where number = :pair * 2 + 1;
insert into bench_bookings values (gen_random_uuid(), array[:pair * 2, :pair * 2 + 1], now());
commit;
";
/// A hundred, all over the house.
pub const HUNDRED: &str = r"\set first random(0, 29999)
begin isolation level serializable;
select number, version from bench_seats
  where number = any(array(select (:first + n * 7919) % 30000 * 2 + side from generate_series(0, 99) n, generate_series(0, 1) side));
update bench_seats set status = 'reserved', version = version + 1
  where number = any(array(select (:first + n * 7919) % 30000 * 2 + side from generate_series(0, 99) n, generate_series(0, 1) side));
insert into bench_bookings
  select gen_random_uuid(), array[(:first + n * 7919) % 30000 * 2, (:first + n * 7919) % 30000 * 2 + 1], now()
  from generate_series(0, 99) n;
commit;
";
const PREPARE: &str = "drop table if exists bench_seats, bench_bookings; \
    create table bench_seats (number integer primary key, status text not null, version integer not null, booking_id uuid); \
    insert into bench_seats select n, 'available', 0 from generate_series(0, 59999) n; \
    create table bench_bookings (id uuid primary key, seats integer[] not null, created_at timestamptz not null); \
    vacuum analyze bench_seats";

/// Transactions of a script in a second.
pub fn run(url: &str, script: &str, clients: usize, time: Duration) -> f64 {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("hold.sql");
    fs::write(&file, script).expect("room for a script");
    for statement in PREPARE.split("; ") {
        let prepared =
            Command::new("psql").args(["-q", "-c", statement, url]).env("PGOPTIONS", "-c client_min_messages=error").status();
        assert!(prepared.expect("psql is there").success(), "{statement}");
    }
    let output = Command::new("pgbench")
        .args(["-n", "-M", "prepared", "-j", "2", "--max-tries", "10", "-c", &clients.to_string()])
        .args(["-T", &time.as_secs().to_string(), "-f"])
        .arg(&file)
        .arg(url)
        .output()
        .expect("pgbench is there");
    let said = String::from_utf8_lossy(&output.stdout);
    let rate = said.lines().find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse().ok());
    rate.unwrap_or_else(|| panic!("pgbench says {said} {}", String::from_utf8_lossy(&output.stderr)))
}
