//! Running the service: the application behind a socket, with its workers beside it.

use std::{net::SocketAddr, sync::Arc};

use crate::{
    auditor,
    compose::{self, App, StartError},
    config::Config,
    demo, metrics,
    middleware::{Stack, wrap},
    open_files, routes,
    server::{self, Limits, Stopped},
    workers,
};

/// The routes that take a file.
const UPLOADS: &[&str] = &["/api/v1/admin/venues"];

/// Runs the service until it is told to stop. `ready` is told where it listens.
pub async fn serve(config: Config, ready: impl FnOnce(&App, SocketAddr)) -> Result<Stopped, StartError> {
    // Before anything sets a figure; what is set earlier is lost.
    metrics::install();
    serve_app(Arc::new(compose::open(config).await?), ready).await
}

/// The same for an application that has been opened.
pub async fn serve_app(app: Arc<App>, ready: impl FnOnce(&App, SocketAddr)) -> Result<Stopped, StartError> {
    metrics::install();
    if app.config.demo.enabled {
        demo::seed(&app, &*app.passwords).await?;
    }
    let limits = Limits::from(&app.config.http);
    let limits = Limits { connections_max: open_files::room_for(limits.connections_max), ..limits };
    let address = app.config.http.listen;
    let listen = |source| StartError::Listen { address, source };
    let listener = server::bind(address).map_err(listen)?;
    let bound = listener.local_addr().map_err(listen)?;
    // Whoever learns that it listens may tell it to stop at once.
    let stop = server::asked_to_stop();
    let mut workers = workers::start(&app);
    workers.spawn(auditor::run(Arc::clone(&app)));
    ready(&app, bound);
    let stopped = server::serve(listener, router(&app), limits, stop).await;
    app.stopping.send_replace(true);
    while workers.join_next().await.is_some() {}
    Ok(stopped)
}

/// Does the work beside the requests, for other processes that take them, until it is told to stop.
pub async fn work(config: Config, ready: impl FnOnce(&App)) -> Result<(), StartError> {
    let app = Arc::new(compose::open(config).await?);
    let stop = server::asked_to_stop();
    let mut workers = workers::start(&app);
    ready(&app);
    stop.await;
    app.stopping.send_replace(true);
    while workers.join_next().await.is_some() {}
    Ok(())
}

/// The routes of an application with everything around them.
pub fn router(app: &Arc<App>) -> axum::Router {
    metrics::install();
    let stack = Stack::new(&app.config, app.clock.clone(), app.ids.clone(), app.tokens.clone());
    wrap(routes::router(Arc::clone(app)), &Stack { uploads: UPLOADS, limits: app.limits.clone(), ..stack })
}
