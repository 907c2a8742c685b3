//! TLS in front of a server that speaks none: it shows its certificate and passes on what comes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use super::authority::Certified;

/// It runs as long as the test does.
pub(super) struct Front {
    pub(super) address: SocketAddr,
    behind: watch::Sender<Option<SocketAddr>>,
    shown: watch::Sender<TlsAcceptor>,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    greeted: AtomicU64,
    refused: AtomicU64,
}

impl Front {
    pub(super) async fn start(certified: Certified) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (shown, acceptor) = watch::channel(TlsAcceptor::from(certified.server()));
        let (behind, target) = watch::channel(None);
        let counts = Arc::new(Counts::default());
        let counted = Arc::clone(&counts);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = acceptor.borrow().clone();
                tokio::spawn(pass_on(stream, acceptor, target.clone(), Arc::clone(&counted)));
            }
        });
        Self { address, behind, shown, counts }
    }

    /// Who answers behind it, by a URL.
    pub(super) fn leads_to(&self, url: &str) {
        let address = url.strip_prefix("http://").unwrap().parse().unwrap();
        self.behind.send_replace(Some(address));
    }

    /// Shows another certificate from here on.
    pub(super) fn shows(&self, certified: Certified) {
        self.shown.send_replace(TlsAcceptor::from(certified.server()));
    }

    /// Handshakes that came to their end.
    pub(super) fn greeted(&self) -> u64 {
        self.counts.greeted.load(Ordering::Relaxed)
    }

    /// Handshakes that the other side broke off.
    pub(super) fn refused(&self) -> u64 {
        self.counts.refused.load(Ordering::Relaxed)
    }
}

async fn pass_on(
    stream: TcpStream,
    acceptor: TlsAcceptor,
    mut target: watch::Receiver<Option<SocketAddr>>,
    counts: Arc<Counts>,
) {
    let Ok(mut stream) = acceptor.accept(stream).await else {
        counts.refused.fetch_add(1, Ordering::Relaxed);
        return;
    };
    counts.greeted.fetch_add(1, Ordering::Relaxed);
    let Ok(target) = target.wait_for(Option::is_some).await.map(|target| *target) else { return };
    let Ok(mut behind) = TcpStream::connect(target.expect("it was waited for")).await else {
        return;
    };
    // Whichever side ends first: the other is told, and that is all.
    let _ = copy_bidirectional(&mut stream, &mut behind).await;
}
