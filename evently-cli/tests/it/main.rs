//! The binary `evently` as its users have it: a process, its output and its exit code.

mod audit;
mod behind_nginx;
mod cli;
mod crash;
mod doctor;
mod evently;
mod faults;
mod full_disk;
mod load;
mod people;
mod queue;
mod recorder;
mod rolling_restart;
mod shipped;
mod strace;
mod system_calls;
mod witness;

use evently_testservers::knobs;
