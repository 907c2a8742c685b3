//! The binary: jemalloc, and the library's [`punctual::cli::main`].

/// Keeps a long-running process from fragmenting, and tells what it holds.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> std::process::ExitCode {
    punctual::cli::main()
}
