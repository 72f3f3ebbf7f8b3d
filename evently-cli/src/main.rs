//! The binary `evently`: administration, and the service on one machine.

/// A request makes many small things and throws them away; the system's allocator takes a fifth of its time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    evently_cli::run()
}
