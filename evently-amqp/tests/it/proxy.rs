//! A way to the broker that can be closed, cut, and made to swallow what the broker answers.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::watch,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Open,
    /// Nobody gets through, and who was through is cut off.
    Closed,
    /// The broker hears us, and we do not hear it.
    Deaf,
}

/// Between a client and a broker on this machine.
pub struct Proxy {
    port: u16,
    broker: String,
    /// And how often it has been cut.
    way: Arc<watch::Sender<(Way, u64)>>,
    sent: Arc<AtomicU64>,
    made: Arc<AtomicUsize>,
}

impl Proxy {
    /// To the broker of this URL; closed at first.
    pub async fn closed(url: &str) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = url.split_once('@').unwrap().1.split('/').next().unwrap().parse::<SocketAddr>().unwrap();
        let proxy = Self {
            port: listener.local_addr().unwrap().port(),
            broker: url.to_owned(),
            way: Arc::new(watch::Sender::new((Way::Closed, 0))),
            sent: Arc::default(),
            made: Arc::default(),
        };
        let (way, sent, made) = (proxy.way.clone(), proxy.sent.clone(), proxy.made.clone());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if way.borrow().0 == Way::Closed {
                    continue;
                }
                made.fetch_add(1, Ordering::SeqCst);
                let (way, sent) = (way.subscribe(), sent.clone());
                tokio::spawn(async move { pass(client, address, way, &sent).await });
            }
        });
        proxy
    }

    pub async fn open(url: &str) -> Self {
        let proxy = Self::closed(url).await;
        proxy.let_through();
        proxy
    }

    /// The broker's URL by this way.
    pub fn url(&self) -> String {
        let (head, tail) = self.broker.split_once('@').unwrap();
        format!("{head}@127.0.0.1:{}/{}", self.port, tail.split_once('/').unwrap().1)
    }

    pub fn let_through(&self) {
        self.way.send_modify(|(way, _)| *way = Way::Open);
    }

    pub fn close(&self) {
        self.way.send_modify(|(way, cuts)| (*way, *cuts) = (Way::Closed, *cuts + 1));
    }

    /// Cuts all connections; new ones come through.
    pub fn cut(&self) {
        self.close();
        self.let_through();
    }

    /// From now on nothing comes back from the broker.
    pub fn swallow_answers(&self) {
        self.way.send_modify(|(way, _)| *way = Way::Deaf);
    }

    /// How many bytes have gone to the broker.
    pub fn sent_bytes(&self) -> u64 {
        self.sent.load(Ordering::SeqCst)
    }

    /// How many connections have been made.
    pub fn connections(&self) -> usize {
        self.made.load(Ordering::SeqCst)
    }
}

async fn pass(mut client: TcpStream, broker: SocketAddr, way: watch::Receiver<(Way, u64)>, sent: &AtomicU64) {
    let mut cut = way.clone();
    let cuts = cut.borrow().1;
    let Ok(mut server) = TcpStream::connect(broker).await else { return };
    let (mut from_client, mut from_server) = (vec![0; 65_536], vec![0; 65_536]);
    loop {
        tokio::select! {
            biased;
            () = async { drop(cut.wait_for(|(_, now)| *now != cuts).await) } => return,
            read = client.read(&mut from_client) => match read {
                Ok(size @ 1..) => {
                    if server.write_all(&from_client[..size]).await.is_err() { return }
                    sent.fetch_add(size as u64, Ordering::SeqCst);
                }
                _ => return,
            },
            read = server.read(&mut from_server) => match read {
                Ok(size @ 1..) => {
                    // As of one moment: it may be opened again as soon as it has been cut.
                    let (deaf, is_cut) = {
                        let way = way.borrow();
                        (way.0 == Way::Deaf, way.1 != cuts)
                    };
                    if is_cut { return }
                    if !deaf && client.write_all(&from_server[..size]).await.is_err() { return }
                }
                _ => return,
            },
        }
    }
}
