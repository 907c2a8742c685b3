//! The binary; everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    loadtest::cli::main(std::env::args_os())
}
