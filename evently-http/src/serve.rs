//! Running the service: the application behind a socket, with its workers beside it.

use std::{net::SocketAddr, sync::Arc};

use tokio::net::TcpListener;

use crate::{
    compose::{self, App, StartError, stopped},
    config::Config,
    demo,
    middleware::{Stack, wrap},
    routes, workers,
};

/// The routes that take a file.
const UPLOADS: &[&str] = &["/api/v1/admin/venues"];

/// Runs the service until it is told to stop. `ready` is told where it listens.
pub async fn serve(config: Config, ready: impl FnOnce(&App, SocketAddr)) -> Result<(), StartError> {
    let app = Arc::new(compose::open(config)?);
    if app.config.demo.enabled {
        demo::seed(&app, &*app.passwords).await?;
    }
    let address = app.config.http.listen;
    let listener = TcpListener::bind(address).await.map_err(|source| StartError::Listen { address, source })?;
    let bound = listener.local_addr().map_err(|source| StartError::Listen { address, source })?;
    let mut workers = workers::start(&app);
    ready(&app, bound);
    let mut stopping = app.stopping.subscribe();
    let service = router(&app).into_make_service();
    axum::serve(listener, service).with_graceful_shutdown(async move { stopped(&mut stopping).await }).await.ok();
    app.stopping.send_replace(true);
    while workers.join_next().await.is_some() {}
    Ok(())
}

/// The routes of an application with everything around them.
pub fn router(app: &Arc<App>) -> axum::Router {
    let stack = Stack::new(&app.config, app.clock.clone(), app.ids.clone(), app.tokens.clone());
    wrap(routes::router(Arc::clone(app)), &Stack { uploads: UPLOADS, ..stack })
}
