//! The binary `evently`: administration, and the service on one machine.

fn main() -> std::process::ExitCode {
    evently_cli::run()
}
