//! The binary: jemalloc, as harness and simulator allocate for every request, and the library's
//! [`loadtest::cli::main`].

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    loadtest::cli::main(std::env::args_os())
}
