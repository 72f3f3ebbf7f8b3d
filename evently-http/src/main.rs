//! The binary `evently-server`: the service alone.

use std::{path::PathBuf, process::ExitCode, sync::Arc};

use clap::Parser;
use evently_http::{
    clock::SystemClock,
    config::{Config, Sources},
    serve::serve,
    telemetry,
};

/// A request makes many small things and throws them away; the system's allocator takes a fifth of its time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Sells seats over HTTP. Settings come from built-in defaults, `config/PROFILE.yaml`, `EVENTLY__SECTION__KEY`, `--config` and
/// flags; what comes later wins.
#[derive(Parser)]
#[command(name = "evently-server", version)]
struct Arguments {
    /// Where to listen, as in 127.0.0.1:8080 (http.listen).
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
    /// The folder for the store and all else that is kept (data.dir).
    #[arg(long, value_name = "DIR")]
    data: Option<String>,
    /// A file of settings.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Make demo data if there is nothing yet (demo.enabled).
    #[arg(long)]
    demo: bool,
    /// Leave the work beside the requests to other processes on the same store (workers.enabled).
    #[arg(long)]
    no_workers: bool,
}

fn main() -> ExitCode {
    let Arguments { listen, data, config, demo, no_workers } = Arguments::parse();
    let mut sources = Sources { file: config, ..Sources::of_process() };
    sources.flags.extend(listen.map(|listen| ("--listen", "http.listen", listen)));
    sources.flags.extend(data.map(|data| ("--data", "data.dir", data)));
    sources.flags.extend(demo.then(|| ("--demo", "demo.enabled", "true".to_owned())));
    sources.flags.extend(no_workers.then(|| ("--no-workers", "workers.enabled", "false".to_owned())));
    let config = match Config::load(&sources) {
        Ok(config) => config,
        Err(errors) => {
            eprintln!("error: {errors}");
            return ExitCode::from(2);
        }
    };
    telemetry::install(&config.log, "evently-server", Arc::new(SystemClock::new()));
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: no threads to run on: {error}");
            return ExitCode::from(3);
        }
    };
    match runtime.block_on(serve(config, |_, address| eprintln!("listening on http://{address}"))) {
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => {
            let cause = std::error::Error::source(&error).map_or_else(String::new, |cause| format!(": {cause}"));
            eprintln!("error: {error}{cause}");
            ExitCode::from(3)
        }
    }
}
