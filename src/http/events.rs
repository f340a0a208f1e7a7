//! Everything that changes, as server-sent events. The stream goes on where the caller was (`Last-Event-ID`), also over
//! a restart of the service, because the changes are in the store.

use std::collections::{HashSet, VecDeque};
use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::stream::{self, Stream};
use serde::Deserialize;
use tokio::sync::watch;
use utoipa::IntoParams;

use super::Service;
use super::extract::Words;
use super::problem::{Answer, Problem};
use super::wire::{Campaign, Job, Review, Simulation, Test, Upload};
use super::wire_flags::Flag;
use super::wire_suggestions::Suggestion;
use crate::store;
use crate::telemetry::names;

/// Changes that are read from the store at a time.
const AT_A_TIME: i64 = 200;

/// Which changes are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct EventWords {
    /// Only what belongs to this campaign, and what belongs to none.
    campaign_id: Option<String>,
    /// As the header `Last-Event-ID`, for callers that cannot set it.
    last_event_id: Option<i64>,
}

/// Streams changes: `upload`, `simulation`, `test`, `review`, `batch` (its webhook was told), `flag`, `verdict`, `live`,
/// `job`, `campaign`, `suggestion`. The data is the thing as it is when it is sent; `{"id":…,"removed":true}` for one that
/// is gone. `lost` says that changes after `Last-Event-ID` are not kept any more: read the lists again.
#[utoipa::path(get, path = "/events", tag = "events", params(EventWords, ("Last-Event-ID" = Option<i64>, Header, description = "Number of the last change that was seen")),
    responses((status = 200, body = String, content_type = "text/event-stream"), (status = 400, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn stream_events(
    State(service): State<Service>,
    Words(words): Words<EventWords>,
    headers: HeaderMap,
) -> Answer<Sse<impl Stream<Item = Result<Event, Infallible>>>> {
    let seen = match headers.get("last-event-id") {
        Some(value) => {
            let text = value.to_str().unwrap_or_default();
            Some(
                text.trim()
                    .parse()
                    .map_err(|_| Problem::bad_request(format!("Last-Event-ID is {text:?}, expected a number")))?,
            )
        }
        None => words.last_event_id,
    };
    let store = &service.shop.store;
    // Subscribed before the store is read: nothing falls in between.
    let changes = store.changes();
    let newest = store.newest_event().await?;
    let after = seen.unwrap_or(newest);
    let mut waiting = VecDeque::from([Event::default().comment("here")]);
    let oldest = store.events_after(0, None, 1).await?.first().map_or(newest + 1, |e| e.seq);
    if after > newest || (after + 1 < oldest && seen.is_some()) {
        waiting.push_back(Event::default().event("lost").data(format!("{{\"oldest\":{oldest}}}")));
    }
    let reader = Reader {
        after: after.min(newest),
        campaign_id: words.campaign_id,
        waiting,
        changes,
        _counted: Counted::new(),
        service,
    };
    let stream = stream::unfold(reader, |mut reader| async move {
        let event = reader.next().await?;
        Some((Ok(event), reader))
    });
    Ok(Sse::new(stream).keep_alive(KeepAlive::new().interval(Duration::from_secs(15))))
}

/// One open stream.
struct Reader {
    service: Service,
    after: i64,
    campaign_id: Option<String>,
    waiting: VecDeque<Event>,
    changes: watch::Receiver<u64>,
    _counted: Counted,
}

/// Counts the readers.
struct Counted;

impl Counted {
    fn new() -> Self {
        metrics::gauge!(names::READERS).increment(1.0);
        Self
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        metrics::gauge!(names::READERS).decrement(1.0);
    }
}

impl Reader {
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.waiting.pop_front() {
                return Some(event);
            }
            match self.read().await {
                Ok(0) => {}
                Ok(_) => continue,
                Err(e) => {
                    tracing::error!(error = %e, "the events could not be read");
                    return None;
                }
            }
            tokio::select! {
                () = self.service.end.cancelled() => return None,
                changed = self.changes.changed() => changed.ok()?,
            }
        }
    }

    /// Reads what changed; the last change of a thing stands for all of them.
    async fn read(&mut self) -> Result<usize, store::StoreError> {
        self.changes.mark_unchanged();
        let events = self.service.shop.store.events_after(self.after, self.campaign_id.as_deref(), AT_A_TIME).await?;
        let mut told = HashSet::new();
        let mut newest_first = Vec::new();
        for event in events.iter().rev() {
            if told.insert((event.name.as_str(), event.subject_id.as_str())) {
                newest_first.push(event);
            }
        }
        for event in newest_first.into_iter().rev() {
            let data = thing(&self.service, event).await?;
            self.waiting.push_back(Event::default().id(event.seq.to_string()).event(&event.name).data(data));
        }
        if let Some(last) = events.last() {
            self.after = last.seq;
        }
        Ok(events.len())
    }
}

/// The changed thing as JSON.
async fn thing(service: &Service, event: &store::Event) -> Result<String, store::StoreError> {
    let (store, id) = (&service.shop.store, event.subject_id.as_str());
    let json = |v: Result<serde_json::Value, store::StoreError>| match v {
        Ok(value) => Ok(value.to_string()),
        Err(store::StoreError::Missing { .. }) => Ok(serde_json::json!({ "id": id, "removed": true }).to_string()),
        Err(e) => Err(e),
    };
    let value = |v: &dyn erased::AsJson| v.as_json();
    json(match event.name.as_str() {
        "upload" => store.upload(id).await.map(|u| value(&Upload::from(u))),
        "simulation" => store.simulation(id).await.map(|s| value(&Simulation::from(s))),
        "test" => store.test(id).await.map(|t| value(&Test::from(t))),
        "review" => store.review(id).await.map(|r| value(&Review::from(r))),
        "flag" | "verdict" => store.flag(id).await.map(|f| value(&Flag::from(f))),
        "job" => store.job(id).await.map(|j| value(&Job::from(j))),
        "live" => match store.live(id).await {
            Ok(row) => super::live::live_view(service, row).await.map(|l| value(&l)),
            Err(e) => Err(e),
        },
        "suggestion" => store.suggestion(id).await.map(|s| value(&Suggestion::from(s))),
        "batch" => store.batch(id).await.map(|b| serde_json::json!({ "id": b.id, "webhook_state": b.webhook_state })),
        "campaign" => store.campaign(id).await.map(|c| value(&Campaign::from(c))),
        _ => Ok(serde_json::json!({ "id": id })),
    })
}

/// Views as JSON values without naming their types.
mod erased {
    pub(super) trait AsJson {
        fn as_json(&self) -> serde_json::Value;
    }

    impl<T: serde::Serialize> AsJson for T {
        fn as_json(&self) -> serde_json::Value {
            serde_json::to_value(self).expect("a view is JSON, else a bug")
        }
    }
}
