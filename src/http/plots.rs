//! Plots of a finished review, as the report drew them, at any width and on light or dark paper.

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Service;
use super::extract::{Path, Words};
use super::problem::{Answer, Problem};
use super::results::{file, finished, forever};
use super::theme;

/// A plot by name.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PlotName {
    name: String,
    title: String,
}

/// Lists the plots of a review.
#[utoipa::path(get, path = "/reviews/{id}/plots", tag = "results", params(("id" = String, Path, description = "The review")),
    responses((status = 200, body = Vec<PlotName>), (status = 404, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn list_plots(State(service): State<Service>, Path(id): Path<String>) -> Answer<Json<Vec<PlotName>>> {
    finished(&service, &id).await?;
    let mut plots = Vec::new();
    for file_name in service.shop.blobs.results(&id, "plots").await? {
        let Some(name) = file_name.strip_suffix(".svg") else { continue };
        let svg = file(&service, &id, &format!("plots/{file_name}")).await?;
        let head = String::from_utf8_lossy(&svg[..svg.len().min(4096)]).into_owned();
        let title = head.split_once("<title>").and_then(|(_, t)| t.split_once("</title>")).map(|(t, _)| plain(t));
        plots.push(PlotName { name: name.to_owned(), title: title.unwrap_or_else(|| name.to_owned()) });
    }
    Ok(Json(plots))
}

/// Text of XML without its escapes.
fn plain(text: &str) -> String {
    [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")]
        .into_iter()
        .fold(text.to_owned(), |t, (from, to)| t.replace(from, to))
}

/// Light or dark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Theme {
    Light,
    Dark,
}

/// How a plot is wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct PlotWords {
    /// Width, px, 64 to 4096; the plot's own without it.
    #[param(minimum = 64, maximum = 4096)]
    width: Option<u32>,
    /// Light or dark [default: light].
    #[param(inline)]
    theme: Option<Theme>,
}

/// A plot: `{name}.svg` or `{name}.png`.
#[utoipa::path(get, path = "/reviews/{id}/plots/{file}", tag = "results",
    params(("id" = String, Path, description = "The review"), ("file" = String, Path, description = "`{name}.svg` or `{name}.png`"), PlotWords),
    responses((status = 200, body = Vec<u8>, content_type = "image/svg+xml"), (status = 400, body = Problem, content_type = "application/problem+json"), (status = 404, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn get_plot(
    State(service): State<Service>,
    Path((id, name)): Path<(String, String)>,
    Words(words): Words<PlotWords>,
    headers: HeaderMap,
) -> Answer<Response> {
    if words.width.is_some_and(|w| !(64..=4096).contains(&w)) {
        return Err(Problem::bad_request("width must be 64 to 4096 px"));
    }
    let wanted = || Problem::not_found(format!("found plot {name:?}, expected a name of /plots with .svg or .png"));
    let (stem, ending) = name.rsplit_once('.').ok_or_else(wanted)?;
    if stem.contains(['/', '\\']) {
        return Err(wanted());
    }
    let dark = words.theme == Some(Theme::Dark);
    let svg = String::from_utf8_lossy(&file(&service, &id, &format!("plots/{stem}.svg")).await?).into_owned();
    let (content_type, body) = match ending {
        "svg" => {
            let svg = if dark { theme::dark_svg(&svg) } else { svg };
            ("image/svg+xml", Bytes::from(words.width.map_or(svg.clone(), |w| svg_of_width(&svg, w))))
        }
        "png" => {
            let png = file(&service, &id, &format!("plots/{stem}.png")).await?;
            let drawn = crate::tasks::run_on_thread("draw-plot", move || {
                let png = if dark { theme::dark_png(&png, &svg)? } else { png };
                words.width.map_or(Ok(png.clone()), |w| png_of_width(&png, w))
            });
            ("image/png", drawn.await.map_err(crate::jobs::ServiceError::from)??)
        }
        _ => return Err(wanted()),
    };
    Ok(forever(&headers, &id, &format!("{name}-{}-{dark}", words.width.unwrap_or(0)), content_type, body))
}

/// Sets the size in the head of an SVG; its view box keeps the shape.
fn svg_of_width(svg: &str, width: u32) -> String {
    let size_of = |key: &str| {
        let (_, rest) = svg.split_once(&format!(" {key}=\""))?;
        rest.split_once('"')?.0.parse::<f64>().ok()
    };
    let (Some(w), Some(h)) = (size_of("width"), size_of("height")) else { return svg.to_owned() };
    let height = (f64::from(width) * h / w).round();
    svg.replacen(&format!(" width=\"{w}\" height=\"{h}\""), &format!(" width=\"{width}\" height=\"{height}\""), 1)
}

fn png_of_width(png: &[u8], width: u32) -> Result<Bytes, crate::jobs::ServiceError> {
    let picture = image::load_from_memory_with_format(png, image::ImageFormat::Png)?;
    let height = (f64::from(width) * f64::from(picture.height()) / f64::from(picture.width())).round().max(1.0) as u32;
    let resized = picture.resize_exact(width, height, image::imageops::FilterType::Lanczos3);
    let mut out = std::io::Cursor::new(Vec::new());
    resized.write_to(&mut out, image::ImageFormat::Png)?;
    Ok(out.into_inner().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_svg_keeps_its_shape_at_another_width() {
        let svg =
            "<svg viewBox=\"0 0 900 300\" width=\"900\" height=\"300\"><rect width=\"900\" height=\"300\"/></svg>";
        let wide = svg_of_width(svg, 1800);
        assert!(wide.contains("viewBox=\"0 0 900 300\" width=\"1800\" height=\"600\""), "{wide}");
        assert!(wide.contains("<rect width=\"900\""), "what is drawn stays");
    }
}
